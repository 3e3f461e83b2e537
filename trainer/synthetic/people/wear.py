"""Worn things: clothes cut out of MakeHuman's tights with a collar, their sleeves, and glasses that sit on nose and ears."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from trainer.synthetic.people.face import follow_head, vertex_normals
from trainer.synthetic.people.person import Figure
from trainer.synthetic.people.traits import ClothesStyle, GlassesStyle
from trainer.synthetic.props.arm import Arm
from trainer.synthetic.scene import Material, MeshThing, Value, quads
from trainer.synthetic.shapes import Array, Shape, grid, joined, tube

_LOW = 0.37  # metres below the neck's joint at which clothes end
_LOOSE: dict[ClothesStyle, float] = {"tshirt": 0.007, "shirt": 0.008, "sweater": 0.012}  # metres off the body
_NECKLINE: dict[ClothesStyle, float] = {
    "tshirt": -0.003,
    "shirt": 0.004,
    "sweater": 0.002,
}  # metres from the neck's joint
_SHORT_SLEEVE = 0.17  # metres from the shoulder's joint
_EAR = "l-ear-wing-incr"  # a target that moves the left ear alone


class _Cut(NamedTuple):
    """A cloth's surface as sums of the body's vertices. rows, weights: [N, 2]; faces: [F, 4]; rim: the ring of its neckline in order. gap: [N], metres of the tights off the skin that are taken in at the neck."""

    rows: Array
    weights: Array
    faces: Array
    rim: Array
    gap: Array


def clothes(figure: Figure, posed: Array) -> list[MeshThing]:
    """Return what a person wears, for posed vertices [T, V, 3]: one thing named `N.cloth`."""
    style = figure.person.wardrobe.clothes
    cut = _tailored(figure, style)
    worn = (posed[:, cut.rows] * cut.weights[None, :, :, None]).sum(2)
    normals = np.stack([vertex_normals(frame, cut.faces) for frame in worn])
    rest = (figure.rest[cut.rows] * cut.weights[..., None]).sum(1)
    worn = worn + (_LOOSE[style] - cut.gap)[None, :, None] * normals
    whole = [Shape(worn[0], cut.faces, _unrolled(rest)[cut.faces])]
    rings = _collar(style, worn, normals, cut, figure.body.joint(posed, "neck"))
    moving = [worn]
    shape = grid(rings[0], closed=style != "shirt")
    whole.append(shape)
    moving.append(rings.reshape(len(rings), -1, 3))
    shape = joined(*whole)
    shape = shape._replace(uv=_seamless(shape.uv))
    return [shape.thing(f"{figure.index}.cloth", cloth(figure), np.concatenate(moving, 1), 1)]


def sleeve(figure: Figure, arm: Arm, posed: Array, name: str) -> MeshThing:
    """Return the sleeve of an arm that a prop has posed, [T, V, 3]: to the elbow or to the wrist, as the clothes have it."""
    style = figure.person.wardrobe.clothes
    faces = arm.faces[(_beyond_cuff(figure, arm) < 0)[arm.faces].all(1)]
    used, local = np.unique(faces, return_inverse=True)
    faces = local.reshape(faces.shape)
    normals = np.stack([vertex_normals(frame, faces) for frame in posed[:, used]])
    corners, starts = quads(faces)
    uv = _unrolled(arm.vertices[used])[faces].reshape(-1, 2).astype(np.float32)
    worn = (posed[:, used] + (_LOOSE[style] + 0.002) * normals).astype(np.float32)
    return MeshThing(name, worn, corners, starts, cloth(figure), uv, 1)


def bare_faces(figure: Figure, arm: Arm) -> Array:
    """Return which faces [F] of an arm come out of its sleeve."""
    return np.asarray((_beyond_cuff(figure, arm) > -0.05)[arm.faces].any(1))


def _beyond_cuff(figure: Figure, arm: Arm) -> Array:
    """Measure how far vertices [V] of an arm lie beyond the end of its sleeve, in metres."""
    short = figure.person.wardrobe.clothes == "tshirt"
    start, end = ("shoulder", "elbow") if short else ("elbow", "hand")
    along = arm.joints[end] - arm.joints[start]
    length = float(np.linalg.norm(along))
    beyond = (arm.vertices - arm.joints[start]) @ (along / length) - (0.7 if short else 0.86) * length
    below = arm.weights[: 1 if short else 3].sum(0) < 0.3
    return np.asarray(np.where(below, np.maximum(beyond, 0.01), beyond))


def cloth(figure: Figure) -> Material:
    """Return the material of a person's clothes."""
    wardrobe = figure.person.wardrobe
    other = [min(1.0, 0.25 + 0.7 * value) if sum(wardrobe.colour) < 0.6 else 0.35 * value for value in wardrobe.colour]
    values: dict[str, Value] = {
        "colour": list(wardrobe.colour),
        "other": other,
        "pattern": wardrobe.pattern,
        "knit": 1.0 if wardrobe.clothes == "sweater" else 0.0,
    }
    return Material("cloth", values)


