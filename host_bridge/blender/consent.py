# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent in Blender: asks the engine when something changed, and draws its answer.

Blender tells of every change of its data and of files that are opened. When it has been quiet for a moment, a timer collects what could be asked for,
by names and settings alone, and the session asks what it does not know yet. Nothing of it is kept in the .blend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import bpy

from .link import session
from .panels import WIDTH, draw_text
from .session import ConsentMonitor, consent_sentences

Questions = Callable[[], Iterator[tuple[str, dict[str, Any]]]]  # a key, and the request of the job `performers`

_QUIET = 0.3  # seconds without a change before it is looked what to ask
_ICONS = {"yes": "CHECKMARK", "no": "CANCEL", "unknown": "QUESTION", "note": "INFO"}
monitor = ConsentMonitor(session)
_askers: list[Questions] = []
_due = 0.0  # when to look; 0 for not at all


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
    monitor.again()
    changed()


def ended(key: str, job: dict[str, Any]) -> None:
    """Ask again if the outcome of a job contradicts the answer stored under this key."""
    if monitor.differs(key, job):
        again()


def look() -> float | None:
    """Ask what has changed: the timer's work. Returns when to look again, None for not before a change."""
    global _due
    if not _due:
        return None
    if (left := _due - time.monotonic()) > 0:
        return left
    _due = 0.0
    monitor.ask(dict(question for questions in _askers for question in questions()))
    return None


def draw(layout: Any, key: str, *, brief: bool = False, width: int = WIDTH) -> None:
    """Show what is known; nothing where nothing was asked. brief: only who, until when and why not, not what to do about it."""
    known = monitor.answers.get(key)
    if known is None:
        return
    box = layout.column(align=True)
    if known.job is None:
        box.label(text="Consent: asking the engine", icon="SORTTIME")
        return
    for level, text in consent_sentences(known.job, brief=brief):
        row = box.column(align=True)
        row.alert = level == "no"
        draw_text(row, text, _ICONS[level], width)
    row = box.row(align=True)
    row.operator(FACEPLATE_OT_ask_again.bl_idname, icon="FILE_REFRESH")
    if not brief:
        texts = (text for _, text in consent_sentences(known.job))
        row.operator("faceplate.copy", text="", icon="COPYDOWN").text = "\n".join(texts)


class FACEPLATE_OT_ask_again(bpy.types.Operator):
    """Look again whom the records of consent allow what; the engine is started if it does not run."""

    bl_idname = "faceplate.ask_again"
    bl_label = "Look Again"

    def execute(self, context: Any) -> set[str]:
        """Ask, when there is an engine."""
        session.start(again)
        return {"FINISHED"}


class FACEPLATE_OT_start_engine(bpy.types.Operator):
    """Start the engine, the process of its own that does all the work."""

    bl_idname = "faceplate.start_engine"
    bl_label = "Start Engine"

    def execute(self, context: Any) -> set[str]:
        """Begin to start it; who may be used is asked again then."""
        session.start(again)
        return {"FINISHED"}


CLASSES = (FACEPLATE_OT_ask_again, FACEPLATE_OT_start_engine)


def _opened(*_: Any) -> None:
    monitor.answers.clear()
    changed()


_on_change: Any = bpy.app.handlers.persistent(changed)
_on_opening: Any = bpy.app.handlers.persistent(_opened)


def listen(*askers: Questions) -> None:
    """Ask what these say from now on."""
    _askers.extend(askers)
    bpy.app.handlers.depsgraph_update_post.append(_on_change)
    bpy.app.handlers.load_post.append(_on_opening)
    changed()


def unregister() -> None:
    """Leave no handler and no timer, and forget what was said."""
    global _due
    _due = 0.0
    bpy.app.handlers.depsgraph_update_post.remove(_on_change)
    bpy.app.handlers.load_post.remove(_on_opening)
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    _askers.clear()
    monitor.answers.clear()
