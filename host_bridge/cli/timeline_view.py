"""How the shots of an edit are shown while they are done: one bar, or now and then a line, for what is under way, and what is finished above it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from host_bridge.cli.training_view import clock
from host_bridge.reporting import Watch

_EVERY = 10.0  # seconds between plain lines


class ShownTimeline(Watch):
    """What a job `timeline` tells, on stderr: messages as they come, and of the stage under way how far it is and how long it will take."""

    def __init__(self, title: str) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._stage, self._since, self._first, self._told = title, time.monotonic(), 0, time.monotonic()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Show the stage in place of the one before."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._since, self._first = stage, now, done
            if self._bar is not None:
                self._bar.reset(self._bar.task_ids[0], description=stage, total=total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        elif now - self._told >= _EVERY and total and done < total:
            self._told = now
            fresh = done - self._first
            left = f", {clock((total - done) * (now - self._since) / fresh)} left" if fresh > 0 else ""
            self._say(f"{stage}: {done} of {total}{left}")

    def message(self, line: str) -> None:
        """Leave it on the terminal."""
        self._say(line)

    def preview(self, picture: Path) -> None:
        """Results are listed at the end."""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(compact=True), console=self._console, transient=True)
            self._bar.add_task(self._stage, total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(Text(line))
        else:
            print(line, file=sys.stderr, flush=True)
