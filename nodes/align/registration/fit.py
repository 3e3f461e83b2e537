"""A transform from pairs of points of which many are wrong, and whether an object can look like that."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.align.registration.parameters import Transform
from nodes.geometry.homography import apply_homography, corners_of, stretch
from nodes.geometry.similarity import Double
from nodes.types import Bool

_FEWEST = {Transform.SIMILARITY: 8, Transform.HOMOGRAPHY: 10}
_TRIALS, _CONFIDENCE = 5000, 0.999
_STEPS = 6
_FREE = {  # how the eight entries of a homography follow from what is free
    Transform.HOMOGRAPHY: np.eye(8),
    Transform.SIMILARITY: np.array(
        [[1, 0, 0, 0, 1, 0, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]],
        np.float64,
    ).T,
}
_SPREAD = 0.04  # of the reference's diagonal: points on a line or in a heap say nothing of the corners
_SCALES = 1 / 20, 20.0
_TILT = 12.0  # how much larger one corner of the object may appear than another
_SMALLEST = 8.0  # pixels, the side of an object that can still be told


def fit(points: Double, to: Double, model: Transform, threshold: float) -> tuple[Double, Bool] | None:
    """Fit a transform [3, 3] to pairs of points [N, 2], robustly, and say which pairs agree with it: bool [N].

    threshold: pixels of `to` within which a pair agrees. A homography by MAGSAC++ (Barath et al. 2020); OpenCV has no such
    estimator of a similarity, which is found by RANSAC and refined on what agrees. None where too few do.
    """
    fewest = _FEWEST[model]
    if len(points) < fewest:
        return None
    if model is Transform.HOMOGRAPHY:
        matrix, agree = cv2.findHomography(
            points, to, cv2.USAC_MAGSAC, threshold, maxIters=_TRIALS, confidence=_CONFIDENCE
        )
    else:
        matrix, agree = cv2.estimateAffinePartial2D(
            points, to, None, cv2.RANSAC, threshold, maxIters=_TRIALS, confidence=_CONFIDENCE, refineIters=20
        )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    inliers = agree.ravel().astype(bool)
    if inliers.sum() < fewest:
        return None
    if len(matrix) == 2:
        matrix = np.concatenate([matrix, [[0, 0, 1]]])
    return matrix / matrix[2, 2], inliers


def polish(matrix: Double, points: Double, to: Double, model: Transform) -> Double:
    """Fit a transform [3, 3] once more to the pairs of points [N, 2] that agree with it.

    Gauss-Newton on the distances in `to`, with Cauchy's weights, so that no pair counts for much that barely agrees.
    """
    centre, unit = points.mean(0), float(points.std()) or 1.0
    normal = np.array([[unit, 0, centre[0]], [0, unit, centre[1]], [0, 0, 1]])
    x, y = ((points - centre) / unit).T
    now = matrix @ normal
    now /= now[2, 2]
    one, none = np.ones_like(x), np.zeros_like(x)
    for _ in range(_STEPS):
        u, v, w = now @ np.stack([x, y, one])
        u, v = u / w, v / w
        rows = np.stack([x, y, one, none, none, none, -u * x, -u * y], 1) / w[:, None]
        more = np.stack([none, none, none, x, y, one, -v * x, -v * y], 1) / w[:, None]
        jacobian = np.stack([rows, more], 1) @ _FREE[model]
        error = to - np.stack([u, v], 1)
        distance = np.linalg.norm(error, axis=1)
        scale = max(float(np.median(distance)), 1e-9)
        weight = 1 / (1 + (distance / (2 * scale)) ** 2)
        weighted = jacobian * weight[:, None, None]
        step = (
            _FREE[model]
            @ np.linalg.lstsq(
                np.einsum("nij,nik->jk", weighted, jacobian), np.einsum("nij,ni->j", weighted, error), rcond=None
            )[0]
        )
        now = now + np.append(step, 0).reshape(3, 3)
    found = now @ np.linalg.inv(normal)
    return np.asarray(found / found[2, 2], np.float64)


def spread(points: Double, size: tuple[int, int]) -> bool:
    """Whether points [N, 2] of a picture lie far enough apart, in both directions, to hold a transform of the whole."""
    return bool(
        np.linalg.svd(points - points.mean(0), compute_uv=False)[-1] > _SPREAD * np.hypot(*size) * len(points) ** 0.5
    )


def plausible(matrix: Double, size: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Whether a picture of `size` (width, height) can be seen through this transform in a frame of size `frame`.

    It must neither fold nor mirror, be seen from the front, be of a size that can be told, and lie within the frame at
    least in part.
    """
    corners = corners_of(*size)
    there = apply_homography(matrix, corners)
    if not np.isfinite(there).all():
        return False
    sides = np.roll(there, -1, 0) - there
    turns = sides[:, 0] * np.roll(sides, -1, 0)[:, 1] - sides[:, 1] * np.roll(sides, -1, 0)[:, 0]
    scales = np.sqrt(np.abs(np.linalg.det(stretch(matrix, corners))))
    return bool(
        (turns > 0).all()
        and _SCALES[0] < scales.min()
        and scales.max() < _SCALES[1]
        and scales.max() < _TILT * scales.min()
        and np.linalg.norm(sides, axis=1).min() > _SMALLEST
        and (there.max(0) > 0).all()
        and (there.min(0) < frame).all()
    )
