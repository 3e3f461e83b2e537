"""More than one GPU: the same loop in every process, under torchrun. Rank 0 alone writes; all ranks decide together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer.loop import Hook, Loop


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that train together, and which of them this is; alone by default."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes; all of them have to ask."""
        if self.world == 1:
            return values
        shared = values.clone()
        dist.all_reduce(shared)
        return shared / self.world

    def first(self, reason: str) -> str:
        """The first process's reason that is not empty, in all of them; all of them have to ask."""
        if self.world == 1:
            return reason
        text = torch.zeros(self.world, 256, dtype=torch.uint8, device=self.device)
        written = torch.tensor(list(reason.encode()[:256]), dtype=torch.uint8, device=self.device)
        text[self.rank, : len(written)] = written
        dist.all_reduce(text)  # each row has one writer
        reasons = [bytes(row).rstrip(b"\0").decode(errors="replace") for row in text.cpu().tolist()]
        return next((r for r in reasons if r), "")

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are the means over all processes."""
        if self.world == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids, gradient_as_bucket_view=True)


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """Join the group that torchrun has started, or be alone. device: with several GPUs each process takes its own."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or dist.is_initialized():
        alone = world == 1
        yield Group(device=device) if alone else Group(dist.get_rank(), dist.get_world_size(), device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else _one_thread())
    try:
        yield Group(dist.get_rank(), dist.get_world_size(), device)
        dist.barrier()  # one that leaves while others still talk to it takes them down
    finally:
        dist.destroy_process_group()


def _one_thread() -> str:
    """The name of gloo with a single thread, whose last barrier then ends after it has let go of every tensor.

    The second of gloo's usual two threads may let go of one while Python already ends, which aborts the process.
    """

    def gloo(store: Any, rank: int, size: int, timeout: timedelta) -> Any:
        options = dist.ProcessGroupGloo._Options()  # type: ignore[attr-defined]
        options._devices, options._threads = [dist.ProcessGroupGloo.create_default_device()], 1
        options._timeout = timeout
        return dist.ProcessGroupGloo(store, rank, size, options)

    name = "gloo_one_thread"
    if not hasattr(dist.Backend, name.upper()):
        dist.Backend.register_backend(name, gloo, devices="cpu")
    return name


class Together(Hook):
    """Lets the processes stop at the same step: a wish that one of them has waits until the next step at which all are asked.

    Stands after the hooks that decide by themselves (a clock, a key, a file), before those that decide alike everywhere.
    """

    def __init__(self, group: Group, every: int) -> None:
        self._group, self._every = group, every

    def before_training(self, loop: Loop) -> None:
        """Nothing that one process alone asks for stops it."""
        loop.shared = True

    def after_step(self, loop: Loop) -> None:
        """Ask all, if it is time."""
        if loop.step % self._every == 0 and (reason := self._group.first(loop.wish)):
            loop.ask_to_stop(reason, by_all=True)
