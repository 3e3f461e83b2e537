"""The surface to warp: the mesh of a subject's landmarks, or, without triangles, the crop around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.spatial import Delaunay

from nodes.geometry.similarity import apply_similarity, fit_similarity
from nodes.subjects.subject import Opening, Subject
from nodes.types import Float, Int

_RIM = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y], np.float32)
_ROWS = np.array(
    [-2.5, -1.5, -1.1, -0.8, -0.55, -0.3, 0, 0.3, 0.55, 0.8, 1.1, 1.5, 2.5], np.float32
)  # of a ball's grid, in radii of the iris
_COLUMNS = 7  # from corner to corner: the corners, the iris's edges and middle, and halfway between
_MARGIN = 0.1  # of an opening's height, that pictures of a ball keep away from its lids


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh over V vertices: the L landmarks, a grid for each opening with a ball, and a rim that moves with them.

    triangles: [T, 3]. balls: those openings. rim: [R, 2], template units.
    """

    subject: Subject
    triangles: Int
    balls: tuple[Opening, ...]
    rim: Float

    def extend(self, landmarks: Float, *, picture: bool = False) -> Float:
        """Extend landmarks [..., L, 3] in any pixels to vertices [..., V, 3]; the rim and the balls lie behind all else.

        picture: the vertices are for a picture to be warped, where a ball is visible only between the lids.
        """
        parts = [landmarks, *(_ball(landmarks, opening, picture) for opening in self.balls)]
        if len(self.rim):
            template = self.subject.template[:, :2]
            # In a mirror, a similarity fits the mirrored template.
            flip = np.where(_turns(template, landmarks[..., :2], self.subject.weights) < 0, -1, 1)[..., None, None]
            sign = np.concatenate([flip, np.ones_like(flip)], -1).astype(np.float32)
            fit = fit_similarity(template * sign, landmarks[..., :2], self.subject.weights)
            parts.append(_behind(apply_similarity(self.rim * sign, *fit), landmarks))
        return np.concatenate(parts, axis=-2).astype(np.float32)

    @cached_property
    def shares(self) -> Float:
        """Share of each part of the subject at each vertex, [V, P]; rows sum to 1."""
        return self.extend_values(np.stack([part.share for part in self.subject.parts], 1))

    def extend_values(self, values: Float) -> Float:
        """Extend values at the landmarks [L, ...] to the vertices [V, ...]: a ball's and the rim's are means of those around them."""
        balls = [np.repeat(values[o.contour].mean(0, keepdims=True), len(_ROWS) * _COLUMNS, 0) for o in self.balls]
        return np.concatenate([values, *balls, np.repeat(values.mean(0, keepdims=True), len(self.rim), 0)])


def _behind(points: Float, landmarks: Float) -> Float:
    """Place points [..., N, 2] behind all landmarks [..., L, 3]: [..., N, 3]."""
    depth = np.broadcast_to(landmarks[..., 2:].max(-2, keepdims=True) + 1, (*points.shape[:-1], 1))
    return np.concatenate([points, depth], -1)


def _ball(landmarks: Float, opening: Opening, picture: bool) -> Float:
    """Make the grid of a ball, [..., rows * columns, 3]: across from corner to corner, the iris in its middle; down in radii of the iris."""
    low, high = (landmarks[..., side, :2] for side in opening.sides)
    start, across = low[..., :1, :], low[..., -1, :] - low[..., 0, :]
    length = np.maximum(np.linalg.norm(across, axis=-1), 1e-6)[..., None]
    x = across / length
    y = np.stack([-x[..., 1], x[..., 0]], -1)

    def level(points: Float) -> tuple[Float, Float]:
        """Map points to the eye's own axes, in widths of it."""
        centred = (points - start) / length[..., None]
        return (centred * x[..., None, :]).sum(-1), (centred * y[..., None, :]).sum(-1)

    u, v = level(landmarks[..., opening.ball, :2])
    radius = np.linalg.norm(landmarks[..., opening.ball[1:], :2] - landmarks[..., opening.ball[:1], :2], axis=-1).mean(
        -1
    )
    radius = radius[..., None] / length
    middle = np.clip(u[..., :1], 0.12, 0.88)
    left = np.clip(middle - radius, 0.04, middle - 0.05)
    right = np.clip(middle + radius, middle + 0.05, 0.96)
    columns = np.concatenate(
        [np.zeros_like(left), left / 2, left, middle, right, (right + 1) / 2, np.ones_like(left)], -1
    )
    rows = v[..., :1] + _ROWS * radius
    u = np.broadcast_to(columns[..., None, :], (*columns.shape[:-1], len(_ROWS), _COLUMNS))
    v = np.broadcast_to(rows[..., :, None], u.shape)
    if picture:
        lids = np.stack([_heights(columns, *level(side)) for side in (low, high)])
        top, bottom = lids.min(0)[..., None, :], lids.max(0)[..., None, :]
        margin = _MARGIN * (bottom - top)
        v = np.clip(v, top + margin, bottom - margin)
    flat = (*columns.shape[:-1], len(_ROWS) * _COLUMNS, 1)
    points = start + length[..., None] * (u.reshape(flat) * x[..., None, :] + v.reshape(flat) * y[..., None, :])
    return _behind(points, landmarks)


def _heights(u: Float, at: Float, heights: Float) -> Float:
    """Interpolate heights [..., M] at places u [..., M] of polylines through `heights` at rising places `at`, both [..., N]."""
    right = np.clip((u[..., :, None] >= at[..., None, :]).sum(-1), 1, at.shape[-1] - 1)
    x0, x1, y0, y1 = (np.take_along_axis(v, right - back, -1) for v in (at, heights) for back in (1, 0))
    share = np.clip((u - x0) / np.maximum(x1 - x0, 1e-6), 0, 1)
    return np.asarray(y0 + share * (y1 - y0), np.float32)


def _grid_triangles(first: int) -> Int:
    """Make the triangles of a ball's grid whose vertices begin at `first`: [N, 3]."""
    cells = [
        (r * _COLUMNS + c, r * _COLUMNS + c + _COLUMNS) for r in range(len(_ROWS) - 1) for c in range(_COLUMNS - 1)
    ]
    corners = [t for a, b in cells for t in ((a, a + 1, b), (a + 1, b + 1, b))]
    return np.array(corners, np.int64).reshape(-1, 3) + first


def _turns(template: Float, landmarks: Float, weights: Float) -> Float:
    """Compute the orientation of landmarks [..., L, 2]: positive as the template, negative if mirrored."""
    share = (weights / weights.sum())[:, None]
    own = template - (template * share).sum(0)
    centred = landmarks - (landmarks * share).sum(-2, keepdims=True)
    return np.asarray(np.linalg.det(np.swapaxes(centred, -1, -2) @ (own * share)))


@cache
def surface_of(subject: Subject) -> Surface:
    """Make the surface of a subject."""
    if len(subject.triangles):
        balls = tuple(o for o in subject.openings if len(o.ball))
        first = [len(subject.template) + i * len(_ROWS) * _COLUMNS for i in range(len(balls))]
        triangles = np.concatenate([subject.triangles, *map(_grid_triangles, first)])
        return Surface(subject, triangles, balls, np.zeros((0, 2), np.float32))
    rim = _RIM * np.float32(subject.half_side)
    triangles = Delaunay(np.concatenate([subject.template[:, :2], rim])).simplices
    return Surface(subject, triangles.astype(np.int64), (), rim)
