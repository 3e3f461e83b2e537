"""Eyes: how the eyeballs turn, how the lids close over them along their surface, and the meshes of eyeball and cornea.

The skin around each opening is a grid of 28 columns: column 0 is the inner corner, 16 the outer one, 1 to 15 lie on the upper
lid and 17 to 27 on the lower one. Row 0 touches the eyeball, row 2 is the edge with the lashes, row 7 lies below the brow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from nodes.types import Float, Int
from trainer.synthetic.people.body import Body, load_body

SIDES = ("left", "right")
TURNS = {"In": 30.0, "Out": 30.0, "Up": 20.0, "Down": 26.0}  # degrees of an eye for its look unit at 1
_INNER = (7770, 7769, 7768, 7772, 7767, 7766, 7765, 7748, 7747, 7749, 7750, 7751, 7752, 7753)
_OUTER = (7754, 7755, 7756, 11716, 7757, 7758, 7759, 7760, 7761, 7762, 7763, 11717, 7764, 7771)
_TUCKED = (*range(7773, 7799), 11718, 11719)  # the skin behind row 0, inside the eyeball
_BAG = 7799  # a vertex of the closed bag behind it
_ROWS, _EDGE = 8, 2
_UPPER, _LOWER = slice(1, 16), (0, *range(27, 16, -1), 16)
_SEATED = slice(3, 26)  # columns whose row 0 lies on the eyeball: all but those of the inner corner
_FOLLOW = 0.5, 0.3  # of turns of the eye up and down that the upper lid makes, besides what MakeHuman's units do
_ARCHED = np.sin(np.pi * np.arange(1, 16, dtype=np.float32) / 16)  # of the columns of the upper lid
_PRESS = 0.012  # radians that closed lids overlap
_IRIS = 0.0935  # radius of an average iris, by the distance of the eyes: 5.9 mm of 63 mm
_BULGE = 0.0008  # metres: height of the cornea over the eyeball
_TRUST = 0.7  # in the centre and radius that MakeHuman gives an eyeball, against those of the lids
_THICKNESS = (0.012, 0.04, 0.06, 0.06, 0.06, 0.06, 0.05, 0.0)  # least of lids over the eyeball by row, by its radius
EDGE_ANGLE = 115.0  # degrees from the gaze at which the mesh of an eyeball ends


@dataclass(frozen=True)
class LidGrid:
    """Skin around the left or right eye. grid: vertices [8, 28]. tucked: [28], behind row 0. bag: hidden skin in the socket.

    around: vertices of row 2 with those beside and across from them, which give its place on the subdivided surface, [28, 9]. moved: all vertices that the blink turns; share: how much of their column's turn they make; column: where they take it from, 0..16.
    """

    grid: Int
    tucked: Int
    bag: Int
    around: Int
    moved: Int
    share: Float
    column: Float


@dataclass(frozen=True)
class Eyeball:
    """An eye at rest. centre: [3]; radius and iris: metres; axes: rows from inner to outer corner, forward and up, [3, 3]."""

    centre: Float
    radius: float
    iris: float
    axes: Float

    @property
    def limbus(self) -> float:
        """Return the angle from the gaze to the edge of the iris, in radians."""
        return float(np.arcsin(self.iris / self.radius))

    def surface(self, angle: Float) -> Float:
        """Return the distance of the cornea or eyeball from the centre, at angles from the gaze in radians."""
        inside = np.clip(1 - (angle / (1.25 * self.limbus)) ** 2, 0, 1)
        return np.asarray(self.radius + 0.00005 + _BULGE * (self.radius / 0.0149) * inside**1.5)


def neighbours(faces: Int) -> tuple[list[set[int]], list[set[int]]]:
    """Return for each vertex those that share an edge with it, and those across a quad from it."""
    count = int(faces.max()) + 1
    beside: list[set[int]] = [set() for _ in range(count)]
    across: list[set[int]] = [set() for _ in range(count)]
    for a, b, c, d in faces.tolist():
        for one, other in ((a, b), (b, c), (c, d), (d, a)):
            beside[one].add(other)
            beside[other].add(one)
        for one, other in ((a, c), (b, d)):
            across[one].add(other)
            across[other].add(one)
    return beside, across


def spherical(points: Float, eye: Eyeball) -> tuple[Float, Float, Float]:
    """Return points [..., 3] as seen from an eye: metres along the line of its corners, radians above it, and metres away from that line."""
    along, forward, up = np.moveaxis((points - eye.centre) @ eye.axes.T, -1, 0)
    return along, np.arctan2(up, forward), np.hypot(up, forward)


def _cartesian(along: Float, angle: Float, distance: Float, eye: Eyeball) -> Float:
    return np.stack([along, distance * np.cos(angle), distance * np.sin(angle)], -1) @ eye.axes + eye.centre


@cache
def lid_grids(data: Path) -> tuple[LidGrid, LidGrid]:
    """Find the grids of both eyes."""
    body = load_body(data)
    beside, across = neighbours(body.faces["body"])
    rows = [[*_INNER, *_OUTER]]
    seen = {*rows[0], *_TUCKED}
    while len(rows) < _ROWS:
        rows.append([next(iter(beside[vertex] - seen)) for vertex in rows[-1]])
        seen.update(rows[-1])
    grid = np.array(rows, np.int64)
    bag, waiting = {_BAG}, [_BAG]
    while waiting:
        fresh = beside[waiting.pop()] - bag - set(_TUCKED)
        bag |= fresh
        waiting += fresh
    around = np.array([[v, *beside[v], *across[v]] for v in grid[_EDGE].tolist()], np.int64)
    tucked = np.array([next(iter(beside[v] & set(_TUCKED))) for v in grid[0].tolist()], np.int64)
    eye = eyeball(body, body.vertices, "left", grid)
    moved, share, column = _blink_field(body, eye, grid, tucked)
    left = LidGrid(grid, tucked, np.array(sorted(bag), np.int64), around, moved, share, column)
    flip = body.mirror
    right = LidGrid(flip[grid], flip[tucked], flip[left.bag], flip[around], flip[moved], share, column)
    return left, right


def _blink_field(body: Body, eye: Eyeball, grid: Int, tucked: Int) -> tuple[Int, Float, Float]:
    """Return the vertices that MakeHuman's blink turns about the line of the corners, their share of the turn, and their column."""
    indices, offsets = body.targets["eyeBlinkLeft"]
    blinked = body.vertices.copy()
    blinked[indices] += offsets
    along, angle, distance = spherical(body.vertices, eye)
    turned = spherical(blinked, eye)[1] - angle
    edge = grid[_EDGE, :17]
    places = np.maximum.accumulate(along[edge]) + 1e-7 * np.arange(17)
    column = np.interp(along, places, np.arange(17.0))
    rowed = np.zeros(len(angle), bool)
    for row in (tucked, *grid):
        column[row[:17]] = np.arange(17.0)
        rowed[row[:17]] = True
    full = np.interp(column, np.arange(17.0), turned[edge])
    share = turned / np.minimum(full, -0.02)
    share[~rowed & (full > -0.3)] = 0
    share[grid[:4, _UPPER]] = 1
    share[tucked[_UPPER]] = 1
    share[grid[:, 17:]] = 0
    near = (distance < 1.6 * eye.radius) & (np.abs(along) < 1.4 * eye.radius)
    kept = np.flatnonzero(near & (share > 0.01) & ~np.isin(np.arange(len(angle)), body.groups["helper-l-eye"]))
    return kept.astype(np.int64), np.clip(share[kept], 0, 1).astype(np.float32), column[kept].astype(np.float32)


