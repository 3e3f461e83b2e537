"""A transform from pairs of points of which many are wrong, and whether an object can look like that."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nodes.align.registration.features import SIDE, Features, ReferencePicture, features_of, match, match_near
from nodes.definitions import Transform
from nodes.geometry.homography import apply_homography, corners_of, linear_rows, roi_around, stretch
from nodes.geometry.similarity import Double
from nodes.types import Bool, Image8, Roi

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
    places = (points - centre) / unit
    now = matrix @ normal
    now /= now[2, 2]
    for _ in range(_STEPS):
        seen = apply_homography(now, places)
        depth = places @ now[2, :2] + now[2, 2]
        jacobian = linear_rows(places, seen) / depth[:, None, None] @ _FREE[model]
        error = to - seen
        distance = np.linalg.norm(error, axis=1)
        scale = max(float(np.median(distance)), 1e-9)
        weighted = jacobian / (1 + (distance / (2 * scale)) ** 2)[:, None, None]
        normal_matrix = np.einsum("nij,nik->jk", weighted, jacobian)
        step = np.linalg.lstsq(normal_matrix, np.einsum("nij,ni->j", weighted, error), rcond=None)[0]
        now = now + np.append(_FREE[model] @ step, 0).reshape(3, 3)
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


_WHOLE = 1600  # pixels of the longer side of what is searched at once
_POINTS = 5000
_REACH = 0.4  # of the object's size, how far it may move from one frame to the next and still be looked for there first
_AGREE, _AGREE_FINELY = 3.0, 1.5  # pixels of the picture that is searched
_NEAR = 4.0
_KEPT = 0.7  # of the points that agreed at first


@dataclass(frozen=True, slots=True)
class Sighting:
    """The object in one frame. to_plate: [3, 3]. score: share of the matched features that agree with it."""

    to_plate: Double
    score: float


def search(
    reference: ReferencePicture, grey: Image8, model: Transform, min_score: float, last: Double | None = None
) -> Sighting | None:
    """Find the object in a frame [H, W]; None where it is not to be seen.

    last: where it was in the frame before, [3, 3]: it is looked for there first, which is quicker and less easily misled.
    """
    if last is not None:
        found = _search_near(reference, grey, model, min_score, last)
        if found is not None:
            return found
    whole = Roi(0, 0, grey.shape[1], grey.shape[0])
    shrink = min(1.0, _WHOLE / max(grey.shape))
    found = _search_in(reference, grey, whole, shrink, model, min_score)
    if found is None or shrink == 1:
        return found
    return _search_near(reference, grey, model, min_score, found.to_plate) or found


def _search_near(
    reference: ReferencePicture, grey: Image8, model: Transform, min_score: float, last: Double
) -> Sighting | None:
    there = apply_homography(last, corners_of(*reference.size))
    near = roi_around(there, (grey.shape[1], grey.shape[0]), np.ptp(there, axis=0) * _REACH + 16)
    if near.empty or min(near.width, near.height) < 16:
        return None
    shrink = min(1.0, SIDE / float(np.ptp(there, axis=0).max()))
    return _search_in(reference, grey, near, shrink, model, min_score)


def _search_in(
    reference: ReferencePicture, grey: Image8, roi: Roi, shrink: float, model: Transform, min_score: float
) -> Sighting | None:
    seen = features_of(grey[roi.slices], shrink, _POINTS)
    seen = Features(seen.points + np.array([roi.x0, roi.y0]), seen.descriptors)
    pairs = match(reference.features, seen)
    one, other = reference.features.points, seen.points
    frame = grey.shape[1], grey.shape[0]
    found = fit(one[pairs[:, 0]], other[pairs[:, 1]], model, _AGREE / shrink)
    if found is None or not plausible(found[0], reference.size, frame):
        return None
    matrix, agree = found
    score = float(agree.mean())
    if score < min_score or not spread(one[pairs[agree, 0]], reference.size):
        return None
    # Knowing roughly where it is, more of its points are recognised, and it is known better.
    more = match_near(reference.features, seen, apply_homography(matrix, one), _NEAR / shrink)
    again = fit(one[more[:, 0]], other[more[:, 1]], model, _AGREE_FINELY / shrink)
    if again is not None and again[1].sum() >= agree.sum() * _KEPT:
        chosen = more[again[1]]
        better = polish(again[0], one[chosen[:, 0]], other[chosen[:, 1]], model)
        if plausible(better, reference.size, frame):
            matrix = better
    return Sighting(matrix, score)
