"""The mouth: lips that meet, and teeth with gums in two arches.

The skin around the opening is a grid of 38 columns: column 0 is the middle of the upper lip, 12 and 26 are the corners of the right and
the left, 19 is the middle of the lower lip. Row 4 is where the lips touch, row 0 lies on the red of the lips, row 8 inside the mouth.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from nodes.types import Float, Int
from trainer.synthetic.people.body import Body, load_body
from trainer.synthetic.people.eyes import limit, neighbours

_STARTS = ((466, 463), (467, 464), (509, 508), (468, 465), (474, 473), (520, 521), (537, 538), (554, 555), (571, 572))
_TOUCHING = slice(3, 7)  # rows that may be the first to touch
_FOLLOWING = (0.3, 0.5, 0.75, 0.95, 1.0, 1.0, 0.9, 0.6, 0.3)  # how much of a move of the lip each row makes
_UPPER = (*range(26, 38), *range(13))  # columns from the left corner to the right one
_LOWER = (*range(25, 12, -1),)
_PRESS = 0.0003  # metres that closed lips overlap
PARTED = 0.06  # of a unit that parts the lips, from which on they are as it has them
PARTING = (
    "jawOpen",
    "mouthFunnel",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
)
_MM = 0.001


@dataclass(frozen=True)
class LipGrid:
    """Skin around the mouth. grid: vertices [9, 38]. around: of the rows that touch, with those beside and across, [4, 38, 9]."""

    grid: Int
    around: Int


@cache
def lip_grid(data: Path) -> LipGrid:
    """Find the grid of the lips."""
    beside, across = neighbours(load_body(data).faces["body"])
    rows = []
    for start, second in _STARTS:
        row = [start, second]
        while len(row) < 38:
            row.append(next(iter(beside[row[-1]] - across[row[-2]] - {row[-2]})))
        rows.append(row)
    around = [[[vertex, *beside[vertex], *across[vertex]] for vertex in row] for row in rows[_TOUCHING]]
    return LipGrid(np.array(rows, np.int64), np.array(around, np.int64))


def lip_gap(posed: Float, lips: LipGrid) -> tuple[Float, Float, Float]:
    """Return the gap in metres between the lips at the 25 columns of the upper lip, [T, 25], and where these and the lower 13 are across."""
    points = np.stack([limit(posed, rows) for rows in lips.around], 1)
    upper, lower = points[:, :, list(_UPPER)], points[:, :, list(_LOWER)]
    above, below = upper[..., 2].min(1), lower[..., 2].max(1)
    across, places = -upper[:, 1, :, 0], np.maximum.accumulate(-lower[:, 1, :, 0], 1)
    beneath = [np.interp(x, xs, zs) for x, xs, zs in zip(across, places, below, strict=True)]
    return above - np.stack(beneath), across, places


def close_lips(posed: Float, parting: Float, lips: LipGrid) -> None:
    """Move the lips of faces [T, V, 3], in place, so that they meet unless something parts them, and never go through each other.

    parting: 0 for lips that are to meet, 1 for lips as they are, [T].
    """
    for _ in range(2):
        gap, across, places = lip_gap(posed, lips)
        wanted = np.where(gap > 0, gap * parting[:, None], 0) - _PRESS * (1 - parting[:, None])
        upper = 0.5 * (wanted - gap)
        edges = np.maximum.accumulate(across, 1)
        lower = np.stack([np.interp(x, xs, moved) for x, xs, moved in zip(places, edges, upper, strict=True)])
        for row, share in zip(lips.grid, _FOLLOWING, strict=True):
            posed[:, row[list(_UPPER)], 2] += share * upper
            posed[:, row[list(_LOWER)], 2] -= share * lower


def round_opening(body: Body, lips: LipGrid, opened: Float) -> None:
    """Let the offsets [V, 3] of an open jaw, in place, open an oval mouth, where MakeHuman's lower lip hangs from its middle."""
    edge = lips.grid[4, list(_LOWER)]
    base = body.vertices[edge]
    width = np.abs(base[:, 0]).max() + 0.001
    oval = opened[edge, 2].min() * np.sqrt(1 - (base[:, 0] / width) ** 2)
    lacking = np.minimum(oval - opened[edge, 2], 0) * (1 - (np.abs(base[:, 0]) / width) ** 6)
    near = np.setdiff1d(body.groups["body"], np.unique(lips.grid[:, list(_UPPER)]))
    below = body.vertices[near]
    distance = np.linalg.norm((below[:, None] - base) / [0.006, 0.014, 0.014], axis=2)
    weights = np.exp(-0.5 * distance**2)
    follows = np.exp(-0.5 * np.maximum(distance.min(1) - 0.5, 0) ** 2) * np.clip(
        opened[near, 2] / opened[edge, 2].min() * 4, 0, 1
    )
    opened[near, 2] += follows * (weights @ lacking) / np.maximum(weights.sum(1), 1e-9)


