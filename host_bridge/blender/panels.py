# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebars: the engine and its jobs in the compositor and in the sequencer, and the active node's parameters in the compositor."""

from __future__ import annotations

from typing import Any

import bpy

from . import lines, link

_STANDING = {
    "unknown": ("Engine", "QUESTION"),
    "running": ("Engine runs", "CHECKMARK"),
    "stopped": ("Engine is not running", "PAUSE"),
    "other version": ("Engine of another version", "ERROR"),
    "refused": ("Engine refuses", "ERROR"),
}


def draw_engine(layout: Any) -> None:
    """How the engine stands, what runs, and the last error with its remedy."""
    now = link.state()
    text, icon = _STANDING[now.engine]
    row = layout.row(align=True)
    row.label(text=text, icon=icon)
    row.operator("faceplate.refresh", text="", icon="FILE_REFRESH")
    if now.page:
        layout.operator("wm.url_open", text="Open Monitor", icon="URL").url = now.page
    if now.engine != "running":
        layout.operator("faceplate.start_engine")
    if now.message:
        lines.draw(layout, now.message, "ERROR")
        lines.draw(layout, now.remedy)
    ours = {ticket.id for ticket in link.tickets()}
    for job in now.jobs[:8]:
        if job["state"] in link.ACTIVE and job["id"] in ours:
            draw_job(layout, job)


def draw_job(layout: Any, job: dict[str, Any]) -> None:
    """One job with its progress, and a button that ends it."""
    progress = job.get("progress") or {}
    share = progress["done"] / progress["total"] if progress.get("total") else 0.0
    row = layout.row(align=True)
    row.progress(factor=share, text=f"{job['kind']}: {progress.get('stage', job['state'])}")
    row.operator("faceplate.cancel_job", text="", icon="X").job = job["id"]


class FACEPLATE_PT_compositor(bpy.types.Panel):
    """The engine, in the compositor."""

    bl_space_type, bl_region_type, bl_category = "NODE_EDITOR", "UI", "Faceplate"
    bl_label = "Faceplate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not in other node editors."""
        return bool(context.space_data.tree_type == "CompositorNodeTree")

    def draw(self, context: Any) -> None:
        """Show it."""
        draw_engine(self.layout)


class FACEPLATE_PT_node(bpy.types.Panel):
    """The active node."""

    bl_space_type, bl_region_type, bl_category = "NODE_EDITOR", "UI", "Faceplate"
    bl_label = "Node"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Only where it is one of ours."""
        node = context.active_node
        return node is not None and node.bl_idname.startswith("Faceplate")

    def draw(self, context: Any) -> None:
        """Show its buttons and parameters."""
        context.active_node.draw_buttons_ext(context, self.layout)


class FACEPLATE_PT_sequencer(bpy.types.Panel):
    """The engine, in the sequencer."""

    bl_space_type, bl_region_type, bl_category = "SEQUENCE_EDITOR", "UI", "Faceplate"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        """Show it."""
        draw_engine(self.layout)


_CLASSES = FACEPLATE_PT_compositor, FACEPLATE_PT_node, FACEPLATE_PT_sequencer


def register() -> None:
    """Add the panels."""
    for each in _CLASSES:
        bpy.utils.register_class(each)


def unregister() -> None:
    """Take them away."""
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
