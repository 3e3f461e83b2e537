# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent in Blender: panels ask the engine in the background and draw its answers. Nothing is kept in the .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .link import session
from .panels import WIDTH, draw_action, draw_text
from .session import Action, ConsentMonitor, consent_remedies, consent_sentences, split_command

_ICONS = {"yes": "CHECKMARK", "no": "CANCEL", "unknown": "QUESTION", "note": "INFO"}
monitor = ConsentMonitor(session)


def draw(layout: Any, request: dict[str, Any], *, brief: bool = False, width: int = WIDTH) -> None:
    """Show the latest answer. request: of the job `performers`. brief: without remedies in words."""
    job = monitor.look(request).job
    box = layout.column(align=True)
    if job is None:
        box.label(text="Consent: asking the engine", icon="SORTTIME")
        return
    for level, text in consent_sentences(job, brief=brief):
        row = box.column(align=True)
        row.alert = level == "no"
        draw_text(row, text, _ICONS[level], width)
    for action, remedy in consent_remedies(job):
        if not brief and not action:
            draw_text(box, split_command(remedy)[0], "BLANK1", width)
        draw_action(box, action and _placed(action, request), remedy)
    box.operator(FACEPLATE_OT_ask_again.bl_idname, icon="FILE_REFRESH")


def _placed(action: Action, request: dict[str, Any]) -> Action:
    """Name the project where a record is to be kept: around the .blend, else around the results."""
    arguments = action["arguments"]
    if arguments.get("project") != "":
        return action
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path(request["near"]).parent.parent
    return {**action, "arguments": {**arguments, "project": str(folder)}}


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
