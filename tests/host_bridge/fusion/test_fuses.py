"""The Fuses in LuaJIT over real frames of a real engine: what they show is the composite of `faceplate swap`, and outside of the matte the plate."""

# ruff: noqa: F811

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from host_bridge.fusion.build import build
from host_bridge.fusion.fuse import controls
from nodes.definitions import NODES
from nodes.footage.info import FootageInfo
from nodes.footage.patch_files import write_patch
from nodes.shot import results
from nodes.shot.fuse import write_patches, write_pictures
from nodes.spec import Node
from nodes.types import Patch, Roi
from tests.support.fusion_host import setting
from tests.support.fusion_host.fuse import Fuse, Window
from tests.support.fusion_host.pictures import DEPTHS, Picture, from_rgb, to_rgb
from tests.support.fusion_host.stage import COUNT, FIRST, Stage, stage  # noqa: F401

pytestmark = pytest.mark.slow

ENVIRONMENTS = ("full", "sandbox")
DARK, LIGHT = 0.04045, 12.92


def decode(code: np.ndarray) -> np.ndarray:
    return np.where(code <= DARK, code / LIGHT, ((np.maximum(code, DARK) + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    return np.where(light <= DARK / LIGHT, light * LIGHT, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def codes(picture: Picture) -> np.ndarray:
    """[h, w, 3] in steps of 8 bits, not rounded."""
    return to_rgb(picture)[..., :3].astype(np.float64) * 255


# ---- what there is


@pytest.mark.parametrize("node", NODES, ids=lambda n: n.name)
def test_every_parameter_of_a_node_is_on_its_fuse_with_range_default_and_help(node: Node, tmp_path: Path) -> None:
    build(tmp_path)
    fuse = Fuse(tmp_path / "Fuses" / f"Faceplate{node.name}.fuse")
    schema = node.schema()["parameters"]
    defaults = node.parameters().model_dump(mode="json")
    by_name = {c.name: c for c in controls(node)}
    assert by_name.keys() == schema["properties"].keys()
    for name, one in schema["properties"].items():
        control = by_name[name]
        shown = fuse.attributes(control.id)
        assert one["description"] in shown["INPS_StatusText"]
        assert one.get("unit", "") in shown["INPS_StatusText"]
        kinds = [a for a in one.get("anyOf", [one]) if a.get("type") != "null"]
        limits = next((k for k in kinds if "minimum" in k), None)
        if limits:
            assert (shown["INP_MinAllowed"], shown["INP_MaxAllowed"]) == (limits["minimum"], limits["maximum"])
            assert shown["INP_Integer"] == (limits["type"] == "integer")
        if defaults[name] is None:
            assert fuse.value(control.switch) == 0 if control.switch else fuse.value(control.id) == ""
        elif control.kind == "choice":
            entries = [shown[i]["CCS_AddString"] for i in range(1, len(control.choices) + 1)]
            assert entries[fuse.value(control.id)] == defaults[name]
        else:
            assert fuse.value(control.id) == defaults[name]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("node", NODES, ids=lambda n: n.name)
def test_a_fuse_without_results_passes_its_image_through_and_says_so(
    node: Node, environment: str, tmp_path: Path
) -> None:
    build(tmp_path)
    fuse = Fuse(tmp_path / "Fuses" / f"Faceplate{node.name}.fuse", environment)
    image = from_rgb(np.full((30, 40, 3), 77, np.uint8), 5)
    assert fuse.registered.id == f"Faceplate{node.name}"
    assert fuse.process(image, 0)[0] is image
    assert fuse.work.printed == [f"Faceplate{node.name}1: no folder of results is chosen"]
    fuse.process(image, 1)
    assert len(fuse.work.printed) == 1
    for button in ("Reload", "Monitor"):
        assert fuse.attributes(button)["INPID_InputControl"] == "ButtonControl"
    for out in fuse.process(image, 0, precalc=True):
        assert out is image


def test_the_same_definitions_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = build(tmp_path / "one", python="/p"), build(tmp_path / "two", python="/p")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    assert all(p.read_bytes().isascii() for p in one if p.suffix != ".png")


def test_the_effect_for_the_edit_page_shows_inputs_that_the_fuse_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path)
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateSwap.fuse")
    monkeypatch.setitem(setting.INPUTS, "Fuse.FaceplateSwap", set(fuse.ids))
    folder = tmp_path / "Templates" / "Edit" / "Effects" / "Faceplate"
    document = setting.parse((folder / "Faceplate Swap.setting").read_text("ascii"))
    assert list(setting.faults(document)) == []
    shown = setting.group_of(document)["Inputs"]
    for name, one in shown.items():
        if "Default" in one:
            assert fuse.value(one["Source"]) == one["Default"], name
    monkeypatch.setitem(setting.INPUTS, "Fuse.FaceplateSwap", set(fuse.ids) - {"Mix"})
    assert list(setting.faults(document)) == ["FaceplateSwap1 has no input Mix"]
    assert (folder / "Faceplate Swap.png").read_bytes()[16:24] == bytes([0, 0, 0, 104, 0, 0, 0, 58])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("REG_TimeVariant", "REG_Timely", "knows no REG_Timely"),
        ("INP_MinScale = -20", "INP_Least = -20", "knows no INP_Least"),
        ('"ScrewControl"', '"KnobControl"', "no control KnobControl"),
        ("self.Name", "self.Title", "no self.Title"),
        ("loadfile(folder", "openfile(folder", "no global openfile"),
        ("req:IsPreCalc()", "req:IsEarly()", "has no IsEarly"),
        ("img.DataWindow", "img.Domain", "has no Domain"),
        ("nil, { edge = edge", "nil, { left = {}, edge = edge", "only numbers are sure to reach"),
        ("img.Height }, 0, 0,", "img.Height }, 2, 2,", "begin at 0, 0"),
        ("if x < edge or", "if math.abs(x) < edge or", "knows no math"),
        ("y < edge or", "y < OVERLAY or", "nil"),
    ],
)
def test_what_fusion_does_not_document_fails_here(old: str, new: str, why: str, tmp_path: Path) -> None:
    build(tmp_path)
    file = tmp_path / "Fuses" / "FaceplateDetect.fuse"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(Exception, match=re.escape(why)):
        fuse = Fuse(file)
        fuse.set(Results=tmp_path, Show=3)
        fuse.process(from_rgb(np.zeros((6, 8, 3), np.uint8), 5), 0)


# ---- the swap


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_image_is_the_composite_and_outside_of_the_matte_the_plate(
    stage: Stage,
    depth: int,
    environment: str,
) -> None:
    fuse = stage.fuse("Swap", environment, "swap")
    for number in range(FIRST, FIRST + COUNT):
        image = from_rgb(stage.plate(number), depth)
        shown, patch, matte = fuse.process(image, number)
        assert shown.depth == (depth if depth > 6 else 8)
        off = np.abs(codes(shown) - stage.composite(number))
        assert off.max() < 1.1 and off.mean() < 0.05
        outside = stage.matte(number) == 0
        assert outside.any() and not outside.all()
        assert np.array_equal(to_rgb(shown)[outside], to_rgb(image)[outside])
        assert np.abs(to_rgb(matte)[..., 0] - stage.matte(number)).max() < 1.01 / 255
        alone = to_rgb(patch)
        assert np.array_equal(alone[..., 3], to_rgb(matte)[..., 3]) and not alone[outside].any()
    assert fuse.work.printed == []


def test_a_scene_linear_image_is_blended_as_such(stage: Stage) -> None:
    fuse = stage.fuse("Swap", results="swap")
    fuse.set(Linear=1)
    light = decode(stage.plate(FIRST) / 255).astype(np.float32)
    shown, patch, _ = fuse.process(from_rgb(light, 8), FIRST)
    assert np.abs(encode(to_rgb(shown)[..., :3]) * 255 - stage.composite(FIRST)).max() < 1.1
    over = to_rgb(patch)[..., :3] + light * (1 - to_rgb(patch)[..., 3:])
    assert np.abs(over - to_rgb(shown)[..., :3]).max() < 1e-6


def test_the_sliders_act_at_once(stage: Stage) -> None:
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST), 8)
    before, _, matte = fuse.process(image, FIRST)
    covered = to_rgb(matte)[..., 0]
    fuse.set(Mix=0.5)
    half, _, half_matte = fuse.process(image, FIRST)
    assert np.allclose(to_rgb(half_matte)[..., 0], covered / 2, atol=1e-6)
    light = (decode(to_rgb(before)[..., :3]) + decode(to_rgb(image)[..., :3])) / 2
    assert np.abs(decode(to_rgb(half)[..., :3]) - light).max() < 1e-5
    fuse.set(Mix=1, GainRed=0.5)
    red = to_rgb(fuse.process(image, FIRST)[0])
    whole = covered == 1
    assert np.allclose(decode(red[whole][:, 0]), decode(to_rgb(before)[whole][:, 0]) / 2, atol=1e-5)
    assert np.array_equal(red[whole][:, 1:3], to_rgb(before)[whole][:, 1:3])
    fuse.set(GainRed=1, EdgeGrow=4)
    grown = to_rgb(fuse.process(image, FIRST)[2])[..., 0]
    fuse.set(EdgeGrow=-4)
    shrunk = to_rgb(fuse.process(image, FIRST)[2])[..., 0]
    assert (grown > 0.5).sum() > (covered > 0.5).sum() * 1.1 > (shrunk > 0.5).sum() * 1.2
    fuse.set(EdgeGrow=0, EdgeFeather=6)
    soft = to_rgb(fuse.process(image, FIRST)[2])[..., 0]
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 1.2 * ((covered > 0.05) & (covered < 0.95)).sum()
    fuse.set(EdgeFeather=0, Mix=7)
    assert fuse.value("Mix") == 1


