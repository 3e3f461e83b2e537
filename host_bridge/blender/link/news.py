# SPDX-License-Identifier: GPL-3.0-or-later
"""From threads to Blender's own: a queue of what has changed, and the timer that empties it while there are threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

import bpy

# seconds between two looks of the timer; in the first second of a job it is a preview that may be done
_EVERY, _AT_FIRST = 0.1, 0.01
_lock = threading.Lock()
_threads: set[threading.Thread] = set()
_news: SimpleQueue[Callable[[], None]] = SimpleQueue()
_begun = 0.0  # when the latest thread was started
closing = threading.Event()
_polled: list[Callable[[], bool]] = []


def spawn(work: Callable[[], object], name: str) -> None:
    """Do something in a thread of its own, and let the timer run until it has ended."""
    global _begun
    _begun = time.monotonic()

    def run() -> None:
        try:
            work()
        finally:
            with _lock:
                _threads.discard(threading.current_thread())

    thread = threading.Thread(target=run, name=name, daemon=True)
    with _lock:
        _threads.add(thread)
    thread.start()
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=_AT_FIRST, persistent=True)


def tell(news: Callable[[], None]) -> None:
    """Let Blender's own thread do something, soon."""
    _news.put(news)


def poll(look: Callable[[], bool]) -> None:
    """Let the timer look, in Blender's own thread and without waiting, until this returns True."""
    global _begun
    _begun = time.monotonic()
    _polled.append(look)
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=_AT_FIRST, persistent=True)


def pump() -> float | None:
    """Hand what has changed to whoever asked: the timer's work, for scripts too. Returns when to look again, None for never."""
    while True:
        try:
            news = _news.get_nowait()
        except Empty:
            break
        news()
        _redraw()
    for look in list(_polled):
        if look():
            _polled.remove(look)
            _redraw()
    with _lock:
        if not _threads and _news.empty() and not _polled:
            return None
    return _AT_FIRST if time.monotonic() < _begun + 1 else _EVERY


def shut() -> None:
    """Wait for the threads, which see `closing`; forget the news, and the timer."""
    closing.set()
    with _lock:
        left = list(_threads)
    for thread in left:
        thread.join(timeout=10)
    _polled.clear()
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    with suppress(Empty):
        while True:
            _news.get_nowait()
    closing.clear()


def _redraw() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type in ("NODE_EDITOR", "SEQUENCE_EDITOR"):
                area.tag_redraw()
