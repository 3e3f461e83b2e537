"""Hair of synthetic performers: brows, lashes, hair cut and beard, as strands that grow from the skin."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from nodes.geometry.step import smoothstep
from nodes.types import Float
from trainer.synthetic.people.haircut import scalp
from trainer.synthetic.people.person import Figure
from trainer.synthetic.people.strands import (
    Array,
    Head,
    StrandRoots,
    clumped,
    grow,
    smooth_noise,
    tapered,
    unit,
    waved,
)
from trainer.synthetic.people.traits import Beard, Brows
from trainer.synthetic.scene import Material, StrandThing, Value

# The brow's middle line and half its height on the base mesh: across, up, half height; metres from the middle of the eyes.
_BROW = (
    np.array(
        [
            [9, 15.6, 4.2],
            [15, 17.2, 4.9],
            [25, 19.8, 4.6],
            [35, 21.8, 4.0],
            [43, 21.2, 3.1],
            [51, 17.0, 2.1],
            [57, 11.8, 1.2],
        ]
    )
    / 1000
)
_BEARD_STRANDS = {"stubble": 18_000, "moustache": 2_600, "goatee": 6_500, "full": 13_000}
_LAG = 0.06  # seconds that loose hair is behind the head
_LIMIT = (
    np.array([16, 4, 4, 4, 4, 1, 1, 1, 1]) / 36
)  # weights of a vertex and those around it: its place when subdivided
_UPPER, _LOWER = slice(2, 16), slice(27, 17, -1)  # columns of a lid's grid, from the inner to the outer corner


def things(figure: Figure, posed: Float, rate: float = 25.0) -> list[StrandThing]:
    """Return the hair of a figure over the frames of its mesh [T, V, 3], metres. rate: frames a second, by which loose hair lags."""
    head, person = Head.of(figure), figure.person

    def random(name: str) -> np.random.Generator:
        return np.random.default_rng([person.seed, crc32(f"hair.{name}".encode())])

    def thing(name: str, points: Array, radius: Array, **colour: float) -> StrandThing:
        values: dict[str, Value] = {"roughness": 0.3, "variation": 0.25, "coat": 0.0, **colour}
        return StrandThing(f"{figure.index}.hair.{name}", points.astype(np.float32), radius, Material("hair", values))

    hair, brows, beard = person.hair, person.brows, person.beard
    roots, strands, radius = brow(head, brows, random("brow"))
    colour = {"melanin": brows.melanin, "redness": hair.red, "grey": brows.grey, "roughness": 0.35}
    made = [thing("brow", head.carried(roots, strands, posed), radius, **colour)]
    rows = lashes(figure, head, random("lash"))
    points = np.concatenate([head.carried(roots, strands, posed) for roots, strands in rows], 1)
    radius = tapered(np.full(points.shape[1], 0.000045 + 0.00003 * brows.mascara), points.shape[2], 0.15)
    dark = min(1.0, brows.melanin + 0.25 + brows.mascara)
    made.append(thing("lash", points, radius, melanin=dark, redness=hair.red * (1 - brows.mascara), grey=0.0))
    roots, strands, radius = scalp(head, hair, random("scalp"))
    sleek = 1 - min(1.0, 1.4 * hair.curl)
    colour = {"melanin": hair.melanin, "redness": hair.red, "grey": hair.grey}
    colour |= {"variation": 0.45, "coat": 0.5 * sleek, "roughness": 0.32 - 0.1 * sleek}
    made.append(thing("scalp", head.carried(roots, strands, posed, 1 - np.exp(-1 / (_LAG * rate))), radius, **colour))
    if beard.style != "none":
        roots, strands, radius = facial(head, beard, random("beard"))
        colour = {"melanin": beard.melanin, "redness": beard.red, "grey": beard.grey, "roughness": 0.4}
        made.append(thing("beard", head.carried(roots, strands, posed), radius, **colour))
    return made


def brow_line(x: Array, brows: Brows) -> tuple[Array, Array]:
    """Return the height above the eyes and half the thickness of the brow at a distance |x| from the middle; metres on the base mesh."""
    line = np.interp(x, _BROW[:, 0], _BROW[:, 1])
    arch = 0.0022 * brows.arch * np.exp(-(((x - 0.042) / 0.011) ** 2))
    return line + arch, np.interp(x, _BROW[:, 0], _BROW[:, 2]) * (0.55 + 0.8 * brows.thickness)


def brow_density(template: Array, brows: Brows) -> Array:
    """Return the density 0..1 of both brows at places on the base mesh [N, 3]."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    line, half = brow_line(x, brows)
    across = (z - line) / half
    inside = (x > 0.0085) & (x < 0.0575) & (y < 0.012)
    ends = smoothstep((x - 0.0085) / 0.007) * smoothstep((0.0575 - x) / 0.006)
    return np.asarray(inside * np.clip(1.25 - np.abs(across) ** 2, 0, 1) ** 1.5 * (0.35 + 0.65 * ends))


