"""When a training ends by itself: after so many steps, so much time, when it no longer learns, or when it is asked to."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import numpy as np

from nodes.text import counted
from nodes.types import Float
from trainer.clock import Clock
from trainer.hooks.record import Record
from trainer.loop import Hook, Loop


class StopAtStep(Hook):
    """Stops after `steps` steps, all resumes counted."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def before_training(self, loop: Loop) -> None:
        """Ask for it: there may be nothing left to do."""
        done = counted(max(loop.step, self._steps), "step")
        loop.ask_to_stop(f"{done} done", step=self._steps, by_all=True)


class StopAfter(Hook):
    """Stops after `seconds` of training, all resumes counted."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds, self._clock = seconds, clock

    def before_training(self, loop: Loop) -> None:
        """There may be nothing left to do."""
        self.after_step(loop)

    def after_step(self, loop: Loop) -> None:
        """Stop when they are over."""
        if self._clock.seconds >= self._seconds:
            loop.ask_to_stop(f"{self._seconds / 60:g} minutes are over")


class StopAtPlateau(Hook):
    """Stops when the loss, over the last `window` of all steps, has fallen by less than `least` of itself.

    Compared are the medians of both halves of the window, so that a few lucky batches do not count.
    """

    def __init__(self, record: Record, window: float = 0.3, least: float = 0.01, steps: int = 500) -> None:
        self._record, self._window, self._least, self._steps = record, window, least, steps

    def after_step(self, loop: Loop) -> None:
        """Compare whenever there are new losses."""
        losses = self._record.rows[:, 1] if self._record.fresh and self._record.rows.size else np.zeros(0, np.float32)
        if len(losses) >= self._steps and gain(losses, self._window) < self._least:
            loop.ask_to_stop(f"the loss has stopped falling at step {loop.step}", by_all=True)


def gain(losses: Float, window: float) -> float:
    """By what part of itself the loss fell between the halves of the last `window` of all steps."""
    half = max(int(len(losses) * window / 2), 1)
    before, after = float(np.median(losses[-2 * half : -half])), float(np.median(losses[-half:]))
    return (before - after) / max(abs(before), 1e-12)


class StopOnSignal(Hook):
    """Ends the training in good order on Ctrl-C or when the process is asked to end; the second time at once.

    A signal that comes when the training has ended by itself, but is not yet put away, is for whoever runs it, and reaches them after that.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._heard: int | None = None

    def before_training(self, loop: Loop) -> None:
        """Listen, where Python allows it."""

        def hear(number: int, _: FrameType | None) -> None:
            self._heard = number
            signal.signal(number, self._before[number])

        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, hear) for n in (signal.SIGINT, signal.SIGTERM)}

    def after_step(self, loop: Loop) -> None:
        """Ask between two steps, before the others look: so the last step is judged as any other."""
        if self._heard is not None and not loop.stop:
            loop.ask_to_stop(f"stopped by {signal.Signals(self._heard).name}")
            self._heard = None

    def after_training(self, loop: Loop) -> None:
        """Put back what was there."""
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._heard is not None:
            signal.raise_signal(self._heard)
