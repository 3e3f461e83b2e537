"""Progress: the callback by which long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Progress(Protocol):
    """A callback that takes the name of a stage, the amount done, and the total (None if unknown)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Receive a report."""


def quiet(stage: str, done: int, total: int | None) -> None:
    """Ignore a report."""


def stage(progress: Progress, name: str, total: int | None) -> Callable[..., Any]:
    """Return the callback of one stage, which takes the amount done and, if better known, the total."""

    def tell(done: int = 0, of: int | None = None, *_: object) -> None:
        progress(name, int(done), of if isinstance(of, int) else total)

    return tell