def test_what_is_shown_can_be_chosen(stage: Stage) -> None:
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST), 8)
    result, patch, matte = fuse.process(image, FIRST)
    for show, expected in ((1, patch), (2, matte)):
        fuse.set(Show=show, Extra=0)
        shown, *more = fuse.process(image, FIRST)
        assert np.array_equal(shown.pixels, expected.pixels) and more == [None, None]
    fuse.set(Show=3)
    marked, inside = to_rgb(fuse.process(image, FIRST)[0]), stage.matte(FIRST) > 0.1
    assert (marked[inside][:, 1] < to_rgb(result)[inside][:, 1]).all()
    assert np.array_equal(marked[~(to_rgb(matte)[..., 0] > 0)], to_rgb(result)[~(to_rgb(matte)[..., 0] > 0)])


def test_the_offset_leads_from_the_comps_time_to_the_plates_number(stage: Stage) -> None:
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST + 1), 8)
    for start in (0, 86400):
        fuse.set(FrameOffset=FIRST - start)
        assert np.abs(codes(fuse.process(image, start + 1)[0]) - stage.composite(FIRST + 1)).max() < 1.1
        assert np.abs(codes(fuse.process(image, start + 1.0000001)[0]) - stage.composite(FIRST + 1)).max() < 1.1
        assert fuse.process(image, start + COUNT)[0] is image
    assert "frame 11 is not among the results, 7 to 10" in fuse.work.printed[-1]