def _tailored(figure: Figure, style: ClothesStyle) -> _Cut:
    """Cut the tights at neckline, sleeves and hem, along exact lines through their faces."""
    body, rest = figure.body, figure.rest
    faces = body.faces["helper-tights"]
    neck = body.joint(rest, "neck")
    outside = rest[:, 2] - (neck[2] + _NECKLINE[style] + 0.45 * (rest[:, 1] - neck[1]))
    neckline = outside.copy()
    outside = np.maximum(outside, neck[2] - _LOW - rest[:, 2])
    if style == "tshirt":
        for side in "LR":
            shoulder, elbow = (body.joint(rest, f"{side.lower()}-{name}") for name in ("shoulder", "elbow"))
            along = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
            beyond = (rest - shoulder) @ along - _SHORT_SLEEVE
            outside = np.where(body.bones[f"upperarm01.{side}"] > 0.5, np.maximum(outside, beyond), outside)
    faces = faces[(outside[faces] < 0).any(1)]
    used, local = np.unique(faces, return_inverse=True)
    faces = local.reshape(faces.shape)
    level = outside[used]
    index, weights = np.stack([used, used], 1), np.tile(np.array([1, 0], np.float32), (len(used), 1))
    for vertex in map(int, np.flatnonzero(level > 0)):
        near = np.unique(faces[(faces == vertex).any(1)])
        inner = near[level[near] < 0]
        if len(inner):
            nearest = int(inner[np.linalg.norm(rest[used[inner]] - rest[used[vertex]], axis=1).argmin()])
            part = level[vertex] / (level[vertex] - level[nearest])
            index[vertex], weights[vertex] = (used[vertex], used[nearest]), (1 - part, part)
    points: Array = (rest[index] * weights[..., None]).sum(1)
    skin = body.groups["body"]
    skin = skin[rest[skin, 2] > neck[2] - 0.2]
    normals = vertex_normals(rest, body.faces["body"])[skin]
    closest = np.asarray(cKDTree(rest[skin]).query(points, 3)[1])
    off = ((points[:, None] - rest[skin][closest]) * normals[closest]).sum(2).mean(1)
    close = np.exp(-((np.minimum(neckline[used], 0) / 0.05) ** 2))
    return _Cut(index, weights, faces, _rim(faces, neckline[used] > -1e-6), np.clip(off, 0, 0.03) * close)


def _rim(faces: Array, high: Array) -> Array:
    """Order the vertices of the border whose vertices are `high` into a ring."""
    edges = np.concatenate([faces[:, [k, (k + 1) % 4]] for k in range(4)])
    keys = np.sort(edges, 1) @ np.array([1 << 32, 1])
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    border = edges[first[counts == 1]]
    border = border[high[border].all(1)]
    following = dict(border.tolist())
    start = int(border[0, 0])
    ring = [start]
    while (vertex := following.get(ring[-1], start)) != start and len(ring) <= len(border):
        ring.append(vertex)
    return np.array(ring)


