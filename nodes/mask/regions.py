"""Masks drawn from landmarks: the face with or without forehead, and brows, eyes and mouth in or out."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.definitions import MaskParameters, Region
from nodes.mask.shape import combine, grow_and_feather
from nodes.subjects import load_subject
from nodes.types import Float, Image8, Int

_SUBPIXEL = 4  # bits
_FEATURES = {
    Region.BROWS: ("right_brow", "left_brow"),
    Region.EYES: ("right_eye", "left_eye"),
    Region.MOUTH: ("lips_outer",),
}
_FEATURE_MARGIN = 0.015  # of the crop, around brows, eyes and mouth


def _fill(canvas: Image8, polygon: Float, value: int) -> None:
    points = np.round((polygon - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, cv2.LINE_AA, _SUBPIXEL)


def _face_outline(contours: dict[str, Int], points: Float, forehead: bool) -> Float:
    """The face's outline [N, 2]; without the forehead it runs along the upper edge of the brows."""
    oval = points[contours["oval"]]
    if forehead:
        return oval
    right, left = points[contours["right_brow"][:5]], points[contours["left_brow"][:5]]
    below = oval[9:28]  # from temple to temple, by way of the chin
    return np.concatenate([below, right, left[::-1]])


def draw_regions(landmarks: Float, size: int, regions: tuple[Region, ...]) -> Float:
    """Draw regions as hard masks [T, size, size], 0 or 1 with antialiased edges, from landmarks [T, L, >=2] in crop pixels."""
    contours = load_subject().contours
    margin = 2 * round(_FEATURE_MARGIN * size) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin))
    out = np.zeros((len(landmarks), size, size), np.uint8)
    for canvas, points in zip(out, landmarks[..., :2], strict=True):
        if Region.FACE in regions:
            _fill(canvas, _face_outline(contours, points, Region.FOREHEAD in regions), 255)
        elif Region.FOREHEAD in regions:
            _fill(canvas, _face_outline(contours, points, True), 255)
            _fill(canvas, _face_outline(contours, points, False), 0)
        for region, names in _FEATURES.items():
            if (region in regions) == (Region.FACE in regions):
                continue
            feature = np.zeros_like(canvas)
            for name in names:
                outline = cv2.convexHull(np.ascontiguousarray(points[contours[name]], np.float32))[:, 0]
                _fill(feature, np.asarray(outline, np.float32), 255)
            cv2.dilate(feature, kernel, feature)
            canvas[:] = np.maximum(canvas, feature) if region in regions else np.minimum(canvas, 255 - feature)
    return out.astype(np.float32) / np.float32(255)


def mask(
    landmarks: Float,
    size: int,
    parameters: MaskParameters | None = None,
    predicted: Float | None = None,
    roto: Float | None = None,
) -> Float:
    """Mattes [T, size, size], 0..1, in crop space.

    landmarks: [T, L, >=2] in crop pixels. predicted, roto: further mattes of the same shape, from a model and from the
    artist, which can only take away.
    """
    parameters = parameters or MaskParameters()
    drawn = draw_regions(landmarks, size, parameters.regions)
    return combine(grow_and_feather(drawn, parameters.grow, parameters.feather), predicted, roto)