def test_a_missing_frame_shows_the_plate_and_is_marked_in_the_overlay_only(
    stage: Stage,
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(stage.work / "swap" / "fusion", tmp_path / "shot" / "fusion").parent
    (folder / "fusion" / f"{FIRST:04d}.patch.png").unlink()
    (folder / "fusion" / f"{FIRST + 1:04d}.matte.png").write_bytes(b"\x89PNG cut off")
    fuse, image = stage.fuse("Swap", results=folder), from_rgb(stage.plate(FIRST), 8)
    for number, why in ((FIRST, "is not there"), (FIRST + 1, "cannot be read"), (FIRST + COUNT, "is not among")):
        shown, patch, matte = fuse.process(image, number)
        assert shown is image and not patch.pixels.any() and not matte.pixels.any()
        assert why in fuse.work.printed[-1]
    fuse.set(Show=3)
    marked = to_rgb(fuse.process(image, FIRST)[0])
    assert (marked[:5, :, 0] == 1).all() and not marked[:5, :, 1].any()
    assert np.array_equal(marked[10:-10, 10:-10], to_rgb(image)[10:-10, 10:-10])


def test_results_that_come_later_are_seen(stage: Stage, tmp_path: Path) -> None:
    fuse, image = stage.fuse("Swap", results=tmp_path / "late"), from_rgb(stage.plate(FIRST), 8)
    assert fuse.process(image, FIRST)[0] is image
    assert fuse.attributes("Status")["LINKS_Name"] == "Nothing is there yet"
    shutil.copytree(stage.work / "swap" / "fusion", tmp_path / "late" / "fusion")
    fuse.press("Reload")
    assert fuse.value("Reloaded") == 1
    assert np.abs(codes(fuse.process(image, FIRST)[0]) - stage.composite(FIRST)).max() < 1.1
    index = tmp_path / "late" / "fusion" / "index.lua"
    index.write_text(re.sub(r'windows = "\w+"', f'windows = "{"0" * 64}"', index.read_text()))
    assert fuse.process(image, FIRST)[0] is not image  # as it was read
    fuse.press("Reload")
    assert fuse.process(image, FIRST)[0] is image  # a frame without a face, and nothing to complain of
    assert len(fuse.work.printed) == 1


def test_a_single_frame_of_a_preview_is_shown_until_the_shot_is_rendered(
    stage: Stage,
    tmp_path: Path,
) -> None:
    stage.do(
        "preview",
        plate=str(stage.work / "plate" / "plate.%04d.png"),
        source=str(stage.work / "source.mkv"),
        frame=FIRST + 1,
        out=str(stage.work / "new.preview" / "composite.png"),
        fusion=str(stage.work / "new.preview" / "fusion"),
    )
    fuse, image = stage.fuse("Swap", results="new"), from_rgb(stage.plate(FIRST + 1), 8)
    assert np.abs(codes(fuse.process(image, FIRST + 1)[0]) - stage.composite(FIRST + 1)).max() < 8
    assert fuse.process(image, FIRST)[0] is image


def test_an_index_of_another_node_or_of_a_newer_faceplate_is_refused(
    stage: Stage,
    tmp_path: Path,
) -> None:
    image = from_rgb(stage.plate(FIRST), 8)
    swap = stage.fuse("Swap", results="mask")
    assert swap.process(image, FIRST)[0] is image and "not for this node" in swap.work.printed[0]
    index = tmp_path / "fusion" / "index.lua"
    index.parent.mkdir()
    for text in ("return { schema = 'faceplate.fuse/2', node = 'swap' }", "return os.exit(1)", "while", ""):
        index.write_text(text)
        fuse = stage.fuse("Swap", results=tmp_path)
        assert fuse.process(image, FIRST)[0] is image and len(fuse.work.printed) == 1


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_another_resolution_of_the_same_shape_is_followed(stage: Stage, scale: float) -> None:
    """A timeline of another size: the picture is the composite scaled, but for the filter."""
    import cv2

    def scaled(picture: np.ndarray) -> np.ndarray:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)

    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(scaled(stage.plate(FIRST)), 8)
    shown, _, matte = fuse.process(image, FIRST)
    off = np.abs(codes(shown) - scaled(stage.composite(FIRST).astype(np.float32)))
    assert off.max() < 16 and off.mean() < 0.3
    outside = to_rgb(matte)[..., 0] == 0
    assert np.array_equal(to_rgb(shown)[outside], to_rgb(image)[outside])


