"""Monitoring hooks: losses, rate, time left and previews."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from nodes.errors import OutputError, writing
from nodes.files import whole_file
from nodes.types import Float
from trainer.distributed import Group
from trainer.loop import Clock, Every, Hook, Loop
from trainer.watcher import TrainingProgress, Watcher


class LossRecord(Hook):
    """Record of all losses, from which other hooks read them.

    rows: float32 [steps, 2 + K], gradient norm, total loss, then each loss as in `names`; the means over all processes. fresh:
    true when the rows are complete, every `every` steps and when the loop is about to stop.
    """

    def __init__(self, every: int, group: Group | None = None, rows: Float | None = None) -> None:
        self._every, self._group = every, group or Group()
        self.names: tuple[str, ...] = ()
        self._rows = np.zeros((0, 0), np.float32) if rows is None else rows
        self._count = len(self._rows)
        self._unread: list[Tensor] = []  # one a step, still on the device
        self._norm: Tensor | None = None
        self.fresh = False

    @property
    def rows(self) -> Float:
        """float32 [steps, 2 + K]."""
        return self._rows[: self._count]

    def before_training(self, loop: Loop) -> None:
        """Measure gradients just before each update, which clears them."""
        self._hook = loop.optimiser.register_step_pre_hook(self._measure)

    def after_step(self, loop: Loop) -> None:
        """Append the step's losses, and read them from the device when it is time."""
        assert loop.loss is not None and self._norm is not None
        self.names = tuple(loop.losses)
        self._unread.append(torch.stack([self._norm, loop.loss, *loop.losses.values()]))
        self.fresh = loop.step % self._every == 0 or bool(loop.stop) or len(self._unread) == self._every
        if self.fresh:
            self._read()

    def after_training(self, loop: Loop) -> None:
        """Remove the gradient hook from the optimiser."""
        self._hook.remove()

    def cut(self, steps: int) -> None:
        """Forget all but the first `steps`."""
        self._count = min(self._count, steps)

    def _read(self) -> None:
        new = np.asarray(self._group.mean(torch.stack(self._unread)).cpu().numpy(), np.float32)
        self._unread.clear()
        if self._rows.shape[1] != new.shape[1]:  # resumed with other losses than before
            self._rows = np.full((self._count, new.shape[1]), np.nan, np.float32)
        while self._count + len(new) > len(self._rows):  # doubled, so that the cost of copies stays linear
            self._rows = np.concatenate([self._rows, np.zeros((max(1024, len(self._rows)), new.shape[1]), np.float32)])
        self._rows[self._count : self._count + len(new)] = new
        self._count += len(new)

    @torch.no_grad()
    def _measure(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        if gradients:
            self._norm = torch.stack(torch._foreach_norm(gradients)).norm()


CURVE, TABLE, EVENTS = "losses.png", "losses.csv", "tensorboard"
_POINTS = 400  # of a curve


class Metrics(Hook):
    """Writer of the record; its place is after the guard, which may still take rows back.

    curve_every: seconds between two pictures of the curve. A full disk is no error: the record is in the checkpoints too, and
    a resume writes it anew.
    """

    def __init__(self, folder: Path, record: LossRecord, curve_every: float = 60.0) -> None:
        self._folder, self._record, self._curve = folder, record, Every(curve_every)
        self._count = 0
        self._events: Any = None

    def before_training(self, loop: Loop) -> None:
        """Rewrite the record of an earlier run; TensorBoard drops events after the last checkpoint."""
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._events = _writer(self._folder / EVENTS, loop.step)
        self._has_table = False

    def after_step(self, loop: Loop) -> None:
        """Write the new rows."""
        if not self._record.fresh or not self._record.names:
            return
        try:
            self._append()
            if loop.stop or self._curve.due:
                draw(self._folder / CURVE, self._record)
                self._curve.done()
        except (OSError, OutputError):
            self._has_table = False  # the table is written whole the next time

    def after_training(self, loop: Loop) -> None:
        """Close the event files."""
        if self._events is not None:
            self._events.close()

    def _append(self) -> None:
        rows, recorded = self._record.rows, self._count
        table, start = self._folder / TABLE, recorded if self._has_table else 0
        table_rows = np.column_stack([np.arange(start + 1, len(rows) + 1), rows[start:]])
        if not self._has_table:
            head = ",".join(("step", "gradient", "loss", *self._record.names))
            with whole_file(table, sync=False) as temporary:
                np.savetxt(temporary, table_rows, "%.9g", ",", header=head, comments="")
            self._has_table = True
        else:
            with table.open("a", encoding="utf-8") as file:
                np.savetxt(file, table_rows, "%.9g", ",")
        if self._events is not None and len(rows) > recorded:
            for name, value in zip(("loss", *self._record.names), rows[recorded:, 1:].mean(axis=0), strict=True):
                self._events.add_scalar(f"loss/{name}" if name != "loss" else name, float(value), len(rows))
        self._count = len(rows)


def draw(path: Path, record: LossRecord) -> None:
    """Draw the losses over the steps, each value the mean of its stretch, on a logarithmic scale; without rows, draw nothing."""
    rows = record.rows
    if not len(rows):  # after a rollback to the start
        return
    stretches = np.array_split(np.arange(len(rows)), min(len(rows), _POINTS))
    figure = Figure((8, 4), layout="constrained")
    axes = figure.subplots()
    for column, name in enumerate(("all", *record.names), 1):
        means = [float(rows[s, column].mean()) for s in stretches]
        axes.plot([float(s[-1] + 1) for s in stretches], means, label=name, linewidth=2.0 if column == 1 else 1.0)
    axes.set(xlabel="step", ylabel="loss", yscale="log" if (rows[:, 1:] > 0).all() else "linear")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, ncols=4)
    with whole_file(path, sync=False) as temporary:
        figure.savefig(temporary, dpi=110)


