"""Facesets: what is kept is what Align gives, what is left out is listed with the reason, and files are whole or refused."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from host_bridge.cli import main
from nodes.align import align
from nodes.align.pose import take_performance
from nodes.definitions import AlignParameters
from nodes.detect.kept import analyse
from nodes.errors import FootageError, NoFaceError, OutputError, SchemaError
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop
from nodes.mask import draw_regions, visible_shares
from tests import ROOT
from tests.support.clips import pictures, write_movie
from tests.support.consents import agreed
from trainer.faceset import Faceset, FacesetParameters, open_faceset
from trainer.faceset.build import build_faceset
from trainer.faceset.faceset import digest_of, read_document
from trainer.faceset.gather import GrowingArray
from trainer.faceset.select import cover, describe, find_blurred

HELD, BLURRED, FRAMES = 12, 20, 44
SIZE = 64


@pytest.fixture(scope="module", autouse=True)
def performers(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        who = {"Franck": ("train",), "F": ("train",)}
        patch.setenv("FACEPLATE_PROJECT", str(agreed(tmp_path_factory.mktemp("project"), who)))
        yield


@pytest.fixture(scope="module")
def clip(samples, tmp_path_factory) -> Path:
    """44 frames of franck: five are one and the same, one is out of focus, and at the end the face leaves the picture."""
    frames = list(pictures(samples / "franck.mp4", 100, FRAMES))
    frames[HELD : HELD + 5] = [frames[HELD]] * 5
    frames[BLURRED] = cv2.GaussianBlur(frames[BLURRED], (0, 0), 2.5)
    for i, picture in enumerate(frames[24:]):
        moved = np.zeros_like(picture)
        moved[:, : picture.shape[1] - 9 * i] = picture[:, 9 * i :]
        frames[24 + i] = moved
    return write_movie(tmp_path_factory.mktemp("clip") / "franck.mkv", frames, codec="ffv1")


@pytest.fixture(scope="module")
def made(clip, tmp_path_factory) -> Faceset:
    out = tmp_path_factory.mktemp("made") / "set"
    with open_footage(clip) as footage:
        return build_faceset([footage], out, "Franck", FacesetParameters(size=SIZE))


def left_out(folder: Path) -> list[dict[str, str]]:
    with (folder / "left_out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def build(clips: list[Path], out: Path, **parameters) -> Faceset:
    footage = [open_footage(c) for c in clips]
    return build_faceset(footage, out, "Franck", FacesetParameters(**{"size": SIZE, **parameters}))


def test_arrays_are_what_alignment_gives_for_the_same_frames(made, clip):
    with open_footage(clip) as footage:
        (found,) = align(analyse(footage), AlignParameters(size=SIZE)).crops
        rows = made.frame - found.track.frames[0]
        np.testing.assert_array_equal(made.landmarks, found.landmarks[rows])
        np.testing.assert_array_equal(made.to_plate, found.to_plate[rows])
        for i in (0, len(made) // 2, len(made) - 1):
            picture = footage.frame(int(made.frame[i])).rgb8()
            np.testing.assert_array_equal(made.crops[i], crop(picture, made.to_plate[i : i + 1], SIZE)[0])
    drawn = draw_regions(np.asarray(made.landmarks), SIZE, made.subject)
    visible = visible_shares(list(made.crops), list(made.landmarks), made.subject)
    np.testing.assert_array_equal(made.masks, np.rint(drawn * visible * 255))
    assert made.masks.sum() > 0.75 * 255 * drawn.sum()
    assert (np.diff(made.frame) > 0).all() and not made.crops.flags.writeable
    assert (made.performer, made.subject.name, made.size, made.coverage) == ("Franck", "face", SIZE, 1.0)
    assert made.template.startswith("face/") and len(made.rates) == len(made.clips) == 1


def test_every_face_is_kept_or_listed_with_its_reason(made):
    listed = {int(one["frame"]): one for one in left_out(made.folder)}
    assert sorted([*made.frame.tolist(), *listed]) == list(range(FRAMES))
    assert listed[BLURRED]["reason"] == "blurred"
    assert listed[FRAMES - 1]["reason"] == "misdetected" and listed[FRAMES - 1]["measure"] == "outside the picture"
    kept = set(made.frame.tolist())
    for one in listed.values():
        if one["reason"] == "duplicate":
            assert float(one["figure"]) < 1 and int(one["kept frame"]) in kept
    held = set(range(HELD, HELD + 5))
    assert len(held & kept) <= 1 and all(listed[f]["reason"] == "duplicate" for f in held - kept)
    (told,) = read_document(made.folder)["clips"]
    assert told["kept"] + sum(told["left_out"].values()) == told["faces"] == FRAMES


def spread(found: Faceset) -> float:
    """How far apart the two are that differ most in pose and expression."""
    performance = take_performance(np.asarray(found.landmarks), found.subject)
    points = describe(performance.shape, performance.yaw_pitch, found.subject)
    return float(max(np.linalg.norm(points - point, axis=1).max() for point in points))


def test_fewer_crops_than_asked_for_are_still_as_varied(made, clip, tmp_path):
    few = build([clip], tmp_path / "few", most=4)
    assert len(few) == 4
    assert spread(few) > 0.8 * spread(made)


def test_one_picture_makes_a_faceset(clip, tmp_path):
    with open_footage(clip) as footage:
        picture = footage.frame(0).rgb8()
    cv2.imwrite(str(tmp_path / "one.png"), picture[..., ::-1])
    one = build([tmp_path / "one.png"], tmp_path / "one", size=128)
    assert one.crops.shape == (1, 128, 128, 3) and 0.2 < (one.masks[0] > 127).mean() < 0.8


def test_clips_of_different_sizes_make_one_faceset_and_share_no_duplicates(clip, tmp_path):
    larger = write_movie(tmp_path / "large.mkv", pictures(clip, 0, 30, (720, 576)), codec="ffv1")
    both = build([clip, larger], tmp_path / "both")
    assert both.crops.shape[1:] == (SIZE, SIZE, 3) and len(both.clips) == 2
    assert (np.diff(both.clip * 1000 + both.frame) > 0).all()
    kept = set(zip(both.clip.tolist(), both.frame.tolist(), strict=True))
    listed = [one for one in left_out(both.folder) if one["reason"] == "duplicate"]
    likes = [(int(one["kept clip"]), int(one["kept frame"])) for one in listed]
    assert set(likes) <= kept
    # The same frames at another size are hardly new.
    assert any(int(one["clip"]) != like[0] for one, like in zip(listed, likes, strict=True))
    for i in (0, len(both) - 1):
        with open_footage(both.clips[both.clip[i]]) as footage:
            picture = footage.frame(int(both.frame[i])).rgb8()
        np.testing.assert_array_equal(both.crops[i], crop(picture, both.to_plate[i : i + 1], SIZE)[0])


def test_only_the_ranges_of_clips_are_looked_at(clip, tmp_path, capsys):
    command = ["faceset", str(clip), str(clip), "--performer", "F", "--out", str(tmp_path / "set"), "--size", "64"]
    assert main([*command, "--range", "2-7", "--range", "24-28"]) == 0
    made, document = open_faceset(tmp_path / "set"), read_document(tmp_path / "set")
    assert made.frame[made.clip == 0].min() >= 2 and made.frame[made.clip == 0].max() <= 7
    assert made.frame[made.clip == 1].min() >= 24 and made.frame[made.clip == 1].max() <= 28
    assert [c["range"] for c in document["clips"]] == [{"first": 2, "last": 7}, {"first": 24, "last": 28}]
    assert [c["faces"] for c in document["clips"]] == [6, 5]
    capsys.readouterr()
    assert main([*command, "--range", "2-7"]) == 2
    assert "--range is given 1 time for 2 clips" in capsys.readouterr().err
    assert main([*command, "--range", "2-7", "--range", "40-99"]) == 3
    assert "has the frames 0-43, not 40-99" in capsys.readouterr().err


def test_a_clip_without_a_face_is_refused_by_name(tmp_path):
    wall = write_movie(tmp_path / "wall.mkv", [np.full((96, 128, 3), 90, np.uint8)] * 5)
    with pytest.raises(NoFaceError, match=r"wall\.mkv"):
        build([wall], tmp_path / "set")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wall.mkv"]


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """The faceset, to be damaged."""
    for file in made.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_copy_is_the_same_faceset(made, copy):
    again = open_faceset(copy)
    assert again.digest == made.digest


@pytest.mark.parametrize("name", ["crops.npy", "masks.npy", "landmarks.npy", "entries.npz"])
def test_truncated_missing_and_foreign_arrays_are_refused_by_name(copy, name):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SchemaError, match=rf"{name}.*bytes.*again"):
        open_faceset(copy)
    (copy / name).write_bytes(bytes(len(whole)))
    with pytest.raises(SchemaError, match=rf"{name}.*damaged"):
        open_faceset(copy)
    (copy / name).unlink()
    with pytest.raises(SchemaError, match=rf"{name}: is missing"):
        open_faceset(copy)


def test_an_array_of_another_faceset_is_refused(made, copy):
    with (copy / "masks.npy").open("wb") as file:
        np.save(file, np.zeros((len(made), SIZE // 2, SIZE * 2), np.uint8))
    with pytest.raises(SchemaError, match=r"masks\.npy.*instead of"):
        open_faceset(copy)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d: d.update(schema="faceplate.faceset/3"), SchemaError, "newer Faceplate"),
        (lambda d: d.update(schema="faceplate.shot/1"), SchemaError, "no 'faceplate.faceset'"),
        (
            lambda d: d.update(schema="faceplate.faceset/1", landmarks=468),
            SchemaError,
            "468 landmarks.*Make the faceset",
        ),
        (lambda d: d.pop("files"), SchemaError, "damaged"),
        (lambda d: d.update(count="many"), SchemaError, "damaged"),
        (lambda d: d.update(count=d["count"] + 1), SchemaError, "instead of"),
        (lambda d: d.update(clips=[]), SchemaError, "clip"),
    ],
)
def test_a_document_that_is_newer_or_damaged_is_refused(copy, change, error, words):
    document = json.loads((copy / "faceset.json").read_text())
    change(document)
    (copy / "faceset.json").write_text(json.dumps(document))
    with pytest.raises(error, match=words):
        open_faceset(copy)


def test_no_faceset_is_footage_that_is_not_there(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FootageError, match=r"holds no faceset.*faceplate faceset"):
            open_faceset(folder)
    (tmp_path / "faceset.json").write_text("{")
    with pytest.raises(SchemaError, match=r"faceset\.json"):
        open_faceset(tmp_path)


def test_a_faceset_is_replaced_and_the_arrays_that_were_mapped_stay(clip, tmp_path):
    first = build([clip], tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("mine")
    before = first.crops[0].copy()
    second = build([clip], tmp_path / "set", most=3)
    assert second.digest != first.digest
    np.testing.assert_array_equal(first.crops[0], before)
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_folder_that_is_no_faceset_is_left_alone(clip, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(OutputError, match="not a faceset"):
        build([clip], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_interruption_leaves_nothing_and_what_was_there_before(clip, tmp_path):
    def interrupt(stage: str, done: int, total: int | None) -> None:
        if stage == "crop" and done:
            raise KeyboardInterrupt

    for before in ([], ["set"]):
        with open_footage(clip) as footage, pytest.raises(KeyboardInterrupt):
            build_faceset([footage], tmp_path / "set", "F", FacesetParameters(size=SIZE), interrupt)
        assert [p.name for p in tmp_path.iterdir()] == before
        build([clip], tmp_path / "set")
    open_faceset(tmp_path / "set")


def test_what_a_killed_process_leaves_is_hidden_and_goes_with_the_next(clip, tmp_path):
    code = f"""
