"""Search for an object: a robust transform from matched features, and checks that it is plausible."""

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
_FREE = {  # the eight entries of a homography from the free ones
    Transform.HOMOGRAPHY: np.eye(8),
    Transform.SIMILARITY: np.array(
        [[1, 0, 0, 0, 1, 0, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]],
        np.float64,
    ).T,
}
_SPREAD = 0.04  # of the reference's diagonal: points on a line or in a cluster do not determine the corners
_SCALES = 1 / 20, 20.0
_TILT = 12.0  # how much larger one corner of the object may appear than another
_SMALLEST = 8.0  # pixels, least side of an object


def fit(points: Double, to: Double, model: Transform, threshold: float) -> tuple[Double, Bool] | None:
    """Fit a transform [3, 3] to pairs of points [N, 2], robustly, and say which pairs agree with it: bool [N].

    threshold: pixels of `to` within which a pair agrees. A homography by MAGSAC++ (Barath et al. 2020); A similarity,
    for which OpenCV has no such estimator, by RANSAC, refined on its inliers. None with too few inliers.
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

    Gauss-Newton on the distances in `to`, with Cauchy's weights, so that outliers hardly count.
    """
    centre, unit = points.mean(0), float(points.std()) or 1.0
    normal = np.array([[unit, 0, centre[0]], [0, unit, centre[1]], [0, 0, 1]])
    places = (points - centre) / unit
    now = matrix @ normal
    now /= now[2, 2]
    for _ in range(_STEPS):
        projected = apply_homography(now, places)
        depth = places @ now[2, :2] + now[2, 2]
        jacobian = linear_rows(places, projected) / depth[:, None, None] @ _FREE[model]
        error = to - projected
        distance = np.linalg.norm(error, axis=1)
        scale = max(float(np.median(distance)), 1e-9)
        weighted = jacobian / (1 + (distance / (2 * scale)) ** 2)[:, None, None]
        normal_matrix = np.einsum("nij,nik->jk", weighted, jacobian)
        step = np.linalg.lstsq(normal_matrix, np.einsum("nij,ni->j", weighted, error), rcond=None)[0]
        now = now + np.append(_FREE[model] @ step, 0).reshape(3, 3)
    refined = now @ np.linalg.inv(normal)
    return np.asarray(refined / refined[2, 2], np.float64)


def spread(points: Double, size: tuple[int, int]) -> bool:
    """Tell whether points [N, 2] of a picture lie far enough apart, in both directions, to determine a transform."""
    return bool(
        np.linalg.svd(points - points.mean(0), compute_uv=False)[-1] > _SPREAD * np.hypot(*size) * len(points) ** 0.5
    )


def plausible(matrix: Double, size: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Tell whether a picture of `size` (width, height) can be seen through this transform in a frame of size `frame`.

    It must neither fold nor mirror, be seen from the front, be of a usable size, and lie within the frame at
    least in part.
    """
    corners = corners_of(*size)
    quad = apply_homography(matrix, corners)
    if not np.isfinite(quad).all():
        return False
    sides = np.roll(quad, -1, 0) - quad
    turns = sides[:, 0] * np.roll(sides, -1, 0)[:, 1] - sides[:, 1] * np.roll(sides, -1, 0)[:, 0]
    scales = np.sqrt(np.abs(np.linalg.det(stretch(matrix, corners))))
    return bool(
        (turns > 0).all()
        and _SCALES[0] < scales.min()
        and scales.max() < _SCALES[1]
        and scales.max() < _TILT * scales.min()
        and np.linalg.norm(sides, axis=1).min() > _SMALLEST
        and (quad.max(0) > 0).all()
        and (quad.min(0) < frame).all()
    )


_WHOLE = 1600  # pixels of the longer side of what is searched at once
_POINTS = 5000
_REACH = 0.4  # of the object's size: the margin around its last place that is searched first
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
    """Find the object in a frame [H, W]; None where it is not visible.

    last: its transform in the frame before, [3, 3]; the search begins there, which is quicker and more reliable.
    """
    if last is not None:
        sighting = _search_near(reference, grey, model, min_score, last)
        if sighting is not None:
            return sighting
    whole = Roi(0, 0, grey.shape[1], grey.shape[0])
    shrink = min(1.0, _WHOLE / max(grey.shape))
    sighting = _search_in(reference, grey, whole, shrink, model, min_score)
    if sighting is None or shrink == 1:
        return sighting
    return _search_near(reference, grey, model, min_score, sighting.to_plate) or sighting


def _search_near(
    reference: ReferencePicture, grey: Image8, model: Transform, min_score: float, last: Double
) -> Sighting | None:
    quad = apply_homography(last, corners_of(*reference.size))
    near = roi_around(quad, (grey.shape[1], grey.shape[0]), np.ptp(quad, axis=0) * _REACH + 16)
    if near.empty or min(near.width, near.height) < 16:
        return None
    shrink = min(1.0, SIDE / float(np.ptp(quad, axis=0).max()))
    return _search_in(reference, grey, near, shrink, model, min_score)


def _search_in(
    reference: ReferencePicture, grey: Image8, roi: Roi, shrink: float, model: Transform, min_score: float
) -> Sighting | None:
    features = features_of(grey[roi.slices], shrink, _POINTS)
    features = Features(features.points + np.array([roi.x0, roi.y0]), features.descriptors)
    pairs = match(reference.features, features)
    one, other = reference.features.points, features.points
    frame = grey.shape[1], grey.shape[0]
    fitted = fit(one[pairs[:, 0]], other[pairs[:, 1]], model, _AGREE / shrink)
    if fitted is None or not plausible(fitted[0], reference.size, frame):
        return None
    matrix, agree = fitted
    score = float(agree.mean())
    if score < min_score or not spread(one[pairs[agree, 0]], reference.size):
        return None
    # Around its rough place more points can be matched, for a better fit.
    more = match_near(reference.features, features, apply_homography(matrix, one), _NEAR / shrink)
    refit = fit(one[more[:, 0]], other[more[:, 1]], model, _AGREE_FINELY / shrink)
    if refit is not None and refit[1].sum() >= agree.sum() * _KEPT:
        chosen = more[refit[1]]
        better = polish(refit[0], one[chosen[:, 0]], other[chosen[:, 1]], model)
        if plausible(better, reference.size, frame):
            matrix = better
    return Sighting(matrix, score)
