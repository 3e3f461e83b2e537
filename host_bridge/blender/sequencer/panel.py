# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequencer's panel in the sidebar: settings, buttons, consent for the selected strips, and notes on ended jobs."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, properties
from ..media import MediaError
from ..panels import draw_text
from ..session import Job, consent_request
from . import place, settings, strips

_MOST = 4  # clips with consent shown; the button checks the rest of a large selection
# Outcomes of ended jobs, with remedies; newest first.
notes: deque[tuple[str, str]] = deque(maxlen=6)


def note(text: str, remedy: str = "") -> None:
    """Add a note with its remedy; a repeated note is shown once."""
    if (text, remedy) in notes:
        notes.remove((text, remedy))
    notes.appendleft((text, remedy))


def finished(job: Job, what: str = "") -> bool:
    """Return True if a job has finished, and note the error of a failed one. what: name of the work."""
    consent.monitor.ended(job)
    if job["state"] == "failed":
        note(
            f"{what}: {job['error']['message']}" if what else job["error"]["message"], job["error"].get("remedy") or ""
        )
    return bool(job["state"] == "finished")


class Asks:
    """A mixin for operators that ask the engine for something, and return at once."""

    bl_options = {"REGISTER"}  # noqa: RUF012

    def ask(self: Any, scene: Any) -> str:
        """Ask the engine, and return the report. Raises MediaError, OSError."""
        raise NotImplementedError

    def execute(self: Any, context: Any) -> set[str]:
        try:
            self.report({"INFO"}, self.ask(strips.scene_of(context)))
        except (MediaError, OSError) as e:
            self.report({"ERROR"}, str(e))
            return {"CANCELLED"}
        return {"FINISHED"}


def _draw_consent(layout: Any, scene: Any, *, train: bool = False) -> None:
    """Show consent for the footage of the selected strips, each once, without looking at the plate's files."""
    shown = (s for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source)
    clips = list(dict.fromkeys(media.path_of_strip(strip) for strip in shown))[:_MOST]
    with suppress(MediaError):  # the .blend is not saved, or the source is missing
        near, source = settings.results_folder(scene), next(iter(settings.sources(scene)), None)
        swap = properties.of_consent(settings.node_settings(scene)["swap"])
        for clip in clips if source or not train else ():
            if len(clips) > 1:
                layout.label(text=Path(clip).name, icon="FILE_MOVIE")
            consent.draw(layout, consent_request(clip, source, near, swap, train=train))


class FACEPLATE_PT_strips(bpy.types.Panel):
    """Panel of the operators' settings and buttons, and of notes."""

    bl_idname = "FACEPLATE_PT_strips"
    bl_label = "Strips"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Faceplate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return strips.scene_of(context).sequence_editor is not None

    def draw(self, context: Any) -> None:
        scene, layout = strips.scene_of(context), self.layout
        own = scene.faceplate_strips
        layout.use_property_split = True
        layout.use_property_decorate = False
        active = scene.sequence_editor.active_strip
        if active is not None and active.type in strips.KINDS:
            layout.prop(active, "faceplate_source")
        layout.prop(own, "source")
        for name in properties.PERFORMERS:
            layout.prop(own.swap, name)
        for name in ("folder", "handles"):
            layout.prop(own, name)
        if place.has_modifiers():
            layout.prop(own, "as_modifier")
        _draw_consent(layout, scene)
        layout.operator("faceplate.replace_face", icon="USER")
        layout.prop(own, "training_minutes")
        _draw_consent(layout, scene, train=True)
        layout.operator("faceplate.train_on_strips")
        layout.operator("faceplate.verify_strips")
        for text, remedy in notes:
            box = layout.box()
            draw_text(box, text)
            draw_text(box, remedy)


class _NodePanel(bpy.types.Panel):
    bl_parent_id = FACEPLATE_PT_strips.bl_idname
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        self.layout.use_property_split = True
        own = strips.scene_of(context).faceplate_strips
        properties.draw(self.layout, self.bl_label, getattr(own, self.bl_label.lower()))


def _node_panel(node: str) -> type:
    name = f"FACEPLATE_PT_strips_{node.lower()}"
    return type(name, (_NodePanel,), {"bl_idname": name, "bl_label": node})


class FACEPLATE_MT_strips(bpy.types.Menu):
    """The menu Faceplate, beside the sequencer's own."""

    bl_idname = "FACEPLATE_MT_strips"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        for operator in ("replace_face", "train_on_strips", "verify_strips"):
            self.layout.operator(f"faceplate.{operator}")
        self.layout.separator()
        for operator in ("export_otio", "import_otio"):
            self.layout.operator(f"faceplate.{operator}")


def draw_menu(menu: Any, context: Any) -> None:
    """Draw the menu in the sequencer's header."""
    menu.layout.menu(FACEPLATE_MT_strips.bl_idname)


CLASSES = (
    FACEPLATE_MT_strips,
    FACEPLATE_PT_strips,
    *(_node_panel(node) for node in reversed(properties.SETTINGS)),
)
