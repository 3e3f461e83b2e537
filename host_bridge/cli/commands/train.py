"""`faceplate train`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.training import (
    fit_command,
    interruption,
    open_facesets,
    require_trainer,
    run_training,
    swap_command,
    told,
)
from trainer.settings import TrainSettings

TRAIN = TrainSettings()
_GO_ON = "the same command with --resume goes on"


@node_options
def train(
    source_set: Path,
    target_set: Path,
    /,
    *more_sets: Path,
    out: Path,
    resume: Flag = False,
    json: Flag = False,
    train_settings: TrainSettings = TRAIN,
) -> None:
    """Train a model that puts one performer's face on another's, and write it as ONNX. Ctrl-C stops it and loses nothing.

    Three and more facesets make a base instead, from which pairs are then trained by --from.

    Parameters
    ----------
    source_set
        Faceset of the performer whose face is put in, made by `faceplate faceset`.
    target_set
        Faceset of the performer in the plate, whose face is replaced.
    more_sets
        Facesets of further performers: a base over all of them is trained, for which no ONNX is written.
    out
        Folder of the training: model.onnx, preview.png, losses, checkpoints.
    resume
        Go on with the training in that folder.
    json
        Print what came out as JSON.
    """
    require_trainer()
    out = out.expanduser().resolve()
    facesets = open_facesets([source_set, target_set, *more_sets])
    base = len(facesets) > 2
    try:
        trained = run_training(facesets, out, train_settings, resume=resume)
    except KeyboardInterrupt as e:  # before the first step, or while the model is written
        raise (type(e)(_GO_ON) if any(out.glob("checkpoints/step-*.json")) else e) from None
    if trained.rank:
        return
    command = fit_command(trained, out) if base else swap_command(trained, facesets[0])
    if json:
        print_json(
            {
                "schema": "faceplate.trained/1",
                "model": trained.model,
                "checkpoint": trained.checkpoint,
                "steps": trained.step,
                "seconds": round(trained.seconds, 1),
                "reason": trained.reason,
                "loss": trained.loss,
                "losses": trained.losses,
                "train" if base else "swap": command,
            }
        )
    else:
        print(out if base else trained.model)
        print(told(trained))
        print(f"Now: {command}")
    if stop := interruption(trained, _GO_ON):
        raise stop