def _writer(folder: Path, step: int) -> Any:
    """Return TensorBoard's writer, or None if it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=step + 1 if step else None)


class Preview(Hook):
    """Hook that calls `write` for a picture's path when new losses are read and sound; also at the end.

    tell: gets the picture. warn: gets a sentence when the picture cannot be written.
    """

    def __init__(
        self,
        write: Callable[[], Path],
        record: LossRecord,
        seconds: float,
        tell: Callable[[Path], None],
        warn: Callable[[str], None],
    ) -> None:
        self._write, self._record, self._tell, self._warn = write, record, tell, warn
        self._every = Every(seconds, at_once=True)

    def after_step(self, loop: Loop) -> None:
        """Write one, if it is time."""
        if self._record.fresh and (loop.stop or self._every.due):
            try:
                self._tell(self._write())
            except OutputError as e:
                self._warn(f"No preview at step {loop.step}. {e}")
            self._every.done()


_RATE_OVER = 12  # reports that the rate is measured over: enough to be steady, few enough to follow the machine
_SMOOTH = 50  # steps, of a reported mean loss


class Tell(Hook):
    """Hook that reports to a watcher every `every` seconds, and at the end. steps, seconds: limits of the training, if any."""

    def __init__(
        self,
        watcher: Watcher,
        record: LossRecord,
        clock: Clock,
        steps: int | None,
        seconds: float | None,
        every: float = 2.0,
    ) -> None:
        self._watcher, self._record, self._clock = watcher, record, clock
        self._steps, self._seconds = steps, seconds
        self._every = Every(every)
        self._marks: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)

    def before_training(self, loop: Loop) -> None:
        """Note the time of the first step."""
        self._marks.append((self._clock.seconds, loop.step))

    def after_step(self, loop: Loop) -> None:
        """Report, if it is time."""
        if loop.stop or self._every.due:
            self._watcher.training(self._progress(loop))

    def _progress(self, loop: Loop) -> TrainingProgress:
        seconds = self._clock.seconds
        if loop.step < self._marks[-1][1]:  # rolled back
            self._marks.clear()
        since, first = self._marks[0] if self._marks else (seconds, loop.step)
        self._marks.append((seconds, loop.step))
        rate = (loop.step - first) / (seconds - since) if seconds > since else 0.0
        remaining = [max(self._seconds - seconds, 0.0)] if self._seconds is not None else []
        if self._steps is not None and rate > 0:
            remaining.append(max(self._steps - loop.step, 0) / rate)
        means = recent(self._record)
        return TrainingProgress(
            loop.step, self._steps, seconds, rate, min(remaining, default=None), means.pop("all", np.nan), means
        )


def recent(record: LossRecord, steps: int = _SMOOTH) -> dict[str, float]:
    """Return the mean of each loss over the last steps read, by name, and of their sum as 'all'."""
    rows = record.rows[-steps:]
    if not len(rows):
        return {}
    return dict(zip(("all", *record.names), rows[:, 1:].mean(axis=0).tolist(), strict=False))