def _collar(style: ClothesStyle, worn: Array, normals: Array, cut: _Cut, neck: Array) -> Array:
    """Return the rings of a collar [T, K, N, 3] on the neckline's rim: a ribbed band, or a shirt's stand and its fold."""
    ring = cut.rim[np.roll(np.arange(len(cut.rim)), -int(np.argmin(worn[0, cut.rim, 1])))]
    rim, out = _even(worn[:, ring]), _even(normals[:, ring])
    for _ in range(6):  # the cut has small steps
        rim = 0.25 * np.roll(rim, 1, 1) + 0.5 * rim + 0.25 * np.roll(rim, -1, 1)
        out = 0.25 * np.roll(out, 1, 1) + 0.5 * out + 0.25 * np.roll(out, -1, 1)
    out /= np.linalg.norm(out, axis=2, keepdims=True)
    along = np.roll(rim, -1, 1) - np.roll(rim, 1, 1)
    up = np.cross(out, along)
    up /= np.linalg.norm(up, axis=2, keepdims=True)
    up = up * np.sign((up * (neck[:, None] + [0, 0, 0.05] - rim)).sum(2, keepdims=True))
    if style != "shirt":
        high, thick = (0.016, 0.002) if style == "tshirt" else (0.024, 0.0045)
        band = (
            (-0.006, 0.0),
            (-0.004, thick),
            (0.5 * high, 1.4 * thick),
            (0.92 * high, thick),
            (high, 0.0),
            (0.9 * high, -thick),
            (0.0, -thick),
        )
        return np.stack([rim + rise * up + away * out for rise, away in band], 1)
    upright = np.array([0, 0, 1.0])
    outward = rim - neck[:, None]
    outward[..., 2] = 0
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    # Buttoned up: the stand closes at the front and one end lies on the other; the fold's two points part below it.
    whole = np.arange(rim.shape[1] + 1) % rim.shape[1]
    rim, up, out, outward, stand = (part[:, whole] for part in (rim, up, out, outward, 0.8 * up + 0.4 * upright))
    place = np.linspace(0, 1, len(whole))[None, :, None]
    tips = np.exp(-((np.minimum(place, 1 - place) / 0.09) ** 2))  # longer at the front
    apart = np.sign(0.5 - place) * np.exp(-((np.minimum(place, 1 - place) / 0.06) ** 2))
    along = np.gradient(rim, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True)
    rim = rim + 0.0012 * np.maximum(apart, 0) * outward
    steps = (
        rim - 0.004 * up,
        rim + 0.014 * stand,
        rim + 0.029 * stand,
        rim + 0.0345 * stand + 0.002 * outward + 0.001 * apart * along,
        rim + 0.033 * stand + 0.005 * outward + 0.003 * apart * along,
        rim + 0.02 * stand + 0.008 * outward + 0.008 * apart * along,
        rim + 0.003 * stand + 0.006 * out + 0.006 * outward + tips * (0.004 * out - 0.008 * up) + 0.014 * apart * along,
        rim - 0.012 * up + 0.008 * out + tips * (0.003 * out - 0.022 * up) + 0.02 * apart * along,
    )
    return np.stack(steps, 1)


def _even(ring: Array, count: int = 72) -> Array:
    """Resample rings [T, N, 3] evenly along the first of them: [T, count, 3]."""
    closed = np.concatenate([ring, ring[:, :1]], 1)
    length = np.concatenate([[0], np.linalg.norm(np.diff(closed[0], axis=0), axis=1).cumsum()])
    at = np.linspace(0, length[-1], count, endpoint=False)
    before = np.clip(np.searchsorted(length, at, "right") - 1, 0, len(length) - 2)
    share = ((at - length[before]) / (length[before + 1] - length[before]))[None, :, None]
    return np.asarray(closed[:, before] * (1 - share) + closed[:, before + 1] * share)


def _unrolled(points: Array) -> Array:
    """Return uv [N, 2] in metres of points around a body's axis."""
    return np.stack([0.17 * np.arctan2(points[:, 0], -points[:, 1]), points[:, 2]], 1)


