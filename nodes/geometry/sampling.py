"""Crops: square images sampled from a frame through affine transforms, all faces of a frame in one resample."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.types import Float


def pixel_centres(width: int, height: int) -> Float:
    """Continuous coordinates of all pixel centres, [height, width, 2] as x, y."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    return np.stack([x, y], axis=-1)


def transform_points(matrices: Float, points: Float) -> Float:
    """Apply affine transforms [..., 2, 3] to points [..., N, 2]."""
    moved: Float = points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return moved


def invert(matrices: Float) -> Float:
    """Invert affine transforms [..., 2, 3]."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1).astype(np.float32)


def resample(
    image: np.ndarray, grid: Float, minification: float = 1.0, border: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    """Sample `image` at continuous coordinates `grid` [h, w, 2]; area-filtered first where it is minified.

    image: [H, W, C] uint8 or float32. minification: how many image pixels one step of the grid spans. Only the part of
    the image that the grid touches is filtered.
    """
    factor = int(minification)
    offset = np.zeros(2, np.float32)
    if factor > 1:
        height, width = image.shape[:2]
        low = np.floor(grid.reshape(-1, 2).min(0) / factor).astype(int) * factor - 2 * factor
        high = np.ceil(grid.reshape(-1, 2).max(0) / factor).astype(int) * factor + 2 * factor
        x0, y0 = (int(v) for v in np.clip(low, 0, [max(width - factor, 0), max(height - factor, 0)]))
        x1, y1 = (int(v) for v in np.clip(high, [x0 + factor, y0 + factor], [width, height]))
        x1, y1 = x1 - (x1 - x0) % factor, y1 - (y1 - y0) % factor
        if x1 > x0 and y1 > y0:
            size = ((x1 - x0) // factor, (y1 - y0) // factor)
            image = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
            offset = np.float32([x0, y0])
        else:
            factor = 1
    grid = (grid - offset) / max(factor, 1) - 0.5
    return cv2.remap(image, grid.astype(np.float32, copy=False), None, cv2.INTER_LINEAR, borderMode=border)


def crop(image: np.ndarray, to_plate: Float, size: int) -> np.ndarray:
    """Cut all faces of one frame out of it in one resample.

    image: [H, W, C], uint8 or float32. to_plate: [B, 2, 3], crop pixels → plate pixels. Returns [B, size, size, C]. Faces
    whose minification differs by a whole octave are filtered separately.
    """
    grids = transform_points(
        to_plate[:, None], np.broadcast_to(pixel_centres(size, size), (len(to_plate), size, size, 2))
    )
    spans = np.sqrt(np.abs(np.linalg.det(to_plate[:, :, :2])))
    octaves = np.floor(np.log2(np.maximum(spans, 1))).astype(int)
    out = np.empty((len(to_plate), size, size, *image.shape[2:]), image.dtype)
    for octave in np.unique(octaves):
        chosen = octaves == octave
        block = resample(image, grids[chosen].reshape(-1, size, 2), float(spans[chosen].min()))
        out[chosen] = block.reshape(-1, size, size, *image.shape[2:])
    return out
