# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of Faceplate's nodes: parameters from a definition, a folder for results, buttons that ask the engine, and a status line."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, migration, properties
from ..link import session
from ..session import progress_of
from . import group

_STATES = [(name, name.title(), "") for name in ("IDLE", "BUSY", "DONE", "ERROR")]
_tickets: dict[str, Any] = {}  # jobs under way, by the ids of nodes
ACTIONS = {
    "PREVIEW": "the current frame",
    "RENDER": "the frames of the scene's range",
    "TRAIN": "a model trained for this shot",
    "VERIFY": "whether what was rendered is as it was signed",
}


@dataclass(frozen=True, slots=True)
class Task:
    """A button's jobs. done: gets the node and the finished job, and returns a message; raises MediaError on a problem.

    then: jobs that follow. None of them may hold Blender's data.
    """

    kind: str
    request: dict[str, Any]
    done: Callable[[Any, dict[str, Any]], str]
    then: Sequence[Any] = ()


def all_nodes() -> Iterator[Any]:
    """Yield every node of Faceplate in this file, recognised by `defined`."""
    scenes = (getattr(scene, "node_tree", None) for scene in bpy.data.scenes)
    for tree in (*filter(None, scenes), *bpy.data.node_groups):
        if tree.bl_idname == "CompositorNodeTree":
            yield from (node for node in tree.nodes if getattr(node, "defined", ""))


def find(uid: str) -> Any:
    """Find the node with this id, None if it is gone."""
    return next((node for node in all_nodes() if node.uid == uid), None)


