# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether consent allows what could be made next: asked of the engine in the background (`asking`), shown by nodes and panels (`shown`).

Whose records count and what they allow is the engine's to say, in its words; here is only when to ask, and how it looks. Nothing of it is kept in the .blend.
"""

from __future__ import annotations

import bpy

from .asking import Questions, again, begin, changed, end, ended, forbidden, look, standing
from .requests import OF_SWAP, by, of_faceset, question
from .shown import CLASSES, draw

__all__ = [
    "OF_SWAP",
    "again",
    "by",
    "changed",
    "draw",
    "ended",
    "forbidden",
    "look",
    "of_faceset",
    "question",
    "register",
    "standing",
    "unregister",
]


def register(*askers: Questions) -> None:
    """Ask what these say from now on."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    begin(*askers)


def unregister() -> None:
    """Leave no handler and no timer, and forget what was said."""
    end()
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
