"""A training as a command runs it: what is missing is said first, it is shown while it lasts, and Ctrl-C loses nothing."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from host_bridge.cli.app import Terminated
from host_bridge.cli.training_view import clock, show_training
from nodes.errors import MissingDependencyError

if TYPE_CHECKING:
    from trainer.faceset import Faceset
    from trainer.settings import TrainSettings
    from trainer.train import Trained

# The exporter's are named too: it would be a pity to miss them after the training.
_NEEDED = ("torch", "safetensors", "filelock", "onnx", "onnxscript")
_INSTALL = "Install what training needs: pip install 'faceplate[train]'"
_STOPPED = {
    f"stopped by {number.name}": error
    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated))
}


def require_trainer() -> None:
    """Raise MissingDependencyError unless all that training needs is installed; loads none of it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(f"{missing[0]} is not installed", remedy=_INSTALL)


def open_facesets(folders: Sequence[Path]) -> list[Faceset]:
    """Open facesets that are to be trained on together; raises what is wrong with any or with all together."""
    from trainer.faceset import open_faceset
    from trainer.performers import check_together

    facesets = [open_faceset(folder.expanduser()) for folder in folders]
    check_together(facesets)
    return facesets


def run_training(facesets: Sequence[Faceset], out: Path, settings: TrainSettings, *, resume: bool) -> Trained:
    """Train and export, shown on stderr. Raises MissingDependencyError, and what `trainer.train` raises.

    facesets: the source's and the target's; of more a base is made, and not exported. On Ctrl-C and on being terminated it stops in good order; :func:`interruption` of the result then tells so.
    """
    require_trainer()
    try:
        from trainer.hooks.progress import Progress, Watcher
        from trainer.models import find_model
        from trainer.train import train
    except (ImportError, OSError) as e:  # a library of CUDA's that is missing, say
        raise MissingDependencyError(f"torch cannot be loaded ({e})", remedy=_INSTALL) from e

    find_model(settings.model)
    if os.environ.get("RANK", "0") != "0":  # torchrun started several; the first one speaks
        return train(facesets, out, settings, resume=resume)
    with show_training(_title(facesets, settings.model), settings.seconds) as view:

        class Shown(Watcher):
            def progress(self, now: Progress) -> None:
                view.progress(now)

            def message(self, line: str) -> None:
                view.message(line)

            def preview(self, picture: Path) -> None:
                view.preview(picture)

        return train(facesets, out, settings, Shown(), resume=resume)


def interruption(trained: Trained, how_to_go_on: str = "") -> KeyboardInterrupt | None:
    """What to raise for a training that was asked to stop; None for one that has come to its own end."""
    kind = _STOPPED.get(trained.reason)
    return kind(how_to_go_on) if kind else None


def told(trained: Trained) -> str:
    """One line: how long it was, and how far it came."""
    return f"{trained.step} steps in {clock(trained.seconds)}, loss {trained.loss:.4g}; {trained.reason}"


def fit_command(trained: Trained, out: Path) -> str:
    """The command that trains a pair from a base in `out`; facesets and RESULT are for the user to fill in."""
    built = ["--model", trained.network.name, "--size", str(trained.network.options.size)]
    return shlex.join(["faceplate", "train", "SOURCE_SET", "TARGET_SET", *built, "--from", str(out), "--out", "RESULT"])


def swap_command(trained: Trained, source: Faceset) -> str:
    """The command that uses the model; SHOT and RESULT are for the user to fill in."""
    words = ["faceplate", "swap", "--plate", "SHOT"]
    if trained.network.inputs != ("crop",):  # it is given the source's own frames
        words += ["--source", source.clips[0]]
    return shlex.join([*words, "--model", str(trained.model), "--out", "RESULT"])


def _title(facesets: Sequence[Faceset], model: str) -> str:
    first, *more = [f"{s.performer} ({len(s)}{' crops' if s is facesets[0] else ''})" for s in facesets]
    return f"{first} on {more[0]}, {model}" if len(more) == 1 else f"a base over {', '.join([first, *more])}, {model}"
