"""Progress of a training and the interface that receives it. Nothing heavy is imported, so that other processes can use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where a training stands. of: steps that it will have, if they are counted. seconds: trained so far, over all resumes.

    rate: steps a second, lately. left: seconds still to come, if that can be known. loss, losses: means over the last steps.
    """

    step: int
    of: int | None
    seconds: float
    rate: float
    left: float | None
    loss: float
    losses: dict[str, float]


class Watcher:
    """Is told of a training; a terminal, a log or an engine overrides what it shows."""

    def training(self, now: TrainingProgress) -> None:
        """Take note of how far it is."""

    def message(self, line: str) -> None:
        """Take note of something out of the ordinary, a sentence."""

    def preview(self, picture: Path) -> None:
        """Take note of a new preview."""
