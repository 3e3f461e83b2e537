"""Crops: square images sampled from a frame through affine transforms, all faces of a frame in one resample."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from nodes.types import Float, Roi

_ONE_MAP: Any = None  # x and y lie in one map; OpenCV's stubs do not know that the second may be missing


def pixel_centres(width: int, height: int) -> Float:
    """Continuous coordinates of all pixel centres, [height, width, 2] as x, y."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    return np.stack([x, y], axis=-1)


def affine_grid(matrix: Float, roi: Roi) -> Float:
    """Where an affine transform [2, 3] takes the pixel centres of a rectangle: [height, width, 2] as x, y."""
    x = np.arange(roi.x0, roi.x1, dtype=np.float32) + np.float32(0.5)
    y = np.arange(roi.y0, roi.y1, dtype=np.float32) + np.float32(0.5)
    grid = np.empty((roi.height, roi.width, 2), np.float32)
    for axis, (along, down, shift) in enumerate(matrix):
        np.add.outer(y * down + shift, x * along, out=grid[..., axis])
    return grid


def transform_points(matrices: Float, points: Float) -> Float:
    """Apply affine transforms [..., 2, 3] to points [..., N, 2]."""
    moved: Float = points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return moved


def invert(matrices: Float) -> Float:
    """Invert affine transforms [..., 2, 3]."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1).astype(np.float32)


def resample(
    image: np.ndarray,
    grid: Float,
    minification: float = 1.0,
    border: int = cv2.BORDER_REPLICATE,
    interpolation: int = cv2.INTER_LINEAR,
) -> np.ndarray:
    """Sample `image` at continuous coordinates `grid` [h, w, 2], affine along its rows; area-filtered where minified.

    image: [H, W] or [H, W, C], uint8 or float32. minification: how many image pixels one step of the grid spans. Only the
    part of the image that the grid touches is filtered.
    """
    factor = int(minification)
    if factor < 2 or min(image.shape[:2]) < factor:
        return _remap(image, grid, border, interpolation)
    height, width = image.shape[:2]
    touched = grid[:, [0, -1]].reshape(-1, 2)  # an affine grid reaches farthest in its first and last columns
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
