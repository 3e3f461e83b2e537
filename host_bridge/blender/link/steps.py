# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes time, in short steps on Blender's own thread: a generator that does a matter of a millisecond, and yields where it would wait.

A timer, which lives only while there is something under way, goes on with all of them. Threads may not do it: one that runs Python while Blender
undoes, or notes a step to undo, can end it (docs/decisions/0007).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

import bpy

T = TypeVar("T")
Steps = Generator[None, None, T]

# seconds between two looks of the timer; in the first second of a job it is a preview that may be done
_EVERY, _AT_FIRST = 0.1, 0.01
_walked: list[Callable[[], bool]] = []
_begun = 0.0  # when the latest was begun


def walk(steps: Steps[T], told: Callable[[T], object]) -> None:
    """Do the first step now and let the timer do the others; told: is given what they come to, never before this has returned."""
    global _begun
    _begun = time.monotonic()
    ended: list[T] = []

    def step() -> bool:
        try:
            next(steps)
        except StopIteration as end:
            ended.append(end.value)
        return bool(ended)

    def look() -> bool:
        if not (ended or step()):
            return False
        told(ended[0])
        return True

    step()
    _walked.append(look)
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=_AT_FIRST, persistent=True)


def waited(steps: Steps[T]) -> T:
    """Do all steps, and wait: for scripts."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        time.sleep(0.005)


def pause(seconds: float, until: Callable[[], bool] = lambda: False) -> Steps[None]:
    """Nothing for this long, or until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        yield


def pump() -> float | None:
    """Go on with all that is under way: the timer's work, for scripts too. Returns when to look again, None for never."""
    for look in list(_walked):
        _walked.remove(look)
        if look():
            redraw()
        else:
            _walked.append(look)
    if not _walked:
        return None
    return _AT_FIRST if time.monotonic() < _begun + 1 else _EVERY


def busy() -> bool:
    """Whether anything is under way."""
    return bool(_walked)


def shut() -> None:
    """Forget what is under way, and the timer."""
    _walked.clear()
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)


def redraw() -> None:
    """Show what has changed."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type in ("NODE_EDITOR", "SEQUENCE_EDITOR"):
                area.tag_redraw()
