# SPDX-License-Identifier: GPL-3.0-or-later
"""When to ask how consent stands, and what was answered.

Blender tells of every change of its data and of files that are opened. When it has been quiet for a moment, a timer collects what could be asked for,
by names and settings alone, and what was not asked yet goes to the engine, if one runs. What was asked before is asked again with the next change after
half a minute: records are changed outside of Blender too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from .. import link

Questions = Callable[
    [], Iterator[tuple[str, dict[str, Any]]]
]  # of whoever shows the answers: a key, and the request of the job `performers`

_QUIET = 0.3  # seconds without a change before it is looked what to ask
_OLD = 30.0  # seconds after which an answer may have changed
_REFUSED = 10  # the exit status of whatever consent forbids


@dataclass(slots=True)
class Standing:
    """What was asked, when, and the job that answered, None until one has. waiting: for an answer."""

    request: dict[str, Any]
    asked: float = -math.inf
    waiting: bool = False
    job: link.Job | None = None


_standings: dict[str, Standing] = {}
_askers: list[Questions] = []
_due = 0.0  # when to look; 0 for not at all


def standing(key: str) -> Standing | None:
    """How it stands, as far as is known; asks nobody."""
    return _standings.get(key)


def changed(owner: Any = None, context: Any = None) -> None:
    """Look soon whether there is something new to ask: what Blender calls when data change, and when a property does that says whose faces."""
    global _due
    if bpy.app.is_job_running("RENDER"):  # this may be its thread
        return
    _due = time.monotonic() + _QUIET
    # Timers do not run in the background, and 4.5 waits for one for ever when it ends.
    if not bpy.app.background and not bpy.app.timers.is_registered(look):
        bpy.app.timers.register(look, first_interval=_QUIET, persistent=True)


def again() -> None:
    """Ask all of it anew."""
    for each in _standings.values():
        each.asked = -math.inf
    changed()


def ended(key: str, job: link.Job) -> None:
    """What was asked about under this key was made, or refused: where that is not what was said of it, ask again."""
    known, refused = _standings.get(key), forbidden(job)
    if known and (refused or job.get("state") == "finished") and refused == _allowed(known.job):
        again()


def forbidden(job: link.Job) -> bool:
    """Whether a job has failed for want of consent."""
    return (job.get("error") or {}).get("exit_status") == _REFUSED


def look() -> float | None:
    """Ask what has changed: the timer's work. Returns when to look again, None for not before a change."""
    global _due
    if not _due:
        return None
    if (left := _due - time.monotonic()) > 0:
        return left
    _due = 0.0
    now = dict(question for questions in _askers for question in questions())
    for key in _standings.keys() - now.keys():
        del _standings[key]
    for key, request in now.items():
        known = _standings.get(key)
        if known is None or known.request != request:
            known = _standings[key] = Standing(request)
        if time.monotonic() - known.asked > _OLD:
            known.asked, known.waiting = time.monotonic(), True
            link.ask("performers", request, lambda job, key=key, request=request: _answered(key, request, job))  # type: ignore[misc]
    return None


def begin(*askers: Questions) -> None:
    """Listen to Blender, and ask what these say."""
    _askers.extend(askers)
    bpy.app.handlers.depsgraph_update_post.append(_on_change)
    bpy.app.handlers.load_post.append(_on_opening)
    changed()


def end() -> None:
    """Listen no more."""
    global _due
    _due = 0.0
    bpy.app.handlers.depsgraph_update_post.remove(_on_change)
    bpy.app.handlers.load_post.remove(_on_opening)
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    _askers.clear()
    _standings.clear()


def _answered(key: str, request: dict[str, Any], job: link.Job) -> None:
    known = _standings.get(key)
    if known is not None and known.request == request:
        known.job, known.waiting = job, False
        if job["id"] is None:  # no engine took it: one may with the next change
            known.asked = -math.inf


def _allowed(job: link.Job | None) -> bool:
    return bool(job and job["state"] == "finished" and job["result"]["allowed"])


def _opened(*_: Any) -> None:
    _standings.clear()
    changed()


_on_change: Any = bpy.app.handlers.persistent(changed)
_on_opening: Any = bpy.app.handlers.persistent(_opened)
