"""`faceplate train`, with exit status and summary of a training command."""

from __future__ import annotations

import signal

from host_bridge.cli.app import Terminated
from host_bridge.cli.options import InEngine, Json, request_options
from host_bridge.cli.output import print_json
from host_bridge.cli.perform import perform
from host_bridge.cli.progress import clock
from host_bridge.jobs.train import TrainRequest, TrainResult
from nodes.text import counted

_GO_ON = "the same command with --resume goes on"
_STOPPED = {
    f"stopped by {number.name}": error
    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated))
}


@request_options(argument="facesets")
def train(request: TrainRequest, *, engine: InEngine = False, json: Json = False) -> None:
    """Train a model that puts one performer's face on another's, and write it as ONNX. Ctrl-C stops it and loses nothing.

    Three and more facesets make a base instead, from which pairs are then trained by --from.
    """
    out = request.out.expanduser().resolve()
    request = request.model_copy(update={"out": out})
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
    """Return the exception for a training that was interrupted for this reason; None for one that ended by itself."""
    kind = _STOPPED.get(reason)
    return kind(how_to_go_on) if kind else None


def in_short(result: TrainResult) -> str:
    """Summarise the result of the job `train` in a line: steps, time, loss and reason."""
    took = f"{counted(result.steps, 'step')} in {clock(result.seconds)}"
    loss = float("nan") if result.loss is None else result.loss
    return f"{took}, loss {loss:.4g}; {result.reason}"
