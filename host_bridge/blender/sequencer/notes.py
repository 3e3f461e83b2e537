# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of work that ends long after its operator has returned: the panel shows it."""

from __future__ import annotations

from collections import deque

_MOST = 6
_notes: deque[tuple[str, str]] = deque(maxlen=_MOST)


def note(text: str, remedy: str = "") -> None:
    """Say something, and what to do about it; the newest is shown first, what is said again once."""
    if (text, remedy) in _notes:
        _notes.remove((text, remedy))
    _notes.appendleft((text, remedy))


def notes() -> tuple[tuple[str, str], ...]:
    """What was said, newest first."""
    return tuple(_notes)


def clear() -> None:
    """Forget it."""
    _notes.clear()
