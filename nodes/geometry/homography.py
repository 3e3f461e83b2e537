"""Homographies: points, grids and how much they stretch, in continuous coordinates and in double precision."""

from __future__ import annotations

import numpy as np

from nodes.geometry.similarity import Double, umeyama
from nodes.types import Float, Roi

_AWAY = -1e6  # where the horizon itself is sampled: outside any picture


def apply_homography(matrices: Double, points: np.ndarray) -> Double:
    """Apply homographies [..., 3, 3] to points [..., N, 2]; not a number where a point lies on or behind the horizon."""
    moved = points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    depth = moved[..., 2:]
    return np.asarray(np.divide(moved[..., :2], np.where(depth > 0, depth, np.nan)), np.float64)


def homography_grid(matrix: Double, roi: Roi) -> Float:
    """Map the pixel centres of a rectangle through a homography [3, 3]: [height, width, 2] as x, y."""
    x, y = np.arange(roi.x0, roi.x1) + 0.5, np.arange(roi.y0, roi.y1) + 0.5
    grid = np.empty((roi.height, roi.width, 2), np.float32)
    affine = not matrix[2, :2].any()
    depth = matrix[2, 2] if affine else np.add.outer(y * matrix[2, 1] + matrix[2, 2], x * matrix[2, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, (along, down, shift) in enumerate(matrix[:2]):
            np.divide(np.add.outer(y * down + shift, x * along), depth, out=grid[..., axis], casting="same_kind")
    return grid if affine else np.nan_to_num(grid, copy=False, nan=_AWAY, posinf=_AWAY, neginf=_AWAY)


def stretch(matrix: Double, points: np.ndarray) -> Double:
    """Return the Jacobians [N, 2, 2] of a homography [3, 3] at points [N, 2]."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    depth = moved[:, 2, None, None]
    return np.asarray((matrix[:2, :2] - moved[:, :2, None] / depth * matrix[2, :2]) / depth, np.float64)


def corners_of(width: float, height: float) -> Double:
    """Return the corners of a picture, [4, 2], clockwise from the top left."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def roi_around(points: Double, size: tuple[int, int], margin: float | Double = 0.0) -> Roi:
    """Return the bounding rectangle of points [N, 2] with a margin, cut to a picture of `size` (width, height)."""
    low = np.clip(np.floor(points.min(0) - margin), 0, None).astype(int)
    high = np.minimum(np.ceil(points.max(0) + margin), size).astype(int)
    return Roi(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def nearest_similarity(corners: Double, to: Double) -> Double:
    """Fit similarities [..., 3, 3] that take corners [4, 2] nearest to [..., 4, 2]; last row 0 0 1."""
    scale, rotation, shift = umeyama(corners, to)
    matrices = np.zeros((*scale.shape, 3, 3))
    matrices[..., :2, :2], matrices[..., :2, 2] = scale[..., None, None] * rotation, shift
    matrices[..., 2, 2] = 1
    return matrices


def linear_rows(points: Double, to: Double) -> Double:
    """Return the rows of the direct linear transform, [..., N, 2, 8], from points [N, 2] to [..., N, 2].

    Columns: the eight entries of a homography whose last is 1.
    """
    x, y, u, v = np.broadcast_arrays(points[:, 0], points[:, 1], to[..., 0], to[..., 1])
    one, none = np.ones_like(u), np.zeros_like(u)
    rows = np.stack([x, y, one, none, none, none, -u * x, -u * y], -1)
    more = np.stack([none, none, none, x, y, one, -v * x, -v * y], -1)
    return np.stack([rows, more], -2)


def from_corners(corners: Double, to: Double) -> Double:
    """Solve for homographies [..., 3, 3] that take four corners [4, 2] exactly to [..., 4, 2]; the last entry is 1."""
    head = to.shape[:-2]
    solved = np.linalg.solve(linear_rows(corners, to).reshape(*head, 8, 8), to.reshape(*head, 8, 1))[..., 0]
    return np.concatenate([solved, np.ones((*head, 1))], -1).reshape(*head, 3, 3)
