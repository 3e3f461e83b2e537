"""What the report measures: pure functions on arrays, batches first. Points are landmarks of a subject, in plate pixels.

A value that cannot be measured (no face, no neighbour frame) is NaN, and is left out of every median and correlation.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nodes.subjects import Subject
from nodes.types import Bool, Float, Int

CROP = 96  # pixels a side of the crop in which flicker is measured
INNER = (
    1.06  # template units from the subject's middle to that crop's sides: of a face, brows to chin and cheek to cheek
)


def measuring_unit(subject: Subject) -> float:
    """The length that errors of a subject are given in, in template units: the distance of its eyes, else its radius."""
    eyes = [subject.template[o.ball, :2].mean(0) for o in subject.openings if len(o.ball)]
    return float(np.linalg.norm(eyes[0] - eyes[1])) if len(eyes) == 2 else 1.0


def inner_points(subject: Subject) -> Int:
    """Landmarks that are compared: all but the outline, whose points slide along the cheek."""
    return np.setdiff1d(np.arange(len(subject.template)), subject.outline)


def landmark_error(plate: Float, composite: Float, unit: Float) -> Float:
    """Mean distance of corresponding points, [..., N, 2] twice, over the subject's unit in pixels [...] → [...].

    0.04 is 4 % of the distance of the eyes: the normalised mean error of the 300-W challenge.
    """
    distance = np.linalg.norm(composite - plate, axis=-1).mean(-1)
    return np.asarray(distance / np.maximum(unit, 1e-6), np.float32)


def flicker(before: npt.NDArray[Any], middle: npt.NDArray[Any], after: npt.NDArray[Any]) -> Float:
    """Mean absolute second difference over time, three crops [B, CROP, CROP, C] of 0..255 → [B]: mean |a − 2b + c|.

    All three are cut by the middle frame's transform. Movement that goes on evenly cancels out, what appears for one frame
    counts double.
    """
    a, b, c = (x.astype(np.float32) for x in (before, middle, after))
    return np.asarray(np.abs(a - 2 * b + c).mean((1, 2, 3)), np.float32)


def flicker_ratio(plate: Float, composite: Float) -> tuple[float, float]:
    """Flicker of the composite [N] over the plate's own [N]: ratio of the medians and of the 95th percentiles."""
    both = np.isfinite(plate) & np.isfinite(composite)
    if not both.any():
        return float("nan"), float("nan")
    below, above = (np.percentile(x[both], (50, 95)) for x in (plate, composite))
    median, high = above / np.maximum(below, 1e-3)
    return float(median), float(high)


def coverage(matte: Float) -> float:
    """Share of the picture that the matte covers, 0..1: mean of [H, W]."""
    return cv2.mean(matte)[0]


def covered(matte: Float, points: Float) -> Float:
    """Mean matte under the points of faces, nearest pixel: [H, W] and [B, N, 2] → [B]; points beyond the picture count as 0."""
    at = np.floor(points).astype(np.int64)
    height, width = matte.shape
    x, y = at[..., 0], at[..., 1]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = matte[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.asarray(np.where(within, values, 0).mean(-1), np.float32)


def steps(area: Float) -> Float:
    """Change of the covered area from the frame before over the median area, [T] → [T]: |a_t − a_(t−1)| / median(a > 0)."""
    out = np.full(len(area), np.nan, np.float32)
    there = area[area > 0]
    if len(there):
        out[1:] = np.abs(np.diff(area)) / np.median(there)
    return out


def largest_change(plate: npt.NDArray[Any], composite: npt.NDArray[Any], where: Bool) -> float:
    """Largest absolute difference of code values where asked: [h, w] or [h, w, C] twice and bool [h, w]; 0 where nothing is asked."""
    mask = np.ascontiguousarray(where, np.uint8)
    return float(cv2.norm(np.ascontiguousarray(plate), np.ascontiguousarray(composite), cv2.NORM_INF, mask))


def worst(values: Float, count: int, apart: int) -> list[int]:
    """Indices of the `count` largest finite values of [N], largest first, at least `apart` frames from each other."""
    left = np.where(np.isfinite(values), values, -np.inf).astype(np.float64)
    found: list[int] = []
    while len(left) and len(found) < count and np.isfinite(left.max()):
        i = int(left.argmax())
        found.append(i)
        left[max(i - apart + 1, 0) : i + apart] = -np.inf
    return found
