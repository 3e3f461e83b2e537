"""Masks drawn from landmarks: the regions that a subject names, in or out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from nodes.definitions import MaskParameters
from nodes.errors import FaceplateError
from nodes.mask.shape import combine, grow_and_feather
from nodes.subjects import Region, Subject
from nodes.types import Float, Image8

_SUBPIXEL = 4  # bits


def _fill(canvas: Image8, polygon: Float, value: int) -> None:
    points = np.round((polygon - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, cv2.LINE_AA, _SUBPIXEL)


def _draw(canvas: Image8, points: Float, region: Region, inside: bool) -> None:
    if not inside and not canvas.any():
        return
    size = len(canvas)
    drawn = np.zeros_like(canvas)
    for outline in region.outlines:
        polygon = points[outline]
        if region.hull:
            polygon = cv2.convexHull(np.ascontiguousarray(polygon, np.float32))[:, 0].astype(np.float32)
        _fill(drawn, polygon, 255)
    if region.margin:
        margin = 2 * round(region.margin * size) + 1
        cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin)), drawn)
    canvas[:] = np.maximum(canvas, drawn) if inside else np.minimum(canvas, 255 - drawn)


def check_regions(subject: Subject, wanted: Sequence[str] | None) -> frozenset[str]:
    """The regions to draw, all of them for None; raises FaceplateError for one that the subject has not."""
    known = [region.name for region in subject.regions]
    wanted = known if wanted is None else wanted
    if unknown := [name for name in wanted if name not in known]:
        raise FaceplateError(
            f"the subject {subject.name} has no region '{unknown[0]}'", remedy=f"Choose of: {', '.join(known)}"
        )
    return frozenset(wanted)


def draw_regions(landmarks: Float, size: int, subject: Subject, regions: Sequence[str] | None = None) -> Float:
    """Draw regions as hard masks [T, size, size], 0 or 1 with antialiased edges, from landmarks [T, L, >=2] in crop pixels.

    Later regions are drawn over earlier ones. Raises FaceplateError for a region that the subject has not.
    """
    wanted = check_regions(subject, regions)
    drawn = [r for r in subject.regions if r.of is None or (r.name in wanted) != (r.of in wanted)]
    out = np.zeros((len(landmarks), size, size), np.uint8)
    for canvas, points in zip(out, landmarks[..., :2], strict=True):
        for region in drawn:
            _draw(canvas, points, region, region.name in wanted)
    return out.astype(np.float32) / np.float32(255)


def mask(
    landmarks: Float,
    size: int,
    subject: Subject,
    parameters: MaskParameters | None = None,
    predicted: Float | None = None,
    roto: Float | None = None,
) -> Float:
    """Mattes [T, size, size], 0..1, in crop space.

    landmarks: [T, L, >=2] in crop pixels. predicted, roto: further mattes of the same shape, from a model and from the
    artist, which can only take away.
    """
    parameters = parameters or MaskParameters()
    drawn = draw_regions(landmarks, size, subject, parameters.regions)
    return combine(grow_and_feather(drawn, parameters.grow, parameters.feather), predicted, roto)
