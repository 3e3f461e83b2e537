# SPDX-License-Identifier: GPL-3.0-or-later
"""Migration of nodes and settings that earlier versions of the extension left in a .blend, a version at a time.

It happens when a file is opened or appended from, when the extension is enabled, and before a button acts. Data without a version is of
the first: Blender keeps only values that were set. Data of a newer extension is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bpy

from .media import MediaError

REMEDY = "Install its extension: install/blender.py install"  # for newer data
NEWER = MediaError("this node is of a newer Faceplate", REMEDY)
SCHEMA = 3  # of the data of nodes and scenes in the .blend


VERSION = bpy.props.IntProperty(default=1, options={"HIDDEN"})  # the version of a node, or of a scene's settings


def is_newer(owner: Any) -> bool:
    """Return True for data of a newer extension than this."""
    return bool(owner.schema_version > SCHEMA)


def migrate(owner: Any) -> None:
    """Bring a node or the settings of a scene up to date; `owner.migrations` has the steps that there are, by the version they leave."""
    while owner.schema_version < SCHEMA:
        owner.migrations.get(owner.schema_version, lambda _: None)(owner)
        owner.schema_version += 1


def rename(owner: Any, old: str, new: str) -> None:
    """Move the value of a renamed property, if the file holds one."""
    # Since 5.0, values of properties are separate from those that users add.
    properties = owner.bl_system_properties_get() if hasattr(owner, "bl_system_properties_get") else owner
    if properties is not None and old in properties:
        setattr(owner, new, properties[old])
        del properties[old]


def register(owners: Callable[[], Iterator[Any]]) -> None:
    """Migrate all open data, and from now on opened data. owners: yields all nodes and settings that can be written to."""
    _owners.append(owners)
    bpy.app.handlers.load_post.append(_opened)
    bpy.app.handlers.blend_import_post.append(_opened)
    if not bpy.app.background:  # in the background timers do not run, and 4.5 hangs at its end on one
        bpy.app.timers.register(_migrate_all, first_interval=0)  # while it is enabled, Blender's data is closed


def unregister() -> None:
    """Remove all handlers and timers."""
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