def _seamless(uv: Array) -> Array:
    """Mend faces whose corners lie on both sides of the back's seam, [F, 4, 2]."""
    round_ = 2 * np.pi * 0.17
    mended = uv.copy()
    torn = np.ptp(uv[..., 0], axis=1) > round_ / 2
    mended[torn, :, 0] = np.where(uv[torn, :, 0] < 0, uv[torn, :, 0] + round_, uv[torn, :, 0])
    return mended


# Half width and half height of a lens in metres, how square its corners are, and width and depth of the rim.
_FRAMES: dict[GlassesStyle, tuple[float, float, float, tuple[float, float]]] = {
    "round": (0.0235, 0.0225, 2.0, (0.0016, 0.0018)),
    "square": (0.0265, 0.0185, 3.6, (0.0022, 0.0021)),
    "thin": (0.0262, 0.0172, 3.0, (0.0007, 0.0008)),
    "sun": (0.0285, 0.0235, 3.0, (0.0023, 0.0022)),
}


def glasses(figure: Figure, posed: Array) -> list[MeshThing]:
    """Return a person's glasses for posed vertices [T, V, 3], none without: `N.glasses.frame` and `N.glasses.lenses`."""
    style = figure.person.wardrobe.glasses
    if style == "none":
        return []
    frame, lenses = fitted_glasses(figure, style)
    head = follow_head(figure, posed)
    wardrobe = figure.person.wardrobe
    metal = style == "thin"
    rim = Material("metal" if metal else "plain", {"colour": list(wardrobe.frame), "roughness": 0.25})
    tint = [0.12, 0.1, 0.09] if style == "sun" else [0.98, 0.99, 0.985]
    lens = Material("glass", {"tint": tint, "thin": 1.0})
    return [
        shape.thing(f"{figure.index}.glasses.{name}", material, head.to_world(shape.vertices))
        for name, shape, material in (("frame", frame, rim), ("lenses", lenses, lens))
    ]


def fitted_glasses(figure: Figure, style: GlassesStyle) -> tuple[Shape, Shape]:
    """Fit frame and lenses to a head at rest: lenses before the eyes, pads on the nose, temples along the head over the ears."""
    half_width, half_height, corners, rim = _FRAMES[style]
    rest, body = figure.rest, figure.body
    skin = body.groups["body"]
    skin = skin[body.bones["head"][skin] > 0.9]
    eyes = np.stack([ball.centre for ball in figure.balls])
    height = eyes[:, 2].mean() - 0.0025
    apart = float(np.clip(np.abs(eyes[:, 0]).mean(), half_width + rim[0] + 0.0055, 0.04))
    faces = skin[rest[skin, 1] < eyes[:, 1].mean() + 0.02]
    surface = LinearNDInterpolator(rest[faces][:, [0, 2]], rest[faces, 1])  # the face's y
    angle = np.linspace(0, 2 * np.pi, 49)[:-1]
    cos, sin = np.cos(angle), np.sin(angle)
    outline = np.stack(
        [
            np.sign(cos) * np.abs(cos) ** (2 / corners) * half_width,
            np.sign(sin) * np.abs(sin) ** (2 / corners) * half_height,
        ],
        1,
    )
    outline[:, 0] *= 1 + 0.08 * outline[:, 1] / half_height  # narrower below, for the cheeks
    bridge_z = height + 0.25 * half_height
    # Clear of lashes and brow, and with the bridge on the nose.
    lashes = min(ball.centre[1] - ball.radius for ball in figure.balls) - 0.0135
    inner = surface(np.stack([apart + outline[:, 0], height + outline[:, 1]], 1))
    front = min(lashes, float(np.nanmin(surface([(0.0, bridge_z)]))) - 0.0015, float(np.nanmin(inner)) - 0.0025)

    def bent(points: Array) -> Array:
        """Bend the front [N, 2] around the face: [N, 3]."""
        return np.stack([points[:, 0], front + 2.2 * np.maximum(np.abs(points[:, 0]) - 0.012, 0) ** 2, points[:, 1]], 1)

    frame, lenses = [], []
    for side in (1.0, -1.0):
        ring = outline * [side, 1] + [side * apart, height]
        frame.append(tube(bent(ring), np.array([rim]), closed=True))
        inside = np.stack([(ring - ring.mean(0)) * scale + ring.mean(0) for scale in (1e-3, 0.35, 0.7, 1.0)])
        lens = bent(inside.reshape(-1, 2)).reshape(4, len(ring), 3)
        lens[..., 1] -= (0.0012 * np.array([1, 0.88, 0.5, 0]))[:, None]  # a lens bulges
        lenses.append(grid(lens[:, :: int(side)], closed=True))
        frame.append(
            _temple(
                figure, skin, side, bent(np.array([[side * (apart + half_width), height + 0.3 * half_height]]))[0], rim
            )
        )
        frame.append(_pad(rest[faces], side, front, apart - half_width, height - 0.25 * half_height))
    arch = np.linspace(-1, 1, 9)
    x = (apart - half_width * 0.97) * arch
    bridge = bent(np.stack([x, bridge_z + 0.003 * (1 - arch**2)], 1))
    frame.append(tube(bridge, np.array([[rim[0] * 1.15, rim[1]]])))
    return joined(*frame), joined(*lenses)


