"""Measures of a composite against its plate: pure functions on arrays, batches first. Points are landmarks of a subject, in plate pixels.

A value that cannot be measured (no face, no neighbour frame) is NaN, and is left out of every median and correlation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nodes.subjects.subject import Subject
from nodes.types import Bool, Float, Int

CROP = 96  # pixels a side of the crop in which flicker is measured
INNER = 1.06  # template units from the subject's middle to that crop's sides: of a face, brows to chin, cheek to cheek
# Groups of coefficients, by the beginnings of their names.
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


def measuring_unit(subject: Subject) -> float:
    """Return the unit of a subject's errors, in template units: the distance of its eyes, else its radius."""
    eyes = [subject.template[o.ball, :2].mean(0) for o in subject.openings if len(o.ball)]
    return float(np.linalg.norm(eyes[0] - eyes[1])) if len(eyes) == 2 else 1.0


def inner_points(subject: Subject) -> Int:
    """Return the landmarks to compare: all but the outline, whose points slide along the cheek."""
    return np.setdiff1d(np.arange(len(subject.template)), subject.outline)


def landmark_error(plate: Float, composite: Float, unit: Float) -> Float:
    """Measure the mean distance of corresponding points, [..., N, 2] twice, over the subject's unit in pixels [...] → [...].

    0.04 is 4 % of the distance of the eyes: the normalised mean error of the 300-W challenge.
    """
    distance = np.linalg.norm(composite - plate, axis=-1).mean(-1)
    return np.asarray(distance / np.maximum(unit, 1e-6), np.float32)


def flicker(before: npt.NDArray[Any], middle: npt.NDArray[Any], after: npt.NDArray[Any]) -> Float:
    """Measure the mean absolute second difference over time of three crops [B, CROP, CROP, C] of 0..255 → [B]: mean |a − 2b + c|.

    All three are cut by the middle frame's transform. Even movement cancels out, a change for one frame
    counts double.
    """
    a, b, c = (x.astype(np.float32) for x in (before, middle, after))
    return np.asarray(np.abs(a - 2 * b + c).mean((1, 2, 3)), np.float32)


def flicker_ratio(plate: Float, composite: Float) -> tuple[float, float]:
    """Compare flicker of the composite [N] with the plate's own [N]: ratio of the medians and of the 95th percentiles."""
    both = np.isfinite(plate) & np.isfinite(composite)
    if not both.any():
        return float("nan"), float("nan")
    below, above = (np.percentile(x[both], (50, 95)) for x in (plate, composite))
    median, high = above / np.maximum(below, 1e-3)
    return float(median), float(high)


def coverage(matte: Float) -> float:
    """Return the share of the picture that the matte covers, 0..1: mean of [H, W]."""
    return cv2.mean(matte)[0]


