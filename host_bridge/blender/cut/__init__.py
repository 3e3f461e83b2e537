# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequencer's strips as an edit that other programs read, and back: Export OTIO and Import OTIO.

`gather` writes down strips as the document `faceplate.cut/1`, `rebuild` makes strips of one; the engine turns it into OpenTimelineIO and back.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..sequencer.panel import FACEPLATE_MT_strips
from .operators import FACEPLATE_OT_export_otio, FACEPLATE_OT_import_otio

classes = (FACEPLATE_OT_export_otio, FACEPLATE_OT_import_otio)


def register() -> None:
    """Add them to Blender, and to the sequencer's menu Faceplate."""
    for one in classes:
        bpy.utils.register_class(one)
    FACEPLATE_MT_strips.append(_draw)


def unregister() -> None:
    """Take them away."""
    FACEPLATE_MT_strips.remove(_draw)
    for one in reversed(classes):
        bpy.utils.unregister_class(one)


def _draw(menu: Any, context: Any) -> None:
    menu.layout.separator()
    for one in classes:
        menu.layout.operator(one.bl_idname)