def test_a_proxy_is_followed_and_pixels_of_the_sliders_are_the_plates(stage: Stage) -> None:
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST)[::2, ::2], 8)
    image.size, image.proxy = (400, 300), 2
    shown, _, matte = fuse.process(image, FIRST)
    assert (shown.width, shown.height, shown.proxy) == (200, 150, 2)
    off = np.abs(codes(shown) - stage.composite(FIRST)[::2, ::2])
    assert off.mean() < 0.5
    fuse.set(EdgeGrow=8)
    grown = to_rgb(fuse.process(image, FIRST)[2])[..., 0]
    rows = [np.flatnonzero((m > 0.5).any(1)) for m in (to_rgb(matte)[..., 0], grown)]
    assert 3 <= rows[0][0] - rows[1][0] <= 5  # 8 of the plate's are 4 here


def test_an_image_of_another_shape_is_passed_through(stage: Stage) -> None:
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST)[:225], 8)
    assert fuse.process(image, FIRST)[0] is image
    assert "the image has 400 x 225 pixels, the plate of the results 400 x 300" in fuse.work.printed[0]


def test_a_picture_of_another_size_than_the_index_says_is_not_used(stage: Stage, tmp_path: Path) -> None:
    import cv2

    folder = shutil.copytree(stage.work / "swap" / "fusion", tmp_path / "shot" / "fusion").parent
    cv2.imwrite(str(folder / "fusion" / f"{FIRST:04d}.matte.png"), np.zeros((30, 40, 3), np.uint8))
    fuse, image = stage.fuse("Swap", results=folder), from_rgb(stage.plate(FIRST), 8)
    assert fuse.process(image, FIRST)[0] is image
    assert "has 40 x 30 pixels, not 400 x 300" in fuse.work.printed[0]


