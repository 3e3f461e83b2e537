# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons that mend a problem: `faceplate.NAME` does the action NAME of an error, and its properties are the action's arguments."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bpy

from . import consent
from .link import session
from .tree.node import all_nodes

_HIDDEN: Any = {"HIDDEN"}
_USES = [
    ("replaced", "Replace", "This face may be replaced by another, or put in for another"),
    ("train", "Train", "A model may be trained on this face"),
]


def _ended(operator: str, status: int, text: str) -> None:
    """Show the problem of an operator's command, or ask again for what failed on nodes that have its button."""
    consent.monitor.again()
    if status:
        session.note({"message": text.removeprefix("faceplate: ")})
        return
    session.refresh()
    for node in all_nodes():
        standing = node.standing()
        if standing.state == "ERROR" and (standing.action or {}).get("name") == operator.partition(".")[2]:
            node.begin(node.failed.partition(" ")[0], bpy.context.scene)


class FACEPLATE_OT_start_engine(bpy.types.Operator):
    """Start the engine, the process of its own that does all the work"""

    bl_idname = "faceplate.start_engine"
    bl_label = "Start Engine"

    def execute(self, context: Any) -> set[str]:
        session.start(consent.monitor.again)
        return {"FINISHED"}


class FACEPLATE_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of Faceplate"""

    bl_idname = "faceplate.open_preferences"
    bl_label = "Open Preferences"

    def execute(self, context: Any) -> set[str]:
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


class FACEPLATE_OT_allow_folder(bpy.types.Operator):
    """Let jobs read and write this folder and all below it"""

    bl_idname = "faceplate.allow_folder"
    bl_label = "Allow This Folder"

    __annotations__ = {"folder": bpy.props.StringProperty(options=_HIDDEN)}

    @classmethod
    def description(cls, context: Any, button: Any) -> str:
        return f"Let jobs read and write {button.folder} and all below it"

    def execute(self, context: Any) -> set[str]:
        session.command(["engine", "allow", self.folder], partial(_ended, FACEPLATE_OT_allow_folder.bl_idname))
        return {"FINISHED"}


class FACEPLATE_OT_record_consent(bpy.types.Operator):
    """Record what a performer allows, in the folder of the project"""

    bl_idname = "faceplate.record_consent"
    bl_label = "Record Consent…"

    __annotations__ = {
        "performer": bpy.props.StringProperty(
            name="Performer", description="The performer's name, or the id of a known one"
        ),
        "use": bpy.props.StringProperty(options=_HIDDEN),
        "uses": bpy.props.EnumProperty(
            name="Uses", description="What the performer allows", items=_USES, options={"ENUM_FLAG"}
        ),
        "self_": bpy.props.BoolProperty(name="This Is Me", description="You are the performer: no document is needed"),
        "document": bpy.props.StringProperty(
            name="Document", description="The signed release; its name and SHA-256 are recorded", subtype="FILE_PATH"
        ),
        "until": bpy.props.StringProperty(
            name="Until", description="Last day as YYYY-MM-DD; empty for a consent that ends when it is revoked"
        ),
        "project": bpy.props.StringProperty(
            name="Project", description="The project's folder, which holds its records", subtype="DIR_PATH"
        ),
    }

    def invoke(self: Any, context: Any, event: Any) -> set[str]:
        self.uses = {"train" if self.use == "train" else "replaced"}
        folder = getattr(getattr(context, "active_node", None), "folder", "//")
        if not self.project and bpy.data.filepath:
            self.project = str(Path(bpy.data.filepath).parent)
        elif not self.project and not folder.startswith("//"):
            self.project = str(Path(folder).parent)
        done: set[str] = context.window_manager.invoke_props_dialog(
            self, width=400, title="Record Consent", confirm_text="Record"
        )
        return done

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "performer")
        layout.prop(self, "self_")
        side = layout.column()
        side.enabled = not self.self_
        side.prop(self, "document")
        layout.prop(self, "until", placeholder="YYYY-MM-DD, or until revoked")
        layout.row().prop(self, "uses")
        layout.prop(self, "project")

    def execute(self, context: Any) -> set[str]:
        faults = [
            ("name the performer", not self.performer.strip()),
            ("choose the document, or This Is Me", not (self.document or self.self_)),
            ("choose what is allowed", not self.uses),
            ("choose the project's folder", not self.project),
        ]
        if fault := next((text for text, wrong in faults if wrong), None):
            self.report({"ERROR"}, f"Nothing was recorded: {fault}")
            return {"CANCELLED"}
        uses = ",".join("replace" if use == "replaced" else use for use in sorted(self.uses))
        given = ["--self"] if self.self_ else ["--document", bpy.path.abspath(self.document)]
        words = [
            "performer",
            "add",
            self.performer.strip(),
            *given,
            "--use",
            uses,
            "--until",
            self.until.strip() or "revoked",
        ]
        words += ["--project", bpy.path.abspath(self.project)]
        session.command(words, partial(_ended, FACEPLATE_OT_record_consent.bl_idname))
        return {"FINISHED"}


class FACEPLATE_OT_use_model(bpy.types.Operator):
    """Swap with this model"""

    bl_idname = "faceplate.use_model"
    bl_label = "Use This Model"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    __annotations__ = {"model": bpy.props.StringProperty(options=_HIDDEN)}

    def execute(self, context: Any) -> set[str]:
        node: Any = getattr(context, "active_node", None)
        settings = node.settings if getattr(node, "defined", "") == "Swap" else context.scene.faceplate_strips.swap
        settings.model, settings.method = self.model, "model"
        return {"FINISHED"}


CLASSES = (
    FACEPLATE_OT_start_engine,
    FACEPLATE_OT_open_preferences,
    FACEPLATE_OT_allow_folder,
    FACEPLATE_OT_record_consent,
    FACEPLATE_OT_use_model,
)
