# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons on nodes and in panels do."""

from __future__ import annotations

from typing import Any

import bpy

from .. import consent, link
from . import work
from .find import find


class FACEPLATE_OT_run(bpy.types.Operator):
    """Ask the engine for what this node shows; Blender goes on meanwhile."""

    bl_idname = "faceplate.run"
    bl_label = "Run"
    bl_options = {"REGISTER"}  # noqa: RUF012

    __annotations__ = {
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "action": bpy.props.EnumProperty(
            items=[
                ("PREVIEW", "Preview", "The current frame, at once"),
                ("RENDER", "Render Range", "All frames of the scene's range"),
                ("TRAIN", "Train", "A model for this shot"),
                ("VERIFY", "Verify", "Whether what was rendered is as it was signed"),
            ],
            default="RENDER",
        ),
    }

    @classmethod
    def description(cls, context: Any, told: Any) -> str:
        """What this button does."""
        what = {
            "PREVIEW": "the current frame",
            "TRAIN": "a model trained for this shot",
            "VERIFY": "whether what was rendered is as it was signed",
        }
        asked = what.get(told.action, "the frames of the scene's range")
        return f"Ask the engine for {asked}; Blender goes on meanwhile"

    def execute(self, context: Any) -> set[str]:
        """Begin."""
        node = find(self.uid)
        if node is None:
            self.report({"ERROR"}, "The node is gone.")
            return {"CANCELLED"}
        if not work.run(node, self.action, context.scene):
            self.report({"ERROR"}, f"{node.message.rstrip('.')}. {node.remedy}")
            return {"CANCELLED"}
        return {"FINISHED"}


class FACEPLATE_OT_cancel(bpy.types.Operator):
    """End the job that is under way for this node."""

    bl_idname = "faceplate.cancel"
    bl_label = "Cancel"

    __annotations__ = {"uid": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        """Ask for its end."""
        work.cancel(self.uid)
        return {"FINISHED"}


class FACEPLATE_OT_cancel_job(bpy.types.Operator):
    """End this job."""

    bl_idname = "faceplate.cancel_job"
    bl_label = "Cancel"

    __annotations__ = {"job": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        """Ask for its end."""
        for ticket in link.tickets():
            if ticket.id == self.job:
                ticket.cancel()
        return {"FINISHED"}


class FACEPLATE_OT_start_engine(bpy.types.Operator):
    """Start the engine, the process of its own that does all the work."""

    bl_idname = "faceplate.start_engine"
    bl_label = "Start Engine"

    def execute(self, context: Any) -> set[str]:
        """Start it in a thread."""
        link.start_engine(consent.again)
        return {"FINISHED"}


class FACEPLATE_OT_refresh(bpy.types.Operator):
    """Look whether the engine runs."""

    bl_idname = "faceplate.refresh"
    bl_label = "Refresh"

    def execute(self, context: Any) -> set[str]:
        """Look in a thread."""
        link.refresh()
        return {"FINISHED"}


OPERATORS: tuple[Any, ...] = (
    FACEPLATE_OT_run,
    FACEPLATE_OT_cancel,
    FACEPLATE_OT_cancel_job,
    FACEPLATE_OT_start_engine,
    FACEPLATE_OT_refresh,
)
