"""Skin: colour, relief, shine and wrinkles of a person as maps over MakeHuman's texture coordinates.

Places are millimetres on MakeHuman's base mesh before any target, where the face looks along +Z and +X is the person's left side, so that the
maps fit every shape. The head has an image of its own with 0.3 mm to a texel; the rest of the body shares a coarse one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates
from scipy.spatial import cKDTree

from nodes.geometry.step import smoothstep
from nodes.subjects.subject import load_subject
from nodes.types import Bool, Float
from trainer.synthetic.people.body import Body
from trainer.synthetic.people.hair import beard_density, brow_density
from trainer.synthetic.people.haircut import scalp_density
from trainer.synthetic.people.person import Makeup, Person, Skin, generator
from trainer.synthetic.scene import Material, Value

HEAD = (0.637, 0.145, 0.999, 0.835)  # left, bottom, right, top of the head's island in texture coordinates
_MOUTH = (0.755, 0.138)  # left and top of the island of the mouth's inside, in the lower right corner
HEAD_SIZE, BODY_SIZE = (2048, 1088), (1024, 1024)  # texels; the head's wrinkles have half as many

# Places on the left half of the face, x and y in millimetres, mirrored for the right.
EYE, EYE_DEPTH, EYE_RADIUS = (30.8, 728.4), 124.5, 13.8
_INNER_CORNER, _OUTER_CORNER, _ALA, _MOUTH_CORNER = (17.0, 727.0), (44.0, 727.0), (15.5, 688.0), (26.0, 661.0)
_MIDDLE_V = 0.4832  # texture coordinate of the middle of the face, which grows to the person's left

# CIELAB (D65) of the skin of cheek and forearm by melanin, from the spread of published spectrophotometry
# (Xiao et al., "Characterising the variations in ethnic skin colours", Skin Research and Technology 2017), with room at both ends.
_LAB = (
    (0.0, 72.0, 9.0, 13.5),
    (0.2, 66.5, 10.5, 17.0),
    (0.4, 58.5, 12.5, 20.0),
    (0.6, 48.0, 13.5, 20.5),
    (0.8, 38.0, 13.0, 18.0),
    (1.0, 27.5, 10.0, 12.0),
)
# Density (-log reflectance) in linear red, green and blue of one unit of haemoglobin and of melanin; directions after
# Tsumura et al., "Image-based skin color and texture analysis/synthesis", SIGGRAPH 2003.
_HAEMOGLOBIN = np.array([0.16, 0.75, 0.60], np.float32)
_MELANIN = np.array([0.50, 0.80, 1.00], np.float32)
_SHADE = np.array([1.0, 0.85, 0.7], np.float32)  # hair under the skin: dark and bluish

Points = list[tuple[float, float]]

SIDED = ("forehead", "glabella", "crow", "nose", "nasolabial", "dimple", "under_eye")
WRINKLES = (("forehead", "glabella", "crow"), ("nose", "nasolabial", "dimple"), ("under_eye", "chin", "lips"))
_UNITS: dict[str, dict[str, float]] = {
    "forehead": {"browInnerUp": 0.8, "browOuterUp*": 0.7, "eyeWide*": 0.15},
    "glabella": {"browDown*": 0.9, "browInnerUp": 0.15, "noseSneer*": 0.3},
    "crow": {"eyeSquint*": 0.7, "cheekSquint*": 0.6, "mouthSmile*": 0.3, "eyeBlink*": 0.05},
    "nose": {"noseSneer*": 1.0, "browDown*": 0.2},
    "nasolabial": {"mouthSmile*": 0.8, "noseSneer*": 0.5, "mouthUpperUp*": 0.5, "cheekSquint*": 0.3},
    "dimple": {"mouthDimple*": 0.8, "mouthSmile*": 0.7, "mouthStretch*": 0.5, "mouthPress*": 0.3},
    "under_eye": {"eyeSquint*": 0.6, "cheekSquint*": 0.6, "mouthSmile*": 0.3, "eyeBlink*": 0.1},
    "chin": {
        "mouthShrugLower": 1.0,
        "mouthShrugUpper": 0.2,
        "mouthPucker": 0.35,
        "mouthFrownLeft": 0.25,
        "mouthFrownRight": 0.25,
    },
    "lips": {"mouthPucker": 1.0, "mouthFunnel": 0.3, "mouthRollUpper": 0.2},
}


def strengths(coefficients: Float) -> dict[str, Float]:
    """Return the strength of each group of wrinkles, 0..1, [T], from coefficients [T, 52]; sided groups by side, as `crow_left`."""
    coefficients_of_face = load_subject("face").coefficients
    assert coefficients_of_face
    column = {name: k for k, name in enumerate(coefficients_of_face.names)}
    clipped = np.clip(coefficients, 0, 1).astype(np.float32)
    out = {}
    for group, units in _UNITS.items():
        for side in ("Left", "Right") if group in SIDED else ("",):
            total = sum(weight * clipped[:, column[unit.replace("*", side)]] for unit, weight in units.items())
            out[f"{group}_{side.lower()}" if side else group] = np.minimum(total, np.float32(1)).astype(np.float32)
    return out


@dataclass(frozen=True)
class Atlas:
    """A texture's way to the mesh. position: millimetres on the base mesh at each texel [H, W, 3], spread beyond the islands; inside: bool [H, W]."""

    position: Float
    inside: Bool

    @cached_property
    def spacing(self) -> Float:
        """Millimetres from texel to texel, [H, W]."""
        down, right = np.gradient(self.position, axis=(0, 1))
        size = np.sqrt(np.linalg.norm(down, axis=2) * np.linalg.norm(right, axis=2))
        return np.asarray(size.clip(0.02, 3), np.float32)


