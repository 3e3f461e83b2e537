"""The loss history: `losses.csv`, its curve as `losses.png`, and event files for TensorBoard."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nodes.errors import OutputError, writing
from nodes.files import whole_file
from nodes.types import Float
from trainer.clock import Every
from trainer.hooks.record import Record
from trainer.loop import Hook, Loop

CURVE, TABLE, EVENTS = "losses.png", "losses.csv", "tensorboard"
_POINTS = 400  # that a curve is drawn with


class Metrics(Hook):
    """Writes what the record holds, and nothing that the guard may still take back: it stands after it.

    curve_every: seconds between two pictures of the curve. A full disk is forgiven: the record is in the checkpoints too, and
    all of it is written anew at a resume.
    """

    def __init__(self, folder: Path, record: Record, curve_every: float = 60.0) -> None:
        self._folder, self._record, self._curve = folder, record, Every(curve_every)
        self._written = 0
        self._events: Any = None

    def before_training(self, loop: Loop) -> None:
        """Write anew what an earlier run has recorded; TensorBoard drops what it wrote after its last checkpoint."""
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._events = _writer(self._folder / EVENTS, loop.step)
        self._begun = False

    def after_step(self, loop: Loop) -> None:
        """Write what is new."""
        if not self._record.fresh or not self._record.names:
            return
        try:
            self._append()
            if loop.stop or self._curve.due:
                draw(self._folder / CURVE, self._record)
                self._curve.done()
        except (OSError, OutputError):
            self._begun = False  # the table is written whole the next time

    def after_training(self, loop: Loop) -> None:
        """Close the event files."""
        if self._events is not None:
            self._events.close()

    def _append(self) -> None:
        rows, known = self._record.rows, self._written
        table = self._folder / TABLE
        if not self._begun:
            head = ",".join(("step", "gradient", "loss", *self._record.names)) + "\n"
            with whole_file(table, sync=False) as temporary:
                temporary.write_text(head + _lines(rows, 0), "utf-8")
            self._begun = True
        else:
            with table.open("a", encoding="utf-8") as file:
                file.write(_lines(rows[known:], known))
        if self._events is not None and len(rows) > known:
            for name, value in zip(("loss", *self._record.names), rows[known:, 1:].mean(axis=0), strict=True):
                self._events.add_scalar(f"loss/{name}" if name != "loss" else name, float(value), len(rows))
        self._written = len(rows)


def draw(path: Path, record: Record) -> None:
    """Draw the losses over the steps, each value the mean of its stretch, on a logarithmic scale; nothing where there are no rows."""
    rows = record.rows
    if not len(rows):  # all were taken back
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


def read_table(path: Path) -> tuple[tuple[str, ...], Float]:
    """Read a `losses.csv`: the names of its columns, and float32 [steps, columns] of which the first is the step."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return tuple(head), np.array(rows, np.float32)


def _lines(rows: Float, first: int) -> str:
    text = io.StringIO()
    for number, row in enumerate(rows.tolist(), first + 1):
        text.write(f"{number}," + ",".join(f"{value:.9g}" for value in row) + "\n")
    return text.getvalue()


def _writer(folder: Path, step: int) -> Any:
    """TensorBoard's writer, if it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=step + 1 if step else None)
