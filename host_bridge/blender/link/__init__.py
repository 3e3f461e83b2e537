# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine from Blender, which never waits for it.

A job is asked for and followed in short steps (`jobs`, `engine`), with which a timer goes on (`steps`); what cannot be cut
into steps is done `apart`. Callbacks hold names, never Blender's data, which may be gone when they are called.
"""

from __future__ import annotations

from . import standing
from .asking import ask
from .engine import engine_python, look, refresh, start_engine
from .jobs import ACTIVE, LOST, After, Ticket, forget, submit, tickets
from .standing import Job, State, state
from .steps import busy, pump, shut

__all__ = [
    "ACTIVE",
    "LOST",
    "After",
    "Job",
    "State",
    "Ticket",
    "ask",
    "busy",
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
