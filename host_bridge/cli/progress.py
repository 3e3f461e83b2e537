"""Progress on stderr: bars with rate and estimate on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from nodes.text import counted

_EVERY = 10.0  # seconds between plain lines


def show_progress() -> Bars | Lines:
    """Show progress the way stderr allows; call it with (stage, done, total), and leave its context at the end."""
    return Bars() if sys.stderr.isatty() else Lines()


class Bars:
    """A bar for each stage."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._tasks: dict[str, Task] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note."""
        if stage not in self._tasks:
            new = self._bars.add_task(stage, total=total, completed=0)
            self._tasks[stage] = next(t for t in self._bars.tasks if t.id == new)
        self._bars.update(self._tasks[stage].id, completed=done, total=total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for task in self._tasks.values():
                if task.total is None:
                    self._bars.update(task.id, total=max(task.completed, 1), completed=max(task.completed, 1))
        self._bars.stop()


class _Rate(ProgressColumn):
    """How fast a stage goes."""

    def render(self, task: Task) -> Text:
        """Write the rate, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:6.1f}/s" if speed and task.total else "")


class Lines:
    """A line every ten seconds, and one when a stage is done."""

    def __init__(self) -> None:
        self._stage, self._since, self._told, self._started = "", 0.0, 0.0, 0
        self._done, self._total = 0, 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note."""
        now = time.monotonic()
        if stage != self._stage:
            self._finish()
            self._stage, self._since, self._told = stage, now, now
            # What is there with the first word was there before: kept, or resumed.
            self._started = done if done > 1 else 0
        self._done, self._total = done, total or 0
        if now - self._told >= _EVERY and total and done < total:
            self._told = now
            rate = (done - self._started) / max(now - self._since, 1e-3)
            left = (total - done) / rate if rate else 0
            self._say(f"{stage}: {done} of {total}, {rate:.1f}/s, {left:.0f} s left")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        if not self._stage:
            return
        took, fresh = time.monotonic() - self._since, self._done - self._started
        if not self._total:
            self._say(f"{self._stage}: done in {took:.1f} s")
        elif not fresh:
            self._say(f"{self._stage}: {counted(self._done, 'frame')}, kept from before")
        else:
            before = f" ({self._started} kept from before)" if self._started else ""
            self._say(
                f"{self._stage}: {counted(self._done, 'frame')}{before} in {took:.1f} s, {fresh / max(took, 1e-3):.1f}/s"
            )
        self._stage = ""

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
