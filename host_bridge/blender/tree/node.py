# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of Faceplate's nodes: parameters from a definition, a folder for results, buttons that ask the engine, and a status.

A job under way is known here, not in the file, so that undo cannot change it; its id is put into the file when that is saved.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from .. import consent, media, migration, panels, properties, undo
from ..link import session
from ..session import progress_of
from . import group

_OUTCOMES = [(name, name.title(), "") for name in ("IDLE", "DONE", "ERROR", "ENGINE")]  # ENGINE: there was none
ACTIONS = {
    "PREVIEW": "the current frame",
    "RENDER": "the frames of the scene's range",
    "TRAIN": "a model trained for this shot",
    "VERIFY": "whether what was rendered is as it was signed",
}
_LONG = ("RENDER", "TRAIN")  # their start is an undo step, so that quitting asks to save what attaches to them again


@dataclass(frozen=True, slots=True)
class Task:
    """A button's jobs. done: gets the node and the finished job, and returns a message; raises MediaError on a problem.

    then: jobs that follow. None of them may hold Blender's data.
    """

    kind: str
    request: dict[str, Any]
    done: Callable[[Any, dict[str, Any]], str]
    then: Sequence[Any] = ()

    @property
    def digest(self) -> str:
        """Short name of what is asked for."""
        content = json.dumps([self.kind, self.request, *self.then], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]


@dataclass(slots=True)
class Run:
    """A task under way. share, text: its progress. skipped: number of its jobs that were done before the file was opened."""

    action: str
    task: Task
    skipped: int = 0
    ticket: Any = None
    share: float = 0.0
    text: str = "Asking the engine"

    @property
    def step(self) -> int:
        """Number of its jobs that are done."""
        return self.skipped + (self.ticket.step if self.ticket else 0)


class Standing(NamedTuple):
    """Status of a node: IDLE, BUSY, DONE or ERROR, its message, and for an error the remedy, as text and as a button."""

    state: str
    message: str = ""
    remedy: str = ""
    action: dict[str, Any] | None = None


