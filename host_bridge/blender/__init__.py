# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate inside Blender: nodes for its compositor, operators for its sequencer, and panels that say how the work stands.

The work is done by Faceplate's engine, a process of its own; nothing here computes a face. What lies in this folder is the extension, as
`install/blender.py` packs it: with the client and the nodes' definitions beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from . import consent, cut, link, migration, panels, preferences, sequencer, tree
from .tree import work
from .tree.find import all_nodes

_PARTS = (preferences, tree, panels, sequencer, cut)


def register() -> None:
    """Called when the extension is enabled."""
    for part in _PARTS:
        part.register()
    consent.register(tree.questions, sequencer.questions)
    migration.register(_owners)


def unregister() -> None:
    """Called when it is disabled: nothing stays, no thread, no timer; the engine's jobs go on."""
    link.shutdown()
    work.forget()
    migration.unregister()
    consent.unregister()
    for part in reversed(_PARTS):
        part.unregister()


def _owners() -> Iterator[Any]:
    """All in this file that says a version, but for what is linked from another."""
    yield from (node for node in all_nodes() if node.id_data.library is None)
    yield from (scene.faceplate_strips for scene in bpy.data.scenes if scene.library is None)
