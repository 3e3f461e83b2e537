"""Crops: images sampled from a frame through affine transforms, all faces of a frame in one resample, or homographies."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from nodes.geometry.homography import homography_grid, stretch
from nodes.geometry.similarity import Double
from nodes.types import Float, Roi

_ONE_MAP: Any = None  # x and y lie in one map; OpenCV's stubs do not know that the second may be missing
_UNFILTERED = 1.25  # image pixels a step, along either axis, up to which interpolation alone does not alias visibly
_FINEST = 16  # samples along either side of a pixel


def pixel_centres(width: int, height: int) -> Float:
    """Return continuous coordinates of all pixel centres, [height, width, 2] as x, y."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    return np.stack([x, y], axis=-1)


def affine_grid(matrix: Float | Double, roi: Roi) -> Float:
    """Map the pixel centres of a rectangle through an affine transform [2, 3]: [height, width, 2] as x, y."""
    x = np.arange(roi.x0, roi.x1, dtype=np.float32) + np.float32(0.5)
    y = np.arange(roi.y0, roi.y1, dtype=np.float32) + np.float32(0.5)
    grid = np.empty((roi.height, roi.width, 2), np.float32)
    for axis, (along, down, shift) in enumerate(matrix):
        np.add.outer(y * down + shift, x * along, out=grid[..., axis])
    return grid


def transform_points(matrices: Float | Double, points: Float) -> Float:
    """Apply affine transforms [..., 2, 3] to points [..., N, 2]."""
    moved = points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return moved.astype(np.float32)


def invert(matrices: Float | Double) -> Double:
    """Invert affine transforms [..., 2, 3], in double precision: the inverse of the inverse is the matrix."""
    exact = matrices.astype(np.float64)
    linear = np.linalg.inv(exact[..., :2])
    return np.concatenate([linear, -linear @ exact[..., 2:]], axis=-1)


def resample(
    image: np.ndarray,
    grid: Float,
    minification: float = 1.0,
    border: int = cv2.BORDER_REPLICATE,
    interpolation: int = cv2.INTER_LINEAR,
) -> np.ndarray:
    """Sample `image` at continuous coordinates `grid` [h, w, 2], whose rows are straight lines; area-filtered where minified.

    image: [H, W] or [H, W, C], uint8 or float32. minification: image pixels that one step of the grid spans. Only the
    part of the image that the grid touches is filtered.
    """
    factor = int(minification)
    if factor < 2 or min(image.shape[:2]) < factor:
        return _remap(image, grid, border, interpolation)
    height, width = image.shape[:2]
    touched = grid[:, [0, -1]].reshape(-1, 2)  # straight rows reach farthest in its first and last columns
    low = np.clip(np.floor(touched.min(0)) - 2 * factor, 0, [width - factor, height - factor]).astype(int)
    high = np.clip(np.ceil(touched.max(0)) + 2 * factor, low + factor, [width, height]).astype(int)
    high -= (high - low) % factor
    reduced = cv2.resize(
        image[low[1] : high[1], low[0] : high[0]], tuple((high - low) // factor), interpolation=cv2.INTER_AREA
    )
    return _remap(reduced, (grid - low) / factor, border, interpolation)


def _remap(image: np.ndarray, grid: Float, border: int, interpolation: int) -> np.ndarray:
    places = np.asarray(grid, np.float32) - np.float32(0.5)
    return np.asarray(cv2.remap(image, places, _ONE_MAP, interpolation, borderMode=border))


def crop(image: np.ndarray, to_plate: Float, size: int) -> np.ndarray:
    """Cut all faces of one frame out of it in one resample.

    image: [H, W, C], uint8 or float32. to_plate: [B, 2, 3], crop pixels → plate pixels. Returns [B, size, size, C]. Faces
    whose minification differs by a whole octave are filtered separately.
    """
    grids = np.empty((len(to_plate), size, size, 2), np.float32)
    for grid, matrix in zip(grids, to_plate, strict=True):
        grid[:] = affine_grid(matrix, Roi(0, 0, size, size))
    spans = np.sqrt(np.abs(np.linalg.det(to_plate[:, :, :2])))
    octaves = np.floor(np.log2(np.maximum(spans, 1))).astype(int)
    out = np.empty((len(to_plate), size, size, *image.shape[2:]), image.dtype)
    for octave in np.unique(octaves):
        chosen = octaves == octave
        block = resample(image, grids[chosen].reshape(-1, size, 2), float(spans[chosen].min()))
        out[chosen] = block.reshape(-1, size, size, *image.shape[2:])
    return out


def warp(
    image: np.ndarray,
    to_image: Double,
    roi: Roi,
    border: int = cv2.BORDER_REPLICATE,
    interpolation: int = cv2.INTER_LANCZOS4,
    at: np.ndarray | None = None,
) -> np.ndarray:
    """Fill a rectangle from `image` through a homography; area-filtered where, and along the axis along which, it shrinks.

    image: [H, W] or [H, W, C], uint8 or float32. to_image: [3, 3], pixels of the rectangle's plane → image pixels. at: points
    [N, 2] of that plane by which the filter is chosen, by default the rectangle's corners. Returns [roi.height,
    roi.width(, C)]; float32 may overshoot beside hard edges. Where perspective shrinks unevenly, the strongest shrinking sets the
    sampling rate.
    """
    if at is None:
        at = np.array([[x, y] for x in (roi.x0, roi.x1) for y in (roi.y0, roi.y1)])
    jacobians = stretch(to_image, at)
    factor = max(1, int(np.linalg.svd(jacobians, compute_uv=False).min()))
    spans = np.linalg.norm(jacobians, axis=1).max(0) / factor
    across, down = (min(int(np.ceil(s)), _FINEST) if s > _UNFILTERED else 1 for s in spans)
    finer = Roi(roi.x0 * across, roi.y0 * down, roi.x1 * across, roi.y1 * down)
    grid = homography_grid(to_image @ np.diag([1 / across, 1 / down, 1]), finer)
    fine = resample(image, grid, factor, border, interpolation)
    if across * down == 1:
        return fine
    return np.asarray(cv2.resize(fine, (roi.width, roi.height), interpolation=cv2.INTER_AREA))


def from_opencv(matrix: np.ndarray) -> Double:
    """Restate a homography [3, 3] between OpenCV's coordinates as one between continuous ones."""
    return _shift(0.5) @ np.asarray(matrix, np.float64) @ _shift(-0.5)


def points_from_opencv(points: np.ndarray) -> Double:
    """Restate points [..., 2] of OpenCV's in continuous coordinates."""
    return np.asarray(points, np.float64) + 0.5


def _shift(by: float) -> Double:
    return np.array([[1, 0, by], [0, 1, by], [0, 0, 1]], np.float64)
