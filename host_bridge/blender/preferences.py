# SPDX-License-Identifier: GPL-3.0-or-later
"""The one thing that the extension has to be told: where Faceplate is installed."""

from __future__ import annotations

from typing import Any

import bpy


class FaceplatePreferences(bpy.types.AddonPreferences):
    """Where the engine's Python is."""

    bl_idname = __package__

    __annotations__ = {
        "python": bpy.props.StringProperty(
            name="Faceplate's Python",
            description="The Python interpreter of Faceplate's environment, with which the engine is started; empty for FACEPLATE_PYTHON",
            subtype="FILE_PATH",
        )
    }

    def draw(self, context: Any) -> None:
        """Show it."""
        self.layout.prop(self, "python")


def register() -> None:
    """Add the preferences."""
    bpy.utils.register_class(FaceplatePreferences)


def unregister() -> None:
    """Take them away."""
    bpy.utils.unregister_class(FaceplatePreferences)
