# SPDX-License-Identifier: GPL-3.0-or-later
"""Faceplate in the Video Sequence Editor: Replace Face, Train on Strips and Verify, their settings, menu and panel.

`strips` reads the frames of strips, `place` puts results into the edit, `operators` ask the engine; nothing here waits.
"""

from __future__ import annotations

from typing import Any

from . import operators, panel, settings
from .panel import draw_menu

__all__ = ["CLASSES", "draw_menu", "unregister"]

CLASSES: tuple[Any, ...] = (*settings.CLASSES, *operators.CLASSES, *panel.CLASSES)


def unregister() -> None:
    """Forget all notes."""
    panel.notes.clear()
