"""The training loop. It knows nothing of progress, previews, checkpoints or when to stop: those are hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainer.network import Batches, Share


class Clock:
    """Counts on from the seconds of earlier runs, once it is started."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before, self._started = seconds, 0.0

    def start(self) -> None:
        """Count from now on."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds trained, in this run and those before it."""
        return self._before + (time.monotonic() - self._started if self._started else 0.0)


SHARE = 0.05  # of the time that what comes due may take


class Every:
    """Comes due each `seconds`, first after that time or, with `at_once`, immediately; less often when it takes long."""

    def __init__(self, seconds: float, *, at_once: bool = False) -> None:
        self._seconds, self._began = seconds, 0.0
        self._next = 0.0 if at_once else time.monotonic() + seconds

    @property
    def due(self) -> bool:
        """Whether it has come due; if so, the next time is counted from now."""
        if (now := time.monotonic()) < self._next:
            return False
        self._began, self._next = now, now + self._seconds
        return True

    def done(self) -> None:
        """Say that what came due has been done: the next time waits until that is a small part of the whole."""
        now = time.monotonic()
        self._next = max(self._began + self._seconds, now + (now - self._began) / SHARE)


class BatchSource:
    """Batches that can be made anew. make: gives the batches of a share; may take seconds.

    Random numbers that the network itself draws are seeded here too, so that a step is the same after every resume.
    """

    def __init__(self, make: Callable[[Share], Batches], share: Share) -> None:
        self._make, self.share = make, share
        self.batches: Batches = make(share)

    def __call__(self, step: int) -> Any:
        """The batch of a step."""
        share = self.share
        seed = (share.seed * 1_000_003 + step) * share.world + share.rank
        # torch.manual_seed takes a millisecond, and without a GPU remembers every call.
        torch.default_generator.manual_seed(seed)
        if share.device.type == "cuda":
            torch.cuda.default_generators[share.device.index or 0].manual_seed(seed)
        return self.batches(step)

    def halve(self) -> bool:
        """Make the batch half as large; False when it cannot be."""
        half = self.share.batch // 2 // self.share.world * self.share.world
        if half < 1:
            return False
        self._anew(replace(self.share, batch=half))
        return True

    def reseed(self) -> None:
        """Let no batch that was made come again."""
        self._anew(replace(self.share, seed=(self.share.seed + 7_919) % 2**31))

    def _anew(self, share: Share) -> None:
        del self.batches  # the old ones may fill the device
        if share.device.type == "cuda":
            torch.cuda.empty_cache()
        self.share = share
        self.batches = self._make(share)


class Hook:
    """Looks on, and may call `loop.ask_to_stop`. No hook reads a loss more often than it has to: that waits for the device."""

    def before_training(self, loop: Loop) -> None:
        """Called once, before the first step."""

    def after_step(self, loop: Loop) -> None:
        """Called after each step; `loop.step` steps are done."""

    def after_out_of_memory(self, loop: Loop) -> bool:
        """Called when the device had no memory for a step; True when it now needs less, and is to be tried again."""
        return False

    def after_training(self, loop: Loop) -> None:
        """Called once, the last hook's first, also when something has raised: then `loop.error` is that."""


@dataclass
class Loop:
    """Trains `network` (a Network, or DDP around one) from `step` on until a hook asks it to stop.

    shared: several processes train together; one alone cannot stop them. clip: the gradient's norm is kept at or below this. losses: those of the last step, by name, detached, still on the device. loss: their sum. error: what ended the training
    early, if anything did.
    """

    network: nn.Module
    batches: Batches
    optimiser: torch.optim.Optimizer
    hooks: Sequence[Hook] = ()
    autocast: AbstractContextManager[None] | None = None
    scaler: torch.amp.GradScaler = field(default_factory=lambda: torch.amp.GradScaler(enabled=False))
    clip: float | None = None
    step: int = 0
    shared: bool = False
    losses: dict[str, Tensor] = field(default_factory=dict)
    loss: Tensor | None = None
    error: BaseException | None = None
    _asked: dict[tuple[str, bool], int] = field(default_factory=dict, init=False)
    _unscaled: bool = field(default=False, init=False)

    def ask_to_stop(self, reason: str, *, step: int = 0, by_all: bool = False) -> None:
        """Stop once `step` steps are done; nothing takes it back. by_all: every process of a shared training asks for the same."""
        self._asked.setdefault((reason, by_all), step)

    @property
    def wish(self) -> str:
        """The first reason to stop that holds after the steps that are done; empty to go on."""
        return next((reason for (reason, _), step in self._asked.items() if step <= self.step), "")

    @property
    def stop(self) -> str:
        """The same of those that this process need not share first."""
        alone = not self.shared
        return next((r for (r, by_all), step in self._asked.items() if step <= self.step and (by_all or alone)), "")

    def run(self) -> None:
        """Train until `stop` has a reason. Raises what a step or a hook raises, after every hook's `after_training`."""
        with ExitStack() as at_end:
            try:
                for hook in self.hooks:
                    at_end.callback(hook.after_training, self)
                    hook.before_training(self)
                while not self.stop:
                    self._train_step()
                    for hook in self.hooks:
                        hook.after_step(self)
            except BaseException as e:
                self.error = e
                raise

    def _train_step(self) -> None:
        while True:
            try:
                return self._do_step()
            except torch.OutOfMemoryError as e:
                failed = e.with_traceback(None)  # its frames hold the tensors of the step that failed
            self.optimiser.zero_grad(set_to_none=True)
            if self._unscaled:
                self.scaler.update()  # it unscales gradients only once between two updates
                self._unscaled = False
            if not any(hook.after_out_of_memory(self) for hook in self.hooks):
                raise failed

    def _do_step(self) -> None:
        batch = self.batches(self.step)
        with self.autocast or nullcontext():
            losses: dict[str, Tensor] = self.network(batch)
            loss = torch.stack([value.float() for value in losses.values()]).sum()
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.unscale_(self.optimiser)
        self._unscaled = True
        if self.clip is not None:
            # Pascanu et al. 2013, "On the difficulty of training recurrent neural networks"; it does not wait for the device.
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._unscaled = False
        self.optimiser.zero_grad(set_to_none=True)
        self.losses = {name: value.detach().float() for name, value in losses.items()}
        self.loss = loss.detach()
        self.step += 1
