"""Receivers of a running job's progress, messages and previews."""

from __future__ import annotations

from pathlib import Path

from trainer.watcher import TrainingProgress, Watcher


class Watch:
    """Receives the progress, messages and previews of running work. A terminal or the engine overrides what it shows."""

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Take note of how much of a stage is done, and how much there is, None when that is not known."""

    def training(self, now: TrainingProgress) -> None:
        """Take note of how a training stands."""

    def message(self, line: str) -> None:
        """Take note of something out of the ordinary, a sentence."""

    def preview(self, picture: Path) -> None:
        """Take note of a picture of how it is going, a PNG that may change again."""

    def may_read(self, path: Path) -> None:
        """Raise FaceplateError for a file that may not be read, and that a document names and not the request; by default all may."""


class PassingWatch(Watch):
    """Passes everything on to another watch; a subclass changes or adds to some of it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Pass it on."""
        self._watch.progress(stage, done, total)

    def training(self, now: TrainingProgress) -> None:
        """Pass it on."""
        self._watch.training(now)

    def message(self, line: str) -> None:
        """Pass it on."""
        self._watch.message(line)

    def preview(self, picture: Path) -> None:
        """Pass it on."""
        self._watch.preview(picture)

    def may_read(self, path: Path) -> None:
        """Ask on."""
        self._watch.may_read(path)


class TrainingReports(Watcher):
    """Passes on to a watch what a training reports."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def progress(self, now: TrainingProgress) -> None:
        """Pass it on."""
        self._watch.training(now)

    def message(self, line: str) -> None:
        """Pass it on."""
        self._watch.message(line)

    def preview(self, picture: Path) -> None:
        """Pass it on."""
        self._watch.preview(picture)
