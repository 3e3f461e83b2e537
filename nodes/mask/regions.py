"""Regions of the subject, drawn from landmarks; their edge is moved and softened by distance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from nodes.definitions import MaskParameters
from nodes.errors import FaceplateError
from nodes.subjects.subject import Region, Subject
from nodes.types import Float, Image8

_SUBPIXEL = 4  # bits
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


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


def check_regions(subject: Subject, requested: Sequence[str] | None) -> frozenset[str]:
    """Return the regions to draw, all of them for None; raises FaceplateError for an unknown one."""
    names = [region.name for region in subject.regions]
    requested = names if requested is None else requested
    if unknown := [name for name in requested if name not in names]:
        raise FaceplateError(
            f"the subject {subject.name} has no region '{unknown[0]}'", remedy=f"Choose of: {', '.join(names)}"
        )
    return frozenset(requested)


def draw_regions(landmarks: Float, size: int, subject: Subject, regions: Sequence[str] | None = None) -> Float:
    """Draw regions as hard masks [T, size, size], 0 or 1 with antialiased edges, from landmarks [T, L, >=2] in crop pixels.

    Later regions are drawn over earlier ones. Raises FaceplateError for an unknown region.
    """
    chosen = check_regions(subject, regions)
    layers = [r for r in subject.regions if r.of is None or (r.name in chosen) != (r.of in chosen)]
    out = np.zeros((len(landmarks), size, size), np.uint8)
    for canvas, points in zip(out, landmarks[..., :2], strict=True):
        for region in layers:
            _draw(canvas, points, region, region.name in chosen)
    return out.astype(np.float32) / np.float32(255)


def draw_matte(
    landmarks: Float,
    size: int,
    subject: Subject,
    parameters: MaskParameters | None = None,
) -> Float:
    """Draw mattes [T, size, size], 0..1, in crop space, from landmarks [T, L, >=2] in crop pixels."""
    parameters = parameters or MaskParameters()
    hard = draw_regions(landmarks, size, subject, parameters.regions)
    return grow_and_feather(hard, parameters.grow, parameters.feather)


def grow_and_feather(mask: Float, grow: float | Float, feather: float | Float) -> Float:
    """Move the outline of masks and soften it inward, so that the matte is exactly 0 on and outside the new outline.

    mask: [B, S, S], coverage 0..1 (antialiased or not; the outline is where it crosses ½). grow: by how much the outline
    moves outward, feather: width of the smoothstep inside it; both as fractions of S, one for all or [B]. Outside the
    crop there is no mask: the matte falls to 0 at its border too. Without feather the edge is antialiased over one pixel.
    Returns [B, S, S], 0..1.
    """
    count, size = mask.shape[0], mask.shape[-1]
    grows = np.broadcast_to(np.asarray(grow, np.float32) * size, (count,))
    feathers = np.broadcast_to(np.asarray(feather, np.float32) * size, (count,))
    y, x = (np.minimum(np.arange(side), np.arange(side)[::-1]) + np.float32(0.5) for side in mask.shape[-2:])
    border = np.minimum(x, y[:, None]).astype(np.float32)
    out = np.zeros(mask.shape, np.float32)
    for hard, moved, width, matte in zip(mask, grows, feathers, out, strict=True):
        if hard.max(initial=0) < 0.5:
            continue
        # The matte changes only between the new outline and where the feather ends.
        depth = np.minimum(signed_distance(hard, -moved - 1, width - moved + 1) + moved, border)
        # An edge thinner than a pixel is one pixel wide, and centred on the outline when it has no width at all.
        ramp = np.clip((depth + max(0.0, 1 - width) / 2) / max(width, 1.0), 0, 1)
        matte[:] = ramp * ramp * (3 - 2 * ramp) if width > 1 else ramp
    return out


def signed_distance(mask: Float, least: float = -np.inf, most: float = np.inf) -> Float:
    """Measure the distance to the outline of a mask [H, W] in pixels, positive inside, to a fraction of a pixel.

    The outline is where the mask crosses ½; outside the image there is no mask. Distances outside least..most may come
    out as infinite. After the antialiased Euclidean distance transform of Gustavson & Strand 2011: the distance to the
    outline's point in the nearest pixel that it runs through.
    """
    level: Float = np.pad(np.asarray(mask, np.float32), 1) - np.float32(0.5)
    within = level >= 0
    distance = np.where(within, np.float32(np.inf), np.float32(-np.inf))
    seeds = cv2.morphologyEx(within.astype(np.uint8), cv2.MORPH_GRADIENT, _CROSS) > 0  # pixels beside the outline
    if seeds.any():
        rough, labels = cv2.distanceTransformWithLabels(
            (~seeds).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        label, seed = labels.ravel(), np.flatnonzero(seeds)
        depth, x, y = _outline(level, seed)
        x_of, y_of = np.zeros((2, len(seed) + 1), np.float32)
        x_of[label[seed]], y_of[label[seed]] = x, y
        # OpenCV's own distance is approximate and ends at the seed's centre: measure to the outline.
        reach = np.where(within, most, -least)
        here = np.flatnonzero(rough < 1.1 * reach + 2)
        row, column = np.divmod(here, level.shape[1])
        length = np.hypot(column - x_of[label[here]], row - y_of[label[here]])
        distance.ravel()[here] = np.where(within.ravel()[here], length, -length)
        distance.ravel()[seed] = depth
    return np.asarray(distance[1:-1, 1:-1], np.float32)


def _outline(level: Float, at: npt.NDArray[np.intp]) -> tuple[Float, Float, Float]:
    """Measure how deep the pixels `at` lie inside the outline, where `level` crosses 0; also the nearest points x, y on it."""
    flat, width = level.ravel(), level.shape[1]

    def slope(step: int) -> Float:
        back = flat[at] - flat[np.maximum(at - step, 0)]
        ahead = flat[np.minimum(at + step, flat.size - 1)] - flat[at]
        steeper: Float = np.where(np.abs(back) > np.abs(ahead), back, ahead)
        return steeper

    dx, dy = slope(1), slope(width)
    steepness = np.maximum(np.hypot(dx, dy), np.float32(1e-3))
    depth: Float = np.clip(flat[at] / steepness, -0.75, 0.75)
    row, column = np.divmod(at, width)
    x: Float = (column - depth * dx / steepness).astype(np.float32)
    y: Float = (row - depth * dy / steepness).astype(np.float32)
    return depth, x, y
