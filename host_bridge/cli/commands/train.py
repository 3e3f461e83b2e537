"""`faceplate train`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.perform import perform
from host_bridge.cli.training import in_short, interruption
from host_bridge.jobs.train import TrainRequest
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
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
    engine: Flag = False,
    json: Flag = False,
    train_settings: TrainSettings = TRAIN,
    consent: ConsentParameters = DEFAULT_CONSENT,
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
    engine
        Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it.
    json
        Print what came out as JSON.
    """
    out = out.expanduser().resolve()
    facesets = (source_set, target_set, *more_sets)
    request = TrainRequest(facesets=facesets, out=out, resume=resume, train=train_settings, consent=consent)
    try:
        told = perform("train", request, engine=engine)
    except KeyboardInterrupt as e:  # before the first step, or while the model is written
        raise (type(e)(_GO_ON) if any(out.glob("checkpoints/step-*.json")) else e) from None
    if told["rank"]:
        return
    if json:
        print_json(told)
    else:
        print(told["model"] or told["folder"])
        print(in_short(told))
        print(f"Now: {told.get('train') or told['swap']}")
    if stop := interruption(told["reason"], _GO_ON):
        raise stop
