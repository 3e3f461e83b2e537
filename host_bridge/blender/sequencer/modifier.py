# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate's modifier on a strip: add it, remove it.

Blender ends where the modifiers of a strip are changed by a script while the workspace shows no scene's strips; and what runs by a timer cannot know
what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

_NAME = "Faceplate"


def add(scene: Any, strip: Any, group: Any) -> None:
    """Give the strip a compositor modifier with this group."""
    with _edited(scene):
        strip.modifiers.new(_NAME, "COMPOSITOR").node_group = group


def of(strip: Any) -> Any:
    """The modifier of a strip, None where it has none."""
    return strip.modifiers.get(_NAME)


def remove(scene: Any, strip: Any) -> None:
    """Take it away, if there is one."""
    if modifier := of(strip):
        with _edited(scene):
            strip.modifiers.remove(modifier)


@contextmanager
def _edited(scene: Any) -> Iterator[None]:
    """Let the first window's workspace show the strips of a scene meanwhile."""
    window = bpy.context.window_manager.windows[0]
    before = window.workspace.sequencer_scene
    window.workspace.sequencer_scene = scene
    try:
        with bpy.context.temp_override(window=window):
            yield
    finally:
        window.workspace.sequencer_scene = before
