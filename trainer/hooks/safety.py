"""Safety hooks: checkpoints, the average of the weights, and a guard against losses that diverge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nodes.errors import FaceplateError, OutputError
from nodes.types import Float
from trainer.checkpoint import State, Tensors
from trainer.hooks.monitoring import LossRecord
from trainer.loop import BatchSource, Every, Hook, Loop

_PAST = 400  # steps that the running medians look back on
_ENOUGH = 40  # steps without which a median says little
_FAR = 4.0  # a loss that many times its median has collapsed: noise of a batch stays within 2
_NOTHING = 1e-5  # a gradient that small a part of its median no longer teaches


def trouble(past: Float, new: Float, *, scaled: bool = False) -> str:
    """What is wrong with `new` steps after `past` ones (rows of a LossRecord), or nothing.

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
        record: LossRecord,
        state: State,
        supply: BatchSource,
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
        what = trouble(rows[:known], rows[known:], scaled=loop.scaler.is_enabled())
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
        self.snapshot = Snapshot(loop.step, tensors, dict(loop.scaler.state_dict()))

    def _roll_back(self, loop: Loop, what: str) -> None:
        at, to = loop.step, self.snapshot.step
        self._state.put(self.snapshot.tensors)
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


class Checkpoints(Hook):
    """Writes the guard's last snapshot, so that a checkpoint is never of a training that has gone wrong.

    write: writes one, and returns its file. A disk that is full is told of, and tried again the next time; at the end it raises
    OutputError. After another error nothing is written: the last checkpoint is what is to be trusted.
    """

    def __init__(
        self,
        write: Callable[[Snapshot], Path],
        guard: Guard,
        seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self._write, self._guard, self._tell = write, guard, tell
        self._every = Every(seconds)
        self._written = (0, 0)  # step and rollbacks
        self.file: Path | None = None

    def before_training(self, loop: Loop) -> None:
        """What nothing has been learned by yet, or what was read from a checkpoint, need not be written."""
        self._written = (loop.step, self._guard.rollbacks)

    def after_step(self, loop: Loop) -> None:
        """Write one, if it is time, and after each rollback: what it has cost of the guard's patience holds after a resume."""
        if self._now != self._written and (self._every.due or self._now[1] > self._written[1]):
            try:
                self._save()
            except OutputError as e:
                self._tell(f"No checkpoint at step {loop.step}; training goes on, and it is tried again. {e}")
            self._every.done()

    def after_training(self, loop: Loop) -> None:
        """Write the last one."""
        if loop.error is None and self._now != self._written:
            self._save()

    def _save(self) -> None:
        self.file = self._write(self._guard.snapshot)
        self._written = self._now

    @property
    def _now(self) -> tuple[int, int]:
        return self._guard.snapshot.step, self._guard.rollbacks


class Average(Hook):
    """The exponential moving average of all weights, its decay min(decay, (1 + t) / (10 + t)) after t steps.

    Early weights are soon forgotten so; `tensors`: by the names of the network's state.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self._network, self._decay = network, decay
        self.tensors = {name: value.detach().clone() for name, value in network.state_dict().items()}
        now = network.state_dict()  # shares its storage with the weights, for as long as they are changed in place
        moving = [name for name, value in now.items() if value.is_floating_point()]
        self._averages, self._now = [self.tensors[n] for n in moving], [now[n] for n in moving]
        self._whole = [(self.tensors[n], now[n]) for n in now if n not in set(moving)]

    @torch.no_grad()
    def after_step(self, loop: Loop) -> None:
        """Move the average on."""
        decay = min(self._decay, (1 + loop.step) / (10 + loop.step))
        torch._foreach_lerp_(self._averages, self._now, 1 - decay)
        for average, value in self._whole:
            average.copy_(value)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let the network have the averaged weights within the block, in evaluation mode."""
        trained, training = {n: v.clone() for n, v in self._network.state_dict().items()}, self._network.training
        self._network.eval()
        self.put()
        try:
            yield
        finally:
            _copy(trained, self._network)
            self._network.train(training)

    def put(self) -> None:
        """Give the network the averaged weights for good."""
        _copy(self.tensors, self._network)


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], network: nn.Module) -> None:
    for name, value in network.state_dict().items():
        value.copy_(tensors[name])