class FaceNode:
    """Mixin of Faceplate's nodes. `defined`: the node's name in the definitions; `fields`: properties of the sidebar beside the parameters.

    `buttons`: its actions, as (action, label).
    """

    defined = ""
    fields: tuple[str, ...] = ("tracks", "folder")
    buttons: Any = (("RENDER", "Analyse"),)

    # A dictionary: Blender needs the properties themselves here, not their source text.
    __annotations__ = {
        "schema_version": migration.VERSION,
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "folder": properties.FOLDER,
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
        return bool(tree.bl_idname == "CompositorNodeTree")

    def init(self: Any, context: Any) -> None:
        self.uid, self.width, self.schema_version = uuid.uuid4().hex, 220, migration.SCHEMA
        tree = group.new_tree(self.bl_label)
        self.inside(tree)
        self.node_tree = tree  # only when complete: sockets added later do not take their defaults

    def copy(self: Any, node: Any) -> None:
        """Give a copy the same pictures, and an inside and results of its own."""
        self.uid, self.node_tree = uuid.uuid4().hex, node.node_tree.copy()
        self.say("IDLE", "")

    # ---- defined by each kind of node

    def inside(self, tree: Any) -> None:
        """Build the group; inputs and outputs that are there already stay."""
        raise NotImplementedError

    def task(self, action: str, scene: Any) -> Task:
        """Return a button's task. Raises MediaError."""
        raise NotImplementedError

    def draw_who(self: Any, layout: Any, *, brief: bool) -> None:
        """Show the performers and consent, if a node needs any."""

    def from_first(self: Any) -> None:
        """Migrate from version 1, which has less in its group."""
        group.again(self)

    # ---- drawing

    def draw_buttons(self: Any, context: Any, layout: Any) -> None:
        FaceNode.draw_top(self, layout, brief=True)

    def draw_buttons_ext(self: Any, context: Any, layout: Any) -> None:
        FaceNode.draw_top(self, layout, brief=False)
        properties.draw(layout, self.defined, self.settings)
        for name in self.fields:
            layout.prop(self, name)

    def draw_top(self: Any, layout: Any, *, brief: bool) -> None:
        """Show buttons, performers, progress and problems: on the node, brief, and in the sidebar."""
        row = layout.row(align=True)
        for action, label in self.buttons:
            button = row.operator("faceplate.run", text=label)
            button.uid, button.action = self.uid, action
        self.draw_who(layout, brief=brief)
        state, message, remedy = self.standing()
        if state == "BUSY":
            row = layout.row(align=True)
            row.progress(factor=self.progress, text=message)
            row.operator("faceplate.cancel", text="", icon="X").uid = self.uid
            return
        for text, icon in ((message, "ERROR" if state == "ERROR" else "NONE"), (remedy, "NONE")):
            if text:
                layout.label(text=text, icon=icon)

    def standing(self: Any) -> tuple[str, str, str]:
        """Return current state, message and remedy."""
        if migration.is_newer(self):
            return "ERROR", migration.NEWER.message, migration.NEWER.remedy
        if self.state == "BUSY" and self.uid not in _tickets:  # the file was saved in the middle of it
            return "IDLE", "Interrupted", "Run it again: what was done is kept"
        if self.state != "BUSY" and (file := group.missing(self)):
            return "ERROR", f"{Path(file).name} is missing", "Run it again, or find its folder"
        return self.state, self.message, self.remedy

    # ---- requests

    @property
    def migrations(self: Any) -> dict[int, Any]:
        """The step that leaves each version."""
        return {1: type(self).from_first}

    def place(self: Any) -> Path:
        """Return the folder of this node's results. Raises MediaError."""
        name = re.sub(r"[^\w-]+", "_", self.name).strip("_") or self.defined
        return media.results_folder(self.folder) / f"{name}-{self.uid[:6]}"

    def plate_in(self: Any, scene: Any) -> tuple[media.Plate, str, int]:
        """Return the linked plate, its frames A-B in the scene's range, and the number of the first. Raises MediaError."""
        plate = media.of_socket(self.inputs["Image"], scene)
        return plate, plate.range(scene.frame_start, scene.frame_end), plate.number(scene.frame_start)

    def chosen(self: Any) -> list[int]:
        """Return the tracks for a request. Raises MediaError."""
        try:
            return [int(part) for part in self.tracks.replace(",", " ").split()]
        except ValueError:
            raise media.MediaError(f"{self.tracks}: are no tracks", "Write their ids, as 1 3") from None

    def parameters(self: Any, *names: str) -> dict[str, dict[str, Any]]:
        """Return the parameters of these nodes for a request: its own, and those of the nodes before it."""
        values: dict[str, dict[str, Any]] = {}
        node = self
        for _ in range(8):
            values.setdefault(node.defined, properties.values(node.defined, node.settings))
            socket = node.inputs.get("Faces")
            node = media.source_node(socket) if socket is not None else None
            if not isinstance(node, FaceNode):
                break
        return {name.lower(): values[name] for name in names if name in values}

    # ---- from a button to the engine and back

    def begin(self: Any, action: str, scene: Any) -> bool:
        """Begin a button's task; on a problem, return False and show it on the node."""
        if self.uid in _tickets:
            return True
        try:
            if migration.is_newer(self):
                raise migration.NEWER
            migration.migrate(self)
            task = self.task(action, scene)
        except media.MediaError as e:
            self.say("ERROR", e.message, e.remedy)
            return False
        self.say("BUSY", f"{task.kind}: asking the engine")
        self.progress = 0.0
        uid = self.uid
        _tickets[uid] = session.submit(
            task.kind,
            task.request,
            then=task.then,
            on_change=lambda job: _changed(uid, job),
            on_end=lambda job: _ended(uid, task, job),
        )
        return True

    def say(self: Any, state: str, message: str, remedy: str = "") -> None:
        """Set state, message and remedy."""
        self.state, self.message, self.remedy = state, message, remedy


def _changed(uid: str, job: dict[str, Any]) -> None:
    node = find(uid)
    if node is not None and uid in _tickets:
        share, text = progress_of(job)
        node.progress = share or node.progress
        node.say("BUSY", text)


def _ended(uid: str, task: Task, job: dict[str, Any]) -> None:
    _tickets.pop(uid, None)
    consent.monitor.ended(job)
    node = find(uid)
    if node is None:
        return
    if job["state"] == "cancelled":
        node.say("IDLE", "Cancelled")
    elif job["state"] == "failed":
        error = job.get("error") or {}
        node.say("ERROR", error.get("message", "the job failed"), error.get("remedy") or "")
    else:
        try:
            node.say("DONE", task.done(node, job))
        except media.MediaError as e:
            node.say("ERROR", e.message, e.remedy)


class FACEPLATE_OT_run(bpy.types.Operator):
    """Ask the engine for what this node shows; Blender goes on meanwhile."""

    bl_idname = "faceplate.run"
    bl_label = "Run"
    bl_options = {"REGISTER"}  # noqa: RUF012

    __annotations__ = {
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "action": bpy.props.EnumProperty(items=[(each, each.title(), "") for each in ACTIONS], default="RENDER"),
    }

    @classmethod
    def description(cls, context: Any, button: Any) -> str:
        return f"Ask the engine for {ACTIONS[button.action]}; Blender goes on meanwhile"

    def execute(self, context: Any) -> set[str]:
        node = find(self.uid)
        if node is None:
            self.report({"ERROR"}, "The node is gone.")
            return {"CANCELLED"}
        if not node.begin(self.action, context.scene):
            self.report({"ERROR"}, f"{node.message.rstrip('.')}. {node.remedy}")
            return {"CANCELLED"}
        return {"FINISHED"}


class FACEPLATE_OT_cancel(bpy.types.Operator):
    """End the job that is under way for this node."""

    bl_idname = "faceplate.cancel"
    bl_label = "Cancel"

    __annotations__ = {"uid": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        if ticket := _tickets.get(self.uid):
            ticket.cancel()
        return {"FINISHED"}


OPERATORS: tuple[Any, ...] = (FACEPLATE_OT_run, FACEPLATE_OT_cancel)


def unregister() -> None:
    """Forget all jobs under way."""
    _tickets.clear()
