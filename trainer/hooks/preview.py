"""A picture of what the model does, every so many seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nodes.errors import OutputError
from trainer.clock import Every
from trainer.hooks.record import Record
from trainer.loop import Hook, Loop


class Preview(Hook):
    """Calls `write`, which writes a picture and returns its name, when the losses have just been found sound; also at the end.

    tell: is given the picture. warn: is given a sentence when the disk would not take it.
    """

    def __init__(
        self,
        write: Callable[[], Path],
        record: Record,
        seconds: float,
        tell: Callable[[Path], None],
        warn: Callable[[str], None],
    ) -> None:
        self._write, self._record, self._tell, self._warn = write, record, tell, warn
        self._every = Every(seconds, at_once=True)

    def after_step(self, loop: Loop) -> None:
        """Write one, if it is time."""
        if self._record.fresh and (loop.stop or self._every.due):
            try:
                self._tell(self._write())
            except OutputError as e:
                self._warn(f"No preview at step {loop.step}. {e}")
            self._every.done()