_runs: dict[str, Run] = {}  # by the ids of nodes
_looked: dict[str, tuple[float, bool]] = {}  # when, and whether the error of a node still holds


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
    buttons: Any = (("RENDER", "Analyze"),)

    # A dictionary: Blender needs the properties themselves here, not their source text.
    __annotations__ = {
        "schema_version": migration.VERSION,
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "folder": properties.FOLDER,
        "tracks": bpy.props.StringProperty(
            name="Tracks", description="Ids of the tracks that are meant, as 1 3; empty for the main one", options=set()
        ),
        "outcome": bpy.props.EnumProperty(items=_OUTCOMES, options={"HIDDEN"}),
        "message": bpy.props.StringProperty(options={"HIDDEN"}),
        "remedy": bpy.props.StringProperty(options={"HIDDEN"}),
        "remedy_action": bpy.props.StringProperty(options={"HIDDEN"}),  # JSON
        "failed": bpy.props.StringProperty(options={"HIDDEN"}),  # action and digest of the task that failed
        "job": bpy.props.StringProperty(options={"HIDDEN"}),  # of a saved file: action, step and id
        # Path of what was made last.
        "result": bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN", *properties.PATH}),
    }

    @classmethod
    def poll(cls, tree: Any) -> bool:
        return bool(tree.bl_idname == "CompositorNodeTree")

    def init(self: Any, context: Any) -> None:
        self.uid, self.width, self.schema_version = uuid.uuid4().hex, 280, migration.SCHEMA
        tree = group.new_tree(self.bl_label)
        self.inside(tree)
        self.node_tree = tree  # only when complete: sockets added later do not take their defaults

    def copy(self: Any, node: Any) -> None:
        """Give a copy the same pictures, and an inside and results of its own."""
        self.uid, self.node_tree = uuid.uuid4().hex, node.node_tree.copy()
        for reader in group.readers(self):
            reader.image = reader.image.copy()

    # ---- defined by each kind of node

    def inside(self, tree: Any) -> None:
        """Build the group; inputs and outputs that are there already stay."""
        raise NotImplementedError

    def task(self, action: str, scene: Any) -> Task:
        """Return a button's task. Raises MediaError."""
        raise NotImplementedError

    def draw_top(self: Any, layout: Any) -> None:
        """Show what stands above the buttons."""

    def draw_more(self: Any, layout: Any, width: int, *, brief: bool) -> None:
        """Show what is folded below the status: on the node, brief, and in the sidebar."""

    def from_second(self: Any) -> None:
        """Migrate from version 2, whose outputs are in another order."""
        group.again(self)
        self.say("IDLE", "")

    # ---- drawing

    def draw_buttons(self: Any, context: Any, layout: Any) -> None:
        FaceNode.draw_all(self, context, layout, int(self.width / panels.LETTER), brief=True)

    def draw_buttons_ext(self: Any, context: Any, layout: Any) -> None:
        FaceNode.draw_all(self, context, layout, panels.width_of(context), brief=False)
        for node in self.chain():
            body = panels.section(layout, f"faceplate_{node.defined}", node.defined, closed=node != self)
            if body:
                properties.draw(body, node.defined, node.settings)
        body = panels.section(layout, "faceplate_results", "Results")
        for name in self.fields if body else ():
            body.prop(self, name)

    def draw_all(self: Any, context: Any, layout: Any, width: int, *, brief: bool) -> None:
        """Show buttons, status and problems: on the node, brief, and in the sidebar."""
        layout.use_property_split = not brief
        layout.use_property_decorate = False
        standing = self.standing(context.scene)
        self.draw_top(layout)
        row = layout.row(align=True)
        row.enabled = standing.state != "BUSY"
        for action, label in self.buttons:
            FaceNode.draw_button(self, row, action, label)
        if standing.state == "BUSY":
            run = _runs[self.uid]
            row = layout.row(align=True)
            row.progress(factor=min(run.share, 0.99), text=run.text)
            row.operator("faceplate.cancel", text="", icon="X").uid = self.uid
            if session.state.engine == "stopped":
                layout.operator("faceplate.start_engine")
            elif run.action in _LONG and not brief:
                panels.draw_text(layout, "Blender may be closed: the engine goes on", "INFO", width)
        elif standing.message:
            icon = "ERROR" if standing.state == "ERROR" else "CHECKMARK" if standing.state == "DONE" else "INFO"
            panels.draw_problem(layout, standing.message, standing.remedy, standing.action, icon=icon, width=width)
        FaceNode.draw_notices(self, layout, context.scene, width)
        if not brief and (view := context.scene.view_settings).view_transform in ("AgX", "Filmic"):
            panels.draw_text(layout, f"{view.view_transform} shows footage paler than it is", "INFO", width)
            layout.prop(view, "view_transform", text="View")
        self.draw_more(layout, width, brief=brief)

    def draw_button(self: Any, layout: Any, action: str, label: str) -> None:
        """Show one of the buttons."""
        button = layout.operator("faceplate.run", text=label)
        button.uid, button.action = self.uid, action

    def draw_notices(self: Any, layout: Any, scene: Any, width: int) -> None:
        """Show what is odd about the plate, with a button that mends it."""
        if media.source_node(self.inputs["Image"]) is None:
            panels.draw_text(layout, "Link the node of the plate to Image", "INFO", width)
        with suppress(media.MediaError):
            text, label = media.frames_notice(self.inputs["Image"], scene)
            if text:
                panels.draw_text(layout, text, "INFO", width)
                layout.operator("faceplate.use_all_frames", text=label).uid = self.uid

    @property
    def state(self: Any) -> str:
        """Current state, as in `Standing`."""
        return "BUSY" if self.uid in _runs else "ERROR" if self.outcome == "ENGINE" else str(self.outcome)

    @property
    def run(self: Any) -> Run | None:
        """The task under way."""
        return _runs.get(self.uid)

    def standing(self: Any, scene: Any = None) -> Standing:
        """Return how the node stands. scene: with it, an error that no longer holds is left out."""
        if migration.is_newer(self):
            return Standing("ERROR", migration.NEWER.message, migration.NEWER.remedy)
        if run := _runs.get(self.uid):
            return Standing("BUSY", run.text)
        if self.outcome == "ENGINE":
            engine = session.state
            gone = engine.engine not in ("running", "unknown")
            return Standing("ERROR", engine.message, engine.remedy, engine.action) if gone else Standing("IDLE")
        if file := group.missing(self):
            return Standing("ERROR", f"{Path(file).name} is missing", "Run it again, or find its folder")
        if self.outcome == "ERROR" and scene and not self.still_fails(scene):
            return Standing("IDLE")
        action = json.loads(self.remedy_action) if self.remedy_action else None
        return Standing(self.outcome, self.message, self.remedy, action)

    def still_fails(self: Any, scene: Any) -> bool:
        """Return True while the button that failed would ask for the same again; looked at once a second."""
        action, _, digest = self.failed.partition(" ")
        looked, fails = _looked.get(self.uid, (0.0, True))
        if action and time.monotonic() > looked + 1:
            try:
                fails = self.task(action, scene).digest == digest
            except media.MediaError as e:
                fails = e.message == self.message
            _looked[self.uid] = time.monotonic(), fails
        return fails

    # ---- requests

    @property
    def migrations(self: Any) -> dict[int, Any]:
        """The step that leaves each version."""
        return {2: type(self).from_second}

    def place(self: Any) -> Path:
        """Return the folder of this node's results. Raises MediaError."""
        name = re.sub(r"[^\w-]+", "_", self.name).strip("_") or self.defined
        return media.results_folder(self.folder) / f"{name}-{self.uid[:6]}"

    def plate_in(self: Any, scene: Any) -> tuple[media.Plate, str, int, str]:
        """Return the linked plate, its frames A-B in the scene's range, the number of the first, and the scene's frames in words. Raises MediaError."""
        plate, frames = media.of_socket(self.inputs["Image"], scene), (scene.frame_start, scene.frame_end)
        return plate, plate.range(*frames), plate.number(frames[0]), plate.scene_range(*frames)

    def chosen(self: Any) -> list[int]:
        """Return the tracks for a request. Raises MediaError."""
        try:
            return [int(part) for part in self.tracks.replace(",", " ").split()]
        except ValueError:
            raise media.MediaError(f"{self.tracks}: are no tracks", "Write their ids, as 1 3") from None

    def chain(self: Any) -> list[Any]:
        """List the nodes that this one's Faces come from, and this one last."""
        nodes = [self]
        while len(nodes) < 8 and (socket := nodes[0].inputs.get("Faces")) is not None:
            node = media.source_node(socket)
            if not isinstance(node, FaceNode):
                break
            nodes.insert(0, node)
        return nodes

    def parameters(self: Any, *names: str) -> dict[str, dict[str, Any]]:
        """Return the parameters of these nodes for a request: its own, and those of the nodes before it."""
        values = {node.defined: properties.values(node.defined, node.settings) for node in self.chain()}
        return {name.lower(): values[name] for name in names if name in values}

    # ---- from a button to the engine and back

    def begin(self: Any, action: str, scene: Any) -> bool:
        """Begin a button's task; on a problem, return False and show it on the node."""
        if self.uid in _runs:
            return True
        try:
            if migration.is_newer(self):
                raise migration.NEWER
            migration.migrate(self)
            self.follow(Run(action, self.task(action, scene)))
        except media.MediaError as e:
            self.say("ERROR", e.message, e.remedy, failed=f"{action} ")
            return False
        if action in _LONG:
            undo.push(f"Start {_label(self, action)}")
        return True

    def follow(self: Any, run: Run, known: str | None = None) -> None:
        """Submit a task's jobs, or follow the one with a known id, then submit the others."""
        uid, task = self.uid, run.task
        (kind, request), *then = [(task.kind, task.request), *task.then][run.skipped :]
        _runs[uid] = run
        run.ticket = session.submit(
            kind,
            request,
            then=then,
            known=known,
            on_change=lambda job: _changed(run, job),
            on_end=lambda job: _ended(uid, run, job),
        )

    def say(
        self: Any,
        outcome: str,
        message: str,
        remedy: str = "",
        *,
        action: dict[str, Any] | None = None,
        failed: str = "",
    ) -> None:
        """Set outcome, message and remedy. failed: action and digest of the task that failed."""
        self.outcome, self.message, self.remedy, self.failed = outcome, message, remedy, failed
        self.remedy_action = json.dumps(action) if action else ""
        _looked.pop(self.uid, None)


