"""`faceplate train`, and how a training that a command ran has ended."""

from __future__ import annotations

import signal
from pathlib import Path

from host_bridge.cli.app import Terminated
from host_bridge.cli.options import Flag, InEngine, Json, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.perform import perform
from host_bridge.cli.progress import clock
from host_bridge.jobs.train import TrainRequest, TrainResult
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.text import counted
from trainer.settings import TrainSettings

TRAIN = TrainSettings()
_GO_ON = "the same command with --resume goes on"
_STOPPED = {
    f"stopped by {number.name}": error
    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated))
}


@node_options
def train(
    source_set: Path,
    target_set: Path,
    /,
    *more_sets: Path,
    out: Path,
    resume: Flag = False,
    engine: InEngine = False,
    json: Json = False,
    settings: TrainSettings = TRAIN,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Train a model that puts one performer's face on another's, and write it as ONNX. Ctrl-C stops it and loses nothing.

    Three and more facesets make a base instead, from which pairs are then trained by --from.

    Args:
        source_set: Faceset of the performer whose face is put in, made by `faceplate faceset`.
        target_set: Faceset of the performer in the plate, whose face is replaced.
        more_sets: Facesets of further performers: a base over all of them is trained, for which no ONNX is written.
        out: Folder of the training: model.onnx, preview.png, losses, checkpoints.
        resume: Go on with the training in that folder.
    """
    out = out.expanduser().resolve()
    facesets = (source_set, target_set, *more_sets)
    request = TrainRequest(facesets=facesets, out=out, resume=resume, train=settings, consent=consent)
    try:
        result = perform("train", request, engine=engine)
    except KeyboardInterrupt as e:  # before the first step, or while the model is written
        raise (type(e)(_GO_ON) if any(out.glob("checkpoints/step-*.json")) else e) from None
    if result.rank:  # of several processes the first one speaks
        return
    if json:
        print_json(result)
    else:
        print(result.model or result.folder)
        print(in_short(result))
        print(f"Now: {result.train or result.swap}")
    if stop := interruption(result.reason, _GO_ON):
        raise stop


def interruption(reason: str, how_to_go_on: str = "") -> KeyboardInterrupt | None:
    """The exception for a training that ended for this reason; None for one that has come to its own end."""
    kind = _STOPPED.get(reason)
    return kind(how_to_go_on) if kind else None


def in_short(result: TrainResult) -> str:
    """One line on the result of the job `train`: how long it was, and how far it came."""
    took = f"{counted(result.steps, 'step')} in {clock(result.seconds)}"
    loss = float("nan") if result.loss is None else result.loss
    return f"{took}, loss {loss:.4g}; {result.reason}"
