"""The training loop. It knows nothing of progress, previews, checkpoints or when to stop: those are hooks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainer.network import Batches


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
    scaler: torch.amp.GradScaler | None = None
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
            if self._unscaled and self.scaler is not None:
                self.scaler.update()  # it unscales gradients only once between two updates
                self._unscaled = False
            if not any(hook.after_out_of_memory(self) for hook in self.hooks):
                raise failed

    def _do_step(self) -> None:
        batch = self.batches(self.step)
        with self.autocast or nullcontext():
            losses: dict[str, Tensor] = self.network(batch)
            loss = torch.stack([value.float() for value in losses.values()]).sum()
        if self.scaler is None:
            torch.autograd.backward(loss)
            self._clip()
            self.optimiser.step()
        else:
            torch.autograd.backward(self.scaler.scale(loss))
            self.scaler.unscale_(self.optimiser)
            self._unscaled = True
            self._clip()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            self._unscaled = False
        self.optimiser.zero_grad(set_to_none=True)
        self.losses = {name: value.detach().float() for name, value in losses.items()}
        self.loss = loss.detach()
        self.step += 1

    def _clip(self) -> None:
        # Pascanu et al. 2013, "On the difficulty of training recurrent neural networks"; it does not wait for the device.
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
