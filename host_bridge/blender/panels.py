# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidebar panels: the engine and its jobs in the compositor and in the sequencer, and the active node's parameters."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import bpy

from .link import session
from .session import ACTIVE, progress_of, split_command

WIDTH = 36  # letters in a line where no region tells
LETTER = 6.6  # mean width of a letter, in pixels at a resolution scale of 1
_MARGIN = 44  # of a sidebar and its icons, likewise
_ENGINE = {
    "unknown": ("Looking for the engine", "SORTTIME"),
    "running": ("Engine runs", "CHECKMARK"),
    "stopped": ("Engine is not running", "PAUSE"),
    "other version": ("Engine of another version", "ERROR"),
    "refused": ("Engine refuses", "ERROR"),
}


def width_of(context: Any) -> int:
    """Return how many letters fit into a line of the region that is drawn."""
    region = getattr(context, "region", None)
    if region is None:
        return WIDTH
    return max(int((region.width / context.preferences.system.ui_scale - _MARGIN) / LETTER), 16)


def draw_text(layout: Any, text: str, icon: str = "NONE", width: int = WIDTH) -> None:
    """Show a sentence over as many lines as it takes, since Blender cuts labels off; the icon before the first."""
    column = layout.column(align=True)
    if text.partition(" ")[0].isalpha():  # not the name of a file
        text = text[0].upper() + text[1:]
    for number, line in enumerate(wrap(text, width, break_on_hyphens=False)):
        column.label(text=line, icon=icon if not number or icon == "NONE" else "BLANK1")


def draw_problem(
    layout: Any,
    message: str,
    remedy: str = "",
    action: dict[str, Any] | None = None,
    *,
    icon: str = "ERROR",
    width: int = WIDTH,
) -> None:
    """Show what is said, and what to do: as a button where there is one, else in words."""
    draw_text(layout, message, icon, width)
    if not action:
        draw_text(layout, split_command(remedy)[0], "BLANK1", width)
    draw_action(layout, action, remedy)


def draw_action(layout: Any, action: dict[str, Any] | None, remedy: str) -> None:
    """Show the buttons of a remedy: its action, and Copy for the command that it ends with."""
    command = split_command(remedy)[1]
    if not action and not command:
        return
    row = layout.row(align=True)
    if action:
        button = row.operator(f"faceplate.{action['name']}")
        for name, value in action["arguments"].items():
            setattr(button, name, value)
    if command:
        row.operator("faceplate.copy", icon="COPYDOWN").text = command


def section(layout: Any, name: str, label: str, *, closed: bool = True) -> Any:
    """Begin a sub-panel of a sidebar; returns where to draw, or None while it is collapsed."""
    header, body = layout.panel(name, default_closed=closed)
    header.label(text=label)
    return body


def fold(layout: Any, owner: Any, name: str) -> Any:
    """Begin a sub-panel on a node, which `show_NAME` of its owner opens; returns where to draw, or None while it is collapsed."""
    opened = getattr(owner, f"show_{name}")
    row = layout.row()
    row.alignment = "LEFT"
    row.prop(owner, f"show_{name}", icon="DOWNARROW_HLT" if opened else "RIGHTARROW", emboss=False)
    return layout.column() if opened else None


def draw_engine(layout: Any, width: int = WIDTH, *, without: Any = None) -> None:
    """Show the engine's state, and its jobs. without: the ticket of a job that is shown elsewhere."""
    session.watch()
    state = session.state
    text, icon = _ENGINE[state.engine]
    row = layout.row(align=True)
    row.label(text=text, icon=icon)
    if state.page:
        row.operator("wm.url_open", text="Open Monitor", icon="URL").url = state.page
    action = state.action or ({"name": "start_engine", "arguments": {}} if state.engine == "stopped" else None)
    if state.message or action:
        message = "" if state.message == f"the {text}".lower() else state.message
        icon = "ERROR" if state.engine == "running" else "NONE"  # beside the state, which has one
        draw_problem(layout, message, state.remedy, action, icon=icon, width=width)
    ours = {ticket.id for ticket in session.tickets() if ticket is not without}
    for job in state.jobs[:8]:
        if job["state"] in ACTIVE and job["id"] in ours:
            share, text = progress_of(job)
            row = layout.row(align=True)
            row.progress(factor=min(share, 0.99), text=text)
            row.operator("faceplate.cancel_job", text="", icon="X").job = job["id"]


class FACEPLATE_OT_cancel_job(bpy.types.Operator):
    """End this job"""

    bl_idname = "faceplate.cancel_job"
    bl_label = "Cancel"

    __annotations__ = {"job": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        for ticket in session.tickets():
            if ticket.id == self.job:
                ticket.cancel()
        return {"FINISHED"}


class FACEPLATE_OT_copy(bpy.types.Operator):
    """Copy this text, to paste its command into a terminal"""

    bl_idname = "faceplate.copy"
    bl_label = "Copy"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    __annotations__ = {"text": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        context.window_manager.clipboard = self.text
        return {"FINISHED"}


class _Panel(bpy.types.Panel):
    bl_region_type, bl_category = "UI", "Faceplate"

    def draw(self, context: Any) -> None:
        draw_engine(self.layout, width_of(context))


class FACEPLATE_PT_compositor(_Panel):
    """Panel of the engine in the compositor."""

    bl_space_type, bl_label = "NODE_EDITOR", "Faceplate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(context.space_data.tree_type == "CompositorNodeTree")

    def draw(self, context: Any) -> None:
        run = getattr(context.active_node, "run", None)  # shown by the node's own panel
        draw_engine(self.layout, width_of(context), without=run and run.ticket)


class FACEPLATE_PT_node(_Panel):
    """Panel of the active Faceplate node."""

    bl_space_type, bl_label = "NODE_EDITOR", ""

    @classmethod
    def poll(cls, context: Any) -> bool:
        node = context.active_node
        return node is not None and node.bl_idname.startswith("Faceplate")

    def draw_header(self, context: Any) -> None:
        self.layout.label(text=context.active_node.label or context.active_node.bl_label)

    def draw(self, context: Any) -> None:
        context.active_node.draw_buttons_ext(context, self.layout)


class FACEPLATE_PT_sequencer(_Panel):
    """Panel of the engine in the sequencer."""

    bl_space_type, bl_label = "SEQUENCE_EDITOR", "Faceplate"


CLASSES = (
    FACEPLATE_OT_cancel_job,
    FACEPLATE_OT_copy,
    FACEPLATE_PT_compositor,
    FACEPLATE_PT_node,
    FACEPLATE_PT_sequencer,
)
