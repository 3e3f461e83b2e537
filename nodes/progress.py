"""Progress: how long work reports how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Progress(Protocol):
    """Is told the name of a stage, how much of it is done, and how much there is (None when that is not known)."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note."""


def quiet(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def stage(progress: Progress, name: str, total: int | None) -> Callable[..., Any]:
    """Return the callback of one stage, which is told how much is done and, if it is known better then, of how much."""

    def tell(done: int = 0, of: int | None = None, *_: object) -> None:
        progress(name, int(done), of if isinstance(of, int) else total)

    return tell