def covered(matte: Float, points: Float) -> Float:
    """Average the matte under the points of faces, nearest pixel: [H, W] and [B, N, 2] → [B]; points beyond the picture count as 0."""
    at = np.floor(points).astype(np.int64)
    height, width = matte.shape
    x, y = at[..., 0], at[..., 1]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = matte[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.asarray(np.where(within, values, 0).mean(-1), np.float32)


def hidden(covered: Float) -> Float:
    """Estimate the part of a face that is behind something, [N], 0..1, from the share of it under the matte, [N]: how far it falls below its usual."""
    if not np.isfinite(covered).any():
        return np.full(len(covered), np.nan, np.float32)
    usual = max(float(np.nanpercentile(covered, 90)), 1e-6)
    return np.asarray(np.clip(1 - covered / usual, 0, 1), np.float32)


def steps(area: Float) -> Float:
    """Return the change of the covered area from the frame before over the median area, [T] → [T]: |a_t − a_(t−1)| / median(a > 0)."""
    out = np.full(len(area), np.nan, np.float32)
    covered_areas = area[area > 0]
    if len(covered_areas):
        out[1:] = np.abs(np.diff(area)) / np.median(covered_areas)
    return out


def largest_change(plate: npt.NDArray[Any], composite: npt.NDArray[Any], where: Bool) -> float:
    """Find the largest absolute difference of code values at `where`: [h, w] or [h, w, C] twice and bool [h, w]; 0 if it is empty."""
    mask = np.ascontiguousarray(where, np.uint8)
    return float(cv2.norm(np.ascontiguousarray(plate), np.ascontiguousarray(composite), cv2.NORM_INF, mask))


def worst(values: Float, count: int, apart: int) -> list[int]:
    """Find the indices of the `count` largest finite values of [N], largest first, at least `apart` frames from each other."""
    left = np.where(np.isfinite(values), values, -np.inf).astype(np.float64)
    indices: list[int] = []
    while len(left) and len(indices) < count and np.isfinite(left.max()):
        i = int(left.argmax())
        indices.append(i)
        left[max(i - apart + 1, 0) : i + apart] = -np.inf
    return indices


@dataclass(frozen=True, slots=True)
class GroupFit:
    """Correlation, gain and offset of a group of the composite's curves against the plate's.

    members: indices of its coefficients, the strongest curves first. strengths: of the same, the movement of the plate's curve or the offset
    of the composite's. correlations, gains: of the same; NaN where the plate's curve keeps still, or where there are too few frames.
    correlation: mean of those that move; gain: their median. offset: largest mean difference of a member, whether it moves or not. calm:
    there are enough frames, and the plate's curves are still.
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
    """Find the group of a coefficient by its name; None for one without, such as `_neutral`."""
    return next((group for group, begins in GROUPS.items() if name.startswith(begins)), None)


def compare_expression(plate: Float, composite: Float, names: Sequence[str]) -> list[GroupFit]:
    """Compare coefficients [N, C], 0..1, NaN without a face. Only frames with both count.

    Of each curve: Pearson's correlation, and cov(plate, composite) / var(plate) as its gain: 1 follows in full, 0.8 does 80 % of it.
    """
    both = np.isfinite(plate).all(1) & np.isfinite(composite).all(1)
    x, y = plate[both].astype(np.float64), composite[both].astype(np.float64)
    fits = []
    for group in GROUPS:
        members = np.array([i for i, name in enumerate(names) if group_of(name) == group], np.int64)
        if len(members):
            fits.append(_compare_group(group, members, x[:, members], y[:, members]))
    return fits


def _compare_group(group: str, members: Int, x: np.ndarray, y: np.ndarray) -> GroupFit:
    if not len(x):
        nothing = np.full(len(members), np.nan, np.float32)
        return GroupFit(group, members, nothing, nothing, nothing, np.nan, np.nan, np.nan, False)
    spread, offsets = x.std(0), np.abs((y - x).mean(0))
    active = (spread > _ACTIVE) & (len(x) >= _LEAST)
    covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
    correlations = np.where(active, covariance / np.maximum(spread * y.std(0), 1e-9), np.nan)
    gains = np.where(active, covariance / np.maximum(spread, 1e-9) ** 2, np.nan)
    strengths = np.maximum(spread, offsets)
    order = np.argsort(-strengths, kind="stable")
    return GroupFit(
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


def expression_error(plate: Float, composite: Float, names: Sequence[str]) -> Float:
    """Average the absolute differences of all grouped coefficients, times 100: [N, C] twice → [N]."""
    grouped = [i for i, name in enumerate(names) if group_of(name)]
    if not grouped:
        return np.full(len(plate), np.nan, np.float32)
    return np.asarray(100 * np.abs(composite - plate)[:, grouped].mean(1), np.float32)


def in_words(name: str) -> str:
    """Describe a coefficient in plain words: eyeBlinkLeft → "left eye: blink". Left and right are the performer's own."""
    place, *words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name))
    side = words.pop() if len(words) > 1 and words[-1] in ("left", "right") else ""
    what = " ".join(_DIRECTIONS.get(word, word) for word in words)
    if place in ("eye", "brow"):
        return f"{side} {place}: {what}".strip()
    return f"{place}: {what}" + (f", {side}" if side else "")
