# SPDX-License-Identifier: GPL-3.0-or-later
"""This Blender's session with the engine, run by a timer, and the Python that starts the engine.

The timer is quick while tasks are under way, and looks for the engine twice a second once a panel has shown it. A thread cannot replace it: Python that
runs while Blender undoes, or writes an undo step, can crash it (docs/decisions/0007). Callbacks hold names, never Blender's data, which may be gone when they are called.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import bpy

from .session import Session, find_python


def _wake() -> None:
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=0.01, persistent=True)


def _redraw() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type in ("NODE_EDITOR", "SEQUENCE_EDITOR", "PREFERENCES"):
                area.tag_redraw()


def engine_python() -> str | None:
    """Return the interpreter of Faceplate's environment: by the preference, else FACEPLATE_PYTHON, else the one that built the extension, else None."""
    extension = bpy.context.preferences.addons.get(__package__)
    path = getattr(extension.preferences, "python", "") if extension and extension.preferences else ""
    if named := (bpy.path.abspath(path) if path else "") or os.environ.get("FACEPLATE_PYTHON", ""):
        return str(find_python(named))
    built = Path(__file__).with_name("python.txt").read_text("utf-8")
    return built if Path(built).is_file() else None


_manifest = tomllib.loads(Path(__file__).with_name("blender_manifest.toml").read_text("utf-8"))
session = Session(engine_python, _manifest["version"], wake=_wake, redraw=_redraw)
pump = session.pump  # one object, which identifies the timer in Blender


def unregister() -> None:
    """Forget all tasks, and remove the timer; the engine and its jobs go on."""
    session.close()
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