def _label(node: Any, action: str) -> str:
    """Return the name of an action in the undo history."""
    return next((label for each, label in node.buttons if each == action), action.title())


def _changed(run: Run, job: dict[str, Any]) -> None:
    share, run.text = progress_of(job)
    before = 0.1 * len(run.task.then)  # the last job of a chain is the long one
    whole = before + (1 - before) * share if run.step == len(run.task.then) else 0.1 * (run.step + share)
    run.share = max(run.share, whole)


def _ended(uid: str, run: Run, job: dict[str, Any]) -> None:
    _runs.pop(uid, None)
    consent.monitor.ended(job)
    node = find(uid)
    if node is None:
        return
    failed = f"{run.action} {run.task.digest}"
    if job["state"] == "cancelled":
        node.say("IDLE", "Cancelled")
    elif job["state"] == "failed" and job.get("id") is None and session.state.engine != "running":
        node.say("ENGINE", "")
    elif job["state"] == "failed":
        error = job.get("error") or {}
        message, remedy = error.get("message", "the job failed"), error.get("remedy") or ""
        node.say("ERROR", message, remedy, action=error.get("action"), failed=failed)
    else:
        try:
            node.say("DONE", run.task.done(node, job))
        except media.MediaError as e:
            node.say("ERROR", e.message, e.remedy, failed=failed)
        undo.push(_label(node, run.action))


# ---- a file is saved and opened


_moved: list[tuple[str, str, str]] = []  # of a file that is saved elsewhere: id of a node, property, path as it was