def brow(head: Head, brows: Brows, random: np.random.Generator) -> tuple[StrandRoots, Array, Array]:
    """Grow both brows on the orbital rim: upright at the nose, then outwards, from above and below towards the middle line."""
    roots = head.roots(
        brow_density(head.surface.template, brows) * head.outer, round(500 + 800 * brows.density), random
    )
    template, normals, count = roots.template, roots.normals, len(roots)
    x, left = np.abs(template[:, 0]), np.sign(template[:, 0])
    line, half = brow_line(x, brows)
    across = np.clip((template[:, 2] - line) / half, -1, 1)
    outer = np.clip((x - 0.009) / 0.028, 0, 1)  # 0 where the brow begins
    angle = 78 - 68 * outer - 26 * across * np.minimum(outer * 2, 1) - 22 * np.clip(outer * 2 - 1.2, 0, 1)
    angle = np.radians(angle) + 0.16 * random.normal(size=count)
    ahead = np.stack([left * np.cos(angle), np.zeros(count), np.sin(angle)], 1)
    flat = unit(ahead - (ahead * normals).sum(1, keepdims=True) * normals)
    length = (0.0068 + 0.0028 * np.sin(np.pi * outer)) * random.uniform(0.6, 1.15, count) * np.where(x > 0.048, 0.75, 1)
    bend = np.cross(normals, flat) * (-0.25 * left * random.normal(0.6, 0.5, count))[:, None]
    along = np.linspace(0, 1, 5)[None, :, None]
    rise = 0.34 * along - 0.26 * along**2  # leaves the skin, then lies down along it
    course = along * flat[:, None] + rise * normals[:, None] + along**2 * bend[:, None]
    strands = roots.points[:, None] + length[:, None, None] * course
    return roots, strands, tapered(0.00006 * random.uniform(0.7, 1.2, count), 5, 0.2)


def lashes(figure: Figure, head: Head, random: np.random.Generator) -> list[tuple[StrandRoots, Array]]:
    """Grow the lashes of all four lids."""
    base, groups = figure.body.vertices, figure.body.groups
    middle = base - base[np.concatenate([groups["helper-l-eye"], groups["helper-r-eye"]])].mean(0)
    length = 0.7 + 0.6 * figure.person.brows.lashes
    made = []
    for lids, left in zip(figure.lids, (1.0, -1.0), strict=True):
        edge = np.einsum("cnk,n->ck", middle[lids.around], _LIMIT)
        for columns, count, longest, upper in ((_UPPER, 150, 0.0096, True), (_LOWER, 80, 0.0056, False)):
            made.append(_row(head, edge[columns], left, count, longest * length, upper, random))
    return made


