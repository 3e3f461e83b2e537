# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent in Blender: panels ask the engine in the background and draw its answers. Nothing is kept in the .blend."""

from __future__ import annotations

from typing import Any

import bpy

from .link import session
from .panels import WIDTH, draw_text
from .session import ConsentMonitor, consent_sentences

_ICONS = {"yes": "CHECKMARK", "no": "CANCEL", "unknown": "QUESTION", "note": "INFO"}
monitor = ConsentMonitor(session)


def draw(layout: Any, request: dict[str, Any], *, brief: bool = False, width: int = WIDTH) -> None:
    """Show the latest answer. request: of the job `performers`. brief: only who, until when and why not, without remedies."""
    job = monitor.look(request).job
    box = layout.column(align=True)
    if job is None:
        box.label(text="Consent: asking the engine", icon="SORTTIME")
        return
    for level, text in consent_sentences(job, brief=brief):
        row = box.column(align=True)
        row.alert = level == "no"
        draw_text(row, text, _ICONS[level], width)
    row = box.row(align=True)
    row.operator(FACEPLATE_OT_ask_again.bl_idname, icon="FILE_REFRESH")
    if not brief:
        texts = (text for _, text in consent_sentences(job))
        row.operator("faceplate.copy", text="", icon="COPYDOWN").text = "\n".join(texts)


class FACEPLATE_OT_ask_again(bpy.types.Operator):
    """Look again whom the records of consent allow what; the engine is started if it does not run."""

    bl_idname = "faceplate.ask_again"
    bl_label = "Look Again"

    def execute(self, context: Any) -> set[str]:
        session.start(monitor.again)
        return {"FINISHED"}


CLASSES = (FACEPLATE_OT_ask_again,)


def _on_opening(*_: Any) -> None:
    monitor.answers.clear()


_opened: Any = bpy.app.handlers.persistent(_on_opening)


def register() -> None:
    """Ask anew when a file is opened."""
    bpy.app.handlers.load_post.append(_opened)


def unregister() -> None:
    """Remove the handler, and forget all answers."""
    bpy.app.handlers.load_post.remove(_opened)
    monitor.answers.clear()
