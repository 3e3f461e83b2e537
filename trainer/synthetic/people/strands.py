"""Strands that grow from skin: roots on the subdivided surface, growth with flow and gravity, clumps, and motion with the skin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack
from scipy.spatial import cKDTree

from nodes.geometry.step import smoothstep
from trainer.synthetic.people.person import Figure

Array = npt.NDArray[Any]  # of floats; whole numbers where indices are meant

_REACH = np.array([[-0.11, -0.06, -0.17], [0.11, 0.2, 0.14]])  # the head, from the middle of the eyes, metres
_CLOTHES = 0.016  # metres from the skin of the shoulders to the outside of clothes
_DEEPEST = 0.06  # metres below which a point is not pushed out: the nearest skin is not where it came from
_SINK = 0.0004  # metres below the skin where a strand begins, so that none floats


def subdivided(faces: Array, vertices: int) -> tuple[csr_array, Array]:
    """Return one level of Catmull-Clark as weights [N, V] of the vertices, and the new faces [4 F, 4]; faces: [F, 4].

    Borders are kept as they are: no strand grows there. Catmull & Clark 1978.
    """
    count = len(faces)
    ends = np.sort(np.stack([faces, np.roll(faces, -1, 1)], 2).reshape(-1, 2), 1)
    edges, edge_of, sides = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(count, 4)
    corner_rows = np.repeat(np.arange(count), 4)
    face_points = csr_array((np.full(4 * count, 0.25), (corner_rows, faces.ravel())), (count, vertices))
    rows = np.repeat(np.arange(len(edges)), 2)
    middles = csr_array((np.full(2 * len(edges), 0.5), (rows, edges.ravel())), (len(edges), vertices))
    beside = csr_array((np.full(4 * count, 0.5), (edge_of.ravel(), corner_rows)), (len(edges), count))
    inner = (sides == 2).astype(float)
    edge_points = _scaled(middles, 1 - inner / 2) + _scaled(beside @ face_points, inner / 2)
    valence = np.bincount(edges.ravel(), minlength=vertices).astype(float)
    border = np.zeros(vertices, bool)
    border[edges[sides != 2].ravel()] = True
    around = csr_array((np.ones(4 * count), (faces.ravel(), corner_rows)), (vertices, count)) @ face_points
    along = csr_array((np.ones(rows.size), (edges.ravel(), rows)), (vertices, len(edges))) @ middles
    moved = np.where(border | (valence < 3), 0.0, 1.0)
    n = np.maximum(valence, 3)
    identity = csr_array((np.ones(vertices), (np.arange(vertices), np.arange(vertices))), (vertices, vertices))
    kept = _scaled(around, moved / n**2) + _scaled(along, 2 * moved / n**2)
    kept = kept + _scaled(identity, np.where(moved > 0, (n - 3) / n, 1.0))
    quads = np.stack(
        [
            faces,
            vertices + edge_of,
            np.repeat(vertices + len(edges) + np.arange(count)[:, None], 4, 1),
            vertices + np.roll(edge_of, 1, 1),
        ],
        2,
    ).reshape(-1, 4)
    return csr_array(vstack([kept, edge_points, face_points])), quads


def _scaled(matrix: csr_array, rows: Array) -> csr_array:
    index = np.arange(len(rows))
    return csr_array(csr_array((rows, (index, index)), (len(rows), len(rows))) @ matrix)


@dataclass(frozen=True)
class SmoothSkin:
    """Skin that strands grow from. weights: [N, V] of the figure's vertices; triangles: [M, 3].

    template: where the middle of each triangle lies on the base mesh, from the middle of the eyes, metres, [M, 3].
    """

    weights: csr_array
    triangles: Array
    template: Array

    @classmethod
    def of(cls, faces: Array, base: Array, centre: Array, reach: Array) -> SmoothSkin:
        """Subdivide the faces [F, 4] within a box twice; base: [V, 3], centre: [3], reach: corners of the box, [2, 3]."""
        relative = base - centre
        near = ((relative > reach[0]) & (relative < reach[1])).all(1)
        first, quads = subdivided(faces[near[faces].all(1)], len(base))
        second, quads = subdivided(quads, first.shape[0])
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        used, triangles = np.unique(triangles, return_inverse=True)
        weights = csr_array((second[used]) @ first)
        triangles = triangles.reshape(-1, 3)
        return cls(weights, triangles, (weights @ relative)[triangles].mean(1))

    def roots(self, density: Array, count: int, vertices: Array, random: np.random.Generator) -> StrandRoots:
        """Draw roots by area and density [M]; vertices: of the figure at rest, [V, 3]."""
        corners = (self.weights @ vertices)[self.triangles]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        share = np.cumsum(area * density)
        chosen = np.searchsorted(share, random.uniform(0, share[-1], count))
        at = np.sort(random.random((count, 2)), 1)
        weights = np.stack([at[:, 0], at[:, 1] - at[:, 0], 1 - at[:, 1]], 1)
        return StrandRoots(self.weights[self.triangles[chosen].ravel()], weights, self.template[chosen], vertices)

    def nearest(self, places: Array, vertices: Array) -> StrandRoots:
        """Return roots in the triangles nearest to places on the base mesh [S, 3]."""
        _, chosen = cKDTree(self.template).query(places)
        weights = np.full((len(places), 3), 1 / 3)
        return StrandRoots(self.weights[self.triangles[chosen].ravel()], weights, self.template[chosen], vertices)


@dataclass(frozen=True)
class StrandRoots:
    """Where S strands leave the skin. corners: weights of the vertices for each triangle's corners, [3 S, V]; weights: [S, 3].

    template: as in SmoothSkin, [S, 3]. rest: vertices of the figure at rest, [V, 3].
    """

    corners: csr_array
    weights: Array
    template: Array
    rest: Array = field(repr=False)

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, chosen: Array) -> StrandRoots:
        rows = (3 * np.arange(len(self))[chosen][:, None] + np.arange(3)).ravel()
        return StrandRoots(self.corners[rows], self.weights[chosen], self.template[chosen], self.rest)

    def frames(self, vertices: Array) -> tuple[Array, Array]:
        """Return roots [S, 3], a little below the skin, and axes [S, 3, 3] (tangent, bitangent, normal as rows)."""
        corners = (self.corners @ vertices).reshape(-1, 3, 3)
        tangent = unit(corners[:, 1] - corners[:, 0])
        normal = unit(np.cross(tangent, corners[:, 2] - corners[:, 0]))
        place = np.einsum("sc,scd->sd", self.weights, corners)
        return place - _SINK * normal, np.stack([tangent, np.cross(normal, tangent), normal], 1)

    @cached_property
    def at_rest(self) -> tuple[Array, Array]:
        """Roots and axes at rest."""
        return self.frames(self.rest)

    @property
    def points(self) -> Array:
        """Roots at rest, [S, 3]."""
        return self.at_rest[0]

    @property
    def normals(self) -> Array:
        """Normals of the skin at rest, [S, 3]."""
        return self.at_rest[1][:, 2]

    def carried(self, strands: Array, posed: Array) -> Array:
        """Carry strands grown at rest [S, K, 3] with the skin under them; posed: [T, V, 3]; returns [T, S, K, 3]."""
        roots, axes = self.at_rest
        local = np.einsum("skc,sac->ska", strands - roots[:, None], axes)
        out = np.empty((len(posed), *strands.shape), np.float32)
        for frame, vertices in enumerate(posed):
            place, turned = self.frames(vertices)
            out[frame] = place[:, None] + np.einsum("ska,sac->skc", local, turned)
        return out

    def carried_rigidly(self, strands: Array, posed: Array, catch_up: float = 1.0) -> Array:
        """Carry strands with the head as a whole; only what is near a root follows the skin; as `carried`.

        catch_up: share of the way that hair hanging below the eyes makes in a frame to where the head has it; 1 for stiff hair.
        """
        roots, _ = self.at_rest
        near = np.linspace(1, 0, strands.shape[1])[None, :, None] ** 2
        loose = smoothstep(-strands[..., 2:] / 0.15) * (1 - near)
        out = np.empty((len(posed), *strands.shape), np.float32)
        late = None
        for frame, vertices in enumerate(posed):
            place, _ = self.frames(vertices)
            turn, shift = rigid(roots, place)
            left = place - (roots @ turn.T + shift)
            moved = strands @ turn.T + shift + near * left[:, None]
            late = moved if late is None else late + catch_up * (moved - late)
            out[frame] = moved + loose * (late - moved)
        return out


def rigid(before: Array, after: Array) -> tuple[Array, Array]:
    """Return the rotation [3, 3] and shift [3] that move points [N, 3] best (least squares: Kabsch 1976)."""
    a, b = before.mean(0), after.mean(0)
    u, _, v = np.linalg.svd((before - a).T @ (after - b))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(v.T @ u.T))])
    turn = v.T @ flip @ u.T
    return turn, b - turn @ a


@dataclass(frozen=True)
class Collider:
    """Skin that strands stay outside of. points, normals: [N, 3]."""

    points: Array
    normals: Array

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points)

    def smooth_depth(self, points: Array) -> tuple[Array, Array]:
        """Return the same as `depth`, from the four nearest points, so that nothing jumps when points move."""
        distance, nearest = self._tree.query(points, 4)
        weights = 1 / np.maximum(distance, 1e-4) ** 2
        weights /= weights.sum(1, keepdims=True)
        normals = self.normals[nearest]
        heights = ((points[:, None] - self.points[nearest]) * normals).sum(2)
        return (weights * heights).sum(1), unit((weights[..., None] * normals).sum(1))

    def depth(self, points: Array) -> tuple[Array, Array]:
        """Return the height above the nearest skin [N], negative inside, and its normals [N, 3]."""
        _, nearest = self._tree.query(points, eps=0.3)
        normals = self.normals[nearest]
        return ((points - self.points[nearest]) * normals).sum(1), normals


@dataclass(frozen=True)
class Head:
    """A figure's head as hair sees it. surface: its skin. rest: vertices about the middle of the eyes, [V, 3]; centre: that middle.

    torso: faces of neck, shoulders and chest, [F, 4].
    """

    surface: SmoothSkin
    collider: Collider
    rest: Array
    centre: Array
    torso: Array = field(repr=False)

    @classmethod
    def of(cls, figure: Figure) -> Head:
        """Subdivide the skin of a figure's head."""
        body = figure.body
        eyes = np.concatenate([body.groups["helper-l-eye"], body.groups["helper-r-eye"]])
        centre = figure.rest[eyes].mean(0)
        rest, faces = figure.rest - centre, body.faces["body"]
        surface = SmoothSkin.of(faces, body.vertices, body.vertices[eyes].mean(0), _REACH)
        height = rest[faces].mean(1)[:, 2]
        torso = faces[(height < -0.1) & (height > -0.6)]
        return cls(surface, cls._collider(surface, rest, torso), rest, centre, torso)

    @staticmethod
    def _collider(surface: SmoothSkin, rest: Array, torso: Array) -> Collider:
        """Return the skin without the ears, which hair lies over, and with neck and dressed shoulders."""
        x, y, z = surface.template.T
        ear = (np.abs(x) > 0.0735) & (y > 0.048) & (y < 0.1) & (z > -0.05) & (z < 0.03)
        corners = (surface.weights @ rest)[surface.triangles[~ear][::2]]
        body, out = _dressed(rest, torso)
        middles = np.concatenate([corners.mean(1), body])
        normals = np.concatenate([_normals(corners), out])
        outside = outward(middles, normals) | (middles[:, 2] < -0.1)
        return Collider(middles[outside], normals[outside])

    def roots(self, density: Array, count: int, random: np.random.Generator) -> StrandRoots:
        """Draw roots; density 0..1 on the triangles of the surface."""
        return self.surface.roots(density, count, self.rest, random)

    @property
    def outer(self) -> Array:
        """Which triangles of the surface face outwards, not into mouth, nose or sockets, [M]."""
        corners = (self.surface.weights @ self.rest)[self.surface.triangles]
        return outward(corners.mean(1), _normals(corners))

    def carried(self, roots: StrandRoots, strands: Array, posed: Array, catch_up: float | None = None) -> Array:
        """Carry strands, which lie about the middle of the eyes at rest, to the frames of a mesh in the world, [T, V, 3].

        They follow the skin, or with `catch_up` the head as a whole; then they slide over shoulders and clothes.
        """
        local = posed - self.centre
        if catch_up is None:
            return roots.carried(strands, local) + self.centre
        moved = roots.carried_rigidly(strands, local, catch_up)
        low = np.nonzero(strands[..., 2] < -0.09)
        if len(low[0]):
            for hair, vertices in zip(moved, local, strict=True):
                height, normals = Collider(*_dressed(vertices, self.torso)).smooth_depth(hair[low])
                push = np.where(height > -_DEEPEST, np.maximum(0.003 - height, 0), 0)
                hair[low] += push[:, None] * normals
        return moved + self.centre