@dataclass(frozen=True)
class _Arch:
    """A row of teeth on MakeHuman's base mesh, in mm. widths, heights, depths: from the middle outwards, 7 each.

    labial: x, y of points on the outer surface; edge: z of the biting edge there. up: 1 where the teeth grow upwards, -1 downwards.
    """

    widths: tuple[float, ...]
    heights: tuple[float, ...]
    depths: tuple[float, ...]
    labial: tuple[tuple[float, float], ...]
    edge: tuple[float, ...]
    up: int


_ARCHES = {
    "upper": _Arch(
        (8.6, 6.7, 7.6, 7.0, 6.8, 10.2, 9.5),
        (10.3, 9.0, 10.0, 8.6, 8.0, 7.4, 7.0),
        (6.5, 6.0, 7.5, 8.8, 8.8, 10.5, 10.5),
        ((0, -149.4), (8.3, -148.4), (16.3, -143.4), (21.4, -135.5), (25.1, -127.5), (28.2, -118), (30.6, -103)),
        (658.4, 658.8, 659.9, 661.6, 663.3, 665.4, 669.0),
        1,
    ),
    "lower": _Arch(
        (5.4, 6.0, 6.9, 7.1, 7.2, 11.0, 10.4),
        (8.8, 9.0, 10.0, 8.6, 8.0, 7.4, 7.0),
        (5.8, 6.0, 7.2, 7.8, 8.2, 10.2, 10.0),
        (
            (0, -146.3),
            (5.2, -146.0),
            (10.0, -144.0),
            (14.8, -139.8),
            (19.4, -132.8),
            (23.4, -124.5),
            (26.3, -115),
            (28.4, -101),
        ),
        (659.7, 659.7, 660.0, 660.6, 661.8, 663.5, 665.8, 669.4),
        -1,
    ),
}
_LEVELS = np.array(
    [0.0, 0.02, 0.06, 0.14, 0.3, 0.5, 0.7, 0.88, 1.0, 1.18]
)  # of the height, from the biting edge to below the gum
_ROUND = np.array([0.45, 0.8, 0.93, 0.98, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
_AROUND = 20
_THICK = 0.3  # of the depth that an incisor has at its edge


class _ArchLine:
    """The outer line of an arch by the length along it in mm, from the middle to the left."""

    def __init__(self, arch: _Arch) -> None:
        points = np.array([(*point, z) for point, z in zip(arch.labial, arch.edge, strict=True)], np.float64)
        whole = np.concatenate([points[:0:-1] * [-1, 1, 1], points])
        steps = np.linalg.norm(np.diff(whole[:, :2], axis=0), axis=1)
        length = np.concatenate([[0], np.cumsum(steps)])
        self._line = PchipInterpolator(length - length[len(points) - 1], whole)

    def frame(self, place: Float) -> tuple[Float, Float, Float]:
        """Return points [N, 3], tangents and outward normals at lengths [N]."""
        point, tangent = (np.asarray(self._line(place, order), np.float32) for order in (0, 1))
        tangent[:, 2] = 0
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        return point, tangent, np.stack([tangent[:, 1], -tangent[:, 0], 0 * tangent[:, 0]], 1)


def _tooth(kind: int, width: float, height: float, depth: float) -> tuple[Float, Float]:
    """Return a tooth as rings [10, 20, 3] along, outwards and away from its edge, in mm, and how near to the neck each vertex is."""
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    power = 0.62 if kind < 3 else 0.72
    circle = np.sign([np.cos(turn), np.sin(turn)]) * np.abs([np.cos(turn), np.sin(turn)]) ** power
    level = _LEVELS[:, None]
    wide = (
        0.5
        * width
        * np.interp(_LEVELS, [0, 0.2, 0.55, 1.2], [0.93, 1.0, 0.97, 0.7] if kind != 2 else [0.62, 0.98, 1.0, 0.74])
    )
    thin = _THICK if kind < 3 else 0.86
    thick = 0.5 * depth * np.interp(_LEVELS, [0, 0.15, 0.5, 0.9, 1.2], [thin, thin + 0.08, 0.5 + 0.5 * thin, 1.0, 0.92])
    bulge = 0.45 * np.sin(np.pi * np.clip(_LEVELS * 0.85 + 0.12, 0, 1))
    along = circle[0] * (wide * _ROUND)[:, None]
    outward = circle[1] * (thick * (0.6 + 0.4 * _ROUND))[:, None] - thick[:, None] + bulge[:, None] - 0.45
    drop = (
        0.25 * height * np.abs(circle[0]) ** 2 if kind == 2 else (0.0 if kind < 2 else 0.7 * np.abs(np.sin(turn + 0.7)))
    )
    away = level * height + np.where(level < 0.2, 1 - level / 0.2, 0) * drop
    return np.stack(np.broadcast_arrays(along, outward, away), -1), np.broadcast_to(level, along.shape)


def teeth_mesh(jaw: str, uneven: float, rng: np.random.Generator) -> tuple[Float, Int, Int, Float]:
    """Return teeth on MakeHuman's base mesh: vertices [V, 3] in metres, corners and starts of faces, and the nearness to the gum [V]."""
    arch = _ARCHES[jaw]
    track = _ArchLine(arch)
    vertices: list[Float] = []
    necks: list[Float] = []
    faces: list[Sequence[int]] = []
    for side in (-1, 1):
        place = 0.0
        for kind, (width, height, depth) in enumerate(zip(arch.widths, arch.heights, arch.depths, strict=True)):
            centre, place = side * (place + width / 2), place + width
            local, neck = _tooth(kind, 0.985 * width, height, depth)
            angle, tilt, lift, out = uneven * rng.normal(0, (0.12, 0.05, 0.5, 0.45))
            along, outward, away = np.moveaxis(local, -1, 0)
            along, outward = (
                along * np.cos(angle) - outward * np.sin(angle),
                along * np.sin(angle) + outward * np.cos(angle),
            )
            along = along + tilt * away
            point, tangent, normal = (part[0] for part in track.frame(np.array([centre])))
            start = sum(map(len, vertices))
            shaped = point + along[..., None] * tangent + (outward + out)[..., None] * normal
            shaped[..., 2] += arch.up * (away + lift)
            vertices.append(shaped.reshape(-1, 3))
            necks.append(neck.ravel())
            faces += _tube(start, len(_LEVELS), arch.up < 0)
    flat = np.concatenate([np.asarray(face) for face in faces])
    return (
        np.concatenate(vertices).astype(np.float32) * np.float32(_MM),
        flat,
        np.cumsum([0, *map(len, faces)]),
        np.concatenate(necks).astype(np.float32),
    )


def _tube(start: int, rings: int, flipped: bool) -> list[Sequence[int]]:
    cap = [start + k for k in range(_AROUND)]
    faces: list[Sequence[int]] = [cap]
    for ring in range(rings - 1):
        first = start + ring * _AROUND
        for k in range(_AROUND):
            after = (k + 1) % _AROUND
            faces.append([first + k, first + _AROUND + k, first + _AROUND + after, first + after])
    return [face[::-1] for face in faces] if flipped else faces


def gum_mesh(jaw: str) -> tuple[Float, Int]:
    """Return the gums of one jaw on MakeHuman's base mesh: vertices [V, 3] in metres and quads [F, 4]."""
    arch = _ARCHES[jaw]
    track = _ArchLine(arch)
    half = np.concatenate([[0], np.cumsum(arch.widths)])
    count = 10
    places = np.concatenate([np.linspace(a, b, count, endpoint=False) for a, b in itertools.pairwise(half)])
    within = np.tile(np.linspace(-1, 1, count, endpoint=False), 7)
    kind = np.repeat(np.arange(7), count)
    line = np.array(arch.heights)[kind] * (0.97 - 0.3 * np.abs(within) ** 2.2)
    depth = np.array(arch.depths)[kind]
    places, line = np.concatenate([-places[:0:-1], places]), np.concatenate([line[:0:-1], line])
    depth = np.concatenate([depth[:0:-1], depth])
    point, _, normal = track.frame(places)
    between = np.concatenate([np.abs(within[:0:-1]), np.abs(within)]) ** 3
    rows = []
    for outward, higher in (
        (-1.6, 0.0),
        (-0.25 - 0.7 * between, 0.0),
        (0.25 - 0.6 * between, 0.5),
        (0.55, 2.0),
        (0.7, 5.0),
        (0.2, 10.0),
        (-2.5, 13.0),
    ):
        rows.append((outward, line + higher))
    for part, higher in ((1.0, 12.0), (1.02, 5.0), (0.98, 1.0), (0.8, 0.0)):
        rows.append((-part * depth - 0.3, line + higher))
    grid = np.stack([point + np.multiply(outward, np.ones(len(point)))[:, None] * normal for outward, _ in rows])
    grid[..., 2] += arch.up * np.stack([away for _, away in rows])
    index = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    return grid.reshape(-1, 3).astype(np.float32) * np.float32(_MM), quads


def carry(body: Body, posed: Float, jaw: str, points: Float) -> Float:
    """Carry points [N, 3] on the base mesh along with MakeHuman's own teeth of posed vertices [T, V, 3]: [T, N, 3]."""
    members = body.groups[f"helper-{jaw}-teeth"]
    base = np.concatenate([body.vertices[members], np.ones((len(members), 1), np.float32)], 1)
    affine = np.linalg.pinv(base.astype(np.float64)) @ posed[:, members].astype(np.float64)
    return np.asarray(np.concatenate([points, np.ones((len(points), 1), np.float32)], 1) @ affine, np.float32)
