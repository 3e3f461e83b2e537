"""Halves the batch when the device has no memory for it."""

from __future__ import annotations

from collections.abc import Callable

from trainer.distributed import Group
from trainer.loop import Hook, Loop
from trainer.supply import Supply


class SmallerBatch(Hook):
    """Tries a step again with half the batch. Not with several processes: the others have begun to wait for this one."""

    def __init__(self, supply: Supply, group: Group, tell: Callable[[str], None]) -> None:
        self._supply, self._group, self._tell = supply, group, tell

    def after_out_of_memory(self, loop: Loop) -> bool:
        """Halve the batch, unless it is one crop."""
        before = self._supply.share.batch
        if self._group.world > 1 or not self._supply.halve():
            return False
        self._tell(f"Step {loop.step}: no memory for a batch of {before}; going on with {self._supply.share.batch}.")
        return True