def _temple(figure: Figure, skin: Array, side: float, hinge: Array, rim: tuple[float, float]) -> Shape:
    """Lay a temple from the hinge along the head, over the ear and down behind it."""
    rest = figure.rest
    index, offsets = figure.body.targets[_EAR if side > 0 else _EAR.replace("l-", "r-", 1)]
    size = np.linalg.norm(offsets, axis=1)
    index = index[size > 0.1 * size.max()]
    ear = rest[index]
    low, high = ear.min(0), ear.max(0)
    top = high[2] - 0.12 * (high[2] - low[2])
    over = low[1] + 0.45 * (high[1] - low[1])
    others = np.setdiff1d(skin, index)
    others = others[rest[others, 0] * side > 0.02]
    t = np.linspace(0, 1, 14)[:, None]
    path = hinge + t * (np.array([side * np.abs(hinge[0]), over, top]) - hinge)
    hook = np.stack(
        [
            np.zeros(6),
            np.array([0.006, 0.011, 0.015, 0.018, 0.021, 0.024]),
            -np.array([0.002, 0.007, 0.014, 0.022, 0.031, 0.04]),
        ],
        1,
    )
    path = np.concatenate([path, path[-1] + hook])
    _, near = cKDTree(rest[others, 1:]).query(path[:, 1:], 8)
    beside = np.abs(rest[others, 0])[near].max(1)
    straight = np.abs(hinge[0]) + np.linspace(0, 1, len(path)) ** 1.5 * 0.002
    reach = np.maximum(np.minimum(straight, beside + 0.012), beside + 0.0035)
    reach[:2] = np.maximum(np.abs(hinge[0]), reach[:2])
    for _ in range(2):
        reach[1:-1] = (reach[:-2] + 2 * reach[1:-1] + reach[2:]) / 4
    path[:, 0] = side * reach
    sizes = np.stack([np.full(len(path), rim[0] * 0.75), np.full(len(path), max(rim[1] * 1.3, 0.0012))], 1)
    return tube(path, sizes[:, ::-1])


def _pad(face: Array, side: float, front: float, gap: float, height: float) -> Shape:
    """Put a pad between the rim and the side of the nose."""
    near = face[(np.abs(face[:, 2] - height) < 0.004) & (face[:, 0] * side > 0) & (np.abs(face[:, 0]) < gap)]
    start = np.array([side * gap, front, height])
    beside = start + np.array([-side * 0.002, 0.006, 0])
    on = near[np.linalg.norm(near - beside, axis=1).argmin()] if len(near) else beside
    on = on + np.array([side * 0.0008, -0.0008, 0])
    return tube(np.linspace(start, on, 5), np.array([0.0008, 0.0009, 0.0012, 0.0022, 0.0012]), 8)
