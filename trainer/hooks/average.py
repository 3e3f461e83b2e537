"""Averaged weights: what a model is judged and exported by, steadier than the last step's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.loop import Hook, Loop


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