def _row(
    head: Head, edge: Array, left: float, count: int, length: float, upper: bool, random: np.random.Generator
) -> tuple[StrandRoots, Array]:
    """Return a row of lashes: roots and strands [S, 6, 3]. edge: of the lid on the base mesh, [N, 3]. left: 1, or -1 on the right."""
    along = np.sort(random.uniform(0, len(edge) - 1, count))
    places = np.stack([np.interp(along, np.arange(len(edge)), edge[:, axis]) for axis in range(3)], 1)
    roots = head.surface.nearest(places + 0.0002 * random.normal(size=places.shape), head.rest)
    part = along / (len(edge) - 1)
    fan = left * 0.8 * (part - 0.42)
    outward = np.stack([fan, np.full(count, -1.0), np.full(count, -0.1 if upper else -0.55)], 1)
    outward = unit(outward + 0.1 * random.normal(size=(count, 3)))
    size = length * (0.55 + 0.45 * np.sin(np.pi * np.clip(part * 0.9 + 0.12, 0, 1))) * random.uniform(0.7, 1.1, count)
    steps = np.linspace(0, 1, 6)[None, :, None]
    curl = steps**2 * np.array([0, 0, 0.7 if upper else -0.05])
    strands = roots.points[:, None] + size[:, None, None] * (steps * outward[:, None] + curl)
    return roots, clumped(strands, count // 3, 0.5, random)[0]  # lashes stick together in small groups


def facial(head: Head, beard: Beard, random: np.random.Generator) -> tuple[StrandRoots, Array, Array]:
    """Grow a beard: down the cheeks and under the jaw, from the nose sideways over the lip."""
    stubble = beard.style == "stubble"
    density = beard_density(head.surface.template, beard, random) * head.outer
    roots = head.roots(density, round(_BEARD_STRANDS[beard.style] * (0.4 + 0.6 * beard.density)), random)
    place, template, normals, count = roots.points, roots.template, roots.normals, len(roots)
    lip = smoothstep((template[:, 2] + 0.058) / 0.006) * (np.abs(template[:, 0]) < 0.03) * (template[:, 1] < -0.01)
    down = np.stack(
        [
            0.25 * np.clip(template[:, 0] / 0.04, -1, 1),
            0.1 - 3 * template[:, 1].clip(-0.02, 0.05),
            np.full(count, -1.0),
        ],
        1,
    )
    over = np.stack([np.clip(template[:, 0] / 0.01, -1, 1) * 1.1, np.zeros(count), np.full(count, -0.8)], 1)
    ahead = down + lip[:, None] * (over - down)
    low = smoothstep((-0.05 - template[:, 2]) / 0.04)
    length = np.where(lip > 0.5, np.minimum(beard.length, 0.011), beard.length * (0.6 + 0.4 * low))
    edge = smoothstep((template[:, 2] - _neck_line(template[:, 1])) / 0.025)
    length = length * random.uniform(0.6, 1.1, count) * (0.2 + 0.8 * edge)
    flat = unit(ahead - (ahead * normals).sum(1, keepdims=True) * normals)
    direction = flat + (0.9 if stubble else 0.55) * normals + 0.2 * random.normal(size=place.shape)
    points = 3 if stubble else 7
    clearance = 0.0006 + 0.0015 * random.random(count)
    strands = grow(place, direction, length, points - 1, head.collider, lambda *_: ahead, clearance, 0.5, 0.03)
    if not stubble:
        strands, _ = clumped(strands, 900, 0.45, random)
        phase = 2 * smooth_noise(place, 0.012, random) + 0.8 * random.normal(size=count)
        strands = waved(strands, np.minimum(0.0012, 0.06 * length), length / 0.012, phase, 0.6)
    return roots, strands, tapered((0.00005 if stubble else 0.00008) * random.uniform(0.7, 1.2, count), points, 0.4)


def _neck_line(y: Array) -> Array:
    """Return the height above the eyes at which a beard ends on the neck, by the distance behind them."""
    return np.interp(y, [-0.02, 0.01, 0.03, 0.055, 0.075], [-0.13, -0.122, -0.112, -0.095, -0.06])


def beard_density(template: Array, beard: Beard, random: np.random.Generator) -> Array:
    """Return the density 0..1 of a beard at places on the base mesh [N, 3]."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    cheek = np.interp(
        x, [0.0, 0.012, 0.027, 0.036, 0.05, 0.062, 0.072], [-0.0445, -0.0445, -0.049, -0.058, -0.056, -0.044, -0.02]
    )
    neck = _neck_line(y)
    ragged = 0.003 * smooth_noise(template, 0.012, random)
    density = np.clip((cheek - z + ragged) / 0.006, 0, 1) * np.clip((z - neck + ragged) / 0.012, 0, 1)
    density = density * np.clip((0.068 - y) / 0.012, 0, 1)
    lips = (x / 0.0275) ** 2 + ((z + 0.0665) / 0.0105) ** 2
    density = density * ((lips > 1) | (y > 0))
    beside = np.exp(-(((x - 0.013) / 0.007) ** 2) - ((z + 0.082) / 0.005) ** 2)  # bare skin beside the soul patch
    groove = np.exp(-((x / 0.003) ** 2)) * (z > -0.056)
    density = density * (1 - 0.25 * beside) * (1 - 0.25 * groove)
    moustache = (z > -0.0725) & (x < 0.033) & (y < 0.0)
    chin = (x < 0.031) & (z < -0.062) & (y < 0.03)
    if beard.style == "moustache":
        density = density * (moustache & (z > -0.068))
    elif beard.style == "goatee":
        density = density * smoothstep((0.033 - x) / 0.006) * (moustache | chin)
    return np.asarray(density * np.clip(0.85 + 0.25 * smooth_noise(template, 0.02, random), 0.25, 1))
