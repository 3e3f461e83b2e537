# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequencer's panel in the sidebar: settings, buttons, whether the faces in the selected strips may be used, and what came of the work.

Selecting a strip is no change of data that Blender would tell of, so the panel notes what it shows when it is drawn, and no more; what is to be asked is
collected later, by the timer of `consent`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from .. import consent, media, properties
from ..media import MediaError
from ..panels import draw_text
from ..session import consent_request
from . import place, settings, strips

_MOST = 4  # clips that are asked about; the others of a large selection are when the button is pressed
_shown: dict[int, tuple[str, ...]] = {}  # scenes by their session_uid: the strips of which a panel shows consent
notes: deque[tuple[str, str]] = deque(
    maxlen=6
)  # what came of work that ended after its operator had returned, and remedies; newest first


def note(text: str, remedy: str = "") -> None:
    """Say something, and what to do about it; what is said again is shown once."""
    if (text, remedy) in notes:
        notes.remove((text, remedy))
    notes.appendleft((text, remedy))


def key(scene: int, clip: str, *, train: bool = False) -> str:
    """Under which the consent for a clip of a scene, by its session_uid, is asked."""
    return f"{scene} {clip}" + (" train" if train else "")


def questions() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be known of consent: of the clips that a panel shows, whether they may be swapped, and trained on."""
    for scene in bpy.data.scenes:
        if names := _shown.get(scene.session_uid):
            with suppress(MediaError):
                yield from _of_scene(scene, names)


def _of_scene(scene: Any, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    near, swap = settings.results_folder(scene), properties.of_consent(settings.node_settings(scene)["swap"])
    source = next(iter(settings.sources(scene)), None)
    for clip in _clips(scene, names):
        yield key(scene.session_uid, clip), consent_request(clip, source, near, swap)
        if source:
            yield key(scene.session_uid, clip, train=True), consent_request(clip, source, near, swap, train=True)


def _clips(scene: Any, names: tuple[str, ...]) -> list[str]:
    """The footage of these strips, each once, a few at the most; no file is looked at."""
    paths: dict[str, None] = {}
    for strip in scene.sequence_editor.strips_all if scene.sequence_editor else ():
        if strip.name in names:
            with suppress(MediaError):
                paths[media.path_of_strip(strip)] = None
    return list(paths)[:_MOST]


def _draw_consent(layout: Any, scene: Any, *, train: bool = False) -> None:
    clips = _clips(scene, _shown.get(scene.session_uid, ()))
    for clip in clips:
        if len(clips) > 1:
            layout.label(text=Path(clip).name, icon="FILE_MOVIE")
        consent.draw(layout, key(scene.session_uid, clip, train=train))


class FACEPLATE_PT_strips(bpy.types.Panel):
    """The settings of the operators, their buttons, and what came of it."""

    bl_idname = "FACEPLATE_PT_strips"
    bl_label = "Strips"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Faceplate"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There are strips."""
        return strips.scene_of(context).sequence_editor is not None

    def draw(self, context: Any) -> None:
        """Show them."""
        scene, layout = strips.scene_of(context), self.layout
        own = scene.faceplate_strips
        layout.use_property_split = True
        layout.use_property_decorate = False
        active = scene.sequence_editor.active_strip
        if active is not None and active.type in strips.KINDS:
            layout.prop(active, "faceplate_source")
        layout.prop(own, "source")
        for name in properties.performers():
            layout.prop(own.swap, name)
        selected = (s for s in strips.selected(scene) if s.type in strips.KINDS and not s.faceplate_source)
        if _shown.get(scene.session_uid) != (now := tuple(s.name for s in selected)):
            _shown[scene.session_uid] = now
            consent.changed()
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
        """List the operators."""
        for operator in ("replace_face", "train_on_strips", "verify_strips"):
            self.layout.operator(f"faceplate.{operator}")
        self.layout.separator()
        for operator in ("export_otio", "import_otio"):
            self.layout.operator(f"faceplate.{operator}")


def draw_menu(menu: Any, context: Any) -> None:
    """The menu in the sequencer's header."""
    menu.layout.menu(FACEPLATE_MT_strips.bl_idname)


CLASSES = (
    FACEPLATE_MT_strips,
    FACEPLATE_PT_strips,
    *(_node_panel(node) for node in reversed(settings.NODES)),
)


def unregister() -> None:
    """Forget what was said and shown."""
    notes.clear()
    _shown.clear()
