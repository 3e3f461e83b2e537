# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo steps for what arrives from the engine, which no operator of Blender notes."""

from __future__ import annotations

from functools import partial
from typing import Any

import bpy

_WAIT = 0.2  # seconds between two looks whether the user still drags, draws or renders


def push(label: str) -> None:
    """Push an undo step with this label: the file counts as changed, and undoing something later keeps what arrived.

    Call it after the change, in operators and in callbacks. While another operator runs (a drag, a stroke, a render) the step waits for its end.
    """
    step = partial(_push, label)
    if step() is not None:
        bpy.app.timers.register(step, first_interval=_WAIT)  # not persistent: another file has other steps


def _push(label: str) -> float | None:
    windows: Any = bpy.context.window_manager.windows
    if any(len(window.modal_operators) for window in windows):
        return _WAIT
    with bpy.context.temp_override(window=next(iter(windows), None)):  # timers have no window
        bpy.ops.ed.undo_push(message=label)
    return None
