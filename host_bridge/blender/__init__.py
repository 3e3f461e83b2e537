# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate inside Blender: nodes for its compositor, operators for its sequencer, and panels with the state of the work.

The work is done by Faceplate's engine, a process of its own; nothing here computes a face. This folder is the extension;
`install/blender.py` packs it with the client, the session and the nodes' definitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import actions, clips, consent, cut, link, migration, panels, preferences, properties, sequencer, tree

_PARTS = (panels, preferences, consent, actions, clips, tree, sequencer, cut)
_CLASSES = (*properties.SETTINGS.values(), *(each for part in _PARTS for each in part.CLASSES))
_MENUS = (
    ("NODE_MT_add", tree.draw_menu),
    ("NODE_MT_faceplate", clips.draw_menu),
    ("SEQUENCER_MT_editor_menus", sequencer.draw_menu),
    ("FACEPLATE_MT_strips", clips.draw_menu),
    ("TOPBAR_MT_file_import", clips.draw_menu),  # where F3 finds it in every editor
)


def register() -> None:
    """Called when the extension is enabled."""
    for each in _CLASSES:
        bpy.utils.register_class(each)
    for menu, draw in _MENUS:
        getattr(bpy.types, menu).append(draw)
    consent.register()
    migration.register(_owners)
    tree.register()


def unregister() -> None:
    """Called when it is disabled: no handler or timer stays; nodes in files and their pictures stay, and the engine's jobs go on."""
    migration.unregister()
    consent.unregister()
    for menu, draw in _MENUS:
        getattr(bpy.types, menu).remove(draw)
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
    for part in (link, tree, sequencer, cut):
        part.unregister()


def _owners() -> Iterator[Any]:
    """Yield everything in this file that has a version, except linked data."""
    yield from (node for node in tree.all_nodes() if node.id_data.library is None)
    yield from (scene.faceplate_strips for scene in bpy.data.scenes if scene.library is None)
