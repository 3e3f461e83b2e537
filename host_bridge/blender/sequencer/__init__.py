# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate in the Video Sequence Editor: Replace Face and Train on Strips, their settings, menu and panel.

What runs is asked for through `link`; nothing here waits.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import panel, replace, settings, train, verify
from .performers import questions

__all__ = ["classes", "questions", "register", "unregister"]

classes: tuple[Any, ...] = (*settings.classes, *replace.classes, *train.classes, *verify.classes, *panel.classes)


def register() -> None:
    """Add them to Blender."""
    for one in classes:
        bpy.utils.register_class(one)


def unregister() -> None:
    """Take them away."""
    for one in reversed(classes):
        bpy.utils.unregister_class(one)
