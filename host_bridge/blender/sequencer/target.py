# SPDX-License-Identifier: GPL-3.0-or-later
"""A strip that asked for a patch, found again when it has come.

Meanwhile it may have been moved, trimmed or deleted, the scene renamed, another file opened: everything is looked up anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..media import MediaError
from . import strips


@dataclass(frozen=True, slots=True)
class Target:
    """The strip that asked, by names: uid and file tell its scene from one of the same name in another file."""

    file: str
    uid: int
    scene: str
    strip: str
    path: str
    handles: int


def target_of(scene: Any, strip: Any, shown: strips.Shown, handles: int) -> Target:
    """Note down a strip."""
    return Target(bpy.data.filepath, scene.session_uid, scene.name, strip.name, shown.path, handles)


def find(target: Target) -> tuple[Any, Any]:
    """The scene and the strip, or None for what is no more there."""
    scene = next((s for s in bpy.data.scenes if s.session_uid == target.uid), None)
    if scene is None and target.file and target.file == bpy.data.filepath:  # the same file, opened again
        scene = bpy.data.scenes.get(target.scene)
    if scene is None or scene.sequence_editor is None:
        return scene, None
    named = (s for s in scene.sequence_editor.strips_all if s.name == target.strip and s.type in strips.KINDS)
    return scene, next(named, None)


def look_up(target: Target, folder: Path) -> tuple[Any, Any, strips.Shown]:
    """The scene, the strip, and what it shows now. folder: of the pictures. Raises MediaError where it is not what asked for them."""
    where = f"The rendered pictures are in {folder}"
    scene, plate = find(target)
    if scene is None:
        raise MediaError(f"the file with the strip {target.strip} is closed", where)
    if plate is None:
        raise MediaError(f"the strip {target.strip} is gone", where)
    shown = strips.read(plate, scene, target.handles)
    if shown.path != target.path:
        raise MediaError(f"the strip {target.strip} shows other footage now", where)
    return scene, plate, shown


def rendered(target: Target, shown: strips.Shown, first: int, last: int, folder: Path) -> range:
    """The part of what is shown for which there are pictures, numbered first..last. Raises MediaError where there are none."""
    there = [first <= number <= last for number in shown.numbers]
    if not any(there):
        raise MediaError(
            f"the strip {target.strip} shows other frames now",
            f"The rendered pictures are in {folder}; replace the face again",
        )
    begin = there.index(True)
    end = next((i for i in range(begin, len(there)) if not there[i]), len(there))
    return range(begin, end)
