"""Notices a training that has gone wrong, from the losses that are read anyway, and takes it back to where it was right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from nodes.errors import FaceplateError
from nodes.types import Float
from trainer.hooks.record import Record
from trainer.loop import Hook, Loop
from trainer.state import State, Tensors
from trainer.supply import Supply

_PAST = 400  # steps that the running medians look back on
_ENOUGH = 40  # steps without which a median says little
_FAR = 4.0  # a loss that many times its median has collapsed: noise of a batch stays within 2
_NOTHING = 1e-5  # a gradient that small a part of its median no longer teaches


def trouble(past: Float, new: Float, *, scaled: bool = False) -> str:
    """What is wrong with `new` steps after `past` ones (rows of a Record), or nothing.

    A single bad step is forgiven unless it is not finite: the medians of the block count. scaled: under fp16 gradients that
    are not finite are expected, and skipped by the scaler.
    """
    if not np.isfinite(new[:, 1:]).all():
        return "the loss is not finite"
    if not scaled and not np.isfinite(new[:, 0]).all():
        return "the gradient is not finite"
    past = past[-_PAST:]
    if len(past) < _ENOUGH:
        return ""
    usual_norm, usual_loss = np.median(past[:, 0]), np.median(past[:, 1])
    if np.isfinite(usual_norm) and np.median(new[:, 0]) < _NOTHING * usual_norm:
        return "the gradient has vanished"
    if usual_loss > 0 and (now := np.median(new[:, 1])) > _FAR * usual_loss:
        return f"the loss has collapsed ({now:.3g}, usually {usual_loss:.3g})"
    return ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training as it was after `step` steps, of which nothing bad is known; its tensors are good until the next is taken."""

    step: int
    tensors: Tensors
    scaler: dict[str, int | float] = field(default_factory=dict)


class Guard(Hook):
    """Takes a snapshot whenever the record is fresh and sound, and goes back to the last one, with other batches, when it is not.

    rollbacks: how often without much progress in between, those before a resume too. Raises FaceplateError after more than
    `patience`; the network is then at the last snapshot.
    """

    def __init__(
        self,
        record: Record,
        state: State,
        supply: Supply,
        tell: Callable[[str], None],
        patience: int = 4,
        rollbacks: int = 0,
    ) -> None:
        self._record, self._state, self._supply, self._tell, self._patience = record, state, supply, tell, patience
        self.rollbacks, self._since = rollbacks, 0
        self._tensors: Tensors | None = None  # of the last snapshot, for the next to be written over
        self._device: torch.device | None = None  # of the snapshots; None: where the tensors are

    def before_training(self, loop: Loop) -> None:
        """Take the first snapshot."""
        self._take(loop)

    def after_step(self, loop: Loop) -> None:
        """Judge the steps since the last snapshot, once they are read."""
        if not self._record.fresh:
            return
        rows, known = self._record.rows, self.snapshot.step
        what = trouble(rows[:known], rows[known:], scaled=loop.scaler is not None)
        if what:
            self._roll_back(loop, what)
        else:
            self._take(loop)
            self._since += 1
            if self._since > 20:
                self.rollbacks = 0

    def _take(self, loop: Loop) -> None:
        old, self._tensors = self._tensors, None
        try:
            tensors = self._state.take(old, self._device)
        except torch.OutOfMemoryError:
            del old
            self._device = torch.device("cpu")
            tensors = self._state.take(None, self._device)
        self._tensors = tensors
        scaler = {} if loop.scaler is None else dict(loop.scaler.state_dict())
        self.snapshot = Snapshot(loop.step, tensors, scaler)

    def _roll_back(self, loop: Loop, what: str) -> None:
        at, to = loop.step, self.snapshot.step
        self._state.put(self.snapshot.tensors)
        if loop.scaler is not None and self.snapshot.scaler:
            loop.scaler.load_state_dict(self.snapshot.scaler)
        self._record.cut(to)
        loop.step, self._since = to, 0
        self.rollbacks += 1
        if self.rollbacks > self._patience:
            raise FaceplateError(
                f"the training keeps failing: {what} by step {at}, for the {self.rollbacks}th time from step {to} on",
                remedy="Lower the learning rate, choose the precision fp32, or look for odd crops in the facesets' contact sheets",
            )
        self._supply.reseed()
        self._tell(f"Step {at}: {what}; back to step {to}, with other batches.")
