"""Hair cuts: where hair grows on the scalp, where it is combed, and how long it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nodes.geometry.step import smoothstep
from trainer.synthetic.people.strands import (
    Array,
    Collider,
    Flow,
    Head,
    StrandRoots,
    clumped,
    cut_below,
    grow,
    resampled,
    smooth_noise,
    tapered,
    unit,
    waved,
)
from trainer.synthetic.people.traits import Hair

_CROWN = np.array([0.008, 0.125, 0.1])  # metres from the middle of the eyes, as all places here
_TIE = np.array([0.0, 0.17, 0.055])
_AXIS = 0.065  # metres behind the eyes: the axis around which the hairline is told

# Hairline on the base mesh: degrees around the head from the front, and metres above the eyes.
_HAIRLINE = np.array(
    [
        *([0, 0.066], [18, 0.067], [32, 0.069], [42, 0.058], [52, 0.04], [60, 0.03], [67, 0.012], [73, -0.012]),
        *([78, -0.028], [83, -0.02], [86, 0.014], [92, 0.018], [104, 0.02], [113, 0.0], [118, -0.035], [126, -0.052]),
        *([150, -0.07], [180, -0.066]),
    ]
)


@dataclass(frozen=True)
class Style:
    """How a cut is made. side, back, fringe: lengths by that of the top.

    flow: where hair is combed: away from the crown, from a parting, back, to a tie, or nowhere. lift: the skin's normal in the
    direction of the root. gravity, pull: as of `grow`. clearance: metres above the skin at which hair lies. clumps: how many;
    clumping 0..1. frizz: metres. level: metres above the eyes at which all is cut. count: strands; points: of each; radius: metres.
    layers: part of the length that some strands lack.
    """

    side: float = 1.0
    back: float = 1.0
    fringe: float = 1.0
    flow: str = "crown"
    lift: float = 0.7
    gravity: float = 0.06
    pull: float = 1.0
    clearance: float = 0.004
    clumps: int = 900
    clumping: float = 0.5
    frizz: float = 0.002
    level: float | None = None
    count: int = 24_000
    points: int = 6
    radius: float = 0.00008
    layers: float = 0.0


# Fewer and thicker strands than people have: in curls and long hair, rays meet so many that they take most of the rendering.
_SHAVED = Style(lift=0.8, gravity=0, clumps=1, clumping=0, frizz=0.0003, count=36_000, points=3, radius=0.00008)
STYLES = {
    "bald": _SHAVED,
    "buzz": Style(0.6, 0.6, 0.9, lift=0.9, gravity=0, clumps=3000, clumping=0.2, frizz=0.001, count=30_000, points=3),
    "short": Style(0.3, 0.25, 1.0, clumps=1500, clumping=0.55, frizz=0.003, count=22_000, points=5, radius=0.00009),
    "parted": Style(
        0.42, 0.2, 1.0, "parting", 0.4, 0.1, 1.3, 0.005, 600, 0.6, count=16_000, points=7, radius=0.00011, layers=0.5
    ),
    "swept": Style(0.18, 0.15, 1.0, "back", 1.1, 0.03, 0.9, 0.01, clumps=700, count=16_000, points=7, radius=0.00011),
    "curls": Style(0.8, 0.75, 0.7, "crown", 1.2, 0.13, 0.4, 0.01, 420, 0.9, count=8_000, points=24, radius=0.00015),
    "afro": Style(
        0.85, 0.75, 0.85, "none", 2.0, 0.0, 0.0, 0.0, 1500, 0.4, 0.006, count=11_000, points=16, radius=0.00013
    ),
    "bob": Style(
        0.85, 0.65, 0.5, "parting", 0.55, 0.16, 1.2, 0.012, 500, 0.65, 0.0015, -0.095, 9_000, 9, 0.00016, 0.15
    ),
    "long": Style(0.92, 0.88, 0.96, "parting", 0.55, 0.16, 1.1, 0.013, 380, 0.8, 0.003, None, 7_000, 12, 0.00018, 0.4),
    "tied": Style(
        flow="tie",
        lift=0.25,
        clearance=0.006,
        clumps=1500,
        clumping=0.12,
        frizz=0.001,
        count=17_000,
        points=9,
        radius=0.00012,
    ),
}


def scalp_density(template: Array, hair: Hair, random: np.random.Generator) -> Array:
    """Return the density 0..1 of hair at places on the base mesh [N, 3]: an irregular hairline, and none on a bald crown."""
    x, y, z = template.T
    around = _around(template)
    line = _hairline(around, hair)
    ragged = 0.002 * smooth_noise(template, 0.012, random) + 0.0015 * smooth_noise(template, 0.004, random)
    density = np.clip((z - line + ragged) / 0.009, 0, 1)
    ear = (np.abs(x) > 0.0735) & (y > 0.052) & (y < 0.096) & (z < 0.018)
    density = np.where(ear | (y < -0.04), 0, density)
    if hair.cut == "bald" and hair.recession > 0.4:
        height = 0.06 + 0.008 * smooth_noise(template, 0.06, random)
        fringe = np.clip((height - z) / 0.04, 0.0, 1) ** 1.5 * np.clip((around - 46) / 16, 0, 1)
        density = density * np.maximum(fringe, 0.012)
    return np.asarray(density)


def _around(template: Array) -> Array:
    return np.degrees(np.arctan2(np.abs(template[:, 0]), _AXIS - template[:, 1]))


def _hairline(around: Array, hair: Hair) -> Array:
    line = np.interp(around, *_HAIRLINE.T)
    corners = 0.03 * np.exp(-(((around - 34) / 15) ** 2))
    return np.asarray(line + hair.recession * (corners + 0.014 * np.exp(-((around / 22) ** 2))))


def scalp(head: Head, hair: Hair, random: np.random.Generator) -> tuple[StrandRoots, Array, Array]:
    """Grow the hair of a head at rest; return roots, points [S, K, 3] about the middle of the eyes, and radii [S, K]."""
    style, longest = STYLES[hair.cut], hair.length
    if hair.cut == "bald":
        longest = 0.012 if hair.recession > 0.4 else 0.0015
        style = replace(STYLES["short"], side=1, back=1, count=16_000) if hair.recession > 0.4 else style
    density = scalp_density(head.surface.template, hair, random)
    template = head.surface.template
    beside = np.abs(template[:, 0] - 0.045 * hair.parting) / 0.009
    strip = (style.flow == "parting") * (template[:, 2] > 0.05) * np.exp(-(beside**2))
    rim = np.exp(-(((template[:, 2] - _hairline(_around(template), hair)) / 0.012) ** 2))
    density = density * (1 + 5 * strip + 1.5 * rim * (hair.cut != "bald"))
    roots = head.roots(density, round(style.count * (0.5 + 0.5 * hair.density)), random)
    place, template, count = roots.points, roots.template, len(roots)

    top = smoothstep((template[:, 2] - 0.02) / 0.075) ** 1.4
    back = smoothstep((template[:, 1] - 0.09) / 0.05)
    fringe = smoothstep((0.045 - template[:, 1]) / 0.015) * smoothstep((0.048 - np.abs(template[:, 0])) / 0.01)
    length = top + (1 - top) * (back * style.back + (1 - back) * style.side)
    length = longest * (length + fringe * (style.fringe - length))
    edge = np.clip((template[:, 2] - _hairline(_around(template), hair)) / 0.01, 0, 1)
    baby = np.minimum(1, 0.3 + edge + 0.7 * random.random(count))  # short, fine hairs at the hairline
    layers = 1 - style.layers * random.random(count) ** 2
    length = length * random.uniform(0.85, 1.05, count) * layers * np.where(length > 0.02, baby, 1)

    # Hairs cross the parting here and there, or it would be a bare strip.
    parting = 0.045 * hair.parting + 0.002 * smooth_noise(place, 0.02, random) + 0.0025 * random.normal(size=count)
    side = np.where(place[:, 0] > parting, 1.0, -1.0)
    comb = _combed(style.flow, side, fringe if hair.cut == "bob" and hair.fringe > 0 else 0 * side, hair, place)
    direction = roots.normals * style.lift + unit(comb(place, roots.normals)) + 0.25 * random.normal(size=place.shape)
    if style.flow == "none":
        direction = roots.normals + 0.35 * random.normal(size=place.shape)
    layer = 0.25 + random.random(count) + 0.4 * smooth_noise(place, 0.04, random).clip(-1, 1)
    layer = np.maximum(style.clearance * (0.3 + 0.7 * smoothstep(place[:, 2] / 0.07)) * layer, 0.0005)
    steps = max(6, style.points)
    if style.flow == "tie":
        strands = _tied(place, longest, steps + 1, head.collider, random)
    else:
        strands = grow(place, direction, length, steps, head.collider, comb, layer, style.pull, style.gravity)
    if style.level is not None:
        strands = cut_below(strands, style.level + 0.003 * random.normal(size=count))
    if hair.cut == "bob" and hair.fringe > 0:
        strands = cut_below(
            strands, np.where(fringe > 0.5, 0.045 - 0.022 * hair.fringe + 0.002 * random.normal(size=count), -9.0)
        )
    points = style.points
    if style.flow == "parting" and longest > 0.15:  # waves need points
        points = int(np.clip(4.5 * longest / _period(hair), points, 20))
    strands = resampled(strands, strands.shape[1] - 1, points)
    flyaway = random.random(count) < 0.05
    clumping = np.minimum(style.clumping * (1 + 0.3 * hair.curl), 0.95) * ~flyaway
    strands, lock = clumped(strands, style.clumps, clumping, random, 0.05 * side)
    strands, _ = clumped(strands, 4 * style.clumps, 0.6 * clumping, random, 0.05 * side)
    strands = _curled(strands, length, lock, place, hair, random)
    along = np.linspace(0, 1, points)[None, :, None]
    stray = random.gamma(1.0, 0.7, (count, 1, 1)).clip(0, 2.5) * np.where(flyaway, 2.5, 1)[:, None, None]
    strands = strands + style.frizz * along * stray * random.normal(size=(count, 1, 3))
    radius = style.radius * (0.45 + 0.55 * edge) * random.uniform(0.8, 1.15, count) * np.where(flyaway, 0.6, 1)
    return roots, strands, tapered(radius, points)


def _combed(flow: str, side: Array, fringe: Array, hair: Hair, place: Array) -> Flow:
    """Return the direction in which each strand is combed. fringe: how much of it falls over the forehead, [S]."""
    heavy = -np.sign(hair.parting) if hair.parting else 1.0
    before = 1.1 * hair.fringe * smoothstep((0.05 - place[:, 1]) / 0.03) * (side == heavy) * (hair.cut == "long")
    sideways = np.stack([side, 0.3 - before, np.full_like(side, -0.5)], 1)
    forward = np.stack([0.15 * side, np.full_like(side, -1.0), np.full_like(side, -0.8)], 1)
    sideways = sideways + fringe[:, None] * (forward - sideways)

    def comb(points: Array, normals: Array) -> Array:
        behind = smoothstep((points[:, 1] - 0.03) / 0.12)[:, None]
        down = np.stack([4 * points[:, 0], np.full_like(side, 1.0), np.full_like(side, -0.8)], 1)
        hanging = smoothstep((0.03 - points[:, 2]) / 0.05)[:, None]
        match flow:
            case "parting":
                combed = (1 - behind) * sideways + behind * down
            case "back":
                low = np.maximum(smoothstep((0.06 - points[:, 2]) / 0.03)[:, None], behind)
                combed = (1 - low) * np.array([0.0, 1.0, 0.1]) + low * down
            case _:
                away = unit(points - _CROWN)
                return away + 0.35 * np.cross(normals, away)
        return np.asarray(
            (1 - hanging) * combed + hanging * np.stack([0 * side, 0.05 - 0.3 * before, np.full_like(side, -1.0)], 1)
        )

    return comb


def _period(hair: Hair) -> float:
    """Return the length of a wave of the hair, metres."""
    return {"afro": 0.013, "curls": 0.034}.get(hair.cut, 0.16 - 0.1 * hair.curl)


def _curled(strands: Array, length: Array, lock: Array, place: Array, hair: Hair, random: np.random.Generator) -> Array:
    """Curl strands, those of one lock together: waves for little curl, coils for much."""
    count, curl = len(strands), hair.curl
    if hair.cut in ("curls", "afro"):
        curl = max(curl, 0.6)
    size = {"afro": 0.004, "curls": 0.0075}.get(hair.cut, 0.003 + 0.011 * curl)
    period = _period(hair)
    phase = random.uniform(0, 2 * np.pi, count)[lock] if curl > 0.5 else 2.5 * smooth_noise(place[lock], 0.04, random)
    phase = phase + 0.25 * random.normal(size=count)
    turns = length / period * random.uniform(0.85, 1.15, count)[lock]
    amplitude = np.minimum(size * random.uniform(0.6, 1.2, count)[lock], 0.07 * length)
    return waved(strands, amplitude, turns, phase, min(1.0, 1.5 * curl))


def _tied(place: Array, longest: float, points: int, collider: Collider, random: np.random.Generator) -> Array:
    """Return strands [S, points, 3] from roots over the head to a tie; a third of them leaves it as the tail."""
    knot = _TIE + 0.005 * random.normal(size=(len(place), 3))
    along = np.linspace(0, 1, points)[None, :, None]
    path = (place[:, None] * (1 - along) + knot[:, None] * along).reshape(-1, 3)
    height, normals = collider.depth(path)
    floor = (0.0012 + 0.004 * random.random(len(place)))[:, None] * np.sin(np.pi * np.linspace(0.04, 0.9, points))[
        None
    ] ** 0.5
    tied = (path + np.maximum(floor.ravel() - height, 0)[:, None] * normals).reshape(-1, points, 3)
    tail = random.random(len(place)) < 0.33
    start = knot[tail]
    direction = np.array([0.0, 1.0, 0.3]) + 0.15 * random.normal(size=start.shape)
    length = longest * 0.7 * random.uniform(0.75, 1.05, len(start))

    def fall(points: Array, _: Array) -> Array:
        return np.broadcast_to(np.array([0.0, 0.0, -1.0]), points.shape)

    tied[tail] = grow(start, direction, length, points - 1, collider, fall, np.full(len(start), 0.01), 0.2, 0.2)
    return np.asarray(tied)