def eyeball(body: Body, rest: Float, side: str, grid: Int, size: float = 1.0) -> Eyeball:
    """Fit an eyeball to the lids of a person's rest shape [V, 3], near to where MakeHuman has it. size: of the iris, 1 is average."""
    members = body.groups[f"helper-{side[0]}-eye"]
    touching, usual = rest[grid[0]], body.vertices[grid[0]]
    centres = [shape[members].mean(0) for shape in (rest, body.vertices)]
    radii = [
        float(np.linalg.norm(shape[members] - at, axis=1).mean())
        for shape, at in zip((rest, body.vertices), centres, strict=True)
    ]
    ratio = np.linalg.norm(usual - centres[1], axis=1) / radii[1]
    start = np.array([*centres[0], radii[0]])
    trust = np.where(ratio > 1.07, 0.5, 1.0)

    def error(values: npt.NDArray[np.float64], /) -> npt.NDArray[np.float64]:
        distance = np.linalg.norm(touching - values[:3], axis=1)
        return np.concatenate([trust * (distance - ratio * values[3]), _TRUST * (values - start)]) / 0.001

    found = least_squares(error, start).x
    along = rest[grid[0, 16]] - rest[grid[0, 0]]
    along = along / np.linalg.norm(along)
    forward = np.array([0.0, -1.0, 0.0]) - along * -along[1]
    forward /= np.linalg.norm(forward)
    up = np.cross(forward, along) * (1 if side == "left" else -1)
    left, right = (rest[body.groups[f"helper-{letter}-eye"]].mean(0) for letter in "lr")
    iris = size * _IRIS * float(np.linalg.norm(left - right))
    axes = np.stack([along, forward, up]).astype(np.float32)
    return Eyeball(found[:3].astype(np.float32), float(found[3]), iris, axes)