def _dressed(vertices: Array, faces: Array) -> tuple[Array, Array]:
    """Return the middles [F, 3] and normals of faces, moved out by what clothes add below the neck."""
    corners = vertices[faces]
    middles, normals = corners.mean(1), unit(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    clothes = _CLOTHES * smoothstep((-0.14 - middles[:, 2]) / 0.03)
    return middles + clothes[:, None] * normals, normals


def outward(points: Array, normals: Array) -> Array:
    """Whether the skin at points about the middle of the eyes [N, 3] faces away from the middle of the head."""
    return np.asarray((normals * (points - np.array([0.0, 0.06, -0.04]))).sum(1) > 0)


def _normals(corners: Array) -> Array:
    return unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


Flow = Callable[[Array, Array], Array]


def grow(
    start: Array,
    direction: Array,
    length: Array,
    steps: int,
    collider: Collider,
    flow: Flow,
    clearance: Array,
    pull: float = 1.5,
    gravity: float = 0.1,
    reach: float = 0.04,
) -> Array:
    """Grow strands from roots [S, 3] and return points [S, steps + 1, 3].

    direction: [S, 3]. length, clearance (height above the skin at which hair comes to lie): metres, [S].
    flow: the direction wanted at points under normals, along the skin. pull: of the flow, gravity: of the ground, per cm.
    reach: metres above the skin within which the flow acts.
    """
    points = np.empty((len(start), steps + 1, 3))
    points[:, 0], now = start, unit(direction)
    step = length / steps
    centimetres = 100 * step[:, None]
    height, normals = collider.depth(start)
    for k in range(steps):
        wanted = flow(points[:, k], normals)
        wanted = unit(wanted - (wanted * normals).sum(1, keepdims=True) * normals)
        near = np.exp(-np.maximum(height, 0) / reach)[:, None]
        now = now + np.minimum(pull * centimetres, 1) * near * wanted
        now[:, 2] -= (gravity * centimetres)[:, 0]
        now = unit(now)
        there = points[:, k] + step[:, None] * now
        height, normals = collider.depth(there)
        floor = clearance * np.minimum((k + 1) * step / 0.012, 1)
        there = there + np.maximum(floor - height, 0)[:, None] * normals
        now = unit(there - points[:, k])
        points[:, k + 1] = points[:, k] + step[:, None] * now
        height = np.maximum(height, floor)
    return points


def cut_below(strands: Array, level: Array) -> Array:
    """Shorten strands [S, K, 3] where they fall below a height [S]; they keep their number of points."""
    below = strands[:, :, 2] < level[:, None]
    below[:, 0] = False
    first = np.where(below.any(1), below.argmax(1), strands.shape[1] - 1)
    rows = np.arange(len(strands))
    high, low = strands[rows, np.maximum(first - 1, 0), 2], strands[rows, first, 2]
    part = np.where(below.any(1), (high - level) / np.maximum(high - low, 1e-9), 1.0)
    return resampled(strands, first - 1 + np.clip(part, 0, 1), strands.shape[1])


def resampled(strands: Array, end: Array | float, count: int) -> Array:
    """Return `count` points of each strand [S, K, 3], evenly from its root to position `end` in 0..K - 1."""
    at = np.linspace(0, 1, count)[None] * np.broadcast_to(np.asarray(end, float), len(strands))[:, None]
    low = np.clip(at.astype(int), 0, strands.shape[1] - 2)
    part = (at - low)[..., None]
    rows = np.arange(len(strands))[:, None]
    return np.asarray(strands[rows, low] * (1 - part) + strands[rows, low + 1] * part)


def clumped(
    strands: Array, clumps: int, strength: float | Array, random: np.random.Generator, side: Array | None = None
) -> tuple[Array, Array]:
    """Draw strands [S, K, 3] towards the middle strand of their clump, more towards the tips; return also the middle's index, [S].

    strength: 0..1, of all or of each, [S]. side: numbers that set strands apart which lie close but are combed apart, [S].
    """
    keys = strands[:, 0] if side is None else np.concatenate([strands[:, 0], side[:, None]], 1)
    chosen = random.choice(len(strands), min(clumps, len(strands)), replace=False)
    _, nearest = cKDTree(keys[chosen]).query(keys)
    middle = chosen[nearest]
    own = strength * random.uniform(0.6, 1, len(chosen))[nearest]
    share = own[:, None, None] * np.linspace(0, 1, strands.shape[1])[None, :, None] ** 0.8
    target = (
        strands[middle]
        + (strands[:, :1] - strands[middle, :1]) * (1 - 0.6 * np.linspace(0, 1, strands.shape[1]))[None, :, None]
    )
    return strands + share * (target - strands), middle


def waved(strands: Array, amplitude: Array, turns: Array, phase: Array, round_: float = 0.4) -> Array:
    """Bend strands [S, K, 3] in waves across their course. amplitude: metres; turns: for the whole strand; phase: radians; all [S].

    round_: 0 for waves in a plane, 1 for coils.
    """
    ahead = unit(np.gradient(strands, axis=1))
    across = unit(np.cross(ahead, [0.13, 0.21, 0.97]) + 1e-6)
    other = np.cross(ahead, across)
    along = np.linspace(0, 1, strands.shape[1])[None]
    angle = 2 * np.pi * turns[:, None] * along + phase[:, None]
    size = (amplitude[:, None] * np.minimum(along * 4, 1))[..., None]
    return np.asarray(strands + size * (np.cos(angle)[..., None] * across + round_ * np.sin(angle)[..., None] * other))


def tapered(radius: Array, points: int, tip: float = 0.35) -> Array:
    """Return radii [S, K] that thin out towards the tips; radius: at the root, metres, [S]."""
    return (radius[:, None] * (1 - (1 - tip) * np.linspace(0, 1, points)[None] ** 2)).astype(np.float32)


def smooth_noise(points: Array, size: float, random: np.random.Generator) -> Array:
    """Return smooth random numbers, about -1..1, at points [N, 3]; size: metres from one bump to the next."""
    waves = random.normal(size=(8, 3)) * 2 * np.pi / size / 1.7
    return np.asarray(np.sin(points @ waves.T + random.uniform(0, 2 * np.pi, 8)).sum(1) / 2.0)


def unit(vectors: Array) -> Array:
    """Return vectors [..., 3] at length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
