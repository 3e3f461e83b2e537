"""Train a model on facesets."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import MissingDependencyError
from nodes.text import command_line
from trainer.settings import TrainSettings
from trainer.watcher import Progress, Watcher

if TYPE_CHECKING:
    from trainer.faceset import Faceset
    from trainer.train import Trained

# The exporter's are named too: it would be a pity to miss them after the training.
_NEEDED = ("torch", "safetensors", "filelock", "onnx", "onnxscript")
_INSTALL = "Install what training needs: pip install 'faceplate[train]'"


class TrainRequest(Request):
    """Facesets: the source's and the target's; of three and more a base is made, for which no ONNX is written. out: a folder.

    resume: go on with the training in that folder.
    """

    facesets: tuple[Path, ...] = Field(min_length=2)
    out: Path
    resume: bool = False
    train: TrainSettings = TrainSettings()
    consent: ConsentParameters = DEFAULT_CONSENT

    @property
    def title(self) -> str:
        """Who is put on whom, and by which model."""
        first, *more = [path.name for path in self.facesets]
        who = f"{first} on {more[0]}" if len(more) == 1 else f"a base over {', '.join([first, *more])}"
        return f"{who}, {self.train.model}"


def run(request: TrainRequest, watch: Watch) -> dict[str, Any]:
    """Train and export; the result is `faceplate.trained/1`. A training that is stopped ends in good order, and its `reason` says so."""
    require_trainer()
    try:
        from trainer.faceset import open_faceset
        from trainer.models import find_model
        from trainer.performers import check_together
        from trainer.train import train
    except (ImportError, OSError) as e:  # a library of CUDA's that is missing, say
        raise MissingDependencyError(f"torch cannot be loaded ({e})", remedy=_INSTALL) from e

    facesets = [open_faceset(absolute(folder)) for folder in request.facesets]
    check_together(facesets)
    find_model(request.train.model)
    out = absolute(request.out).resolve()
    # Of several that torchrun started the first one speaks.
    watcher = _Told(watch) if os.environ.get("RANK", "0") == "0" else Watcher()
    trained = train(facesets, out, request.train, watcher, resume=request.resume, consent=request.consent)
    base = len(facesets) > 2
    return {
        "schema": "faceplate.trained/1",
        "model": None if trained.model is None else str(trained.model),
        "checkpoint": None if trained.checkpoint is None else str(trained.checkpoint),
        "folder": str(out),
        "steps": trained.step,
        "seconds": round(trained.seconds, 1),
        "reason": trained.reason,
        "loss": trained.loss,
        "losses": trained.losses,
        "rank": trained.rank,
        "train" if base else "swap": _fit_command(trained, out) if base else _swap_command(trained, facesets[0]),
    }


def require_trainer() -> None:
    """Raise MissingDependencyError unless all that training needs is installed; loads none of it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(f"{missing[0]} is not installed", remedy=_INSTALL)


def resumed(request: TrainRequest) -> TrainRequest:
    """The same training, gone on with where it has begun."""
    begun = any(absolute(request.out).glob("checkpoints/step-*.json"))
    return request.model_copy(update={"resume": True}) if begun else request


class _Told(Watcher):
    """Passes on what a training tells."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def progress(self, now: Progress) -> None:
        self._watch.training(now)

    def message(self, line: str) -> None:
        self._watch.message(line)

    def preview(self, picture: Path) -> None:
        self._watch.preview(picture)


def _fit_command(trained: Trained, out: Path) -> str:
    """The command that trains a pair from a base in `out`; facesets and RESULT are for the user to fill in."""
    built = ["--model", trained.network.name, "--size", str(trained.network.options.size)]
    return command_line("faceplate", "train", "SOURCE_SET", "TARGET_SET", *built, "--from", str(out), "--out", "RESULT")


def _swap_command(trained: Trained, source: Faceset) -> str:
    """The command that uses the model; SHOT and RESULT are for the user to fill in."""
    words = ["faceplate", "swap", "--plate", "SHOT"]
    if trained.network.inputs != ("crop",):  # it is given the source's own frames
        words += ["--source", source.clips[0]]
    return command_line(*words, "--model", str(trained.model), "--out", "RESULT")


KIND = Kind(
    "train",
    "Train a model for a shot on two facesets, or a base for such on more.",
    TrainRequest,
    run,
    priority=0,
    again=resumed,
)
