# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect, Align, Mask and Swap as nodes of Blender's compositor: each a group that shows what the engine has written to disk.

Nothing here computes a picture: the buttons ask the engine (`node`), and the groups are of Blender's own nodes (`group`, `controls`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import bpy

from ..media import MediaError
from . import node
from .node import OPERATORS, all_nodes, settings_classes
from .nodes import FaceplateAlignNode, FaceplateDetectNode, FaceplateMaskNode, FaceplateSwapNode

__all__ = ["CLASSES", "all_nodes", "draw_menu", "questions", "unregister"]

_NODES: tuple[Any, ...] = (FaceplateDetectNode, FaceplateAlignNode, FaceplateMaskNode, FaceplateSwapNode)


class NODE_MT_faceplate(bpy.types.Menu):
    """The nodes of Faceplate."""

    bl_idname = "NODE_MT_faceplate"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        """List them."""
        for each in _NODES:
            button = self.layout.operator("node.add_node", text=each.bl_label)
            button.type, button.use_transform = each.bl_idname, True


CLASSES: tuple[Any, ...] = (*settings_classes().values(), *_NODES, *OPERATORS, NODE_MT_faceplate)


def draw_menu(menu: Any, context: Any) -> None:
    """The menu of nodes, in the compositor's Add."""
    if getattr(context.space_data, "tree_type", "") == "CompositorNodeTree":
        menu.layout.separator()
        menu.layout.menu(NODE_MT_faceplate.bl_idname)


def questions() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be known of consent, of all nodes that use faces."""
    for each in all_nodes():
        if each.defined == FaceplateSwapNode.defined:
            with suppress(MediaError):
                yield from each.questions()


def unregister() -> None:
    """Nothing is under way any more."""
    node.forget()