def make_atlas(body: Body, box: tuple[float, float, float, float], size: tuple[int, int]) -> Atlas:
    """Rasterise the body's faces into a part `box` of texture space, as an image of size (height, width)."""
    height, width = size
    left, bottom, right, top = box
    places = body.vertices[:, [0, 2, 1]] * np.array([1000, 1000, -1000], np.float32)
    points = (body.uv - (left, bottom)) * (width / (right - left), -height / (top - bottom)) + (0, height)
    near = np.all((points > -1) & (points < (width + 1, height + 1)), 1)
    chosen = near[body.face_uv["body"]].all(1)
    halves = np.array([[0, 1, 2], [0, 2, 3]])
    corners = points[body.face_uv["body"][chosen][:, halves].reshape(-1, 3)]
    triangles = body.faces["body"][chosen][:, halves].reshape(-1, 3)
    index = np.full(size, -1, np.int32)
    for k, triangle in enumerate(corners):
        cv2.fillConvexPoly(index, np.round((triangle - 0.5) * 16).astype(np.int32), k, cv2.LINE_8, 4)
    inside = index >= 0
    y, x = np.nonzero(inside)
    a, b, c = np.moveaxis(corners[index[inside]], 1, 0)
    p = np.stack([x + 0.5, y + 0.5], 1)

    def cross(one: Float, other: Float) -> Float:
        return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])

    area = cross(b - a, c - a)
    area[np.abs(area) < 1e-9] = 1e-9
    v, w = cross(p - a, c - a) / area, cross(b - a, p - a) / area
    weights = np.stack([1 - v - w, v, w], 1).clip(0, 1)
    weights /= weights.sum(1, keepdims=True)
    position = np.zeros((*size, 3), np.float32)
    position[inside] = np.einsum("nk,nkc->nc", weights, places[triangles[index[inside]]])
    return Atlas(_spread(position, inside), inside)


def _spread(image: Float, inside: Bool) -> Float:
    """Fill texels outside with the nearest one inside."""
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    lookup = np.zeros(labels.max() + 1, np.int64)
    lookup[labels[inside]] = np.flatnonzero(inside)
    return np.asarray(image.reshape(-1, *image.shape[2:])[lookup[labels]])


