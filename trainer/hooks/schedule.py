"""The learning rate over a training whose end is known: it rises for a moment, stays, and falls to almost nothing at the end."""

from __future__ import annotations

import math

import torch

from trainer.clock import Clock
from trainer.distributed import Group
from trainer.loop import Hook, Loop

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
