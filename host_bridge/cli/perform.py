"""A job as a command runs it: shown on stderr while it lasts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from host_bridge.cli.progress import Bars, Lines, show_progress
from host_bridge.cli.training_view import LiveTraining, PlainTraining, show_training
from host_bridge.jobs import KINDS, Request, Watch
from trainer.watcher import Progress


def perform(kind: str, request: Request) -> dict[str, Any]:
    """Run a job in this process and return its result; raises FaceplateError."""
    with Shown(request.title) as watch:
        return KINDS[kind].run(request, watch)


class Shown(Watch):
    """Stages as bars, a training as its own view; whichever the job tells of."""

    def __init__(self, title: str) -> None:
        self._title, self._stack = title, ExitStack()
        self._stages: Bars | Lines | None = None
        self._view: LiveTraining | PlainTraining | None = None

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Show the stage."""
        if self._stages is None:
            self._stages = show_progress()
            self._stack.enter_context(self._stages)
        self._stages(stage, done, total)

    def training(self, now: Progress) -> None:
        """Show how it stands."""
        self._training().progress(now)

    def message(self, line: str) -> None:
        """Show it above the rest."""
        self._training().message(line)

    def preview(self, picture: Path) -> None:
        """Name it, if a training made it: what else is written is listed at the end."""
        if self._view is not None:
            self._view.preview(picture)

    def _training(self) -> LiveTraining | PlainTraining:
        if self._view is None:
            self._view = show_training(self._title)
            self._stack.enter_context(self._view)
        return self._view

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
