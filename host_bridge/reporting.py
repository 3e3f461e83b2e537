"""Receivers of a running job's progress, messages and previews."""

from __future__ import annotations

from pathlib import Path

from trainer.watcher import TrainingProgress, Watcher


class Watch(Watcher):
    """Receives the progress, messages and previews of running work. A terminal or the engine overrides what it shows.

    then: gets all that a subclass does not override, and what it passes on by `super()`.
    """

    _then: Watch | None = None

    def __init__(self, then: Watch | None = None) -> None:
        self._then = then

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Take note of how much of a stage is done, and how much there is, None when that is not known."""
        if self._then:
            self._then.progress(stage, done, total)

    def training(self, now: TrainingProgress) -> None:
        """Take note of how a training stands."""
        if self._then:
            self._then.training(now)

    def message(self, line: str) -> None:
        """Take note of something out of the ordinary, a sentence."""
        if self._then:
            self._then.message(line)

    def preview(self, picture: Path) -> None:
        """Take note of a picture of how it is going, a PNG that may change again."""
        if self._then:
            self._then.preview(picture)

    def may_read(self, path: Path) -> None:
        """Raise FaceplateError for a file that may not be read, and that a document names and not the request; by default all may."""
        if self._then:
            self._then.may_read(path)
