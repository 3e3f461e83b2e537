"""ECC refinement: move a transform to where the picture correlates best with the reference."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.definitions import Transform
from nodes.geometry.homography import apply_homography, corners_of, nearest_similarity, roi_around
from nodes.geometry.sampling import from_opencv, pixel_centres, warp
from nodes.geometry.similarity import Double
from nodes.types import Bool, Float, Image8, Roi

_SIDE = 480  # pixels at which pictures are compared: more costs time and gains little
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-6)
_WORTH_IT = 0.8  # a share beyond which shrinking a picture is not worth its blur
_GAUSS = 5
_RIM = np.ones((_GAUSS + 2, _GAUSS + 2), np.uint8)  # blurred together with its surroundings, so not usable
_FARTHEST = 0.1  # of the object's size: a step beyond this has diverged
_HIDDEN = 4.0  # times the usual difference: an occluder before the object
_ROUGH = 9  # pixels over which differences are judged
_TRIALS, _JUDGES = 300, 1000  # pairs of pixels that propose a light, and pixels that judge it
_CONTRAST = 8.0  # code values by which the two pixels of a pair must differ
_GAINS = 0.1, 10.0
_SAMPLING = 0.02  # of correlation: lost by sampling the frame between its pixels, as only the refined transform does
_LOCAL = 8  # share of the object's size over which the local mean is taken
_ENOUGH = 0.35  # of the reference that must be seen
_FEWEST = 256  # pixels


def refine(reference: Image8, mask: Image8, grey: Image8, start: Double, model: Transform) -> tuple[Double, float]:
    """Improve a transform [3, 3] from reference to frame pixels; also returns the correlation coefficient, -1..1.

    reference, mask: [h, w]; the mask is 0 where the reference does not count. grey: the frame, [H, W]. Occluders
    are left out. Returns the start if nothing better is near it. Evangelidis & Psarakis 2008, "Parametric
    image alignment using enhanced correlation coefficient maximization".
    """
    height, width = reference.shape
    corners = corners_of(width, height)
    quad = apply_homography(start, corners)
    near = roi_around(quad, (grey.shape[1], grey.shape[0]), 16 + _FARTHEST * float(np.ptp(quad, axis=0).max()))
    lengths = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1).reshape(2, 2).mean(0)  # both widths, both heights
    shrink = min(1.0, _SIDE / float(lengths.max()), max(width / float(lengths[0]), height / float(lengths[1])))
    region, to_region = _shrunk(grey[near.slices], shrink)
    to_region = to_region @ np.array([[1, 0, -near.x0], [0, 1, -near.y0], [0, 0, 1]], np.float64)

    # The reference as the frame should show it, with the frame's own sharpness: all that is left to find is a small step.
    template, counts = _rendered(reference, mask, to_region @ start, region.shape)
    usable, before = _compare(template, counts, region, np.eye(3))
    step = _maximise(template, usable, region, model)
    if step is None:
        return start, before
    back = np.linalg.inv(to_region)
    matrix = back @ step @ to_region @ start
    now = apply_homography(matrix, corners)
    if not np.abs(now - quad).max() < _FARTHEST * lengths.max():
        return start, before
    matrix = nearest_similarity(corners, now) if model is Transform.SIMILARITY else matrix / matrix[2, 2]
    _, after = _compare(template, counts, region, to_region @ matrix @ np.linalg.inv(start) @ back)
    return (matrix, after) if after >= before - _SAMPLING else (start, before)


def _shrunk(region: Image8, share: float) -> tuple[Image8, Double]:
    if share > _WORTH_IT:
        return region, np.eye(3)
    height, width = region.shape
    size = max(round(width * share), 1), max(round(height * share), 1)
    small = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.diag([size[0] / width, size[1] / height, 1.0])


def _rendered(reference: Image8, mask: Image8, to_region: Double, shape: tuple[int, ...]) -> tuple[Image8, Bool]:
    whole, to_reference = Roi(0, 0, shape[1], shape[0]), np.asarray(np.linalg.inv(to_region), np.float64)
    at = apply_homography(to_region, corners_of(reference.shape[1], reference.shape[0]))
    template = warp(reference, to_reference, whole, at=at)
    counts = warp(mask, to_reference, whole, cv2.BORDER_CONSTANT, cv2.INTER_LINEAR, at)
    return template, _without_rim(counts == 255)


def _maximise(template: Image8, usable: Bool, region: Image8, model: Transform) -> Double | None:
    # OpenCV has no similarity among its motions: an affine one is found, and the similarity nearest to it is taken.
    affine = model is Transform.SIMILARITY
    guess = np.eye(3, dtype=np.float32)[: 2 if affine else 3].copy()
    motion = cv2.MOTION_AFFINE if affine else cv2.MOTION_HOMOGRAPHY
    everywhere = np.full(region.shape, 255, np.uint8)
    try:
        _, motion_matrix = cv2.findTransformECCWithMask(
            template, region, usable.astype(np.uint8) * 255, everywhere, guess, motion, _STOP, _GAUSS
        )
    except cv2.error:  # it diverged, or the pictures have nothing in common
        return None
    whole = np.concatenate([motion_matrix, [[0, 0, 1]]]) if affine else motion_matrix
    return from_opencv(whole) if np.isfinite(motion_matrix).all() else None


def _compare(template: Image8, counts: Bool, region: Image8, to_region: Double) -> tuple[Bool, float]:
    """Find the template's pixels that show the object in the frame, and their correlation."""
    whole = Roi(0, 0, template.shape[1], template.shape[0])
    picture: Float = warp(region, to_region, whole, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    places = apply_homography(to_region, pixel_centres(*template.shape[::-1]).reshape(-1, 2))
    inside = ((places > 0.5) & (places < np.array(region.shape[::-1]) - 0.5)).all(1).reshape(template.shape) & counts
    enough = max(_ENOUGH * counts.sum(), _FEWEST)
    if inside.sum() < enough:
        return inside, 0.0
    blurred = cv2.GaussianBlur(template, (_GAUSS, _GAUSS), 0).astype(np.float32)
    picture = np.asarray(cv2.GaussianBlur(picture, (_GAUSS, _GAUSS), 0), np.float32)
    usable = inside
    gain, shift = _light(blurred[inside], picture[inside])
    for _ in range(2):
        rough = cv2.blur(np.abs(picture - gain * blurred - shift), (_ROUGH, _ROUGH))
        usable = inside & (rough < _HIDDEN * np.median(rough[usable]) + 1)
        if usable.sum() < enough:
            usable = inside
            break
        gain, shift = _fitted_light(blurred[usable], picture[usable])
    usable = _without_rim(usable)
    return usable, _correlation(blurred, picture, usable)


def _light(one: Float, other: Float) -> tuple[float, float]:
    """Estimate gain and shift from one set of pixel values [N] to another of which up to half may be outliers.

    Least median of squares: Rousseeuw 1984.
    """
    rng = np.random.default_rng(0)
    few = rng.integers(0, len(one), _JUDGES)
    pairs = rng.integers(0, len(one), (_TRIALS, 2))
    (a, b), (c, d) = one[pairs].T, other[pairs].T
    distinct = np.abs(b - a) > _CONTRAST
    if not distinct.any():
        return 0.0, float(np.median(other))
    gains = (d - c)[distinct] / (b - a)[distinct]
    gains = np.clip(gains, *_GAINS)
    shifts = c[distinct] - gains * a[distinct]
    misses = np.median(np.abs(other[few] - gains[:, None] * one[few] - shifts[:, None]), axis=1)
    best = int(misses.argmin())
    return float(gains[best]), float(shifts[best])


def _fitted_light(one: Float, other: Float) -> tuple[float, float]:
    centred = one - one.mean()
    gain = float((centred * other).sum() / max(float((centred**2).sum()), 1e-6))
    return gain, float(other.mean() - gain * one.mean())


def _without_rim(usable: Bool) -> Bool:
    return cv2.erode(usable.astype(np.uint8), _RIM, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def _correlation(one: Float, other: Float, usable: Bool) -> float:
    """Correlate two pictures less their local means: light and shade alone prove nothing."""
    weight = usable.astype(np.float32)
    side = max(int(np.sqrt(usable.sum())) // _LOCAL, 3)
    near = np.maximum(cv2.blur(weight, (side, side)), 1e-6)
    a, b = ((p - cv2.blur(p * weight, (side, side)) / near)[usable].astype(np.float64) for p in (one, other))
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
