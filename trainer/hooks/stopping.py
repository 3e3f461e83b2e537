"""Stopping hooks: stop at a step, a time, a plateau or a signal; the learning rate; memory limits."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import torch

from nodes.text import counted
from nodes.types import Float
from trainer.distributed import Group
from trainer.hooks.monitoring import LossRecord
from trainer.loop import BatchSource, Clock, Hook, Loop


class StopAtStep(Hook):
    """Hook that stops after `steps` steps, all resumes counted."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def before_training(self, loop: Loop) -> None:
        """Ask to stop now: there may be nothing left to do."""
        steps = counted(max(loop.step, self._steps), "step")
        loop.ask_to_stop(f"{steps} done", step=self._steps, by_all=True)


class StopAfter(Hook):
    """Hook that stops after `seconds` of training, all resumes counted."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds, self._clock = seconds, clock

    def before_training(self, loop: Loop) -> None:
        """Stop at once if the time is over already."""
        self.after_step(loop)

    def after_step(self, loop: Loop) -> None:
        """Stop when the time is over."""
        if self._clock.seconds >= self._seconds:
            loop.ask_to_stop(f"{self._seconds / 60:g} minutes are over")


class StopAtPlateau(Hook):
    """Hook that stops when the loss, over the last `window` of all steps, has fallen by less than `least` of itself.

    It compares the medians of both halves of the window, so that a few lucky batches do not count.
    """

    def __init__(self, record: LossRecord, window: float = 0.3, least: float = 0.01, steps: int = 500) -> None:
        self._record, self._window, self._least, self._steps = record, window, least, steps

    def after_step(self, loop: Loop) -> None:
        """Compare whenever there are new losses."""
        losses = self._record.rows[:, 1] if self._record.fresh and self._record.rows.size else np.zeros(0, np.float32)
        if len(losses) >= self._steps and gain(losses, self._window) < self._least:
            loop.ask_to_stop(f"the loss has stopped falling at step {loop.step}", by_all=True)


def gain(losses: Float, window: float) -> float:
    """Compute the relative fall of the loss between the halves of the last `window` of all steps."""
    half = max(int(len(losses) * window / 2), 1)
    before, after = float(np.median(losses[-2 * half : -half])), float(np.median(losses[-half:]))
    return (before - after) / max(abs(before), 1e-12)


class StopOnSignal(Hook):
    """Hook that ends the training in good order on Ctrl-C or SIGTERM; the second time at once.

    A signal after the last step is raised again after the training, for the caller.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._signal: int | None = None

    def before_training(self, loop: Loop) -> None:
        """Install the handlers, in the main thread only."""

        def hear(number: int, _: FrameType | None) -> None:
            self._signal = number
            signal.signal(number, self._before[number])

        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, hear) for n in (signal.SIGINT, signal.SIGTERM)}

    def after_step(self, loop: Loop) -> None:
        """Ask between two steps, before the other hooks run: so they treat the last step as any other."""
        if self._signal is not None and not loop.stop:
            loop.ask_to_stop(f"stopped by {signal.Signals(self._signal).name}")
            self._signal = None

    def after_training(self, loop: Loop) -> None:
        """Restore the earlier handlers."""
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._signal is not None:
            signal.raise_signal(self._signal)


_WARM, _WARM_SHARE = 50, 0.1  # steps, or share of a training shorter than ten times that
_FALL = 0.5  # of the training: start of the fall
_LEAST = 0.02


def factor(step: int, done: float) -> float:
    """Compute the factor of the learning rate at a step, when `done` (0..1) of the training is over.

    A warm-up, then a constant, then half a cosine: a short training gains most in its last part, where small
    steps settle what large ones leave unsteady. Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """
    fall = min(max((done - _FALL) / (1 - _FALL), 0.0), 1.0)
    return min(1.0, max((step + 1) / _WARM, done / _WARM_SHARE)) * (
        _LEAST + (1 - _LEAST) * (0.5 + 0.5 * math.cos(math.pi * fall))
    )


class Schedule(Hook):
    """Hook that sets the learning rate before each step. steps, seconds: end of the training; without either the rate never falls.

    With a step limit, the schedule is the same in every run and resume; with a time limit, it depends on machine speed, and
    processes that train together agree on the time every few steps.
    """

    def __init__(
        self, rate: float, clock: Clock, steps: int | None, seconds: float | None, group: Group, every: int
    ) -> None:
        self._rate, self._clock, self._steps, self._seconds = rate, clock, steps, seconds
        self._group, self._every, self._done = group, every, 0.0

    def before_training(self, loop: Loop) -> None:
        """Set the rate of the first step."""
        self._done = self._progress()
        self._set(loop)

    def after_step(self, loop: Loop) -> None:
        """Set the rate of the next step."""
        if loop.step % self._every == 0:
            self._done = self._progress()
        self._set(loop)

    def _progress(self) -> float:
        if not self._seconds:
            return 0.0
        late = torch.tensor(self._clock.seconds / self._seconds, device=self._group.device)
        return float(self._group.mean(late)) if self._group.world > 1 else float(late)

    def _set(self, loop: Loop) -> None:
        by_steps = loop.step / self._steps if self._steps else 0.0
        for group in loop.optimiser.param_groups:
            group["lr"] = self._rate * factor(loop.step, max(by_steps, self._done))


class SmallerBatch(Hook):
    """Hook that tries a step again with half the batch; in a single process only, since others already wait for this one."""

    def __init__(self, supply: BatchSource, group: Group, tell: Callable[[str], None]) -> None:
        self._source, self._group, self._tell = supply, group, tell

    def after_out_of_memory(self, loop: Loop) -> bool:
        """Halve the batch, unless it is one crop."""
        before = self._source.share.batch
        if self._group.world > 1 or not self._source.halve():
            return False
        self._tell(f"Step {loop.step}: no memory for a batch of {before}; going on with {self._source.share.batch}.")
        return True
