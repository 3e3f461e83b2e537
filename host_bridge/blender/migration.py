# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier versions of the extension have left in a .blend, brought up to date, a version at a time.

It happens when a file is opened or appended from, when the extension is enabled, and before a button does anything. What does not say its version is of
the first: Blender keeps only values that were set. What a newer extension has left is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bpy

from .media import MediaError

REMEDY = "Install its extension: install/blender.py install"  # for what is newer
NEWER = MediaError("this node is of a newer Faceplate", REMEDY)
SCHEMA = 2  # of what nodes and scenes keep in the .blend


VERSION = bpy.props.IntProperty(default=1, options={"HIDDEN"})  # in which a node or the settings of a scene say theirs


def is_newer(owner: Any) -> bool:
    """Whether it is of a newer extension than this."""
    return bool(owner.schema_version > SCHEMA)


def migrate(owner: Any) -> None:
    """Bring a node or the settings of a scene up to date; it says how: `owner.migrations`, the step that leaves each version."""
    while owner.schema_version < SCHEMA:
        owner.migrations[owner.schema_version](owner)
        owner.schema_version += 1


def rename(owner: Any, old: str, new: str) -> None:
    """Take over the value of a property that is called otherwise now, if the file holds one."""
    # Since 5.0 what properties hold is kept apart from what users add.
    held = owner.bl_system_properties_get() if hasattr(owner, "bl_system_properties_get") else owner
    if held is not None and old in held:
        setattr(owner, new, held[old])
        del held[old]


def register(owners: Callable[[], Iterator[Any]]) -> None:
    """Migrate from now on what is opened, and what is open. owners: yields all nodes and settings that can be written to."""
    _owners.append(owners)
    bpy.app.handlers.load_post.append(_opened)
    bpy.app.handlers.blend_import_post.append(_opened)
    if not bpy.app.background:  # timers do not run there, and 4.5 waits for one for ever when it ends
        bpy.app.timers.register(_migrate_all, first_interval=0)  # while it is enabled, Blender's data is closed


def unregister() -> None:
    """Leave no handler and no timer."""
    bpy.app.handlers.load_post.remove(_opened)
    bpy.app.handlers.blend_import_post.remove(_opened)
    if bpy.app.timers.is_registered(_migrate_all):
        bpy.app.timers.unregister(_migrate_all)
    _owners.clear()


_owners: list[Callable[[], Iterator[Any]]] = []


def _migrate_all() -> None:
    for owners in _owners:
        for owner in list(owners()):
            migrate(owner)


def _on_opening(*_: Any) -> None:
    _migrate_all()


_opened: Any = bpy.app.handlers.persistent(_on_opening)
