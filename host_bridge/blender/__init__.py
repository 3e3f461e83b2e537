# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate inside Blender: nodes for its compositor, operators for its sequencer, and panels that say how the work stands.

The work is done by Faceplate's engine, a process of its own; nothing here computes a face. What lies in this folder is the extension, as
`install/blender.py` packs it: with the client, the session and the nodes' definitions beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import consent, cut, link, migration, panels, properties, sequencer, tree

_PARTS = (link, panels, consent, tree, sequencer, cut)
_CLASSES = (*properties.SETTINGS.values(), *(each for part in _PARTS for each in part.CLASSES))
_MENUS = (("NODE_MT_add", tree.draw_menu), ("SEQUENCER_MT_editor_menus", sequencer.draw_menu))


def register() -> None:
    """Called when the extension is enabled."""
    for each in _CLASSES:
        bpy.utils.register_class(each)
    for menu, draw in _MENUS:
        getattr(bpy.types, menu).append(draw)
    consent.register()
    migration.register(_owners)


def unregister() -> None:
    """Called when it is disabled: nothing stays, no handler, no timer; nodes in files stay, with what they show, and the engine's jobs go on."""
    migration.unregister()
    consent.unregister()
    for menu, draw in _MENUS:
        getattr(bpy.types, menu).remove(draw)
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
    for part in (link, tree, sequencer):
        part.unregister()


def _owners() -> Iterator[Any]:
    """All in this file that says a version, but for what is linked from another."""
    yield from (node for node in tree.all_nodes() if node.id_data.library is None)
    yield from (scene.faceplate_strips for scene in bpy.data.scenes if scene.library is None)
