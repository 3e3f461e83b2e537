"""How far a training is, told every few seconds to whoever shows it."""

from __future__ import annotations

from collections import deque

import numpy as np

from trainer.clock import Clock, Every
from trainer.hooks.record import Record
from trainer.loop import Hook, Loop
from trainer.watcher import Progress, Watcher

_RATE_OVER = 12  # tellings that the rate is taken over: long enough to be steady, short enough to follow the machine
_SMOOTH = 50  # steps that a loss is the mean of


class Tell(Hook):
    """Tells a watcher every `every` seconds, and at the end. steps, seconds: at which the training stops, if it does."""

    def __init__(
        self,
        watcher: Watcher,
        record: Record,
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
        """Take the time."""
        self._marks.append((self._clock.seconds, loop.step))

    def after_step(self, loop: Loop) -> None:
        """Tell, if it is time."""
        if loop.stop or self._every.due:
            self._watcher.progress(self._now(loop))

    def _now(self, loop: Loop) -> Progress:
        seconds = self._clock.seconds
        if loop.step < self._marks[-1][1]:  # rolled back
            self._marks.clear()
        since, first = self._marks[0] if self._marks else (seconds, loop.step)
        self._marks.append((seconds, loop.step))
        rate = (loop.step - first) / (seconds - since) if seconds > since else 0.0
        left = [max(self._seconds - seconds, 0.0)] if self._seconds is not None else []
        if self._steps is not None and rate > 0:
            left.append(max(self._steps - loop.step, 0) / rate)
        means = recent(self._record)
        return Progress(loop.step, self._steps, seconds, rate, min(left, default=None), means.pop("all", np.nan), means)


def recent(record: Record, steps: int = _SMOOTH) -> dict[str, float]:
    """The mean of each loss over the last steps that were read, by name, and under 'all' that of their sum."""
    rows = record.rows[-steps:]
    if not len(rows):
        return {}
    return dict(zip(("all", *record.names), rows[:, 1:].mean(axis=0).tolist(), strict=False))
