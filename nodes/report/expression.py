"""Expression of a composite: its blendshape curves compared with the plate's, by group."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nodes.types import Float, Int

# Groups of coefficients, by how their names begin.
GROUPS = {
    "gaze": ("eyeLook",),
    "lids": ("eyeBlink", "eyeSquint", "eyeWide"),
    "brows": ("brow",),
    "mouth": ("mouth",),
    "jaw": ("jaw",),
    "cheeks": ("cheek", "nose"),
}
_ACTIVE = 0.03  # standard deviation on the plate from which a curve moves; below it, its correlation is noise
_LEAST = 8  # frames from which a curve can be compared
_DIRECTIONS = {"in": "towards the nose", "out": "away from the nose"}


@dataclass(frozen=True, slots=True)
class Following:
    """Correlation, gain and offset of a group of the composite's curves against the plate's.

    members: indices of its coefficients, the strongest curves first. strengths: of the same, how much the plate's curve moves or how far the
    composite's is off. correlations, gains: of the same; NaN where the plate's curve keeps still, or where there are too few frames. correlation: mean of those that move; gain: their median. offset: largest mean
    difference of a member, whether it moves or not. calm: there are frames enough, and none of the plate's curves moves.
    """

    group: str
    members: Int
    strengths: Float
    correlations: Float
    gains: Float
    correlation: float
    gain: float
    offset: float
    calm: bool


def group_of(name: str) -> str | None:
    """The group of a coefficient by its name; None for one in none, such as `_neutral`."""
    return next((group for group, begins in GROUPS.items() if name.startswith(begins)), None)


def follow(plate: Float, composite: Float, names: Sequence[str]) -> list[Following]:
    """Compare coefficients [N, C], 0..1, NaN where there is no face. Only frames that have both count.

    Of each curve: Pearson's correlation, and cov(plate, composite) / var(plate) as its gain: 1 follows in full, 0.8 does 80 % of it.
    """
    both = np.isfinite(plate).all(1) & np.isfinite(composite).all(1)
    x, y = plate[both].astype(np.float64), composite[both].astype(np.float64)
    found = []
    for group in GROUPS:
        members = np.array([i for i, name in enumerate(names) if group_of(name) == group], np.int64)
        if len(members):
            found.append(_follow(group, members, x[:, members], y[:, members]))
    return found


def _follow(group: str, members: Int, x: np.ndarray, y: np.ndarray) -> Following:
    if not len(x):
        nothing = np.full(len(members), np.nan, np.float32)
        return Following(group, members, nothing, nothing, nothing, np.nan, np.nan, np.nan, False)
    spread, offsets = x.std(0), np.abs((y - x).mean(0))
    active = (spread > _ACTIVE) & (len(x) >= _LEAST)
    covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
    correlations = np.where(active, covariance / np.maximum(spread * y.std(0), 1e-9), np.nan)
    gains = np.where(active, covariance / np.maximum(spread, 1e-9) ** 2, np.nan)
    strengths = np.maximum(spread, offsets)
    order = np.argsort(-strengths, kind="stable")
    return Following(
        group,
        members[order],
        strengths[order].astype(np.float32),
        correlations[order].astype(np.float32),
        gains[order].astype(np.float32),
        float(correlations[active].mean()) if active.any() else float("nan"),
        float(np.median(gains[active])) if active.any() else float("nan"),
        float(offsets.max()),
        len(x) >= _LEAST and not active.any(),
    )


def error(plate: Float, composite: Float, names: Sequence[str]) -> Float:
    """Mean absolute difference of all coefficients that belong to a group, times 100: [N, C] twice → [N]."""
    grouped = [i for i, name in enumerate(names) if group_of(name)]
    if not grouped:
        return np.full(len(plate), np.nan, np.float32)
    return np.asarray(100 * np.abs(composite - plate)[:, grouped].mean(1), np.float32)


def in_words(name: str) -> str:
    """A coefficient in plain words: eyeBlinkLeft → "left eye: blink". Left and right are the performer's own."""
    place, *words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name))
    side = words.pop() if len(words) > 1 and words[-1] in ("left", "right") else ""
    what = " ".join(_DIRECTIONS.get(word, word) for word in words)
    if place in ("eye", "brow"):
        return f"{side} {place}: {what}".strip()
    return f"{place}: {what}" + (f", {side}" if side else "")
