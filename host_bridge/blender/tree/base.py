# SPDX-License-Identifier: GPL-3.0-or-later
"""What all four nodes have: parameters from the definitions, a folder for results, and a line that says how things stand."""

from __future__ import annotations

import re
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, migration, properties
from . import build, images, work

_STATES = [
    ("IDLE", "Idle", ""),
    ("BUSY", "Busy", ""),
    ("DONE", "Done", ""),
    ("ERROR", "Error", ""),
]


@cache
def settings_classes() -> tuple[type, ...]:
    """The property groups of the four nodes."""
    return tuple(properties.settings_class(name) for name in properties.definitions())


def settings_of(node: str) -> Any:
    """The property group of a node's parameters."""
    return next(each for each in settings_classes() if each.__name__ == f"Faceplate{node}Settings")


class FaceNode:
    """A mixin. `defined`: the node's name in the definitions; `buttons`: what can be asked of it, as (action, label)."""

    defined = ""
    buttons: Any = ()

    # Given as a dictionary: Blender wants the properties themselves here, not the words of their code.
    __annotations__ = {
        "schema_version": migration.version_property(),
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "folder": bpy.props.StringProperty(
            name="Folder",
            description="Where results are written; // is the folder of the .blend",
            default="//faceplate",
            subtype="DIR_PATH",
            options=set(),
            update=consent.changed,
        ),
        "tracks": bpy.props.StringProperty(
            name="Tracks", description="Ids of the tracks that are meant, as 1 3; empty for the main one", options=set()
        ),
        "state": bpy.props.EnumProperty(items=_STATES, options={"HIDDEN"}),
        "message": bpy.props.StringProperty(options={"HIDDEN"}),
        "remedy": bpy.props.StringProperty(options={"HIDDEN"}),
        "progress": bpy.props.FloatProperty(min=0, max=1, subtype="FACTOR", options={"HIDDEN"}),
    }

    @classmethod
    def poll(cls, tree: Any) -> bool:
        """Only the compositor has them."""
        return bool(tree.bl_idname == "CompositorNodeTree")

    def init(self: Any, context: Any) -> None:
        """A new node."""
        self.uid, self.width, self.schema_version = uuid.uuid4().hex, 220, migration.SCHEMA
        tree = build.new_tree(self.bl_label)
        self.inside(tree)
        self.node_tree = tree  # now that it is whole: sockets that come later do not take their defaults

    def copy(self: Any, node: Any) -> None:
        """A copy shows the same, and has an inside and results of its own from then on."""
        self.uid, self.node_tree = uuid.uuid4().hex, node.node_tree.copy()
        self.state, self.message, self.remedy = "IDLE", "", ""

    def draw_buttons(self: Any, context: Any, layout: Any) -> None:
        """On the node: buttons, whose faces, progress, what is wrong."""
        FaceNode.draw_top(self, layout, brief=True)

    def draw_top(self: Any, layout: Any, *, brief: bool) -> None:
        """The same on the node, brief, and in the sidebar."""
        row = layout.row(align=True)
        for action, label in self.buttons:
            told = row.operator("faceplate.run", text=label)
            told.uid, told.action = self.uid, action
        self.draw_who(layout, brief=brief)
        state, message, remedy = self.standing(work.busy(self.uid))
        if state == "BUSY":
            row = layout.row(align=True)
            row.progress(factor=self.progress, text=message)
            row.operator("faceplate.cancel", text="", icon="X").uid = self.uid
            return
        for text, icon in ((message, "ERROR" if state == "ERROR" else "NONE"), (remedy, "NONE")):
            if text:
                layout.label(text=text, icon=icon)

    def standing(self: Any, busy: bool) -> tuple[str, str, str]:
        """State, message and remedy as they are true now. busy: whether something is under way for this node."""
        if migration.is_newer(self):
            return "ERROR", migration.NEWER.message, migration.NEWER.remedy
        if self.state == "BUSY" and not busy:  # the file was saved in the middle of it
            return "IDLE", "Interrupted", "Run it again: what was done is kept"
        if self.state != "BUSY" and (lost := images.missing(self)):
            return "ERROR", f"{Path(lost).name} is missing", "Run it again, or find its folder"
        return self.state, self.message, self.remedy

    def draw_buttons_ext(self: Any, context: Any, layout: Any) -> None:
        """In the sidebar: all parameters, too."""
        FaceNode.draw_top(self, layout, brief=False)
        self.draw_more(layout)
        properties.draw(layout, self.defined, self.settings)
        layout.prop(self, "folder")

    def draw_who(self: Any, layout: Any, *, brief: bool) -> None:
        """Whose faces, and whether they may be used so, where a node uses any."""

    def draw_more(self: Any, layout: Any) -> None:
        """What only one kind of node has."""

    def inside(self, tree: Any) -> None:
        """Build the group; inputs and outputs that are there already stay."""
        raise NotImplementedError

    def from_first(self: Any) -> None:
        """Version 2 has more in its group."""
        build.again(self)

    @property
    def migrations(self: Any) -> dict[int, Any]:
        """The step that leaves each version."""
        return {1: type(self).from_first}

    def place(self: Any) -> Path:
        """The folder of this node's results. Raises MediaError."""
        if self.folder.startswith("//") and not bpy.data.filepath:
            raise media.MediaError("the .blend has no folder yet", "Save it, or name another folder on the node")
        name = re.sub(r"[^\w-]+", "_", self.name).strip("_") or self.defined
        return Path(media.absolute(self.folder)) / f"{name}-{self.uid[:6]}"

    def chosen(self: Any) -> list[int]:
        """The tracks as a request has them. Raises MediaError."""
        try:
            return [int(part) for part in self.tracks.replace(",", " ").split()]
        except ValueError:
            raise media.MediaError(f"{self.tracks}: are no tracks", "Write their ids, as 1 3") from None

    def parameters(self: Any, *names: str) -> dict[str, dict[str, Any]]:
        """The parameters of these nodes by their names in a request: its own, and those of what its Faces come from."""
        found: dict[str, dict[str, Any]] = {}
        node = self
        for _ in range(8):
            found.setdefault(node.defined, properties.values(node.defined, node.settings))
            socket = node.inputs.get("Faces")
            node = media.source_node(socket) if socket is not None else None
            if not isinstance(node, FaceNode):
                break
        return {name.lower(): found[name] for name in names if name in found}
