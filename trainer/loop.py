"""The training loop. Progress, previews, checkpoints and stopping are hooks."""

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
    """Clock of a training: once started, it counts on from the seconds of earlier runs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before, self._started = seconds, 0.0

    def start(self) -> None:
        """Count from now on."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds trained, in this run and those before it."""
        return self._before + (time.monotonic() - self._started if self._started else 0.0)


SHARE = 0.05  # of all time that a periodic action may take


class Every:
    """Timer that comes due each `seconds`, first after that time or, with `at_once`, immediately; less often for long actions."""

    def __init__(self, seconds: float, *, at_once: bool = False) -> None:
        self._seconds, self._began = seconds, 0.0
        self._next = 0.0 if at_once else time.monotonic() + seconds

    @property
    def due(self) -> bool:
        """True if it has come due; then the next time is counted from now."""
        if (now := time.monotonic()) < self._next:
            return False
        self._began, self._next = now, now + self._seconds
        return True

    def done(self) -> None:
        """Note the end of the due action: the next one waits until this one is a small share of the time."""
        now = time.monotonic()
        self._next = max(self._began + self._seconds, now + (now - self._began) / SHARE)


class BatchSource:
    """Source of batches that can be remade. make: gives the batches of a share; may take seconds.

    Random numbers that the network itself draws are seeded here too, so that a step is the same after every resume.
    """

    def __init__(self, make: Callable[[Share], Batches], share: Share) -> None:
        self._make, self.share = make, share
        self.batches: Batches = make(share)

    def __call__(self, step: int) -> Any:
        """Return the batch of a step."""
        share = self.share
        seed = (share.seed * 1_000_003 + step) * share.world + share.rank
        # torch.manual_seed takes a millisecond, and without a GPU remembers every call.
        torch.default_generator.manual_seed(seed)
        if share.device.type == "cuda":
            torch.cuda.default_generators[share.device.index or 0].manual_seed(seed)
        return self.batches(step)

    def halve(self) -> bool:
        """Make the batch half as large; False if it cannot be halved."""
        half = self.share.batch // 2 // self.share.world * self.share.world
        if half < 1:
            return False
        self._anew(replace(self.share, batch=half))
        return True

    def reseed(self) -> None:
        """Change the seed, so that no earlier batch comes again."""
        self._anew(replace(self.share, seed=(self.share.seed + 7_919) % 2**31))

    def _anew(self, share: Share) -> None:
        del self.batches  # the old ones may fill the device
        if share.device.type == "cuda":
            torch.cuda.empty_cache()
        self.share = share
        self.batches = self._make(share)


class Hook:
    """Observer of a loop that may call `ask_to_stop`. A hook reads losses as seldom as it can: each read waits for the device."""

    def before_training(self, loop: Loop) -> None:
        """Called once, before the first step."""

    def after_step(self, loop: Loop) -> None:
        """Called after each step; `loop.step` steps are done."""

    def after_out_of_memory(self, loop: Loop) -> bool:
        """Called when the device had no memory for a step; returns True if the step can be tried again with less."""
        return False

    def after_training(self, loop: Loop) -> None:
        """Called once, the last hook's first, also after an exception, which is in `loop.error`."""


@dataclass
class Loop:
    """Training of `network` (a Network, or DDP around one) from `step` on until a hook asks it to stop.

    shared: several processes train together; one alone cannot stop them. clip: the gradient's norm is kept at or below this. losses: those of the last step, by name, detached, still on the device. loss: their sum. error: the exception that
    ended the training early.
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
    _requests: dict[tuple[str, bool], int] = field(default_factory=dict, init=False)
    _unscaled: bool = field(default=False, init=False)

    def ask_to_stop(self, reason: str, *, step: int = 0, by_all: bool = False) -> None:
        """Stop once `step` steps are done; this is final. by_all: every process of a shared training asks for the same."""
        self._requests.setdefault((reason, by_all), step)

    @property
    def wish(self) -> str:
        """The first reason to stop after the steps done so far; empty to go on."""
        return next((reason for (reason, _), step in self._requests.items() if step <= self.step), "")

    @property
    def stop(self) -> str:
        """The same, without reasons that this process must first share with the others."""
        alone = not self.shared
        return next((r for (r, by_all), step in self._requests.items() if step <= self.step and (by_all or alone)), "")

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
                error = e.with_traceback(None)  # its frames hold the tensors of the step that failed
            self.optimiser.zero_grad(set_to_none=True)
            if self._unscaled:
                self.scaler.update()  # it unscales gradients only once between two updates
                self._unscaled = False
            if not any(hook.after_out_of_memory(self) for hook in self.hooks):
                raise error

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
