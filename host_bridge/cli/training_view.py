"""How a training is shown while it runs: a live view on a terminal, now and then a plain line elsewhere, on stderr."""

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

from trainer.watcher import Progress

_EVERY = 10.0  # seconds between plain lines
_WIDTH = 48  # of the bar and of the curve
_BLOCKS = "▁▂▃▄▅▆▇█"


def show_training(title: str) -> LiveTraining | PlainTraining:
    """Show a training, as stderr allows; leave its context at the end."""
    console = Console(stderr=True)
    return LiveTraining(title, console) if console.is_terminal else PlainTraining(title)


class PlainTraining:
    """A line every ten seconds."""

    def __init__(self, title: str) -> None:
        self._title, self._told, self._preview = title, -math.inf, False

    def progress(self, now: Progress) -> None:
        """Print how far it is, unless that was just done."""
        if time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            loss = f", loss {now.loss:.4g}" if math.isfinite(now.loss) else ""  # none has been read yet
            left = "" if now.left is None else f", {clock(now.left)} left"
            self._say(f"{steps(now)}, {now.rate:.2g} steps/s{loss}{left}")

    def message(self, line: str) -> None:
        """Print it."""
        self._say(line)

    def preview(self, picture: Path) -> None:
        """Print where the first one is; the others take its place."""
        if not self._preview:
            self._say(f"preview: {picture}")
        self._preview = True

    def __enter__(self) -> Self:
        self._say(self._title)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class LiveTraining:
    """A few lines that are drawn anew: how far, how fast, the loss with its curve, the last preview; messages stay above them."""

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._now: Progress | None = None
        self._losses: list[float] = []
        self._picture: tuple[Path, int, float] | None = None
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=2)

    def progress(self, now: Progress) -> None:
        """Take note."""
        self._now = now
        if math.isfinite(now.loss):
            self._losses.append(now.loss)

    def message(self, line: str) -> None:
        """Leave it on the terminal, above the view, with the step."""
        step = "" if self._now is None else f"[{self._now.step}] "
        self._live.console.print(Text(step + line, style="yellow"))

    def preview(self, picture: Path) -> None:
        """Take note."""
        self._picture = picture, self._now.step if self._now else 0, time.monotonic()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._live.stop()

    def _draw(self) -> Group:
        now = self._now
        if now is None:
            return Group(Text(f"{self._title}: preparing"))
        done = 1.0 if now.left == 0 else _share(now)
        rows = Table.grid(padding=(0, 2))
        rows.add_row("steps", f"{steps(now)}, {now.rate:.2g}/s, {clock(now.seconds)} trained")
        parts = ", ".join(f"{name} {value:.4g}" for name, value in now.losses.items()) if len(now.losses) > 1 else ""
        if math.isfinite(now.loss):
            rows.add_row("loss", f"{now.loss:.4g}" + (f"  ({parts})" if parts else ""))
            rows.add_row("", sparkline(self._losses))
        if self._picture:
            picture, step, at = self._picture
            rows.add_row("preview", f"{picture}  (step {step}, {clock(time.monotonic() - at)} ago)")
        left = "finishing" if now.left == 0 else "" if now.left is None else f"{clock(now.left)} left"
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=1.0, completed=done or 0.0, width=_WIDTH, pulse=done is None), left)
        hint = Text("Ctrl-C stops, keeps what is learned and writes the model", style="dim")
        return Group(Text(self._title, style="bold"), bar, rows, hint)


def steps(now: Progress) -> str:
    """`step 120 of 500`."""
    return f"step {now.step}" + (f" of {now.of}" if now.of else "")


def clock(seconds: float) -> str:
    """A duration as `4:07` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def sparkline(values: list[float], width: int = _WIDTH) -> str:
    """A curve of at most `width` characters, each the mean of its stretch, between the lowest and the highest of them."""
    count = min(len(values), width)
    if count < 2:
        return ""
    edges = [len(values) * i // count for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    return "".join(_BLOCKS[round((m - low) / ((high - low) or 1.0) * (len(_BLOCKS) - 1))] for m in means)


def _share(now: Progress) -> float | None:
    """How much of it is done, 0 to 1, if that can be known."""
    if now.left is not None:
        return now.seconds / max(now.seconds + now.left, 1e-6)
    return min(now.step / now.of, 1.0) if now.of else None