def limit(points: Float, around: Int) -> Float:
    """Return where vertices with 4 edges lie on the subdivided surface, [T, N, 3]. around: each with those beside and across, [N, 9]."""
    weights = np.array([16, 4, 4, 4, 4, 1, 1, 1, 1], np.float32) / 36
    return np.asarray(np.einsum("tcnk,n->tck", points[:, around], weights))


def opening(posed: Float, lids: LidGrid, eye: Eyeball) -> Float:
    """Return by how many radians each of the 15 columns of the upper lid is above the lower one, [T, 15], before the head is turned."""
    along, angle, _ = spherical(limit(posed, lids.around), eye)
    lower = list(_LOWER)
    places = np.maximum.accumulate(along[:, lower], 1) + 1e-7 * np.arange(len(lower))
    below = [np.interp(x, xs, ys) for x, xs, ys in zip(along[:, _UPPER], places, angle[:, lower], strict=True)]
    return np.asarray(angle[:, _UPPER] - np.stack(below))


def gaze(look: dict[str, Float], side: str) -> Rotation:
    """Return the turns of an eye for its look units, [T] each, by direction."""
    outward = TURNS["Out"] * look["Out"] - TURNS["In"] * look["In"]
    upward = TURNS["Up"] * look["Up"] - TURNS["Down"] * look["Down"]
    return Rotation.from_euler("ZX", np.stack([outward if side == "left" else -outward, -upward], 1), degrees=True)


def close_lids(posed: Float, blink: Float, turns: Rotation, lids: LidGrid, eye: Eyeball) -> None:
    """Move the lids of faces [T, V, 3], in place, so that a blink of 1 closes them exactly and none goes through the eyeball or the other lid.

    blink: [T]. turns: of the eyeball, whose cornea pushes the lids. The upper lid turns about the line of the corners.
    """
    blink = np.clip(blink, 0, 1)
    upward = np.arcsin(np.clip(turns.apply([0.0, -1.0, 0.0])[:, 2], -1, 1)).astype(np.float32)
    _turn(posed, lids, eye, (np.where(upward > 0, *_FOLLOW).astype(np.float32) * upward)[:, None] * _ARCHED)
    for _ in range(2):
        gap = opening(posed, lids, eye)
        _turn(posed, lids, eye, -np.minimum(gap, 0))
        if not blink.any():
            break
        gap = np.maximum(gap, 0)
        _turn(posed, lids, eye, -blink[:, None] * (gap + _PRESS))
        blink = np.where(blink > 0.999, 1.0, 0.0)
    _lift(posed, turns, lids, eye)


