"""Progress of a command on stderr: stages, a training, messages and previews, live on a terminal and as plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from host_bridge.reporting import Watch
from nodes.text import counted
from trainer.watcher import TrainingProgress

_EVERY = 10.0  # seconds between plain lines
_WIDTH = 48  # of a bar and of the curve
_BLOCKS = "▁▂▃▄▅▆▇█"


def show_progress(title: str = "", *, quiet: bool = False) -> ProgressLines:
    """Show progress the way stderr allows; leave its context at the end.

    title: printed above a training and its messages. quiet: neither that nor a line for each stage that is done.
    """
    console = Console(stderr=True)
    return ProgressScreen(title, console, quiet=quiet) if console.is_terminal else ProgressLines(title, quiet=quiet)


class ProgressLines(Watch):
    """Plain lines: one every ten seconds, one for each finished stage, and one for each message."""

    def __init__(self, title: str = "", *, quiet: bool = False) -> None:
        self._title, self._has_title, self._quiet = title, quiet, quiet
        self._stage, self._done, self._total, self._earlier = "", 0, 0, 0
        self._since, self._printed = 0.0, time.monotonic() if quiet else -math.inf
        self._preview: Path | None = None

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Show a stage's progress, and the duration of the one before."""
        now = time.monotonic()
        if stage != self._stage:
            self._end_stage()
            self._stage, self._since = stage, now
            self._printed = self._printed if self._quiet else now
            self._earlier = done if done > 1 else 0  # finished by an earlier run
        self._done, self._total = done, total or 0
        if done < self._total and self._due(now):
            rate = (done - self._earlier) / max(now - self._since, 1e-3)
            left = (self._total - done) / rate if rate else 0
            self._print(f"{stage}: {done} of {total}, {rate:.1f}/s, {left:.0f} s left")

    def training(self, now: TrainingProgress) -> None:
        """Show how far a training is."""
        self._print_title()
        if self._due(time.monotonic()):
            loss = f", loss {now.loss:.4g}" if math.isfinite(now.loss) else ""  # none has been read yet
            left = "" if now.left is None else f", {clock(now.left)} left"
            self._print(f"{_steps(now)}, {now.rate:.2g} steps/s{loss}{left}")

    def message(self, line: str) -> None:
        """Print a message."""
        self._print_title()
        self._print(line)

    def preview(self, picture: Path) -> None:
        """Print the path of a training's preview, once: later ones overwrite it. Other work lists its results at the end."""
        if self._has_title and not self._quiet and self._preview is None:
            self._print(f"preview: {picture}")
        self._preview = picture

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end_stage()

    def _end_stage(self) -> None:
        if not self._stage or self._quiet:
            return
        took, fresh = time.monotonic() - self._since, self._done - self._earlier
        if not self._total:
            self._print(f"{self._stage}: done in {took:.1f} s")
        elif not fresh:
            self._print(f"{self._stage}: {counted(self._done, 'frame')}, kept from before")
        else:
            kept = f" ({self._earlier} kept from before)" if self._earlier else ""
            speed = f"{took:.1f} s, {fresh / max(took, 1e-3):.1f}/s"
            self._print(f"{self._stage}: {counted(self._done, 'frame')}{kept} in {speed}")
        self._stage = ""

    def _print_title(self) -> None:
        if not self._has_title and self._title:
            self._print(self._title)
        self._has_title = True

    def _due(self, now: float) -> bool:
        if now - self._printed < _EVERY:
            return False
        self._printed = now
        return True

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class ProgressScreen(ProgressLines):
    """Live display on a terminal: below the lines, a bar for the current stage, or the state of the training."""

    def __init__(self, title: str, console: Console, *, quiet: bool = False) -> None:
        super().__init__(title, quiet=quiet)
        self._training: TrainingProgress | None = None
        self._losses: list[float] = []
        self._previewed = 0, 0.0  # step and time of the last preview
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4)

    def training(self, now: TrainingProgress) -> None:
        """Show how far a training is."""
        self._training = now
        if math.isfinite(now.loss):
            self._losses.append(now.loss)

    def message(self, line: str) -> None:
        """Leave a message on the terminal, above the rest, with the step of a training."""
        step = f"[{self._training.step}] " if self._training else ""
        self._live.console.print(Text(step + line, style="yellow" if self._training else ""))

    def preview(self, picture: Path) -> None:
        """Show where a training's preview is, and how old."""
        self._preview = picture
        self._previewed = self._training.step if self._training else 0, time.monotonic()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._live.stop()

    def _due(self, now: float) -> bool:
        return False

    def _print(self, line: str) -> None:
        self._live.console.print(Text(line))

    def _draw(self) -> Group:
        if self._training:
            return self._draw_training(self._training)
        if not self._stage:
            return Group()
        took = time.monotonic() - self._since
        rate = (self._done - self._earlier) / max(took, 1e-3)
        left = f"{clock((self._total - self._done) / rate)} left" if rate and self._total else ""
        counts = f"{self._done}/{self._total}" if self._total else clock(took)
        return Group(_bar(self._done / self._total if self._total else None, self._stage, counts, left))

    def _draw_training(self, now: TrainingProgress) -> Group:
        parts = ", ".join(f"{name} {value:.4g}" for name, value in now.losses.items()) if len(now.losses) > 1 else ""
        rows = Table.grid(padding=(0, 2))
        rows.add_row("steps", f"{_steps(now)}, {now.rate:.2g}/s, {clock(now.seconds)} trained")
        if math.isfinite(now.loss):
            rows.add_row("loss", f"{now.loss:.4g}" + (f"  ({parts})" if parts else ""))
            rows.add_row("", sparkline(self._losses))
        if self._preview:
            step, at = self._previewed
            rows.add_row("preview", f"{self._preview}  (step {step}, {clock(time.monotonic() - at)} ago)")
        left = "finishing" if now.left == 0 else "" if now.left is None else f"{clock(now.left)} left"
        hint = Text("Ctrl-C stops, keeps what is learned and writes the model", style="dim")
        return Group(Text(self._title, style="bold"), _bar(_share(now), left), rows, hint)


def clock(seconds: float) -> str:
    """Format a duration as `4:07` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def sparkline(values: list[float], width: int = _WIDTH) -> str:
    """Draw a curve of at most `width` characters, each the mean of its stretch, scaled from lowest to highest."""
    count = min(len(values), width)
    if count < 2:
        return ""
    edges = [len(values) * i // count for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    return "".join(_BLOCKS[round((m - low) / ((high - low) or 1.0) * (len(_BLOCKS) - 1))] for m in means)


def _bar(share: float | None, *beside: str) -> Table:
    """Draw a bar filled to `share`, 0 to 1, or pulsing if unknown; of several texts the first is on its left."""
    row = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=share or 0.0, width=_WIDTH, pulse=share is None)
    row.add_row(*beside[:-2], bar, *beside[-2:]) if len(beside) > 1 else row.add_row(bar, *beside)
    return row


def _steps(now: TrainingProgress) -> str:
    return f"step {now.step}" + (f" of {now.of}" if now.of else "")


def _share(now: TrainingProgress) -> float | None:
    """Estimate the finished share of a training, 0 to 1, or None."""
    if now.left is not None:
        return 1.0 if now.left == 0 else now.seconds / max(now.seconds + now.left, 1e-6)
    return min(now.step / now.of, 1.0) if now.of else None
