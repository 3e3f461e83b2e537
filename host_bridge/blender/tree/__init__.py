# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect, Align, Mask and Swap as nodes of Blender's compositor: each a group that shows what the engine has written to disk.

Nothing here computes a picture: the buttons ask the engine, and the groups are of Blender's own nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import bpy

from ..media import MediaError
from .align import FaceplateAlignNode
from .base import settings_classes
from .detect import FaceplateDetectNode
from .find import all_nodes
from .mask import FaceplateMaskNode
from .operators import OPERATORS
from .swap import FaceplateSwapNode

NODES: tuple[Any, ...] = (FaceplateDetectNode, FaceplateAlignNode, FaceplateMaskNode, FaceplateSwapNode)


class NODE_MT_faceplate(bpy.types.Menu):
    """The nodes of Faceplate."""

    bl_idname = "NODE_MT_faceplate"
    bl_label = "Faceplate"

    def draw(self, context: Any) -> None:
        """List them."""
        for node in NODES:
            told = self.layout.operator("node.add_node", text=node.bl_label)
            told.type, told.use_transform = node.bl_idname, True


def _in_add_menu(self: Any, context: Any) -> None:
    if getattr(context.space_data, "tree_type", "") == "CompositorNodeTree":
        self.layout.separator()
        self.layout.menu(NODE_MT_faceplate.bl_idname)


def questions() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be known of consent, of all nodes that use faces."""
    for node in all_nodes():
        if node.defined == FaceplateSwapNode.defined:
            with suppress(MediaError):
                yield from node.questions()


def classes() -> tuple[Any, ...]:
    """All that is registered, in this order."""
    return (*settings_classes(), *NODES, *OPERATORS, NODE_MT_faceplate)


def register() -> None:
    """Add the nodes, and their menu."""
    for each in classes():
        bpy.utils.register_class(each)
    bpy.types.NODE_MT_add.append(_in_add_menu)


def unregister() -> None:
    """Take them away again; nodes in files stay, with what they show."""
    bpy.types.NODE_MT_add.remove(_in_add_menu)
    for each in reversed(classes()):
        bpy.utils.unregister_class(each)