def rest_lid(rest: Float, cover: float, lids: LidGrid, eye: Eyeball) -> None:
    """Turn the upper lid of a rest shape [V, 3], in place, so that it reaches down over the iris by `cover` metres."""
    edge = (limit(rest[None], lids.around)[0, :17] - eye.centre) @ eye.axes.T
    along, forward, up = edge.T
    angle, place = (float(np.interp(0, along, line)) for line in (np.arctan2(up, forward), np.arange(17.0)))
    wanted = np.arcsin((eye.iris - cover) / float(np.interp(0, along, np.hypot(up, forward))))
    turn = (wanted - angle) / np.sin(np.pi * place / 16)
    _turn(rest[None], lids, eye, np.float32(turn) * _ARCHED[None])


def _turn(posed: Float, lids: LidGrid, eye: Eyeball, columns: Float) -> None:
    whole = np.pad(columns, ((0, 0), (1, 1)))
    low = np.minimum(lids.column.astype(np.int64), 15)
    part = lids.column - low
    turn = lids.share * ((1 - part) * whole[:, low] + part * whole[:, low + 1])
    along, angle, distance = spherical(posed[:, lids.moved], eye)
    posed[:, lids.moved] = _cartesian(along, angle + turn, distance, eye)


def _lift(posed: Float, turns: Rotation, lids: LidGrid, eye: Eyeball) -> None:
    """Put row 0 onto the eyeball and the other rows at least their thickness above it."""
    forward = turns.apply([0.0, -1.0, 0.0])
    for row, (vertices, thickness) in enumerate(zip(lids.grid, _THICKNESS, strict=True)):
        local = posed[:, vertices] - eye.centre
        length = np.linalg.norm(local, axis=-1, keepdims=True)
        angle = np.arccos(np.clip(np.einsum("tnk,tk->tn", local / length, forward), -1, 1))
        least = eye.surface(angle)[..., None] + thickness * eye.radius
        lifted = np.maximum(length, least)
        if not row:
            lifted[:, _SEATED] = least[:, _SEATED]
        posed[:, vertices] = eye.centre + local / length * lifted


def eye_mesh(eye: Eyeball, layer: str) -> tuple[Float, Int, Float]:
    """Return the mesh of an eyeball that looks along -Y, about its centre: vertices [V, 3], quads [F, 4] and uv [4F, 2].

    layer: "ball", with a recessed iris, or "cornea". uv: the middle of the iris is (0.5, 0.5), its edge 0.05 away; distances are angles.
    """
    limbus, end = eye.limbus, np.radians(EDGE_ANGLE)
    if layer == "ball":
        rings = np.concatenate(
            [
                np.linspace(0.02, 0.94, 14) * limbus,
                np.linspace(0.97, 1.3, 10) * limbus,
                np.linspace(1.4 * limbus, end, 20),
            ]
        )
    else:
        rings = np.concatenate([np.linspace(0.01, 1.3, 24) * limbus, np.linspace(1.4 * limbus, np.radians(75), 10)])
    around = np.linspace(0, 2 * np.pi, 65)[:-1]
    radius = eye.surface(rings) if layer == "cornea" else np.full(len(rings), eye.radius)
    across, forward = radius * np.sin(rings), radius * np.cos(rings)
    if layer == "ball":
        inside = np.clip((1.0 - rings / limbus) / 0.06, 0, 1)
        across = np.where(rings < limbus, eye.iris * rings / limbus, across)
        plane = eye.radius * np.cos(limbus) - 0.0006 + 0.0003 * (1 - rings / limbus)
        forward = np.where(rings < limbus, inside * plane + (1 - inside) * eye.radius * np.cos(rings), forward)
    vertices = np.stack(
        [
            across[:, None] * np.cos(around),
            np.broadcast_to(-forward[:, None], (len(rings), 64)),
            across[:, None] * np.sin(around),
        ],
        -1,
    ).reshape(-1, 3)
    flat = 0.5 + 0.05 * (rings / limbus)[:, None, None] * np.stack([np.cos(around), np.sin(around)], -1)
    first = np.arange(64)
    ring = np.stack([first, (first + 1) % 64, (first + 1) % 64 + 64, first + 64], 1)
    quads = (ring[None] + 64 * np.arange(len(rings) - 1)[:, None, None]).reshape(-1, 4)
    return vertices.astype(np.float32), quads.astype(np.int64), flat.reshape(-1, 2)[quads.ravel()].astype(np.float32)