def test_a_region_of_interest_gets_what_the_whole_frame_has(stage: Stage) -> None:
    """The image from above holds only a part: nothing outside of its data window is touched, and the part is as ever."""
    fuse, image = stage.fuse("Swap", results="swap"), from_rgb(stage.plate(FIRST), 8)
    whole = fuse.process(image, FIRST)[0]
    left, bottom, right, top = window = (180, 90, 260, 200)
    image.window = window
    shown = fuse.process(image, FIRST, region=Window(*window))[0]
    assert np.array_equal(shown.pixels[bottom:top, left:right], whole.pixels[bottom:top, left:right])


def test_results_may_lie_beside_the_comp(stage: Stage) -> None:
    shutil.copytree(stage.work / "swap" / "fusion", stage.fuses / "Fuses" / "shot" / "fusion")
    fuse, image = stage.fuse("Swap"), from_rgb(stage.plate(FIRST), 8)
    fuse.set(Results="Comp:shot/")
    assert fuse.process(image, FIRST)[0] is not image


def test_two_nodes_do_not_know_of_each_other(stage: Stage, tmp_path: Path) -> None:
    image = from_rgb(stage.plate(FIRST), 8)
    one, two = stage.fuse("Swap", results="swap"), stage.fuse("Swap", results=tmp_path)
    two.set(Mix=0.2, Show=2)
    assert np.abs(codes(one.process(image, FIRST)[0]) - stage.composite(FIRST)).max() < 1.1
    assert not two.process(image, FIRST)[0].pixels.any() and one.value("Mix") == 1


def test_two_nodes_in_a_row_lay_two_faces(stage: Stage) -> None:
    image = from_rgb(stage.plate(FIRST), 8)
    one, two = stage.fuse("Swap", results="swap"), stage.fuse("Swap", results="swap")
    first = one.process(image, FIRST)[0]
    second = two.process(first, FIRST)[0]
    solid = stage.matte(FIRST) == 1
    assert np.allclose(codes(second)[solid], codes(first)[solid], atol=1e-3)


def test_pictures_of_16_bits_and_colours_beyond_the_plate(tmp_path: Path, stage: Stage) -> None:
    info = FootageInfo(tmp_path, 64, 48, rate=25, frames=2, first=3, bit_depth=10)  # type: ignore[arg-type]
    y, x = np.mgrid[:40, :44].astype(np.float32)
    alpha = np.clip(1.6 - np.hypot((x - 22) / 15, (y - 20) / 14), 0, 1)
    colour = np.dstack([np.full_like(alpha, v) for v in (0.9, 0.2, 0.02)]) * (x[..., None] / 44)
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float16).astype(np.float32)  # as files have it
    patch = Patch(3, Roi(10, 4, 54, 44), rgba)
    write_patch(tmp_path / "patch" / "patch.0003.exr", patch, 64, 48)
    write_patch(
        tmp_path / "patch" / "patch.0004.exr", Patch(4, Roi(0, 0, 0, 0), np.zeros((0, 0, 4), np.float32)), 64, 48
    )
    write_patches(tmp_path, info, 0, 1)
    plate = np.random.default_rng(1).uniform(0, 1, (48, 64, 3)).astype(np.float32)
    fuse = stage.fuse("Swap", results=tmp_path)
    shown = to_rgb(fuse.process(from_rgb(plate, 8), 3)[0])[..., :3]
    over = np.zeros((48, 64, 4))
    over[4:44, 10:54] = rgba
    expected = encode(over[..., :3] + decode(plate) * (1 - over[..., 3:]))
    assert np.abs(shown - np.where(over[..., 3:] > 0, expected, plate)).max() < 1e-4
    image = from_rgb(plate, 8)
    assert fuse.process(image, 4)[0] is image and fuse.work.printed == []  # no face, and nothing is amiss


