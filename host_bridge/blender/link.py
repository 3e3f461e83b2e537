# SPDX-License-Identifier: GPL-3.0-or-later
"""This Blender's session with the engine, run by a timer, and the preferences with the place of Faceplate.

The timer lives only while tasks are under way. A thread cannot replace it: Python that runs while Blender undoes, or writes an undo
step, can crash it (docs/decisions/0007). Callbacks hold names, never Blender's data, which may be gone when they are called.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import bpy

from .session import Session


def _wake() -> None:
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=0.01, persistent=True)


def _redraw() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type in ("NODE_EDITOR", "SEQUENCE_EDITOR"):
                area.tag_redraw()


def engine_python() -> str | None:
    """Return the interpreter of Faceplate's environment: the preference, else FACEPLATE_PYTHON, else None."""
    extension = bpy.context.preferences.addons.get(__package__)
    path = getattr(extension.preferences, "python", "") if extension and extension.preferences else ""
    return (bpy.path.abspath(path) if path else "") or os.environ.get("FACEPLATE_PYTHON") or None


_manifest = tomllib.loads(Path(__file__).with_name("blender_manifest.toml").read_text("utf-8"))
session = Session(engine_python, _manifest["version"], wake=_wake, redraw=_redraw)
pump = session.pump  # one object, which identifies the timer in Blender


class FaceplatePreferences(bpy.types.AddonPreferences):
    """Preference for the engine's Python."""

    bl_idname = __package__

    __annotations__ = {
        "python": bpy.props.StringProperty(
            name="Faceplate's Python",
            description="The Python interpreter of Faceplate's environment, with which the engine is started; empty for FACEPLATE_PYTHON",
            subtype="FILE_PATH",
        )
    }

    def draw(self, context: Any) -> None:
        self.layout.prop(self, "python")


CLASSES = (FaceplatePreferences,)


def unregister() -> None:
    """Forget all tasks, and remove the timer; the engine and its jobs go on."""
    session.close()
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
