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
from ..panels import WIDTH, draw_problem, width_of
from ..session import Job, consent_request
from . import place, settings, strips

_MOST = 4  # clips with consent shown; the button checks the rest of a large selection
# Outcomes of ended jobs, with remedies; newest first.
notes: deque[tuple[str, str]] = deque(maxlen=6)
_actions: dict[tuple[str, str], Any] = {}  # of remedies that are a button, by note


def note(text: str, remedy: str = "", action: Any = None) -> None:
    """Add a note with its remedy, in words and as a button; a repeated note is shown once."""
    if (text, remedy) in notes:
        notes.remove((text, remedy))
    notes.appendleft((text, remedy))
    _actions[text, remedy] = action


def finished(job: Job, what: str = "") -> bool:
    """Return True if a job has finished, and note the error of a failed one. what: name of the work."""
    consent.monitor.ended(job)
    if job["state"] == "failed":
        error = job["error"]
        text = f"{what}: {error['message']}" if what else error["message"]
        note(text, error.get("remedy") or "", error.get("action"))
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


def _draw_consent(layout: Any, scene: Any, width: int, *, train: bool = False) -> None:
    """Show consent for the footage of the selected strips, each once, without looking at the plate's files."""
    shown = (s for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source)
    clips = list(dict.fromkeys(media.path_of_strip(strip) for strip in shown))[:_MOST]
    with suppress(MediaError):  # the .blend is not saved, or the source is missing
        near, source = settings.results_folder(scene), next(iter(settings.sources(scene)), None)
        swap = properties.of_consent(settings.node_settings(scene)["swap"])
        for clip in clips if source or not train else ():
            if len(clips) > 1:
                layout.label(text=Path(clip).name, icon="FILE_MOVIE")
            consent.draw(layout, consent_request(clip, source, near, swap, train=train), width=width)


class _StripsPanel(bpy.types.Panel):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Faceplate"

    def draw(self, context: Any) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.show(self.layout, strips.scene_of(context), width_of(context))

    @staticmethod
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        """Draw what the panel has. width: letters in a line."""
        raise NotImplementedError


class FACEPLATE_PT_strips(_StripsPanel):
    """Panel of Replace Face, with the source, consent, what is missing, and notes."""

    bl_idname = "FACEPLATE_PT_strips"
    bl_label = "Face Swap"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return strips.scene_of(context).sequence_editor is not None

    @staticmethod
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        own, active = scene.faceplate_strips, scene.sequence_editor.active_strip
        layout.prop(own, "source")
        if active is not None and active.type in strips.KINDS:
            layout.prop(active, "faceplate_source")
        _draw_consent(layout, scene, width)
        try:
            settings.check_swap(scene)
        except MediaError as e:
            draw_problem(layout, e.message, e.remedy, icon="INFO", width=width)
        layout.operator("faceplate.replace_face", icon="USER")
        layout.operator("faceplate.verify_strips")
        for text, remedy in notes:
            draw_problem(layout.box(), text, remedy, _actions.get((text, remedy)), icon="NONE", width=width)


class _SubPanel(_StripsPanel):
    bl_parent_id = FACEPLATE_PT_strips.bl_idname
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012


class FACEPLATE_PT_strips_performers(_SubPanel):
    """Panel with who is replaced, and who is put in."""

    bl_label = "Performers"

    @staticmethod
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        for name in properties.PERFORMERS:
            layout.prop(scene.faceplate_strips.swap, name, text=name.partition("_")[0].title())


class FACEPLATE_PT_strips_output(_SubPanel):
    """Panel with where results go, and how."""

    bl_label = "Output"

    @staticmethod
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        for name in ("handles", "as_modifier", "folder") if place.has_modifiers() else ("handles", "folder"):
            layout.prop(scene.faceplate_strips, name)


class FACEPLATE_PT_strips_train(_SubPanel):
    """Panel of Train on Strips."""

    bl_label = "Train"

    @staticmethod
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        layout.prop(scene.faceplate_strips, "training_minutes")
        _draw_consent(layout, scene, width, train=True)
        layout.operator("faceplate.train_on_strips")


def _node_panel(node: str) -> type:
    def show(layout: Any, scene: Any, width: int = WIDTH) -> None:
        properties.draw(layout, node, getattr(scene.faceplate_strips, node.lower()))

    name = f"FACEPLATE_PT_strips_{node.lower()}"
    return type(name, (_SubPanel,), {"bl_idname": name, "bl_label": node, "show": staticmethod(show)})


class FACEPLATE_MT_strips(bpy.types.Menu):
    """The menu Faceplate, beside the sequencer's own."""

    bl_idname = "FACEPLATE_MT_strips"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        for operator in ("replace_face", "train_on_strips", "verify_strips"):
            self.layout.operator(f"faceplate.{operator}")
        self.layout.separator()
        for name, label in (("export_otio", "Export OTIO..."), ("import_otio", "Import OTIO...")):
            self.layout.operator(f"faceplate.{name}", text=label)


def draw_menu(menu: Any, context: Any) -> None:
    """Draw the menu in the sequencer's header."""
    menu.layout.menu(FACEPLATE_MT_strips.bl_idname)


CLASSES = (
    FACEPLATE_MT_strips,
    FACEPLATE_PT_strips,
    FACEPLATE_PT_strips_performers,
    *map(_node_panel, properties.SETTINGS),
    FACEPLATE_PT_strips_output,
    FACEPLATE_PT_strips_train,
)
