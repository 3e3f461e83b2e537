# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine from Blender, which never waits for it.

A job has a thread of its own that asks the engine how it goes (`jobs`, `engine`); a timer, which lives only while there is something under way, hands
what has changed to Blender's own thread (`news`). Callbacks hold names, never Blender's data, which may be gone when they are called.
"""

from __future__ import annotations

from . import standing
from .asking import ask
from .engine import engine_python, look, refresh, start_engine
from .jobs import ACTIVE, LOST, Ticket, forget, submit, tickets
from .news import pump, shut
from .standing import Job, State, state

__all__ = [
    "ACTIVE",
    "LOST",
    "Job",
    "State",
    "Ticket",
    "ask",
    "engine_python",
    "look",
    "pump",
    "refresh",
    "shutdown",
    "start_engine",
    "state",
    "submit",
    "tickets",
]


def shutdown() -> None:
    """Forget all that is under way, and leave no thread and no timer; the engine and its jobs go on."""
    shut()
    forget()
    standing.forget()
