# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect, Align, Mask and Swap as nodes of Blender's compositor: each a group that shows the engine's files.

Nothing here computes a picture: the buttons ask the engine (`node`), and the groups are of Blender's own nodes (`group`, `controls`).
"""

from __future__ import annotations

from typing import Any

import bpy

from .node import OPERATORS, all_nodes, register, unregister
from .nodes import NODES

__all__ = ["CLASSES", "all_nodes", "draw_menu", "register", "unregister"]


class NODE_MT_faceplate(bpy.types.Menu):
    """Menu of the nodes of Faceplate."""

    bl_idname = "NODE_MT_faceplate"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        for each in NODES:
            button = self.layout.operator("node.add_node", text=each.bl_label)
            button.type, button.use_transform = each.bl_idname, True


CLASSES: tuple[Any, ...] = (*NODES, *OPERATORS, NODE_MT_faceplate)


def draw_menu(menu: Any, context: Any) -> None:
    """Draw the menu of nodes, in the compositor's Add."""
    if getattr(context.space_data, "tree_type", "") == "CompositorNodeTree":
        menu.layout.separator()
        menu.layout.menu(NODE_MT_faceplate.bl_idname)
