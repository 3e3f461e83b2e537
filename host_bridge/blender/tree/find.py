# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of Faceplate in this file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy


def all_nodes() -> Iterator[Any]:
    """Every node of Faceplate in this file: those that say by what they are defined."""
    scenes = (getattr(scene, "node_tree", None) for scene in bpy.data.scenes)
    for tree in (*filter(None, scenes), *bpy.data.node_groups):
        if tree.bl_idname == "CompositorNodeTree":
            yield from (node for node in tree.nodes if getattr(node, "defined", ""))


def find(uid: str) -> Any:
    """The node with this id, None where it is gone."""
    return next((node for node in all_nodes() if node.uid == uid), None)
