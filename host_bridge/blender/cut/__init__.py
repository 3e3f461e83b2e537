# SPDX-License-Identifier: GPL-3.0-or-later
"""Export OTIO and Import OTIO: the sequencer's strips as an edit for other programs, and back.

`gather` describes strips as the document `faceplate.cut/1`, `rebuild` makes strips from one; the engine turns it into OpenTimelineIO and back.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from .. import media, undo
from ..link import session
from ..media import MediaError
from ..sequencer import settings
from ..sequencer.panel import Asks, finished, note
from ..session import Job
from .gather import gather
from .rebuild import rebuild

_KINDS = "*.otio;*.otioz;*.edl;*.xml;*.fcpxml;*.aaf"
_PROFILES = (
    ("blender", "Blender", "For Import OTIO, here or in another Blender"),
    ("otio", "OpenTimelineIO", "For any program that reads OpenTimelineIO"),
    ("resolve", "DaVinci Resolve", "As DaVinci Resolve is known to read it"),
    ("kdenlive", "Kdenlive", "As Kdenlive is known to read it"),
)


class FACEPLATE_OT_export_otio(Asks, bpy.types.Operator):
    """Write the scene's strips as an edit."""

    bl_idname = "faceplate.export_otio"
    bl_label = "Export OTIO"
    bl_description = (
        "Write the strips as an OpenTimelineIO edit, or by its suffix as .otioz, .edl, .xml, .fcpxml or .aaf"
    )

    __annotations__ = {
        "filepath": bpy.props.StringProperty(subtype="FILE_PATH"),
        "check_existing": bpy.props.BoolProperty(default=True, options={"HIDDEN"}),
        "filter_glob": bpy.props.StringProperty(default=_KINDS, options={"HIDDEN"}),
        "profile": bpy.props.EnumProperty(name="For", items=_PROFILES, default="blender"),
    }

    def invoke(self: Any, context: Any, event: Any) -> set[str]:
        if not self.filepath:
            self.filepath = str(Path(bpy.data.filepath or "untitled").with_suffix(".otio"))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def ask(self: Any, scene: Any) -> str:
        if scene.sequence_editor is None or not len(scene.sequence_editor.strips):
            raise MediaError("there are no strips in this scene", "Add some")
        out = media.absolute(self.filepath)
        cut = _cuts(scene) / f"{settings.file_name(scene.name)}.json"
        cut.write_text(json.dumps(gather(scene)), "utf-8")
        session.submit("export_cut", {"cut": str(cut), "out": out, "profile": self.profile}, on_end=_report_export)
        return f"Asked the engine to write {Path(out).name}"


class FACEPLATE_OT_import_otio(Asks, bpy.types.Operator):
    """Make a scene of an edit."""

    bl_idname = "faceplate.import_otio"
    bl_label = "Import OTIO"
    bl_description = "Make a new scene with the strips of an edit: OpenTimelineIO, EDL, Final Cut XML or AAF"

    __annotations__ = {
        "filepath": bpy.props.StringProperty(subtype="FILE_PATH"),
        "filter_glob": bpy.props.StringProperty(default=_KINDS, options={"HIDDEN"}),
        "media_root": bpy.props.StringProperty(name="Media", description="A folder to search for media, or FROM=TO"),
    }

    def invoke(self: Any, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def ask(self: Any, scene: Any) -> str:
        edit = media.absolute(self.filepath)
        out = _cuts(scene) / f"{Path(edit).stem}.read.json"
        request = {"edit": edit, "out": str(out), "media_roots": [self.media_root] if self.media_root else []}
        session.submit("import_cut", request, on_end=_load_cut)
        return f"Asked the engine to read {Path(edit).name}"


def _cuts(scene: Any) -> Path:
    """Return the folder through which cuts go to the engine and back. Raises MediaError and OSError."""
    folder = Path(settings.results_folder(scene)) / "cuts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _report_export(job: Job) -> None:
    if finished(job):
        result = job["result"]
        note(f"{result['edit']} is written")
        for line in result["unsaid"]:
            note(line)


def _load_cut(job: Job) -> None:
    if not finished(job):
        return
    result = job["result"]
    cut = json.loads(Path(result["cut"]).read_text("utf-8"))
    scene, problems = rebuild(cut)
    _show(scene)
    undo.push("Import OTIO")
    for line in (*result["unsaid"], *problems):
        note(line)
    note(f"The scene {scene.name} has {len(scene.sequence_editor.strips_all)} strips of {Path(result['cut']).stem}")


_shown: dict[str, list[str]] = {}  # by workspace: the scenes before and after each import, newest last


def _show(scene: Any) -> None:
    """Show a new scene in all windows, and after undo the one before: Blender would show none."""
    for window in bpy.context.window_manager.windows:
        window.scene = scene
        if hasattr(window.workspace, "sequencer_scene"):
            before = window.workspace.sequencer_scene
            _shown.setdefault(window.workspace.name, []).extend([before.name] if before else [])
            _shown[window.workspace.name].append(scene.name)
            window.workspace.sequencer_scene = scene
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        if _after_undo not in handlers:  # Blender removes it when another file is opened
            handlers.append(_after_undo)


def _after_undo(*_: Any) -> None:
    for workspace in bpy.data.workspaces:
        names = _shown.get(workspace.name, ())
        scenes = [scene for name in names if (scene := bpy.data.scenes.get(name))]
        if scenes and workspace.sequencer_scene is None:
            workspace.sequencer_scene = scenes[-1]


def unregister() -> None:
    """Remove the handlers."""
    _shown.clear()
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        if _after_undo in handlers:
            handlers.remove(_after_undo)


CLASSES = (FACEPLATE_OT_export_otio, FACEPLATE_OT_import_otio)
