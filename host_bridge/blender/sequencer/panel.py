# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sequencer's operators are found: a menu in its header, and a panel in its sidebar."""

from __future__ import annotations

from typing import Any

import bpy

from .. import lines, properties
from . import modify, notes, performers, settings, strips
from .replace import FACEPLATE_OT_replace_face
from .train import FACEPLATE_OT_train_on_strips
from .verify import FACEPLATE_OT_verify_strips


class FACEPLATE_MT_strips(bpy.types.Menu):
    """The menu Faceplate."""

    bl_idname = "FACEPLATE_MT_strips"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        """List the operators."""
        self.layout.operator(FACEPLATE_OT_replace_face.bl_idname)
        self.layout.operator(FACEPLATE_OT_train_on_strips.bl_idname)
        self.layout.operator(FACEPLATE_OT_verify_strips.bl_idname)

    @classmethod
    def register(cls) -> None:
        """Stand beside the sequencer's own menus."""
        bpy.types.SEQUENCER_MT_editor_menus.append(_draw_menu)

    @classmethod
    def unregister(cls) -> None:
        """Leave them, and forget what was said and shown."""
        bpy.types.SEQUENCER_MT_editor_menus.remove(_draw_menu)
        notes.clear()
        performers.forget()


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
        told = scene.faceplate_strips
        layout.use_property_split = True
        layout.use_property_decorate = False
        active = scene.sequence_editor.active_strip
        if active is not None and active.type in strips.KINDS:
            layout.prop(active, "faceplate_source")
        layout.prop(told, "source")
        performers.draw_fields(layout, scene)
        for name in ("folder", "handles"):
            layout.prop(told, name)
        if modify.possible():
            layout.prop(told, "as_modifier")
        performers.draw_standing(layout, scene)
        layout.operator(FACEPLATE_OT_replace_face.bl_idname, icon="USER")
        layout.prop(told, "training_minutes")
        performers.draw_standing(layout, scene, train=True)
        layout.operator(FACEPLATE_OT_train_on_strips.bl_idname)
        layout.operator(FACEPLATE_OT_verify_strips.bl_idname)
        for text, remedy in notes.notes():
            box = layout.box()
            lines.draw(box, text)
            lines.draw(box, remedy)


class _NodePanel(bpy.types.Panel):
    bl_parent_id = FACEPLATE_PT_strips.bl_idname
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012

    def draw(self, context: Any) -> None:
        self.layout.use_property_split = True
        told = strips.scene_of(context).faceplate_strips
        properties.draw(self.layout, self.bl_label, getattr(told, self.bl_label.lower()))


def _node_panel(node: str) -> type:
    name = f"FACEPLATE_PT_strips_{node.lower()}"
    return type(name, (_NodePanel,), {"bl_idname": name, "bl_label": node})


def _draw_menu(menu: Any, context: Any) -> None:
    menu.layout.menu(FACEPLATE_MT_strips.bl_idname)


classes = (
    FACEPLATE_MT_strips,
    FACEPLATE_PT_strips,
    *(_node_panel(node) for node in reversed(settings.NODES)),
)
