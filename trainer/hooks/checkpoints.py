"""Writes checkpoints: every so many seconds, and at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nodes.errors import OutputError
from trainer.clock import Every
from trainer.hooks.guard import Guard, Snapshot
from trainer.loop import Hook, Loop


class Checkpoints(Hook):
    """Writes the guard's last snapshot, so that a checkpoint is never of a training that has gone wrong.

    write: writes one, and returns its file. A disk that is full is told of, and tried again the next time; at the end it raises
    OutputError. After another error nothing is written: the last checkpoint is what is to be trusted.
    """

    def __init__(
        self,
        write: Callable[[Snapshot], Path],
        guard: Guard,
        seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self._write, self._guard, self._tell = write, guard, tell
        self._every = Every(seconds)
        self._written = (0, 0)  # step and rollbacks
        self.file: Path | None = None

    def before_training(self, loop: Loop) -> None:
        """What nothing has been learned by yet, or what was read from a checkpoint, need not be written."""
        self._written = (loop.step, self._guard.rollbacks)

    def after_step(self, loop: Loop) -> None:
        """Write one, if it is time, and after each rollback: what it has cost of the guard's patience holds after a resume."""
        if self._now != self._written and (self._every.due or self._now[1] > self._written[1]):
            try:
                self._save()
            except OutputError as e:
                self._tell(f"No checkpoint at step {loop.step}; training goes on, and it is tried again. {e}")
            self._every.done()

    def after_training(self, loop: Loop) -> None:
        """Write the last one."""
        if loop.error is None and self._now != self._written:
            self._save()

    def _save(self) -> None:
        self.file = self._write(self._guard.snapshot)
        self._written = self._now

    @property
    def _now(self) -> tuple[int, int]:
        return self._guard.snapshot.step, self._guard.rollbacks
