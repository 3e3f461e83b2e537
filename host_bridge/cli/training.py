"""How a training that a command ran has ended."""

from __future__ import annotations

import signal
from typing import Any

from host_bridge.cli.app import Terminated
from host_bridge.cli.training_view import clock
from nodes.text import counted

_STOPPED = {
    f"stopped by {number.name}": error
    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated))
}


def interruption(reason: str, how_to_go_on: str = "") -> KeyboardInterrupt | None:
    """What to raise for a training that ended for this reason: None for one that has come to its own end."""
    kind = _STOPPED.get(reason)
    return kind(how_to_go_on) if kind else None


def in_short(told: dict[str, Any]) -> str:
    """One line on the result of the job `train`: how long it was, and how far it came."""
    return f"{counted(told['steps'], 'step')} in {clock(told['seconds'])}, loss {told['loss']:.4g}; {told['reason']}"
