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

_PAST = 400  # steps in the running medians
_ENOUGH = 40  # steps, the fewest for a median
_FAR = 4.0  # times the median loss: beyond it, it has collapsed; noise of a batch stays within 2
_NOTHING = 1e-5  # of the median gradient: below it, nothing is learned


def trouble(past: Float, new: Float, *, scaled: bool = False) -> str:
    """Describe the fault of `new` steps after `past` ones (rows of a LossRecord); empty if they are sound.

    The medians of the block count, so that a single bad step passes unless it is not finite. scaled: with fp16, gradients that
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
    """A sound state of a training after `step` steps; its tensors are valid until the next snapshot."""

    step: int
    tensors: Tensors
    scaler: dict[str, int | float] = field(default_factory=dict)


class Guard(Hook):
    """Hook that takes a snapshot when fresh losses are sound, and else returns to the last one, with other batches.

    rollbacks: number without much progress in between, including those before a resume. Raises FaceplateError after more than
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
        self._tensors: Tensors | None = None  # of the last snapshot, overwritten by the next
        self._device: torch.device | None = None  # of the snapshots; None: the network's

    def before_training(self, loop: Loop) -> None:
        """Take the first snapshot."""
        self._take(loop)

    def after_step(self, loop: Loop) -> None:
        """Check the steps since the last snapshot, once they are read."""
        if not self._record.fresh:
            return
        rows, last = self._record.rows, self.snapshot.step
        fault = trouble(rows[:last], rows[last:], scaled=loop.scaler.is_enabled())
        if fault:
            self._roll_back(loop, fault)
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

    def _roll_back(self, loop: Loop, fault: str) -> None:
        at, to = loop.step, self.snapshot.step
        self._state.put(self.snapshot.tensors)
        loop.scaler.load_state_dict(self.snapshot.scaler)
        self._record.cut(to)
        loop.step, self._since = to, 0
        self.rollbacks += 1
        if self.rollbacks > self._patience:
            raise FaceplateError(
                f"the training keeps failing: {fault} by step {at}, for the {self.rollbacks}th time from step {to} on",
                remedy="Lower the learning rate, choose the precision fp32, or look for odd crops in the facesets' contact sheets",
            )
        self._supply.reseed()
        self._tell(f"Step {at}: {fault}; back to step {to}, with other batches.")


class Checkpoints(Hook):
    """Hook that writes the guard's last snapshot, so that every checkpoint is of a sound training.

    write: writes one, and returns its file. A full disk is reported, and tried again the next time; at the end it raises
    OutputError. After another error nothing is written: the last checkpoint stays valid.
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
        self._saved = (0, 0)  # step and rollbacks
        self.file: Path | None = None

    def before_training(self, loop: Loop) -> None:
        """Note the first state: nothing to save yet."""
        self._saved = (loop.step, self._guard.rollbacks)

    def after_step(self, loop: Loop) -> None:
        """Write one, if it is time, and after each rollback, so that a resume keeps the guard's count."""
        if self._mark != self._saved and (self._every.due or self._mark[1] > self._saved[1]):
            try:
                self._save()
            except OutputError as e:
                self._tell(f"No checkpoint at step {loop.step}; training goes on, and it is tried again. {e}")
            self._every.done()

    def after_training(self, loop: Loop) -> None:
        """Write the last one."""
        if loop.error is None and self._mark != self._saved:
            self._save()

    def _save(self) -> None:
        self.file = self._write(self._guard.snapshot)
        self._saved = self._mark

    @property
    def _mark(self) -> tuple[int, int]:
        return self._guard.snapshot.step, self._guard.rollbacks


class Average(Hook):
    """The exponential moving average of all weights, its decay min(decay, (1 + t) / (10 + t)) after t steps.

    Early weights are thus soon forgotten. tensors: by the names of the network's state.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self._network, self._decay = network, decay
        self.tensors = {name: value.detach().clone() for name, value in network.state_dict().items()}
        weights = network.state_dict()  # shares its storage with the weights, which change in place
        moving = [name for name, value in weights.items() if value.is_floating_point()]
        self._averages, self._weights = [self.tensors[n] for n in moving], [weights[n] for n in moving]
        self._whole = [(self.tensors[n], weights[n]) for n in weights if n not in set(moving)]

    @torch.no_grad()
    def after_step(self, loop: Loop) -> None:
        """Move the average on."""
        decay = min(self._decay, (1 + loop.step) / (10 + loop.step))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        for average, value in self._whole:
            average.copy_(value)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Give the network the averaged weights within the block, in evaluation mode."""
        weights, training = {n: v.clone() for n, v in self._network.state_dict().items()}, self._network.training
        self._network.eval()
        self.put()
        try:
            yield
        finally:
            _copy(weights, self._network)
            self._network.train(training)

    def put(self) -> None:
        """Give the network the averaged weights for good."""
        _copy(self.tensors, self._network)


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], network: nn.Module) -> None:
    for name, value in network.state_dict().items():
        value.copy_(tensors[name])