class _Painter:
    """Draws on an atlas: noise in space, spots, strokes and blobs. All by one seed."""

    def __init__(self, atlas: Atlas, rng: np.random.Generator) -> None:
        self.atlas, self.rng, self.p = atlas, rng, atlas.position
        x, y, z = np.moveaxis(self.p, 2, 0)
        self.x, self.y, self.z, self.across = x, y, z, np.abs(x)
        self.turn = np.degrees(np.arctan2(self.across, z - 30))  # 0 in front, 180 behind
        self.texel = float(np.median(atlas.spacing[atlas.inside]))  # millimetres
        self._front = np.flatnonzero(atlas.inside & (z > 40) & (y > 600))
        self._tree = cKDTree(self.p.reshape(-1, 3)[self._front, :2])

    def noise(self, size: float, octaves: int = 1) -> Float:
        """Return smooth noise with features of a size in millimetres, of standard deviation about 1; each octave halves the size."""
        height, width = self.p.shape[:2]
        total = np.zeros((height, width), np.float32)
        for octave in range(octaves):
            lattice = self.rng.standard_normal((32, 32, 32), dtype=np.float32)
            feature = size / 2**octave
            step = (
                4 if feature > 8 * self.texel else 2 if feature > 4 * self.texel else 1
            )  # smooth noise needs few texels
            coarse = (
                self.p
                if step == 1
                else cv2.resize(self.p, (width // step, height // step), interpolation=cv2.INTER_AREA)
            )
            where = coarse / feature + self.rng.uniform(0, 32, 3).astype(np.float32)
            whole = np.floor(where)
            part = where - whole
            where = np.moveaxis(whole + part * part * (3 - 2 * part), 2, 0)
            values = map_coordinates(lattice, where, order=1, mode="grid-wrap") * np.float32(1.7 * 0.6**octave)
            total += cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
        return total

    def blob(self, x: float, y: float, radius: float, stretch: float = 1.0) -> Float:
        """Return a soft spot, 0..1, on both sides of the face around x, y; stretch widens it sideways."""
        z = self.depth(np.array([[x, y]]))[0]
        distance = ((self.across - x) / stretch) ** 2 + (self.y - y) ** 2 + (self.z - z) ** 2 / 2
        return np.asarray(np.exp(-distance / radius**2), np.float32)

    def depth(self, points: Float) -> Float:
        """Return the foremost z of the face at points [N, 2]."""
        _, near = self._tree.query(points, k=24)
        return np.asarray(self.p.reshape(-1, 3)[self._front[near], 2].max(1))

    def spots(self, density: npt.ArrayLike, sizes: tuple[float, float], classes: int = 4) -> Float:
        """Return round spots of peak about 1. density: for each square millimetre; sizes: smallest and largest radius in millimetres."""
        out = np.zeros(self.p.shape[:2], np.float32)
        chance = np.broadcast_to(density, out.shape) * self.atlas.spacing**2 * self.atlas.inside / classes
        for radius in np.geomspace(*sizes, classes):
            sigma = max(radius / self.texel / 1.5, 0.55)
            hits = (self.rng.random(out.shape, np.float32) < chance) * self.rng.uniform(0.5, 1.2, out.shape).astype(
                np.float32
            )
            out = np.maximum(
                out, cv2.GaussianBlur(hits.astype(np.float32), (0, 0), sigma) * np.float32(2 * np.pi * sigma**2)
            )
        return out.clip(0, 1.2)

    def hairs(self, density: Callable[[Float], npt.NDArray[Any]], step: int) -> Float:
        """Return where hair grows, 0..1, at every so many texels.

        density: of places on the base mesh, in metres about the middle of the eyes, [N, 3].
        """
        places = self.p[::step, ::step] - np.array([0, EYE[1], EYE_DEPTH], np.float32)
        metres = places.reshape(-1, 3)[:, [0, 2, 1]] * np.array([0.001, -0.001, 0.001], np.float32)
        coarse = density(metres).reshape(places.shape[:2]).astype(np.float32)
        return np.asarray(cv2.resize(coarse, self.p.shape[1::-1], interpolation=cv2.INTER_LINEAR))

    def strokes(self, lines: list[tuple[Float, Float, float]]) -> Float:
        """Return grooves with raised borders, in millimetres, along lines of points [N, 2], depths [N] and a width."""
        points, depths, widths = [], [], []
        for line, depth, width in lines:
            length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
            at = np.arange(0, length[-1], 0.25)
            dense = np.stack([np.interp(at, length, line[:, 0]), np.interp(at, length, line[:, 1])], 1)
            points.append(np.c_[dense, self.depth(dense)])
            depths.append(np.interp(at, length, depth))
            widths.append(np.full(len(at), width))
        place, deep, wide = np.concatenate(points), np.concatenate(depths), np.concatenate(widths)
        reach = 4 * wide.max()
        low, high = place.min(0) - reach, place.max(0) + reach
        near = self.atlas.inside & ((self.p > low) & (self.p < high)).all(2)
        out = np.zeros(self.p.shape[:2], np.float32)
        distance, index = map(np.asarray, cKDTree(place).query(self.p[near], distance_upper_bound=reach))
        hit = np.isfinite(distance)
        index, distance = index[hit], distance[hit]
        s = distance / wide[index]
        values = np.zeros(len(hit), np.float32)
        values[hit] = deep[index] * (0.12 * np.exp(-(((s - 2.1) / 0.9) ** 2)) - np.exp(-(s**2)))
        out[near] = values
        return np.asarray(cv2.GaussianBlur(out, (0, 0), 0.8), np.float32)


def _curve(rng: np.random.Generator, points: Points, wobble: float = 0.6, count: int = 24) -> Float:
    """Return a smooth curve [count, 2] near points, with an irregular course of `wobble` millimetres."""
    knots = np.asarray(points, np.float64)
    order = min(3, len(knots) - 1)
    t = np.linspace(0, 1, len(knots))
    at = np.linspace(0, 1, count)
    smooth = np.stack([np.polyval(np.polyfit(t, knots[:, k], order), at) for k in range(2)], 1)
    drift = gaussian_filter1d(rng.standard_normal((count, 2)), count / 10, axis=0)
    return np.asarray(smooth + drift * wobble * 2, np.float32)


def _taper(count: int, start: float = 0.15, end: float = 0.15) -> Float:
    t = np.linspace(0, 1, count)
    return np.asarray(np.clip(np.minimum(t / start, (1 - t) / end), 0, 1) ** 0.7, np.float32)


def wrinkles(atlas: Atlas, seed: int) -> dict[str, Float]:
    """Return the relief in millimetres, [H, W], of each group of wrinkles at full strength, as the seed's person has them."""
    rng = generator(seed, "wrinkles")
    painter = _Painter(atlas, rng)
    uniform = rng.uniform
    lines: dict[str, list[tuple[Float, Float, float]]] = {group: [] for group in _UNITS}

    def stroke(
        group: str, points: Points, depth: float, width: float, start: float = 0.2, end: float = 0.2, side: int = 1
    ) -> None:
        curve = _curve(rng, points) * (side, 1)
        depths = depth * uniform(0.75, 1.1) * _taper(len(curve), start, end)
        lines[group].append((curve, depths, width * uniform(0.85, 1.15)))

    heights = np.linspace(763, 793, int(rng.integers(3, 6)))
    for k, y in enumerate(heights + uniform(-1.5, 1.5, len(heights))):
        dip, left, right = uniform(-2.5, 1.5), *(uniform(34, 48, 2) - 2 * k)
        course = [
            (-right, y - uniform(0, 4)),
            (-26, y + 2),
            (-12, y + 1),
            (0, y + dip),
            (12, y + 1),
            (26, y + 2),
            (left, y - uniform(0, 4)),
        ]
        for part in (course,) if rng.random() < 0.6 else (course[:3], course[4:]):  # some are broken in the middle
            stroke("forehead", part, 0.85, 1.4, 0.3, 0.3)
    for side in (1, -1):
        course = [(uniform(6, 8), 744), (uniform(5, 7), 752), (uniform(6, 10), uniform(759, 766))]
        stroke("glabella", course, 0.75, 1.9, 0.4, 0.4, side)
        if rng.random() < 0.3:
            course = [(uniform(10, 12), 748), (uniform(10, 12), 754), (uniform(11, 14), 761)]
            stroke("glabella", course, 0.35, 1.6, 0.4, 0.4, side)
        x, y = _OUTER_CORNER
        angles = np.linspace(34, -38, int(rng.integers(4, 6)))
        for angle in np.radians(angles + uniform(-5, 5, len(angles))):
            way = np.array([np.cos(angle), np.sin(angle)])
            near, far, bend = uniform(4, 7), uniform(18, 27), uniform(-2, 2) - 2.5 * angle
            middle = way * (near + far) / 2 + (0, bend)
            stroke("crow", [(x + px, y + py) for px, py in (way * near, middle, way * far)], 0.75, 1.1, side=side)
        for k in range(int(rng.integers(2, 4))):
            stroke(
                "nose", [(3 + k, 733 - 5 * k), (7 + k, 728 - 5 * k), (10 + 1.5 * k, 720 - 5 * k)], 0.6, 1.1, side=side
            )
        x, y = _ALA
        a, b = _MOUTH_CORNER
        stroke(
            "nasolabial",
            [(x + 2, y + 4), (x + 9, y - 5), (a + 5, b + 14), (a + 8.5, b + 3), (a + 9, b - 4)],
            1.3,
            2.6,
            0.2,
            0.5,
            side,
        )
        stroke(
            "dimple", [(a + 4, b + 9), (a + 6.5, b + 2), (a + 6, b - 5), (a + 3.5, b - 10)], 0.6, 1.8, 0.4, 0.4, side
        )
        stroke("dimple", [(a + 14, b + 12), (a + 16.5, b + 2), (a + 14, b - 8)], 0.4, 2.2, 0.4, 0.4, side)
        for k in range(3):
            drop = 9.5 + 3.6 * k + uniform(-0.7, 0.7)
            course = [
                (18 + k, 725 - 0.7 * drop),
                (26, 727 - 1.05 * drop),
                (36, 727.5 - drop),
                (45 + k, 727 - 0.6 * drop),
            ]
            stroke("under_eye", course, 0.5, 1.0, 0.3, 0.3, side)
        for x in np.linspace(2, 22, 8) + uniform(-0.8, 0.8, 8):
            stroke(
                "lips",
                [(x, 672.5 - 0.12 * x), (1.12 * x, 678 - 0.1 * x), (1.2 * x, uniform(680, 686) - 0.1 * x)],
                0.5,
                0.9,
                0.05,
                0.6,
                side,
            )
            stroke("lips", [(x, 647 + 0.2 * x), (1.05 * x, 642 + 0.2 * x)], 0.35, 0.9, 0.2, 0.6, side)
    stroke("glabella", [(-6, 738), (0, 737), (6, 738)], 0.45, 1.4)
    stroke("nose", [(-5, 735), (0, 734.5), (5, 735)], 0.6, 1.3)
    stroke("chin", [(-17, 643), (-9, 639), (0, 637.5), (9, 639), (17, 643)], 1.3, 2.6, 0.3, 0.3)
    out = {group: painter.strokes(strokes) for group, strokes in lines.items()}
    cobbles = -0.6 * np.maximum(painter.noise(4.5), 0) * painter.blob(0, 629, 14, 1.3)
    out["chin"] += cobbles.astype(np.float32)
    return out


def linear_from_lab(lab: npt.NDArray[Any]) -> Float:
    """Return linear Rec. 709 from CIELAB of D65, [..., 3]."""
    light = (lab[..., 0] + 16) / 116
    f = np.stack([light + lab[..., 1] / 500, light, light - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * (0.9505, 1.0, 1.0891)
    matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    return np.asarray(np.einsum("...c,rc->...r", xyz, matrix), np.float32)


def tone(melanin: float, undertone: float = 0.0) -> Float:
    """Return the reflectance of skin, linear Rec. 709 [3], for melanin 0..1 and an undertone from -1, olive, to 1, rosy."""
    knots = np.array(_LAB)
    lab = np.array([np.interp(melanin, knots[:, 0], knots[:, k]) for k in (1, 2, 3)])
    return linear_from_lab(lab + np.array([0, 1.3, -2.2]) * undertone * (1 - 0.5 * melanin))


def _smooth(value: Float, low: float, high: float) -> Float:
    return smoothstep((value - low) / (high - low))


def _beard_shade(painter: _Painter, person: Person, step: int) -> Float:
    """Return how much of a beard shows through the skin, 0..1: most of it where one grows, and less where it is shaved."""
    beard = person.beard.model_copy(update={"style": "full"})
    area = painter.hairs(partial(beard_density, beard=beard, random=generator(person.seed, "hair.beard")), step)
    return person.sex * area * (0.25 + 0.5 * beard.melanin) * (0.6 if person.beard.style == "none" else 1.0)


def _lip_area(painter: _Painter) -> Float:
    """Return the red of the lips, 0..1, with a border that is soft and not quite even."""
    x, y = painter.across / 25.8, painter.y + 0.35 * painter.noise(3, 2)
    bow = 668.9 - 1.4 * np.exp(-((painter.across / 3.2) ** 2)) + np.exp(-(((painter.across - 6) / 4) ** 2))
    upper = 660.5 + (bow - 660.5) * np.sqrt(np.clip(1 - x**2.2, 0, 1)) * np.clip(1.15 - 0.45 * x, 0, 1)
    lower = 660.5 - 10.8 * np.sqrt(np.clip(1 - x**2.4, 0, 1))
    inside = np.minimum(_smooth(upper - y, -1.1, 1.5), _smooth(y - lower, -2.2, 3.0)) * _smooth(x, 1.04, 0.9)
    return np.asarray(inside * _smooth(painter.z, 115, 128), np.float32)


def _density(amount: npt.ArrayLike, direction: Float) -> Float:
    return np.asarray(np.asarray(amount, np.float32)[..., None] * direction, np.float32)


def _blend(colour: Float, other: Float | tuple[float, float, float], amount: Float) -> Float:
    return np.asarray(colour + amount[..., None] * (np.asarray(other, np.float32) - colour), np.float32)


class _Head(_Painter):
    """A painter that knows the parts of a head, each 0..1 at each texel."""

    def __init__(self, atlas: Atlas, rng: np.random.Generator) -> None:
        super().__init__(atlas, rng)
        x, y = EYE
        self.front = _smooth(self.z, 100, 110)
        self.from_eye = np.sqrt((self.across - x) ** 2 + (self.y - y) ** 2 + (self.z - EYE_DEPTH) ** 2)
        self.rim = _smooth(self.from_eye, EYE_RADIUS + 1.9, EYE_RADIUS + 0.7) * self.front  # the wet edges of the lids
        self.lids = np.exp(-(((self.across - x) / 16) ** 2) - ((self.y - y - 5) / 8) ** 2) * self.front
        sag = 15 - 0.12 * (self.across - 27)
        self.below = np.exp(-(((self.across - 27) / 13) ** 2) - ((self.y - y + sag) / 7) ** 2) * self.front
        self.nose = self.blob(0, 694, 11) + 0.8 * self.blob(13, 688, 7)
        self.cheeks = self.blob(38, 696, 19, 1.2)
        self.ears = _smooth(self.across, 70, 78) * _smooth(self.y, 745, 735) * _smooth(self.y, 675, 690)
        self.forehead, self.chin = self.blob(0, 785, 40, 1.4), self.blob(0, 640, 18)
        self.sun = np.clip(self.cheeks + 0.8 * self.nose + 0.5 * self.forehead + 0.15, 0, 1) * (self.y > 640)
        self.lips = _lip_area(self)
        self.seam = np.exp(-(((self.y - 660.5) / 1.1) ** 2)) * self.lips  # where the lips meet
        course = self.across + 0.15 * self.noise(
            4, 2
        )  # of the fine lines across the lips, which fan out from the middle
        spread = course * (1 + 0.012 * np.abs(self.y - 660.5))
        self.lines = (
            np.sin(3.3 * spread) + 0.7 * np.sin(5.1 * spread + 1) + 0.5 * np.sin(8.3 * spread + 2)
        ) * self.lips
        amount = 0.35 + self.cheeks + 1.2 * self.nose + 0.3 * self.forehead
        self.pores = self.spots(0.55 * amount * (1 - self.lips), (0.18, 0.45), 3)


def _reflectance(head: _Head, person: Person, moles: Float) -> Float:
    """Return the colour of the bare head, [H, W, 3]: blood, melanin, lips, and the shade of hair below the skin."""
    skin, hair, noise, spots = person.skin, person.hair, head.noise, head.spots
    flush = 0.8 * head.cheeks * (1 + 0.3 * noise(7, 2)) + 0.9 * head.nose + 0.7 * head.ears
    blood = 0.10 + (0.14 + 0.34 * skin.redness) * flush + 0.18 * skin.redness * head.chin - 0.05 * head.forehead
    blood += 0.22 * head.lids + 0.12 * skin.shadow * head.below + 0.25 * head.blob(17, 727, 4)
    blood += 0.045 * noise(16, 2) + 0.03 * noise(5, 2)
    blood += 0.045 * noise(2.2, 2) * (0.5 + head.cheeks + head.nose) * (0.4 + skin.redness)
    blood += 0.6 * spots(0.0008 * skin.blemishes * (0.3 + head.cheeks + head.forehead + head.chin), (0.7, 2.2))
    pigment = (0.045 * noise(22, 2) + 0.035 * noise(6, 2)) * (0.6 + skin.melanin) + 0.02 * noise(1.6, 2)
    pigment += skin.tan * 0.12 * (head.sun - 0.4) + (0.055 + 0.28 * skin.shadow) * head.below + 0.12 * head.lids
    pigment += 0.05 * head.forehead + 0.10 * skin.melanin * head.blob(0, 660, 26) + 1.3 * moles
    pigment += 0.42 * spots(0.13 * skin.freckles * head.sun * (0.6 + 0.5 * noise(9)).clip(0, 2), (0.25, 0.9))
    pigment += 0.5 * spots(0.0006 * skin.spots * (0.4 + head.sun), (1.2, 3.6)) * (0.8 + 0.3 * noise(1.5))
    colour = _coloured(skin, blood, pigment) * (1 - 0.06 * head.pores * (0.5 + skin.pores))[..., None]

    base = _base(skin)
    rosy = 0.42 + 0.25 * skin.redness + 0.1 * noise(1.2, 2) + 0.1 * noise(5) + 0.05 * head.lines + 0.5 * head.seam
    redness = _density(rosy, _HAEMOGLOBIN) + _density(0.1 + 0.15 * skin.melanin + 0.35 * head.seam, _MELANIN)
    pink = _density(0.55 * skin.melanin * _smooth(head.y, 662, 654) * (1 - head.seam), 0.5 * _MELANIN)
    colour = _blend(colour, base * np.exp(pink - redness), 0.85 * head.lips)
    colour = _blend(colour, base * np.exp(-_HAEMOGLOBIN) * 0.9 + 0.02, 0.75 * head.rim)

    stubble = _beard_shade(head, person, 4)
    shade = stubble * (0.4 + 0.8 * spots(0.35 * (stubble > 0.05), (0.16, 0.3), 2)) * (1 - 0.5 * skin.melanin)
    brow = head.hairs(partial(brow_density, brows=person.brows), 4)
    shade += brow * 0.35 * person.brows.density * (0.3 + 0.7 * person.brows.melanin)
    scalp = head.hairs(partial(scalp_density, hair=hair, random=generator(person.seed, "hair.scalp")), 4)
    shade += (
        3.0 * scalp * hair.density * (0.25 + 0.75 * hair.melanin) * (1 - 0.6 * hair.grey) * (1.1 - 0.5 * skin.melanin)
    )
    return np.asarray(colour * np.exp(-_density(shade, _SHADE)), np.float32)


def _made_up(head: _Head, makeup: Makeup, colour: Float) -> Float:
    """Return the colour [H, W, 3] below blush, eye shadow, eyeliner and lipstick."""
    x, y = EYE
    upper, smudge = _smooth(head.y, y - 1, y + 3), 1 + 0.12 * head.noise(3, 2)
    colour = colour * np.exp(-_density(0.5 * makeup.blush * head.blob(44, 698, 17, 1.3) * smudge, _HAEMOGLOBIN))
    shadow = np.exp(-(((head.across - x - 1) / 16) ** 2) - ((head.y - y - 8) / 6.5) ** 2) * upper * head.front
    colour = _blend(colour, makeup.lid_colour, (0.75 * makeup.lids * shadow * smudge).clip(0, 1))
    arch = np.clip(1 - ((head.across - x) / 14) ** 2, -0.3, 1)
    line = np.exp(-(((head.y - 728 - 6.3 * arch) / 1.1) ** 2)) + 0.4 * np.exp(
        -(((head.y - 726.5 + 3.2 * arch) / 0.8) ** 2)
    )
    colour = _blend(colour, (0.012, 0.01, 0.01), 0.9 * makeup.liner * line * _smooth(arch, -0.25, 0.1) * head.front)
    lipstick = np.asarray(makeup.lip_colour, np.float32) * np.exp(-0.12 * head.lines - 0.7 * head.seam)[..., None]
    return _blend(colour, lipstick, 0.9 * makeup.lips * head.lips)


def _surface(head: _Head, person: Person, moles: Float, folds: dict[str, Float]) -> Float:
    """Return height, roughness and coat, [H, W, 3]; folds: wrinkles at full strength, of which age keeps a part."""
    skin, noise = person.skin, head.noise
    drops = head.spots(0.05 * skin.sweat * (head.forehead + head.nose + head.blob(0, 676, 12)), (0.3, 0.7), 3)
    height = 0.35 * moles - (0.05 + 0.08 * skin.pores) * head.pores + 0.015 * noise(2.6)
    height += (0.014 + 0.012 * skin.pores) * noise(0.9, 2)
    lip_lines = 0.028 * head.lines + 0.03 * noise(1.1, 2)
    height = _mix(height, lip_lines, head.lips) + 0.14 * drops
    height -= skin.wrinkles * (0.06 * np.abs(noise(6)) + 0.04 * np.abs(noise(3))) * (1 - head.lips)  # crepe of old skin
    for group, relief in folds.items():
        kept = _AGED[group] * skin.wrinkles
        height += kept * cv2.resize(relief, height.shape[::-1], interpolation=cv2.INTER_CUBIC)
    oily = np.clip(0.7 * head.nose + 0.6 * head.forehead + 0.4 * head.cheeks + 0.3 * head.chin, 0, 1)
    rough = 0.56 - 0.12 * skin.oil * (0.3 + oily) - 0.16 * skin.sweat * oily
    rough += 0.05 * noise(1.5, 2) + 0.04 * noise(9, 2) + 0.1 * head.pores
    rough = _mix(_mix(rough, 0.4 - 0.12 * person.makeup.lips + 0.03 * noise(1.2, 2), head.lips), 0.15, head.rim)
    rough = np.where(drops > 0.3, 0.08, rough).clip(0.06, 0.95)
    coat = 0.05 + (0.3 * skin.oil + 0.5 * skin.sweat) * oily + 0.1 * head.lips + 0.6 * head.rim
    return np.stack([0.5 + height / 4, rough, np.maximum(coat, drops).clip(0, 1)], 2).astype(np.float32)


def _grain(seed: int) -> Float:
    """Return the fine relief of the skin outside the head as a tile that repeats, [512, 512], 0..1."""
    white = generator(seed, "grain").standard_normal((2, 512, 512))
    fine, coarse = (gaussian_filter(layer, sigma, mode="wrap") for layer, sigma in zip(white, (1.6, 4.0), strict=True))
    lines = -np.abs(fine / fine.std()) + 0.6 * coarse / coarse.std()
    return np.asarray((0.5 + 0.012 * (lines - lines.mean())).clip(0, 1), np.float32)


_AGED = {
    "forehead": 0.65,
    "glabella": 0.35,
    "crow": 0.7,
    "nose": 0.15,
    "nasolabial": 0.45,
    "dimple": 0.2,
    "under_eye": 0.7,
}
_AGED |= {"chin": 0.35, "lips": 0.6}


def _mix(one: Float, other: Float | float, amount: Float) -> Float:
    return np.asarray(one + (other - one) * amount)


def _base(skin: Skin) -> Float:
    return np.asarray(tone(skin.melanin, skin.undertone) * np.exp(0.10 * _HAEMOGLOBIN), np.float32)


def _coloured(skin: Skin, blood: npt.NDArray[Any], pigment: npt.NDArray[Any]) -> Float:
    """Return reflectance [H, W, 3] with blood and pigment in units of their density; both show less in dark skin."""
    density = _density(blood * (1 - 0.45 * skin.melanin), _HAEMOGLOBIN) + _density(
        pigment * (1 - 0.3 * skin.melanin), _MELANIN
    )
    return np.asarray(_base(skin) * np.exp(-density), np.float32)


def _body_colour(atlas: Atlas, person: Person) -> Float:
    """Return the reflectance of the body and of the inside of the mouth, [H, W, 3], without details."""
    paint, skin = _Painter(atlas, generator(person.seed, "body")), person.skin
    blood = 0.08 + 0.03 * paint.noise(30, 2) + 0.02 * paint.noise(8, 2)
    pigment = 0.04 * paint.noise(40, 2) + 0.03 * paint.noise(9, 2) - 0.03 * skin.tan
    colour = _coloured(skin, blood, pigment)
    shade = 0.6 * _beard_shade(paint, person, 1) * (1 - 0.5 * skin.melanin)
    colour = colour * np.exp(-_density(shade, _SHADE))
    height, width = colour.shape[:2]
    inside = colour[round(height * (1 - _MOUTH[1])) :, round(width * _MOUTH[0]) :]
    inside[:] = (0.36, 0.10, 0.09)
    return np.asarray(colour.clip(0.004, 0.95), np.float32)


def material(person: Person, body: Body) -> Material:
    """Return the skin of a person: images of head and body, and numbers for the shader; its curves come from `strengths`."""
    head, whole = make_atlas(body, HEAD, HEAD_SIZE), make_atlas(body, (0.0, 0.0, 1.0, 1.0), BODY_SIZE)
    fine = Atlas(head.position[::2, ::2], head.inside[::2, ::2])
    folds = wrinkles(fine, person.seed)
    painter = _Head(head, generator(person.seed, "skin"))
    moles = painter.spots(0.00018 * person.skin.moles, (0.5, 1.3), 3)
    colour = _made_up(painter, person.makeup, _reflectance(painter, person, moles)).clip(0.004, 0.95)
    packed = {
        f"wrinkles{k}": np.stack([np.float32(0.5) + folds[group] / 4 for group in groups], 2)
        for k, groups in enumerate(WRINKLES)
    }
    melanin = person.skin.melanin
    values: dict[str, Value] = {
        "head": list(HEAD),
        "middle": _MIDDLE_V,
        "melanin": melanin,
        "subsurface": 0.0022 * (1 - 0.45 * melanin),
        "wrinkles": 0.65 + 0.35 * person.skin.wrinkles,
    }
    images = {
        "colour": colour,
        "surface": _surface(painter, person, moles, folds),
        "body": _body_colour(whole, person),
        "grain": _grain(person.seed),
    }
    return Material("skin", values, images | packed)
