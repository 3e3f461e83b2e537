"""How long the shots of an edit will take: from what this run's folder has measured, else from figures of a two-core machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from host_bridge.timeline.run.work import MODELS, file_name
from trainer.settings import DEFAULT_MINUTES

# Two cores, no GPU, as README.md tells: `bench_detect_align.py` at 1920x1080, the stage `swap` of `bench_shot.py` at 1280x720.
_DETECT, _DETECT_SIZE = 114.0, 1920 * 1080
_SWAP, _SWAP_SIZE = 20.0, 1280 * 720
_USUAL_SIZE, _SMALLEST = 1920 * 1080, 640 * 480  # the networks cost the same at any size


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds of a training, and by what the figures are known."""

    training: float
    known_by: str

    def analysis(self, frames: int, size: tuple[int, int] | None) -> float:
        """Seconds to detect and align frames of a size in pixels."""
        return frames / _DETECT * _pixels(size) / _DETECT_SIZE

    def swap(self, frames: int, size: tuple[int, int] | None) -> float:
        """Seconds to swap them and write all files."""
        return frames / _SWAP * _pixels(size) / _SWAP_SIZE


def rates_of(out: Path) -> Rates:
    """The rates to plan by: trainings that this run's folder has seen, else a training's usual end."""
    took = sorted(filter(None, (_seconds(mark) for mark in (out / MODELS).glob("*/*/finished.json"))))
    speeds = "detection and swap by the figures of two cores without a GPU"
    if took:
        return Rates(took[len(took) // 2], f"trainings as those in {out.name} took; {speeds}")
    return Rates(60 * DEFAULT_MINUTES, f"a training of {DEFAULT_MINUTES:g} minutes; {speeds}")


def has_model(out: Path, source: str) -> bool:
    """Tell whether a training of the usual model, which learns from the source alone, is finished in a run's folder."""
    return any((out / MODELS / file_name(source)).glob("base-*/finished.json"))


def _seconds(mark: Path) -> float | None:
    try:
        return float(json.loads(mark.read_bytes())["result"]["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pixels(size: tuple[int, int] | None) -> int:
    return _USUAL_SIZE if size is None else max(size[0] * size[1], _SMALLEST)
