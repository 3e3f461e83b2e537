"""Schedule hooks: stop at a step, a time, a plateau or a signal; the learning rate; memory limits."""

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

    def __init__(self, record: LossRecord, window: float = 0.3, least: float = 0.01, steps: int = 500) -> None:
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


_WARM, _WARM_SHARE = 50, 0.1  # steps, or of a training that is shorter than ten times as many
_FALL = 0.5  # of the training: from here on it falls
_LEAST = 0.02


def factor(step: int, done: float) -> float:
    """What the learning rate is multiplied by at a step, when `done` (0..1) of the training is over.

    A warm-up, then a constant, then half a cosine: a short training wins most of what it can from its last part, where small
    steps settle what large ones leave unsteady. Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """
    fall = min(max((done - _FALL) / (1 - _FALL), 0.0), 1.0)
    return min(1.0, max((step + 1) / _WARM, done / _WARM_SHARE)) * (
        _LEAST + (1 - _LEAST) * (0.5 + 0.5 * math.cos(math.pi * fall))
    )


class Schedule(Hook):
    """Sets the learning rate before each step. steps, seconds: when the training ends; where neither is known it never falls.

    By steps it is the same in every run and after every resume; by seconds it is as the machine's speed has it, and processes
    that train together agree on how late it is every few steps.
    """

    def __init__(
        self, rate: float, clock: Clock, steps: int | None, seconds: float | None, group: Group, every: int
    ) -> None:
        self._rate, self._clock, self._steps, self._seconds = rate, clock, steps, seconds
        self._group, self._every, self._late = group, every, 0.0

    def before_training(self, loop: Loop) -> None:
        """Set the rate of the first step."""
        self._late = self._agreed()
        self._set(loop)

    def after_step(self, loop: Loop) -> None:
        """Set the rate of the step to come."""
        if loop.step % self._every == 0:
            self._late = self._agreed()
        self._set(loop)

    def _agreed(self) -> float:
        if not self._seconds:
            return 0.0
        late = torch.tensor(self._clock.seconds / self._seconds, device=self._group.device)
        return float(self._group.mean(late)) if self._group.world > 1 else float(late)

    def _set(self, loop: Loop) -> None:
        by_steps = loop.step / self._steps if self._steps else 0.0
        for group in loop.optimiser.param_groups:
            group["lr"] = self._rate * factor(loop.step, max(by_steps, self._late))


class SmallerBatch(Hook):
    """Tries a step again with half the batch. Not with several processes: the others have begun to wait for this one."""

    def __init__(self, supply: BatchSource, group: Group, tell: Callable[[str], None]) -> None:
        self._supply, self._group, self._tell = supply, group, tell

    def after_out_of_memory(self, loop: Loop) -> bool:
        """Halve the batch, unless it is one crop."""
        before = self._supply.share.batch
        if self._group.world > 1 or not self._supply.halve():
            return False
        self._tell(f"Step {loop.step}: no memory for a batch of {before}; going on with {self._supply.share.batch}.")
        return True
