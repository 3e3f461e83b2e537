"""Placement: warp a face from crop space into the plate, only the region of interest, resampled once; changes of crops before it."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.footage.colour import to_linear
from nodes.geometry.sampling import affine_grid, invert, pixel_centres, resample, transform_points
from nodes.types import Float, Patch, Roi

EMPTY = Roi(0, 0, 0, 0)


def empty_patch(frame: int) -> Patch:
    """Make the patch of a frame without a face."""
    return Patch(frame, EMPTY, np.zeros((0, 0, 4), np.float32))


def reduced(picture: Float, size: int) -> Float:
    """Average a picture [S, S, C] over the pixels of a smaller one: [size, size, C]."""
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def move(picture: Float, flow: Float, shade: Float) -> Float:
    """Fetch each pixel of a picture [S, S, 3] where a flow [h, w, 2], in parts of the picture, points; add a shade [h, w, 3].

    All by cubic interpolation (Keys 1981). Returns [S, S, 3], 0..1.
    """
    size = len(picture)
    far, light = (cv2.resize(g, (size, size), interpolation=cv2.INTER_CUBIC) for g in (flow * np.float32(size), shade))
    places = np.asarray(far + pixel_centres(size, size), np.float32)
    moved = resample(picture, places, interpolation=cv2.INTER_CUBIC) + light
    return np.asarray(np.clip(moved, 0, 1, out=moved), np.float32)


def place(frame: int, face: Float, matte: Float, to_plate: Float, width: int, height: int) -> Patch:
    """Warp one face from its crop into the plate.

    face: display-referred RGB [S, S, 3], 0..1. matte: [S, S], 0..1. to_plate: [2, 3], crop pixels → plate pixels.
    """
    rows, columns = np.flatnonzero(matte.any(1)), np.flatnonzero(matte.any(0))
    if not len(rows):
        return empty_patch(frame)
    x0, x1, y0, y1 = columns[0] - 1, columns[-1] + 2, rows[0] - 1, rows[-1] + 2
    corners = transform_points(to_plate, np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32))
    low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(0)), [width, height]).astype(int)
    roi = Roi(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    if roi.empty:
        return empty_patch(frame)
    to_crop = invert(to_plate)
    grid = affine_grid(to_crop, roi)
    step = float(np.sqrt(np.abs(np.linalg.det(to_crop[:, :2]))))
    alpha = np.clip(resample(matte, grid, step, cv2.BORDER_CONSTANT), 0, 1)
    colour = np.ascontiguousarray(np.maximum(resample(face, grid, step, interpolation=cv2.INTER_CUBIC), 0))
    linear = np.maximum(to_linear(colour, "srgb"), 0)  # black may come out a millionth below
    rgba = np.empty((roi.height, roi.width, 4), np.float32)
    np.multiply(linear, alpha[..., None], out=rgba[..., :3])
    rgba[..., 3] = alpha
    return Patch(frame, roi, rgba)


def merge(patches: list[Patch], frame: int) -> Patch:
    """Lay the patches of several faces of one frame over each other, in order."""
    patches = [p for p in patches if not p.roi.empty]
    if len(patches) < 2:
        return patches[0] if patches else empty_patch(frame)
    rois = [p.roi for p in patches]
    roi = Roi(min(r.x0 for r in rois), min(r.y0 for r in rois), max(r.x1 for r in rois), max(r.y1 for r in rois))
    rgba = np.zeros((roi.height, roi.width, 4), np.float32)
    for patch in patches:
        into = rgba[patch.roi.within(roi)]
        into[:] = patch.rgba + into * (1 - patch.rgba[..., 3:])
    return Patch(frame, roi, rgba)
