"""Receivers of a running job's progress, messages and previews."""

from __future__ import annotations

from pathlib import Path

from trainer.watcher import TrainingProgress, Watcher


class Watch(Watcher):
    """Receiver of running work's progress, messages and previews, overridden by a terminal or the engine.

    then: gets everything that a subclass does not override or passes on by `super()`.
    """

    _then: Watch | None = None

    def __init__(self, then: Watch | None = None) -> None:
        self._then = then

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Take note of a stage's progress; total: None if unknown."""
        if self._then:
            self._then.progress(stage, done, total)

    def training(self, now: TrainingProgress) -> None:
        """Take note of a training's progress."""
        if self._then:
            self._then.training(now)

    def message(self, line: str) -> None:
        """Take note of a warning or notice, a sentence."""
        if self._then:
            self._then.message(line)

    def preview(self, picture: Path) -> None:
        """Take note of a preview, a PNG that may change again."""
        if self._then:
            self._then.preview(picture)

    def may_read(self, path: Path) -> None:
        """Raise FaceplateError if a file that a document names must not be read; by default all may."""
        if self._then:
            self._then.may_read(path)
