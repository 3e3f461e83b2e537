"""What a user may give by mistake, through the command line: one clear message, its status, and nothing half written."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from host_bridge.cli import main
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte
from tests.nodes.swap.test_model import identity
from tests.support.clips import cut, pictures, write_movie, write_tone
from tests.support.disks import lock, tiny_disk, without_roots_powers  # noqa: F401
from tests.support.reports import without_report

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """The report is tested elsewhere, and takes longer than a shot of a few frames."""
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        yield


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `faceplate`: exit status, and what it said in the end; libraries are not to talk in between."""

    def call(*arguments: object) -> tuple[int, str]:
        status = main([str(a) for a in arguments])
        lines = [line for line in capfd.readouterr().err.splitlines() if not expected(line)]
        if status == 0:
            assert not lines
            return 0, ""
        assert len(lines) == 1
        assert lines[0].startswith("faceplate: ")
        assert "internal error" not in lines[0]
        return status, lines[0]

    return call


def expected(line: str) -> bool:
    return line.startswith(
        ("detect", "prepare", "look", "swap:", "report:", "crop:", "libpng error")
    )  # libpng says it twice


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plate.mp4 and source.mp4, a few frames of each."""
    folder = tmp_path_factory.mktemp("clips")
    cut(samples / "cap13_edit2.mp4", folder / "plate.mp4", 0, 6)
    cut(samples / "franck.mp4", folder / "source.mp4", 300, 30)
    return folder


def missing(path: Path, clips: Path) -> None:
    pass


def empty(path: Path, clips: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path, clips: Path) -> None:
    path.write_bytes((clips / "plate.mp4").read_bytes()[:9_000])


def text(path: Path, clips: Path) -> None:
    path.write_text("This is no movie.\n" * 1000)


def only_sound(path: Path, clips: Path) -> None:
    with av.open(str(path), "w") as output:
        write_tone(output, output.add_stream("aac", rate=48000, layout="mono"), 48000)


def without_frames(path: Path, clips: Path) -> None:
    with av.open(str(clips / "plate.mp4")) as found, av.open(str(path), "w", format="matroska") as output:
        output.add_stream_from_template(found.streams.video[0])
        write_tone(output, output.add_stream("aac", rate=48000, layout="mono"), 48000)


def folder_without_images(path: Path, clips: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "does not exist"),
        (empty, "is empty"),
        (truncated, "is cut off"),
        (text, "is not a movie"),
        (only_sound, "has sound but no picture"),
        (without_frames, "holds no picture"),
        (folder_without_images, "has no image files"),
    ],
)
def test_footage_that_cannot_be_used_is_named_whatever_it_is_for(
    run: Run, clips: Path, tmp_path: Path, make: Callable[[Path, Path], None], message: str
) -> None:
    bad, out = tmp_path / "bad.mp4", tmp_path / "out"
    make(bad, clips)
    before = sorted(tmp_path.iterdir())
    good = clips / "plate.mp4"
    for arguments in (
        ["detect", bad, "--out", out],
        ["align", bad, "--out", out],
        ["swap", "--plate", bad, "--source", good, "--out", out],
        ["swap", "--plate", good, "--source", bad, "--out", out],
        ["swap", "--plate", good, "--source", good, "--roto", bad, "--out", out],
    ):
        status, said = run(*arguments)
        assert status == 3
        assert message in said
        assert str(bad) in said
    assert sorted(tmp_path.iterdir()) == before


def test_a_plate_that_breaks_in_the_middle_leaves_nothing(run: Run, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    for i, picture in enumerate(pictures(clips / "plate.mp4", 0, 5)):
        cv2.imwrite(str(folder / f"p.{i:04d}.png"), picture[..., ::-1])
    (folder / "p.0003.png").write_bytes((folder / "p.0003.png").read_bytes()[:5000])
    status, said = run("swap", "--plate", folder, "--source", clips / "source.mp4", "--out", tmp_path / "out")
    assert status == 3
    assert "p.0003.png, frame 3" in said
    assert [f.name for f in tmp_path.iterdir()] == ["plate"]


def test_a_clip_with_no_face(run: Run, clips: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (6, 120, 160, 3), np.uint8)
    nobody = write_movie(tmp_path / "nobody.mp4", noise)
    out = tmp_path / "out"
    assert run("detect", nobody, "--json")[0] == 0
    for arguments in (
        ["align", nobody, "--out", out],
        ["swap", "--plate", nobody, "--source", clips / "source.mp4", "--out", out],
        ["swap", "--plate", clips / "plate.mp4", "--source", nobody, "--out", out],
    ):
        status, said = run(*arguments)
        assert status == 4
        assert f"{nobody}: shows no face that can be found" in said
    status, said = run(
        "swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4", "--out", out, "--track", 9
    )
    assert status == 4
    assert "has no track 9. There are: 0 (frames 0-5)" in said
    assert [f.name for f in tmp_path.iterdir()] == ["nobody.mp4"]


def frames_of(out: Path) -> int:
    with open_footage(out / "composite.mkv") as composite:
        return composite.info.frames


def test_a_clip_with_one_frame(run: Run, clips: Path, tmp_path: Path) -> None:
    one = cut(clips / "plate.mp4", tmp_path / "one.mp4", 2, 1)
    status, said = run("swap", "--plate", one, "--source", clips / "source.mp4", "--out", tmp_path / "out")
    assert status == 0, said
    assert frames_of(tmp_path / "out") == 1
    assert read_matte(tmp_path / "out/matte/matte.0000.exr").max() > 0.9


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_of_a_few_frames(run: Run, clips: Path, tmp_path: Path, count: int) -> None:
    few = cut(clips / "source.mp4", tmp_path / "few.mp4", 0, count)
    status, said = run("swap", "--plate", clips / "plate.mp4", "--source", few, "--out", tmp_path / "out")
    assert status == 0, said
    assert frames_of(tmp_path / "out") == 6


def test_a_picture_of_one_pixel(run: Run, clips: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((1, 1, 3), 128, np.uint8))
    assert run("detect", tmp_path / "one.png")[0] == 0
    status, said = run(
        "swap", "--plate", tmp_path / "one.png", "--source", clips / "source.mp4", "--out", tmp_path / "out"
    )
    assert status == 4
    assert "shows no face" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_8k_picture(run: Run, clips: Path, tmp_path: Path) -> None:
    (picture,) = pictures(clips / "plate.mp4", 0, 1, (7680, 4320))
    cv2.imwrite(str(tmp_path / "large.png"), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    status, said = run(
        "swap", "--plate", tmp_path / "large.png", "--source", clips / "source.mp4", "--out", tmp_path / "out"
    )
    assert status == 0, said
    composite = cv2.imread(str(tmp_path / "out/composite/composite.0000.png"))
    assert composite.shape == (4320, 7680, 3)
    outside = read_matte(tmp_path / "out/matte/matte.0000.exr") == 0
    assert np.array_equal(composite[outside], picture[..., ::-1][outside])
    assert not outside.all()


@pytest.mark.parametrize("size", [(401, 299), (399, 300), (400, 301)])
def test_odd_sizes(run: Run, clips: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    odd = write_movie(tmp_path / "odd.mkv", pictures(clips / "plate.mp4", 0, 3, size), codec="ffv1")
    status, said = run("swap", "--plate", odd, "--source", clips / "source.mp4", "--out", tmp_path / "out")
    assert status == 0, said
    with open_footage(tmp_path / "out/composite.mkv") as composite:
        assert (composite.info.width, composite.info.height) == size


def test_a_plate_with_alpha_keeps_it(run: Run, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    folder.mkdir()
    alpha = np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1))
    for i, picture in enumerate(pictures(clips / "plate.mp4", 0, 3)):
        cv2.imwrite(str(folder / f"p.{i:04d}.png"), np.dstack([picture[..., ::-1], alpha]))
    status, said = run("swap", "--plate", folder, "--source", clips / "source.mp4", "--out", tmp_path / "out")
    assert status == 0, said
    written = cv2.imread(str(tmp_path / "out/composite/composite.0001.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(written[..., 3], alpha)


def test_a_roto_of_another_size_or_length(run: Run, clips: Path, tmp_path: Path) -> None:
    small = write_movie(tmp_path / "small.mp4", [np.zeros((150, 200, 3), np.uint8)] * 6)
    short = write_movie(tmp_path / "short.mp4", [np.zeros((300, 400, 3), np.uint8)] * 2)
    for roto, message in ((small, "is 200x150 with 6 frames"), (short, "is 400x300 with 2 frames")):
        status, said = run(
            *("swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4"),
            *("--roto", roto, "--out", tmp_path / "out"),
        )
        assert status == 3
        assert message in said
    assert not (tmp_path / "out").exists()


def test_a_method_without_what_it_needs(run: Run, clips: Path, tmp_path: Path) -> None:
    base = ["swap", "--plate", clips / "plate.mp4", "--out", tmp_path / "out"]
    assert "--source" in run(*base)[1]
    assert "--model" in run(*base, "--method", "model")[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "status", "message"),
    [
        (lambda p: None, 5, "no such model"),
        (lambda p: p.write_bytes(b""), 5, "is not an ONNX model"),
        (lambda p: p.write_text("weights"), 5, "is not an ONNX model"),
        (lambda p: identity(p, subject="hand"), 5, "hand"),
        (lambda p: identity(p, size="64"), 5, "64"),
        (lambda p: identity(p, schema="faceplate.model/2"), 7, "newer Faceplate"),
    ],
)
def test_a_model_that_does_not_fit(
    run: Run, clips: Path, tmp_path: Path, make: Callable[[Path], object], status: int, message: str
) -> None:
    model = tmp_path / "model.onnx"
    make(model)
    found, said = run(
        *("swap", "--plate", clips / "plate.mp4", "--method", "model", "--model", model, "--out", tmp_path / "out")
    )
    assert found == status
    assert message in said
    assert str(model) in said
    assert not [f for f in tmp_path.iterdir() if f != model]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"schema": "faceplate.shot/2"}', "was written by a newer Faceplate (faceplate.shot/2; this one knows up to"),
        ('{"schema": "faceplate.faces/1"}', "is no 'faceplate.shot' document"),
        ('{"schema": "fa', "is damaged"),
        ("[]", "is damaged"),
        (None, "does not exist"),
    ],
)
def test_a_document_that_is_newer_or_damaged(run: Run, tmp_path: Path, document: str | None, message: str) -> None:
    if document is not None:
        (tmp_path / "shot.json").write_text(document)
    before = sorted(tmp_path.iterdir())
    status, said = run("report", tmp_path)
    assert status == 7
    assert message in said
    assert sorted(tmp_path.iterdir()) == before


def test_faces_from_a_newer_version(run: Run, clips: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces.npz"
    run("detect", clips / "plate.mp4", "--out", faces)
    with np.load(faces, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    header = json.loads(arrays.pop("header").tobytes()) | {"schema": "faceplate.faces/9"}
    np.savez(faces, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    status, said = run("align", faces, "--out", tmp_path / "out")
    assert status == 7
    assert "newer Faceplate" in said
    assert not (tmp_path / "out").exists()


# -- places that cannot be written to ------------------------------------------------------------------------------------


def in_a_process(*arguments: object, prepare: Callable[[], None]) -> tuple[int, str]:
    """Run `faceplate` in a process whose powers `prepare` has cut; exit status and the last line it said."""
    done = subprocess.run(
        [sys.executable, "-m", "host_bridge.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        preexec_fn=prepare,
    )
    lines = [line for line in done.stderr.splitlines() if not expected(line)]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="permissions and capabilities of Linux")
@pytest.mark.parametrize("existing", [True, False])
def test_a_folder_that_is_read_only(clips: Path, tmp_path: Path, existing: bool) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    out = locked if existing else locked / "out"
    lock(locked)
    for command in (
        ["swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4"],
        ["align", clips / "plate.mp4"],
    ):
        status, said = in_a_process(*command, "--out", out, prepare=without_roots_powers)
        assert status == 6
        assert "cannot be written: permission denied. Choose a folder that you may write to with --out." in said
    assert not list(locked.iterdir())
    assert [f.name for f in tmp_path.iterdir()] == ["locked"]


def test_a_file_where_the_folder_should_be(run: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for command in (
        ["swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4"],
        ["align", clips / "plate.mp4"],
    ):
        status, said = run(*command, "--out", tmp_path / "out")
        assert status == 6
        assert "a file stands where a folder is needed" in said
    assert (tmp_path / "out").read_text() == "mine"
    assert [f.name for f in tmp_path.iterdir()] == ["out"]


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.slow
def test_a_disk_that_takes_no_more_of_a_file(clips: Path, tmp_path: Path) -> None:
    status, said = in_a_process(
        *("swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4", "--out", tmp_path / "out"),
        prepare=small_files,
    )
    assert status == 6
    assert "cannot be written: the file is too large for this disk" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a tmpfs")
@pytest.mark.parametrize("place", ["", "out"])
@pytest.mark.slow
def test_a_disk_that_is_full(run: Run, clips: Path, tiny_disk: Path, place: str) -> None:  # noqa: F811
    (tiny_disk / "filler").write_bytes(bytes(500_000))
    status, said = run(
        *("swap", "--plate", clips / "plate.mp4", "--source", clips / "source.mp4", "--out", tiny_disk / place)
    )
    assert status == 6
    assert "the disk is full. Free some space" in said
    assert [f.name for f in tiny_disk.iterdir()] == ["filler"]
