"""Where the loop's batches come from, and how they are made anew: smaller, or from another stream of random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from trainer.network import Batches, Share


class Supply:
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
