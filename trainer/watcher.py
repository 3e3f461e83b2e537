"""Progress of a training and the interface that receives it. Nothing heavy is imported, so that other processes can use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress of a training. of: its number of steps, if limited. seconds: trained so far, over all resumes.

    rate: recent steps a second. left: remaining seconds, if known. loss, losses: means over the last steps.
    """

    step: int
    of: int | None
    seconds: float
    rate: float
    left: float | None
    loss: float
    losses: dict[str, float]


class Watcher:
    """Receiver of a training's progress, overridden by a terminal, a log or an engine."""

    def training(self, now: TrainingProgress) -> None:
        """Take note of the progress."""

    def message(self, line: str) -> None:
        """Take note of a warning or notice, a sentence."""

    def preview(self, picture: Path) -> None:
        """Take note of a new preview."""
