"""What the report measures: pure functions on arrays, batches first. Points are the 68 of `nodes.align.landmarks68`, in plate pixels.

A value that cannot be measured (no face, no neighbour frame) is NaN, and is left out of every median and correlation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from nodes.geometry.similarity import fit_similarity
from nodes.types import Bool, Float

RIGHT_EYE, LEFT_EYE, MOUTH = slice(36, 42), slice(42, 48), slice(48, 60)
INNER = slice(17, 68)  # all but the jaw, whose points slide along the cheek
CROP = 128  # side of the stabilised crop
FACE = (slice(26, 122), slice(19, 109))  # the part of it that is face: brows to chin, cheek to cheek
_PLACES = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.8]], np.float32) * CROP  # eyes and mouth in the crop
_STILL = 0.005  # an opening whose standard deviation is below this does not move: its correlation is noise


class Agreement(NamedTuple):
    """How one curve follows another: Pearson's correlation, and the slope of its least-squares line."""

    correlation: float
    gain: float


def eye_distance(points: Float) -> Float:
    """Distance between the centres of the eyes, [..., 68, 2] → [...], in pixels: ‖mean(36..41) − mean(42..47)‖."""
    across = points[..., RIGHT_EYE, :].mean(-2) - points[..., LEFT_EYE, :].mean(-2)
    return np.asarray(np.linalg.norm(across, axis=-1), np.float32)


def landmark_error(plate: Float, composite: Float) -> Float:
    """Mean distance of corresponding points without the jaw, over the plate's eye distance: [..., 68, 2] twice → [...].

    mean over i = 17..67 of ‖composite_i − plate_i‖ / eye_distance(plate); 0.04 is 4 % of the distance of the eyes. The
    normalised mean error of the 300-W challenge, with the centres of the eyes.
    """
    distance = np.linalg.norm((composite - plate)[..., INNER, :], axis=-1).mean(-1)
    return np.asarray(distance / np.maximum(eye_distance(plate), 1e-6), np.float32)


def mouth_opening(points: Float) -> Float:
    """Gap of the lips over the width of the mouth, [..., 68, 2] → [...]: ‖p62 − p66‖ / ‖p48 − p54‖."""
    return _ratio(points, 62, 66, 48, 54)


def eye_opening(points: Float) -> Float:
    """Gap of the lids over the width of the eye, mean of both eyes, [..., 68, 2] → [...]: ‖p37 − p41‖ / ‖p36 − p39‖."""
    return np.asarray((_ratio(points, 37, 41, 36, 39) + _ratio(points, 44, 46, 42, 45)) / 2, np.float32)


def agreement(plate: Float, composite: Float) -> Agreement:
    """Correlation and gain of composite [N] against plate [N]; NaN for fewer than 8 common frames or a plate that keeps still.

    gain = cov(plate, composite) / var(plate): 1 follows in full, 0.8 does 80 % of it.
    """
    both = np.isfinite(plate) & np.isfinite(composite)
    x, y = plate[both].astype(np.float64), composite[both].astype(np.float64)
    if len(x) < 8 or x.std() < _STILL:
        return Agreement(float("nan"), float("nan"))
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    return Agreement(float(covariance / max(x.std() * y.std(), 1e-9)), float(covariance / x.var()))


def stabilisers(points: Float) -> Float:
    """Transforms that hold the face still: [B, 68, 2] → [B, 2, 3], crop pixels → plate pixels, for crops of side CROP.

    The similarity that brings three places of the crop to the centres of the eyes and of the mouth.
    """
    places = np.stack([points[:, part].mean(1) for part in (RIGHT_EYE, LEFT_EYE, MOUTH)], axis=1)
    scale, rotation, translation = fit_similarity(_PLACES[None], places)
    return np.concatenate([scale[:, None, None] * rotation, translation[..., None]], axis=-1).astype(np.float32)


def flicker(before: npt.NDArray[Any], middle: npt.NDArray[Any], after: npt.NDArray[Any]) -> Float:
    """Mean absolute second difference over time, three crops [B, CROP, CROP, C] of 0..255 → [B]: mean |a − 2b + c|.

    All three are cut by the middle frame's transform; only the face part of the crop counts. Movement that goes on evenly
    cancels out, what appears for one frame counts double.
    """
    a, b, c = (x[:, FACE[0], FACE[1]].astype(np.float32) for x in (before, middle, after))
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


def _ratio(points: Float, top: int, bottom: int, left: int, right: int) -> Float:
    gap = np.linalg.norm(points[..., top, :] - points[..., bottom, :], axis=-1)
    width = np.linalg.norm(points[..., left, :] - points[..., right, :], axis=-1)
    return np.asarray(gap / np.maximum(width, 1e-6), np.float32)
