"""All tensors that training changes, as one flat dictionary: what is copied to roll back, and written to resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]

NETWORK, AVERAGE, OPTIMISER = "network.", "average.", "optimiser."


class State:
    """The tensors of a network, of its averaged weights, and of its optimiser.

    Names: `network.NAME`, `average.NAME`, and `optimiser.N.NAME` of the N-th parameter.
    """

    def __init__(self, network: nn.Module, optimiser: torch.optim.Optimizer, average: Mapping[str, Tensor]) -> None:
        self._network, self._optimiser, self._average = network, optimiser, average

    @torch.no_grad()
    def take(self, into: Tensors | None = None, device: torch.device | None = None) -> Tensors:
        """Copy all of it, over an earlier copy if one is given; to another device if one is named."""
        found = {f"{NETWORK}{name}": value for name, value in self._network.state_dict().items()}
        found |= {f"{AVERAGE}{name}": value for name, value in self._average.items()}
        for number, values in self._optimiser.state_dict()["state"].items():
            found |= {f"{OPTIMISER}{number}.{name}": value for name, value in values.items()}
        old = [name for name in found if name in (into or {})]
        kept = {name: (into or {})[name] for name in old}
        if old:
            torch._foreach_copy_(list(kept.values()), [found[name].detach() for name in old])
        return {name: kept[name] if name in kept else _copied(value, device) for name, value in found.items()}

    @torch.no_grad()
    def put(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all of it to what `take` gave, here or in an earlier process. Raises KeyError or RuntimeError if it does not fit."""
        self._network.load_state_dict(part(tensors, NETWORK))
        for name, value in self._average.items():
            value.copy_(tensors[f"{AVERAGE}{name}"])
        parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in part(tensors, OPTIMISER).items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = _laid_out_as(parameters[int(number)], value)
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": state, "param_groups": groups})


def part(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _copied(value: Tensor, device: torch.device | None) -> Tensor:
    return value.detach().clone() if device is None else value.detach().to(device, copy=True)


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy with the parameter's strides: a fused update walks both in memory order."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
