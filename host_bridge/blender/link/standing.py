# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine and the jobs stand, as far as is known: what panels show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Job = dict[str, Any]
Standing = Literal["unknown", "running", "stopped", "other version", "refused"]
_SHOWN = 20  # jobs


@dataclass(frozen=True, slots=True)
class State:
    """What a panel shows. jobs: those that this Blender asked for, newest first, as the engine describes them."""

    engine: Standing = "unknown"
    version: str = ""
    page: str = ""
    jobs: tuple[Job, ...] = ()
    message: str = ""
    remedy: str = ""


_state = State()


def state() -> State:
    """How things stand, as far as is known; asks nobody."""
    return _state


def note(**what: Any) -> None:
    """Change some of it."""
    global _state
    _state = replace(_state, **what)


def note_job(job: Job) -> None:
    """Put a job in front, in place of what was known of it."""
    note(jobs=(job, *(known for known in _state.jobs if known["id"] != job["id"]))[:_SHOWN])


def forget() -> None:
    """Nothing is known."""
    global _state
    _state = State()
