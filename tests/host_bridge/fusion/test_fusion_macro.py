"""A shot as nodes of Fusion's own: every document is read by LuaJIT, every link leads somewhere, and the picture is that of `faceplate swap`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from host_bridge.fusion.lua import to_lua
from tests.support.fusion_host.setting import Evaluator, faults, group_of, parse, tools_of
from tests.support.fusion_host.stage import COUNT, FIRST, Stage, prepared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Stage]:
    with prepared(tmp_path_factory.mktemp("macro"), samples) as made:
        made.do("swap", plate=made.plates, source=made.source, out=str(made.work / "swap"), rate="25")
        yield made


@pytest.fixture(scope="module")
def macro(stage: Stage) -> Path:
    from host_bridge.cli import main

    for image in ("displayed", "linear"):
        out = stage.work / "macro" / image
        assert main(["fusion", "macro", str(stage.work / "swap"), "--out", str(out), "--image", image]) == 0
    return stage.work / "macro"


def decode(code: np.ndarray) -> np.ndarray:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def opaque(picture: np.ndarray) -> np.ndarray:
    return np.dstack([picture, np.ones(picture.shape[:2])]).astype(np.float32)


def test_all_documents_can_be_read_and_every_link_leads_somewhere(macro: Path) -> None:
    for image in ("displayed", "linear"):
        for suffix in (".setting", ".comp"):
            document = parse((macro / image / f"Faceplate{suffix}").read_text("ascii"))
            assert list(faults(document)) == []
    group = group_of(parse((macro / "displayed" / "Faceplate.setting").read_text()))
    assert group["__kind"] == "GroupOperator"
    shown = {one["Name"] for key, one in group["Inputs"].items() if key != "__kind"}
    assert {"Plate", "Mix", "Shot starts at frame", "Edge blur", "Gain red", "Cut out (polygon)"} <= shown


def test_what_would_fail_silently_in_fusion_is_found_here(macro: Path) -> None:
    text = (macro / "displayed" / "Faceplate.setting").read_text()
    for old, new in (
        ('SourceOp = "FaceGain", Source = "Output"', 'SourceOp = "Gain", Source = "Output"'),
        ('Source = "MatteBlur"', 'Source = "MatteBlurr"'),
        ('SourceOp = "Cutout", Source = "Mask"', 'SourceOp = "Cutout", Source = "Output"'),
        ("time - StartsAt", "time - - * StartsAt"),
        ("Inputs = ordered() {", "Inputs = {"),
    ):
        assert old in text
        assert len(list(faults(parse(text.replace(old, new, 1))))) == 1, new
    with pytest.raises(Exception, match="expected"):
        parse(text.replace("ordered() {", "ordered( {", 1))


@pytest.mark.parametrize("image", ["displayed", "linear"])
@pytest.mark.parametrize("suffix", [".setting", ".comp"])
def test_the_picture_is_the_composite_and_outside_of_the_matte_the_plate(
    stage: Stage, macro: Path, image: str, suffix: str
) -> None:
    """displayed: code values, blended as such. linear: scene-linear light."""
    document = parse((macro / image / f"Faceplate{suffix}").read_text())
    tools = tools_of(group_of(document) if suffix == ".setting" else document)
    end = "FaceOver" if suffix == ".setting" else "MediaOut1"
    for number in range(FIRST, FIRST + COUNT):
        code = stage.plate(number) / 255
        plate = opaque(code if image == "displayed" else decode(code))
        made = Evaluator(tools, 400, 300, plate)(end, number)
        seen = made[..., :3] if image == "displayed" else encode(made[..., :3])
        off = np.abs(seen * 255 - stage.composite(number))
        assert off.max() < (0.2 if image == "displayed" else 1.1)
        outside = stage.matte(number) == 0
        assert np.array_equal(made[outside], plate[outside])


def test_source_and_timeline_numbering_show_the_same_frames(stage: Stage, macro: Path) -> None:
    tools = tools_of(group_of(parse((macro / "displayed" / "Faceplate.setting").read_text())))
    plate = opaque(stage.plate(FIRST + 2) / 255)
    expected = Evaluator(tools, 400, 300, plate)("FaceOver", FIRST + 2)
    for start in (0, 86400, 107892):  # 01:00:00:00 at 24 and 29.97 frames per second
        evaluate = Evaluator(tools, 400, 300, plate, {"FaceTime.StartsAt": start})
        assert np.array_equal(evaluate("FaceOver", start + 2), expected)
        for outside in (start - 1, start + COUNT):
            assert np.array_equal(evaluate("FaceOver", outside), plate)


def test_the_range_of_a_comp_holds_the_shot(macro: Path, stage: Stage, run: Any) -> None:
    document = parse((macro / "displayed" / "Faceplate.comp").read_text())
    assert (document["RenderRange"][1], document["RenderRange"][2]) == (FIRST, FIRST + COUNT - 1)
    out = stage.work / "macro" / "late"
    status, said, _ = run("fusion", "macro", stage.work / "swap", "--out", out, "--starts-at", 86400, "--name", "Late")
    assert status == 0 and [Path(line).name for line in said.split()] == ["Late.setting", "Late.comp", "Late.drfx"]
    document = parse((out / "Late.comp").read_text())
    assert document["CurrentTime"] == 86400 and document["RenderRange"][2] == 86400 + COUNT - 1


def test_the_controls_do_what_they_say(stage: Stage, macro: Path) -> None:
    tools = tools_of(group_of(parse((macro / "linear" / "Faceplate.setting").read_text())))
    plate, matte = opaque(decode(stage.plate(FIRST) / 255)), stage.matte(FIRST)
    whole = Evaluator(tools, 400, 300, plate)("FaceOver", FIRST)
    half = Evaluator(tools, 400, 300, plate, {"FaceOver.Blend": 0.5})("FaceOver", FIRST)
    assert np.allclose(half, (whole + plate) / 2, atol=1e-6)
    red = Evaluator(tools, 400, 300, plate, {"FaceGain.GainRed": 0.5})("FaceOver", FIRST)
    solid = matte == 1
    assert np.allclose(red[solid][:, 0], whole[solid][:, 0] / 2, atol=1e-6)
    assert np.allclose(red[solid][:, 1], whole[solid][:, 1], atol=1e-6)
    cut = np.zeros((300, 400))
    cut[:, :200] = 1
    left = Evaluator(tools, 400, 300, plate, mask=cut)("FaceOver", FIRST)
    assert np.array_equal(left[:, :200], plate[:, :200]) and np.array_equal(left[:, 200:], whole[:, 200:])
    soft = Evaluator(tools, 400, 300, plate, {"FaceMatte.MatteBlur": 8})("FaceAgain", FIRST)
    assert ((soft[..., 3] > 0.05) & (soft[..., 3] < 0.95)).sum() > ((matte > 0.05) & (matte < 0.95)).sum()
    assert (soft[..., :3].max(2) <= soft[..., 3] * 1.001 + 1e-6).all()  # premultiplied anew


def test_an_effect_for_the_edit_page_is_a_zip_with_an_icon(macro: Path) -> None:
    with zipfile.ZipFile(macro / "displayed" / "Faceplate.drfx") as packed:
        names = packed.namelist()
        assert names == [f"Edit/Effects/Faceplate/Faceplate.{s}" for s in ("setting", "png")]
        document = parse(packed.read(names[0]).decode("ascii"))
        icon = cv2.imdecode(np.frombuffer(packed.read(names[1]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert list(faults(document)) == [] and group_of(document)["__kind"] == "MacroOperator"
    assert icon.shape == (58, 104, 3)
    again = BytesIO((macro / "displayed" / "Faceplate.drfx").read_bytes())
    assert all(info.date_time == (2026, 1, 1, 0, 0, 0) for info in zipfile.ZipFile(again).infolist())


def test_what_is_no_shot_is_refused(tmp_path: Path, stage: Stage, run: Any) -> None:
    status, _, said = run("fusion", "macro", tmp_path)
    assert status == 7 and "shot.json" in said
    status, _, said = run("fusion", "macro", stage.work / "swap", "--name", "1 more")
    assert status == 2 and "no name of a node" in said


def test_lua_is_written_so_that_lua_reads_the_same() -> None:
    value = {"a": [1, 2.5, True], "end": 'C:\\x\n"é"', "b.c": {"Value": -1e-7}, "none": None}
    found = parse(to_lua({"content": value}))["content"]
    assert found["a"] == {1: 1, 2: 2.5, 3: True} and found["end"] == 'C:\\x\n"é"'
    assert found["b.c"] == {"Value": -1e-7} and "none" not in found
    with pytest.raises(TypeError):
        to_lua(object())
