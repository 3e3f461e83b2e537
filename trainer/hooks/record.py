"""The losses of every step, gathered on the device and read a block at a time: one wait for the device in many steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nodes.types import Float
from trainer.distributed import Group
from trainer.loop import Hook, Loop


class Record(Hook):
    """Every other hook that wants losses takes them from here.

    rows: float32 [steps, 2 + K], gradient norm, total loss, then each loss as in `names`; the means over all processes. fresh:
    whether the rows are complete just now, which they are every `every` steps and when the loop is about to stop.
    """

    def __init__(self, every: int, group: Group | None = None, rows: Float | None = None) -> None:
        self._every, self._group = every, group or Group()
        self.names: tuple[str, ...] = ()
        self._rows = np.zeros((0, 0), np.float32) if rows is None else rows
        self._count = len(self._rows)
        self._block: Tensor | None = None
        self._norm: Tensor | None = None
        self._filled = 0
        self.fresh = False

    @property
    def rows(self) -> Float:
        """float32 [steps, 2 + K]."""
        return self._rows[: self._count]

    def before_training(self, loop: Loop) -> None:
        """Measure gradients just before each update: afterwards they are gone."""
        self._hook = loop.optimiser.register_step_pre_hook(self._measure)

    def after_step(self, loop: Loop) -> None:
        """Put the step's losses with the others, and read them when it is time."""
        assert loop.loss is not None and self._norm is not None
        self.names = tuple(loop.losses)
        found = torch.stack([self._norm, loop.loss, *loop.losses.values()])
        if self._block is None:
            self._block = torch.zeros((self._every, len(found)), device=found.device)
        self._block[self._filled] = found
        self._filled += 1
        self.fresh = loop.step % self._every == 0 or bool(loop.stop) or self._filled == self._every
        if self.fresh:
            self._read()

    def after_training(self, loop: Loop) -> None:
        """Let go of the optimiser."""
        self._hook.remove()

    def cut(self, steps: int) -> None:
        """Forget all but the first `steps`."""
        self._count = min(self._count, steps)

    def _read(self) -> None:
        assert self._block is not None
        block = self._group.mean(self._block[: self._filled])
        new = np.asarray(block.cpu().numpy(), np.float32)
        self._filled = 0
        if self._rows.shape[1] != new.shape[1]:
            self._rows = np.full(
                (self._count, new.shape[1]), np.nan, np.float32
            )  # resumed with other losses than before
        while self._count + len(new) > len(self._rows):  # doubled, so that a million steps cost a million copies
            self._rows = np.concatenate([self._rows, np.zeros((max(1024, len(self._rows)), new.shape[1]), np.float32)])
        self._rows[self._count : self._count + len(new)] = new
        self._count += len(new)

    @torch.no_grad()
    def _measure(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        if gradients:
            self._norm = torch.stack(torch._foreach_norm(gradients)).norm()
