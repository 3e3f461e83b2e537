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
    """The processes that train together, and this one's rank among them; alone by default."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """True if this is the process that writes."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes; each of them must call this."""
        if self.world == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.world

    def first(self, reason: str) -> str:
        """Return the reason of the first process that has one, in all processes; each of them must call this."""
        if self.world == 1:
            return reason
        text = torch.zeros(self.world, 256, dtype=torch.uint8, device=self.device)
        encoded = torch.tensor(list(reason.encode()[:256]), dtype=torch.uint8, device=self.device)
        text[self.rank, : len(encoded)] = encoded
        dist.all_reduce(text)  # each row has one writer
        reasons = [bytes(row).rstrip(b"\0").decode(errors="replace") for row in text.cpu().tolist()]
        return next((r for r in reasons if r), "")

    def wrap(self, network: nn.Module) -> nn.Module:
        """Wrap the network so that its gradients are the means over all processes."""
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
        dist.barrier()  # a process that leaves early makes the others fail
    finally:
        dist.destroy_process_group()


def _one_thread() -> str:
    """Register and name a single-threaded gloo, whose last barrier ends after it has released every tensor.

    Of gloo's usual two threads, one may release a tensor while Python exits, which aborts the process.
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
    """Hook that stops all processes at the same step: a request of one waits until the next exchange, every `every` steps.

    Its place is after the hooks that decide locally (a clock, a signal), before those that decide alike in all processes.
    """

    def __init__(self, group: Group, every: int) -> None:
        self._group, self._every = group, every

    def before_training(self, loop: Loop) -> None:
        """Make the loop ignore requests of this process alone."""
        loop.shared = True

    def after_step(self, loop: Loop) -> None:
        """Exchange requests with all processes, if it is time."""
        if loop.step % self._every == 0 and (reason := self._group.first(loop.wish)):
            loop.ask_to_stop(reason, by_all=True)
