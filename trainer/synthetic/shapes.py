"""Simple shapes of quads: surfaces of revolution, tubes, sheets. Each is vertices [V, 3], faces [F, 4] and uv [F, 4, 2]."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.synthetic.scene import Material, MeshThing, quads

Array = npt.NDArray[Any]


class Shape(NamedTuple):
    """A mesh of quads. uv: in metres along both directions of its grid."""

    vertices: Array
    faces: Array
    uv: Array

    def thing(self, name: str, material: Material, vertices: Array | None = None, subdivision: int = 0) -> MeshThing:
        """Make a thing of it; vertices [T or 1, V, 3] in its place, its own by default."""
        placed = self.vertices[None] if vertices is None else vertices
        corners, starts = quads(self.faces)
        uv = self.uv.reshape(-1, 2).astype(np.float32)
        return MeshThing(name, placed.astype(np.float32), corners, starts, material, uv, subdivision)


def grid(points: Array, closed: bool = False) -> Shape:
    """Join a grid of points [N, M, 3] by quads; closed: the last of the M joins the first."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    following = np.roll(number, -1, 1) if closed else number[:, 1:]
    here = number if closed else number[:, :-1]
    faces = np.stack([here[:-1], following[:-1], following[1:], here[1:]], -1).reshape(-1, 4)
    along = np.concatenate([[0], np.linalg.norm(np.diff(points, axis=0), axis=2).mean(1).cumsum()])
    ring = np.concatenate([points, points[:, :1]], 1) if closed else points
    around = np.concatenate([[0], np.linalg.norm(np.diff(ring, axis=1), axis=2).mean(0).cumsum()])
    v, u = np.meshgrid(along, around, indexing="ij")
    uv = np.stack([u, v], -1)
    corners = np.stack([uv[:-1, :-1], uv[:-1, 1:], uv[1:, 1:], uv[1:, :-1]], 2).reshape(-1, 4, 2)
    return Shape(points.reshape(-1, 3).astype(np.float32), faces, corners.astype(np.float32))


def turned(profile: Array, segments: int = 24) -> Shape:
    """Turn a profile [K, 2] of radius and height about the z axis. With falling height, or inside of a vessel, faces look inwards."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(segments)], 1)
    radius, height = np.asarray(profile, np.float64).T
    return grid(radius[:, None, None] * ring + height[:, None, None] * np.array([0, 0, 1.0]), closed=True)


def tube(path: Array, radius: Array | float, segments: int = 10, closed: bool = False) -> Shape:
    """Lay a tube around a path [K, 3]; radius: metres, one or [K] or [K, 2] of width and height. closed: the path is a ring."""
    path = np.asarray(path, np.float64)
    direction = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    reference = np.linalg.svd(path - path.mean(0))[2][2]  # out of the plane that the path lies in
    side = np.cross(direction, reference)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, direction)
    sizes = np.broadcast_to(
        np.asarray(radius, np.float64).reshape(-1, 1) if np.ndim(radius) < 2 else radius, (len(path), 2)
    )
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.cos(angle)[None, :, None] * side[:, None] * sizes[:, None, :1]
    ring = ring + np.sin(angle)[None, :, None] * up[:, None] * sizes[:, None, 1:]
    points = path[:, None] + ring
    return grid(np.concatenate([points, points[:1]]) if closed else points, closed=True)


def joined(*shapes: Shape) -> Shape:
    """Put shapes together as one."""
    counts = np.cumsum([0, *(len(shape.vertices) for shape in shapes)])
    return Shape(
        np.concatenate([shape.vertices for shape in shapes]),
        np.concatenate([shape.faces + first for shape, first in zip(shapes, counts, strict=False)]),
        np.concatenate([shape.uv for shape in shapes]),
    )
