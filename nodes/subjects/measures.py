"""Numbers read off a shape, as a subject's document names them: distances and heights between landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nodes.types import Float, Int

_DISTANCE, _HEIGHT = "distance", "height"


@dataclass(frozen=True, eq=False)
class Measure:
    """One number of a performance.

    name: what it measures. kind: `distance`, the mean distance of pairs
    first[i], second[i] of landmarks, or `height`, by how much the mean y of `first` is below that of `second`. spread: how much
    it varies within one performer (template units). weight: how much it counts.
    """

    name: str
    kind: str
    first: Int
    second: Int
    spread: float
    weight: float

    @staticmethod
    def parse(told: dict[str, Any], points: Callable[[Any], Int]) -> Measure:
        """Read one from a subject's document; points: checks landmarks."""
        kind = _DISTANCE if _DISTANCE in told else _HEIGHT
        first, second = (points(indices) for indices in told[kind])
        if kind == _DISTANCE and len(first) != len(second):
            raise ValueError(f"{told['name']}: a distance is between pairs")
        return Measure(told["name"], kind, first, second, float(told["spread"]), float(told["weight"]))

    def of(self, shape: Float) -> Float:
        """Measure shapes [T, L, 3]: [T], template units."""
        if self.kind == _HEIGHT:
            height: Float = shape[:, self.first, 1].mean(1) - shape[:, self.second, 1].mean(1)
            return height
        away = np.linalg.norm(shape[:, self.first] - shape[:, self.second], axis=-1)
        return np.asarray(away.mean(1))


def measure(measures: tuple[Measure, ...], shape: Float) -> Float:
    """Measure shapes [T, L, 3]: [T, M], template units."""
    return np.stack([m.of(shape) for m in measures], axis=1) if measures else np.zeros((len(shape), 0), np.float32)