def test_codes_of_a_log_plate_are_not_blended_as_if_they_were_displayed(tmp_path: Path, stage: Stage) -> None:
    info = FootageInfo(tmp_path, 32, 24, rate=25, frames=1, bit_depth=10, colour="log")  # type: ignore[arg-type]
    write_pictures(tmp_path / "fusion", "swap", info, 0, [Patch(0, Roi(4, 4, 9, 9), np.ones((5, 5, 4), np.float32))], 1)
    fuse, image = stage.fuse("Swap", results=tmp_path), from_rgb(np.full((24, 32, 3), 0.2, np.float32), 8)
    assert fuse.process(image, 0)[0] is image and "the plate is log" in fuse.work.printed[0]
    fuse.set(Linear=1)
    assert np.allclose(to_rgb(fuse.process(image, 0)[0])[4:9, 4:9], 1, atol=1e-3)


def test_a_window_larger_than_a_frame_and_a_patch_at_its_rim_are_cut(tmp_path: Path, stage: Stage) -> None:
    info = FootageInfo(tmp_path, 33, 21, rate=25, frames=1)  # type: ignore[arg-type]
    whole = Patch(0, Roi(-8, -5, 41, 30), np.full((35, 49, 4), 0.5, np.float32))
    write_pictures(tmp_path / "fusion", "swap", info, 0, [whole], 1)
    fuse = stage.fuse("Swap", results=tmp_path)
    shown = to_rgb(fuse.process(from_rgb(np.zeros((21, 33, 3), np.uint8), 5), 0)[0])
    assert np.allclose(shown[..., :3], encode(np.array(0.5)), atol=2 / 255)


def test_what_an_earlier_render_left_is_not_shown_with_a_later_one(tmp_path: Path) -> None:
    """Rendered again without them, pictures for Fuses are gone; what is not Faceplate's stays."""
    out = tmp_path / "shot"
    for name in ("fusion/index.lua", "fusion/0007.patch.png", "over/over.0007.exr", "shot.json", "fusion/notes.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).touch()
    folder = results.open_partial(out, "another")
    (folder / "shot.json").write_text("{}")
    results.publish(folder, out)
    left = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert left == ["fusion/notes.txt", "shot.json"]


# ---- the others


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_mask_is_the_matte_and_the_image_stays(stage: Stage, environment: str) -> None:
    fuse, image = stage.fuse("Mask", environment, "mask"), from_rgb(stage.plate(FIRST), 8)
    shown, patch, matte = fuse.process(image, FIRST)
    assert shown is image
    assert np.abs(to_rgb(matte)[..., 0] - stage.matte(FIRST, "mask")).max() < 1.01 / 255
    cut = to_rgb(image)[..., :3] * to_rgb(matte)[..., :1]
    assert np.allclose(to_rgb(patch)[..., :3], cut, atol=1e-6)
    assert fuse.attributes("Status")["LINKS_Name"] == "Frames 7 to 10, 400 x 300"


@pytest.mark.parametrize(("node", "folder"), [("Detect", "detect"), ("Align", "align")])
def test_boxes_and_crops_are_where_the_faces_are(stage: Stage, node: str, folder: str) -> None:
    fuse, image = stage.fuse(node, results=folder), from_rgb(stage.plate(FIRST), 8)
    shown, _, matte = fuse.process(image, FIRST)
    assert shown is image
    covered, face = to_rgb(matte)[..., 0] > 0.5, stage.matte(FIRST) > 0.5
    assert covered[face].mean() > 0.95 and covered.mean() < 0.3
    numbers = re.search(r"\\n7 0 ([\d. ]+)\\n", (stage.work / folder / "fusion" / "index.lua").read_text())
    assert numbers is not None
    corners = np.array([float(v) for v in numbers[1].split()]).reshape(4, 2)
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    assert abs(rows[0] - corners[:, 1].min()) < 2 and abs(columns[-1] - corners[:, 0].max()) < 2
    fuse.set(Show=3)
    marked = to_rgb(fuse.process(image, FIRST)[0])
    drawn = (marked != to_rgb(image)).any(2)
    assert 100 < drawn.sum() < covered.sum() / 3 and not drawn[face & (stage.matte(FIRST) == 1)].all()
    assert np.array_equal(marked[~covered], to_rgb(image)[~covered])
