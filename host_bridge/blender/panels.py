# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidebar panels: the engine and its jobs in the compositor and in the sequencer, and the active node's parameters."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import bpy

from .link import session
from .session import ACTIVE, progress_of, split_command

WIDTH = 44  # of a sidebar, in letters
_ENGINE = {
    "unknown": ("Engine", "QUESTION"),
    "running": ("Engine runs", "CHECKMARK"),
    "stopped": ("Engine is not running", "PAUSE"),
    "other version": ("Engine of another version", "ERROR"),
    "refused": ("Engine refuses", "ERROR"),
}


def draw_text(layout: Any, text: str, icon: str = "NONE", width: int = WIDTH) -> None:
    """Show a sentence over as many lines as it takes, since Blender cuts labels off; the icon before the first."""
    for number, line in enumerate(wrap(text, width, break_on_hyphens=False)):
        layout.label(text=line, icon=icon if not number or icon == "NONE" else "BLANK1")


def draw_action(layout: Any, action: dict[str, Any] | None, remedy: str) -> None:
    """Show the buttons of a remedy: its action, and Copy for the command that it ends with."""
    command = split_command(remedy)[1]
    row = layout.row(align=True)
    if action:
        button = row.operator(f"faceplate.{action['name']}")
        for name, value in action["arguments"].items():
            setattr(button, name, value)
    if command:
        row.operator("faceplate.copy", icon="COPYDOWN").text = command


def draw_engine(layout: Any) -> None:
    """Show the engine's state, its jobs, and the last error with its remedy."""
    session.watch()
    state = session.state
    text, icon = _ENGINE[state.engine]
    row = layout.row(align=True)
    row.label(text=text, icon=icon)
    row.operator("faceplate.refresh", text="", icon="FILE_REFRESH")
    if state.page:
        layout.operator("wm.url_open", text="Open Monitor", icon="URL").url = state.page
    if state.engine != "running" and not state.action:
        layout.operator("faceplate.start_engine")
    if state.message:
        draw_text(layout, state.message, "ERROR")
        draw_text(layout, split_command(state.remedy)[0])
        draw_action(layout, state.action, state.remedy)
    ours = {ticket.id for ticket in session.tickets()}
    for job in state.jobs[:8]:
        if job["state"] in ACTIVE and job["id"] in ours:
            row = layout.row(align=True)
            stage = (job.get("progress") or {}).get("stage", job["state"])
            row.progress(factor=progress_of(job)[0], text=f"{job['kind']}: {stage}")
            row.operator("faceplate.cancel_job", text="", icon="X").job = job["id"]


class FACEPLATE_OT_cancel_job(bpy.types.Operator):
    """End this job."""

    bl_idname = "faceplate.cancel_job"
    bl_label = "Cancel"

    __annotations__ = {"job": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        for ticket in session.tickets():
            if ticket.id == self.job:
                ticket.cancel()
        return {"FINISHED"}


class FACEPLATE_OT_refresh(bpy.types.Operator):
    """Look whether the engine runs."""

    bl_idname = "faceplate.refresh"
    bl_label = "Refresh"

    def execute(self, context: Any) -> set[str]:
        session.refresh()
        return {"FINISHED"}


class FACEPLATE_OT_copy(bpy.types.Operator):
    """Copy this text, to paste its command into a terminal."""

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
        draw_engine(self.layout)


class FACEPLATE_PT_compositor(_Panel):
    """Panel of the engine in the compositor."""

    bl_space_type, bl_label = "NODE_EDITOR", "Faceplate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return bool(context.space_data.tree_type == "CompositorNodeTree")


class FACEPLATE_PT_node(_Panel):
    """Panel of the active Faceplate node."""

    bl_space_type, bl_label = "NODE_EDITOR", "Node"

    @classmethod
    def poll(cls, context: Any) -> bool:
        node = context.active_node
        return node is not None and node.bl_idname.startswith("Faceplate")

    def draw(self, context: Any) -> None:
        context.active_node.draw_buttons_ext(context, self.layout)


class FACEPLATE_PT_sequencer(_Panel):
    """Panel of the engine in the sequencer."""

    bl_space_type, bl_label = "SEQUENCE_EDITOR", "Faceplate"


CLASSES = (
    FACEPLATE_OT_cancel_job,
    FACEPLATE_OT_refresh,
    FACEPLATE_OT_copy,
    FACEPLATE_PT_compositor,
    FACEPLATE_PT_node,
    FACEPLATE_PT_sequencer,
)
