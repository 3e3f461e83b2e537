"""Mesh warp of images: piecewise affine, the nearer surface hiding the farther."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from scipy.sparse import csr_array

from nodes.swap.reference.gallery import Reference
from nodes.types import Bool, Float, Int

_SUBPIXEL = 4  # bits
_ONE_MAP: Any = None  # x and y lie in one map; OpenCV's stubs do not know that the second may be missing


def visible_triangles(vertices: Float, triangles: Int, size: int) -> np.ndarray:
    """Find the nearest of triangles [T, 3] in each pixel [size, size], -1 without any; vertices [V, 3] in pixels."""
    corners = vertices[triangles]
    fixed = np.round((corners[..., :2] - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
    nearest = np.full((size, size), -1, np.int32)
    for k in np.argsort(-corners[..., 2].mean(1)):  # painter's algorithm: the farthest first
        cv2.fillConvexPoly(nearest, fixed[k], int(k), cv2.LINE_8, _SUBPIXEL)
    return nearest


def rasterise(vertices: Float, triangles: Int, size: int) -> tuple[Bool, Int, Float]:
    """Locate every pixel of a square image on the mesh: vertices [V, 3] in its pixels, triangles [T, 3] of them.

    Returns a mask of the covered pixels, [size, size], and of those P in order the corners of their triangles, [P, 3],
    and their barycentric weights, [P, 3], rows sum to 1.
    """
    nearest = visible_triangles(vertices, triangles, size)
    inside = nearest >= 0
    pixel = np.flatnonzero(inside)
    corners = triangles[nearest.ravel()[pixel]]
    a, b, c = (vertices[corners[:, i], :2] for i in range(3))
    p = np.stack([pixel % size, pixel // size], 1).astype(np.float32) + 0.5
    v0, v1, v2 = b - a, c - a, p - a
    area = v0[:, 0] * v1[:, 1] - v0[:, 1] * v1[:, 0]
    area = np.where(np.abs(area) < 1e-3, 1e-3, area)
    u = (v2[:, 0] * v1[:, 1] - v2[:, 1] * v1[:, 0]) / area
    v = (v0[:, 0] * v2[:, 1] - v0[:, 1] * v2[:, 0]) / area
    # A pixel on the rim of a sliver may lie far outside it in barycentric terms: keep it on the triangle.
    weights = np.clip(np.stack([1 - u - v, u, v], 1), -0.5, 1.5)
    weights /= weights.sum(1, keepdims=True)
    return inside, corners, weights.astype(np.float32)


Box = tuple[slice, slice]  # rows and columns of a crop


class MeshWarp:
    """The place of every pixel of one crop on the mesh, to fetch it from any image of the same mesh.

    Coordinates are computed at half the crop's resolution, and interpolated: within a triangle they are linear.
    """

    def __init__(self, vertices: Float, triangles: Int, size: int) -> None:
        """vertices: [V, 3] in crop pixels; triangles: [T, 3], of a :class:`nodes.swap.reference.surface.Surface`."""
        self.size, self._half = size, size // 2
        self._inside, corners, weights = rasterise(vertices * 0.5, triangles, self._half)
        # At the rim a pixel is interpolated between the covered half-size ones.
        self._weight = self._inside.astype(np.float32)[..., None]
        starts = np.arange(0, 3 * len(corners) + 1, 3)
        shape = (len(corners), len(vertices))
        self._weights = csr_array((weights.ravel(), corners.ravel(), starts), shape=shape)

    @property
    def visible(self) -> Bool:
        """Pixels that the mesh covers, [size, size]."""
        grown = cv2.resize(self._inside.astype(np.uint8), (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        return np.asarray(grown > 0)

    @property
    def whole(self) -> Box:
        """All of the crop."""
        return slice(0, self.size), slice(0, self.size)

    def box_of(self, values: Float) -> Box:
        """Find the smallest box around the pixels where a value at the vertices [V] is above 0; empty without any."""
        covered = np.zeros(self._half * self._half, bool)
        covered[self._inside.ravel()] = self._weights @ np.ascontiguousarray(values > 0, np.float32) > 0
        grid = covered.reshape(self._half, self._half)
        rows, columns = np.flatnonzero(grid.any(1)), np.flatnonzero(grid.any(0))
        if not len(rows):
            return slice(0, 0), slice(0, 0)
        return slice(2 * int(rows[0]), 2 * int(rows[-1]) + 2), slice(2 * int(columns[0]), 2 * int(columns[-1]) + 2)

    def spread(self, values: Float, box: Box | None = None) -> Float:
        """Interpolate values at the vertices [V, C] over a box of the crop, by default all: [height, width, C]; 0 off the mesh."""
        out = np.zeros((self._half * self._half, values.shape[1]), np.float32)
        out[self._inside.ravel()] = self._weights @ np.ascontiguousarray(values, np.float32)
        box = box or self.whole
        cover = np.maximum(self._enlarged(self._weight, box), np.float32(1e-3))
        return np.asarray(self._enlarged(out.reshape(self._half, self._half, -1), box) / cover, np.float32)

    def _enlarged(self, grid: Float, box: Box) -> Float:
        """Double the resolution, in a box of even bounds."""
        (top, bottom), (left, right) = ((side.start // 2, side.stop // 2) for side in box)
        # One more on each side, for the interpolation.
        y0, x0 = max(top - 1, 0), max(left - 1, 0)
        part = grid[y0 : bottom + 1, x0 : right + 1]
        if not part.size:
            return np.zeros((2 * (bottom - top), 2 * (right - left), grid.shape[2]), np.float32)
        large = cv2.resize(part, (2 * part.shape[1], 2 * part.shape[0]), interpolation=cv2.INTER_LINEAR)
        y, x = 2 * (top - y0), 2 * (left - x0)
        cut = large[y : y + 2 * (bottom - top), x : x + 2 * (right - left)]
        return np.asarray(cut, np.float32).reshape(2 * (bottom - top), 2 * (right - left), -1)

    def fetch(self, references: Sequence[Reference], box: Box | None = None) -> list[np.ndarray]:
        """Warp the images of other meshes onto this one, in a box: [height, width, ...] in their own type; undefined off the mesh."""
        places = self.spread(np.concatenate([r.vertices for r in references], axis=1) - np.float32(0.5), box)
        return [
            np.asarray(
                cv2.remap(
                    r.image,
                    np.ascontiguousarray(places[..., 2 * k : 2 * k + 2]),
                    _ONE_MAP,
                    cv2.INTER_CUBIC,
                    borderMode=cv2.BORDER_REPLICATE,
                )
            )
            for k, r in enumerate(references)
        ]
