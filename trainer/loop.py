"""The training loop. It knows nothing of progress, previews, checkpoints or when to stop: those are hooks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from trainer.network import Batches


class Hook:
    """Looks on, and may set `loop.stop` to a reason. No hook reads a loss more often than it has to: that waits for the device."""

    def before_training(self, loop: Loop) -> None:
        """Called once, before the first step."""

    def after_step(self, loop: Loop) -> None:
        """Called after each step; `loop.step` steps are done."""

    def after_training(self, loop: Loop) -> None:
        """Called once, also when a step or another hook has raised."""


@dataclass
class Loop:
    """Trains `network` (a Network, or DDP around one) from `step` on until a hook sets `stop`.

    losses: those of the last step, by name, detached, still on the device.
    """

    network: nn.Module
    batches: Batches
    optimiser: torch.optim.Optimizer
    hooks: Sequence[Hook] = ()
    autocast: AbstractContextManager[None] | None = None
    scaler: torch.amp.GradScaler | None = None
    step: int = 0
    stop: str = ""
    losses: dict[str, Tensor] = field(default_factory=dict)