def _on_saving(file: str, *_: Any) -> None:
    """Note the jobs under way in the file, and make paths relative to where it goes, as Blender does with its own."""
    _moved.clear()
    here, there = Path(bpy.data.filepath).parent, Path(file).parent
    moves = here != there if bpy.data.filepath else bpy.context.preferences.filepaths.use_relative_paths
    for node in [node for node in all_nodes() if node.id_data.library is None]:
        if file and moves:
            _rebase(node, there)
        run = _runs.get(node.uid)
        job = f"{run.action} {run.step} {run.ticket.id}" if run and run.ticket.id else ""
        if node.job != job:
            node.job = job


def _rebase(node: Any, folder: Path) -> None:
    """Make the relative paths of a node relative to another folder, except that of results, which go beside the .blend.

    When a file is saved for the first time, make all its absolute paths relative.
    """
    saved = bool(bpy.data.filepath)
    kinds = ("FILE_PATH",) if saved else ("FILE_PATH", "DIR_PATH")
    for owner in (node, node.settings):
        for name, field in owner.bl_rna.properties.items():
            path = getattr(owner, name) if field.type == "STRING" and field.subtype in kinds else ""
            if path and path.startswith("//") == saved:
                _moved.append((node.uid, name, path))
                with suppress(ValueError):  # another drive
                    setattr(owner, name, bpy.path.relpath(media.absolute(path), start=str(folder)))


def _on_saved(file: str, *_: Any) -> None:
    """Restore the file's own paths after a copy was saved elsewhere."""
    for uid, name, path in _moved if file != bpy.data.filepath else ():
        node = find(uid)
        setattr(node if hasattr(node, name) else node.settings, name, path)
    _moved.clear()


def _on_opening(*_: Any) -> None:
    _looked.clear()
    if not bpy.app.background:  # where no timer runs
        resume()


def resume() -> None:
    """Follow the jobs that were under way when the open file was saved."""
    for node in list(all_nodes()):
        if not node.job or node.uid in _runs or node.id_data.library or migration.is_newer(node):
            continue
        action, step, id = node.job.split()
        try:
            node.follow(Run(action, node.task(action, _scene_of(node)), int(step)), id)
        except media.MediaError as e:
            node.say("ERROR", e.message, e.remedy, failed=f"{action} ")


def _scene_of(node: Any) -> Any:
    """Return the scene whose compositor has a node, else the first."""
    trees = ("node_tree", "compositing_node_group")
    scenes = [s for s in bpy.data.scenes if any(getattr(s, tree, None) == node.id_data for tree in trees)]
    return (scenes or list(bpy.data.scenes))[0]


_HANDLERS: Any = {
    "save_pre": bpy.app.handlers.persistent(_on_saving),
    "save_post": bpy.app.handlers.persistent(_on_saved),
    "load_post": bpy.app.handlers.persistent(_on_opening),
}


def register() -> None:
    """Note jobs in files that are saved, and follow those of files that are opened."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Forget all jobs under way."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    _runs.clear()


# ---- operators


class FACEPLATE_OT_run(bpy.types.Operator):
    """Ask the engine for what this node shows; Blender goes on meanwhile"""

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
    """End the job that is under way for this node"""

    bl_idname = "faceplate.cancel"
    bl_label = "Cancel"

    __annotations__ = {"uid": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        if run := _runs.get(self.uid):
            run.ticket.cancel()
        return {"FINISHED"}


class FACEPLATE_OT_use_all_frames(bpy.types.Operator):
    """Show all frames of the plate in its Image node, and set the scene's range to the plate"""

    bl_idname = "faceplate.use_all_frames"
    bl_label = "Use All Frames"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    __annotations__ = {"uid": bpy.props.StringProperty(options={"HIDDEN"})}

    def execute(self, context: Any) -> set[str]:
        if (node := find(self.uid)) is None:
            return {"CANCELLED"}
        try:
            media.use_all_frames(node.inputs["Image"], context.scene)
        except media.MediaError as e:
            self.report({"ERROR"}, str(e))
            return {"CANCELLED"}
        return {"FINISHED"}


class FACEPLATE_OT_name_source(bpy.types.Operator):
    """Choose footage of the performer whose face is put in"""

    bl_idname = "faceplate.name_source"
    bl_label = "Choose Source…"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    __annotations__ = {
        "uid": bpy.props.StringProperty(options={"HIDDEN"}),
        "filepath": bpy.props.StringProperty(subtype="FILE_PATH"),
        **{
            f"filter_{kind}": bpy.props.BoolProperty(default=True, options={"HIDDEN"})
            for kind in ("folder", "movie", "image")
        },
    }

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        if (node := find(self.uid)) is None:
            return {"CANCELLED"}
        node.source = media.stored(self.filepath)
        return {"FINISHED"}


OPERATORS: tuple[Any, ...] = (
    FACEPLATE_OT_run,
    FACEPLATE_OT_cancel,
    FACEPLATE_OT_use_all_frames,
    FACEPLATE_OT_name_source,
)
