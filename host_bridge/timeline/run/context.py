"""The context that all shots of a run share, and the plate of a shot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.settings import RunSettings
from nodes.definitions import Settings
from trainer.settings import TrainSettings
from trainer.watcher import TrainingProgress

FACESETS, MODELS, SHOTS = "facesets", "models", "shots"


@dataclass(frozen=True, slots=True)
class RunContext:
    """A run in the folder `out`. performers: footage of each source performer."""

    out: Path
    performers: Mapping[str, tuple[Path, ...]]
    run: RunSettings
    train: TrainSettings
    settings: Settings
    watch: Watch


@dataclass(frozen=True, slots=True)
class PlateRange:
    """The plate of a shot. digest: of its content. rate: for a sequence without one. span: positions; range: the same in its own numbers."""

    path: Path
    digest: str
    rate: str
    span: tuple[int, int]
    range: str


class ShotWatch(Watch):
    """Watch that forwards the reports on one shot, prefixed with its place: `shot 2 of 5, V1-0003: swap`."""

    def __init__(self, watch: Watch, place: str, name: str) -> None:
        super().__init__(watch)
        self._place, self._name = place, name

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Forward the progress, with the shot's place."""
        super().progress(f"{self._place}, {self._name}: {stage}", done, total)

    def training(self, now: TrainingProgress) -> None:
        """Forward a training's progress as a stage: in steps if their total is known, else in seconds."""
        if now.of is not None:
            self.progress("train", now.step, now.of)
        else:
            self.progress("train", round(now.seconds), None if now.left is None else round(now.seconds + now.left))

    def message(self, line: str) -> None:
        """Forward a message, with the shot's name."""
        super().message(f"{self._name}: {line}")


def file_name(name: str) -> str:
    """Turn a performer's name into part of a file name; a changed name gets a digest, so that names stay distinct."""
    plain = re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:40]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