import time
from pathlib import Path
from nodes.footage.footage import open_footage
from trainer.faceset.build import build_faceset
def wait(stage, done, total):
    if stage == "crop" and done:
        print("now", flush=True)
        time.sleep(60)
build_faceset([open_footage({str(clip)!r})], Path({str(tmp_path / "set")!r}), "F", progress=wait)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    build([clip], tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_full_disk_is_said_plainly_and_leaves_nothing(clip, tmp_path):
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from host_bridge.cli import main
sys.exit(main(["faceset", {str(clip)!r}, "--performer", "F", "--out", {str(tmp_path / "set")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == OutputError.exit_status, done.stderr
    assert "too large for this disk" in done.stderr
    assert not list(tmp_path.iterdir())


def measured(code: str) -> list[str]:
    """Run a program that prints its peak memory; returns the words that it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()


def test_a_hundred_thousand_crops_open_at_once_and_are_sampled_in_flat_memory(tmp_path):
    count, size, points = 100_000, 128, 478
    shapes = {"crops": ((size, size, 3), "u1"), "masks": ((size, size), "u1")}
    shapes |= {"landmarks": ((points, 3), "f4")}
    for name, (shape, kind) in shapes.items():
        array = GrowingArray(tmp_path / f"{name}.npy", shape, kind)
        array.length = count  # a hole in the file, which takes no space
        array.finish()
    entries = {name: np.zeros(count, np.int64) for name in ("clip", "frame", "track")}
    entries |= {name: np.zeros(count, np.float32) for name in ("sharpness", "score")}
    entries |= {"to_plate": np.zeros((count, 2, 3), np.float32), "yaw_pitch": np.zeros((count, 2), np.float32)}
    np.savez(tmp_path / "entries.npz", **entries)
    names = [*(f"{name}.npy" for name in shapes), "entries.npz"]
    document = {"schema": "faceplate.faceset/2", "performer": "F", "subject": "face", "template": "face/1"}
    document |= {"coverage": 1.0, "size": size, "count": count, "landmarks": points}
    document["clips"] = [{"path": "a.mkv", "rate": 25.0}]
    document["files"] = {n: {"bytes": (tmp_path / n).stat().st_size, "sha256": "0" * 64} for n in names}
    (tmp_path / "faceset.json").write_text(json.dumps(document))
    code = f"""
import time
import numpy as np
from tests.support.peak import peak_memory
from trainer.faceset import open_faceset
before, began = peak_memory(), time.perf_counter()
found = open_faceset({str(tmp_path)!r})
took = time.perf_counter() - began
rows = np.random.default_rng(0).integers(0, len(found), (6, 16))
for some in rows:
    found.crops[some], found.masks[some], found.landmarks[some]
print(len(found), took, peak_memory() - before)
"""
    told = measured(code)
    assert int(told[0]) == count and float(told[1]) < 2
    assert float(told[2]) < 150, "MB, of 7600"


def test_the_choice_among_a_hundred_thousand_takes_seconds_and_little_memory():
    code = """
import time
import numpy as np
from tests.support.peak import peak_memory
from trainer.faceset.select import cover, describe
rng = np.random.default_rng(1)
points = np.cumsum(rng.normal(size=(100_000, 64)).astype(np.float32) * 0.2, axis=0) % 8
before, began = peak_memory(), time.perf_counter()
found = cover(points, 400, 1.0)
print(len(found.kept), time.perf_counter() - began, peak_memory() - before)
"""
    told = measured(code)
    assert int(told[0]) == 400
    assert float(told[1]) < 20 and float(told[2]) < 400


def test_what_is_left_out_is_near_what_is_kept_and_what_is_kept_is_apart():
    points = np.random.default_rng(2).normal(size=(3000, 6)).astype(np.float32)
    found = cover(points, 3000, 1.0)
    apart = np.linalg.norm(points[found.kept][:, None] - points[found.kept], axis=-1)
    assert apart[~np.eye(len(apart), dtype=bool)].min() >= 1 - 1e-3
    near = np.linalg.norm(points - points[found.by], axis=1)
    np.testing.assert_allclose(found.distance, near, atol=2e-3)
    every = np.linalg.norm(points[:, None] - points[found.kept], axis=-1).min(1)
    np.testing.assert_allclose(near, every, atol=2e-3)
    assert near.max() < 1 + 1e-3


def test_pictures_that_are_all_the_same_leave_one():
    found = cover(np.ones((500, 8), np.float32), 10, 0.01)
    assert len(found.kept) == 1 and (found.by == found.kept[0]).all()
    assert len(cover(np.zeros((0, 8), np.float32), 10, 1).kept) == 0


def test_at_most_a_third_of_a_clip_counts_as_blurred():
    rng = np.random.default_rng(3)
    sharpness = np.exp(rng.normal(0, 0.1, 300)).astype(np.float32)
    assert not find_blurred(sharpness).any()
    sharpness[:30] *= 0.2
    assert find_blurred(sharpness).tolist() == [True] * 30 + [False] * 270
    sharpness[:149] = 0.05
    assert find_blurred(sharpness).sum() <= 100
    assert not find_blurred(sharpness[:3]).any()


def test_the_digest_is_of_the_content_alone(made):
    document = read_document(made.folder)
    assert digest_of(document) == made.digest
    assert digest_of({**document, "size": 32}) != made.digest


def test_the_command_says_what_was_kept_and_left_out_and_why(clip, tmp_path, capsys):
    command = ["faceset", str(clip), "--performer", "Franck", "--out", str(tmp_path / "set"), "--size", "64"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    made = open_faceset(tmp_path / "set")
    assert (told["count"], told["digest"], told["performer"]) == (len(made), made.digest, "Franck")
    assert main(command) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("franck.mkv", "kept", "blurred", "misdetected", "duplicate", "blank", "yaw"))
    sheet = cv2.imread(str(tmp_path / "set" / "sheet.png"))
    assert sheet.shape[1] == 1152 and sheet.std() > 20


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--performer", "F", "--out", "x"], 2, "CLIP"),
        (["a.mkv", "--out", "x"], 2, "--performer"),
        (["a.mkv", "--performer", " ", "--out", "x"], 2, "--performer: is empty"),
        (
            ["a.mkv", "--performer", "F", "--out", "x", "--size", "100"],
            2,
            "--size 100: Input should be a multiple of 8",
        ),
        (["a.mkv", "--performer", "F", "--out", "x"], 3, "a.mkv"),
    ],
)
def test_a_command_that_cannot_be_done_ends_with_one_line(arguments, status, words, capsys):
    assert main(["faceset", *arguments]) == status
    assert words in capsys.readouterr().err


def test_facesets_need_no_torch():
    code = "import sys, trainer.faceset.build, host_bridge.cli.commands.faceset; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
