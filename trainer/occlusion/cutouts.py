"""Cutouts: things to lay before a face, each a picture with exact alpha. Hands are rendered or photographed; all else is drawn."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from nodes.cache import cache_folder
from nodes.errors import MissingDependencyError, writing
from nodes.files import whole_file
from nodes.types import Float
from trainer.occlusion.examples import GLASSES, HAIR, HAND, OTHER, SIDE, Examples
from trainer.synthetic.shapes import Array

HANDS = "fingerpose@0.1.0"  # MIT licence
_DIGEST = "0d771feb4a95846a07fa5e6c43f5438e462e2a4676bc2f14a65e3a797787f056"
_PHOTOGRAPHS = ("fullcurl.jpg", "halfcurl.jpg", "nocurl.jpg")
_OWN_HANDS = "FACEPLATE_FINGERPOSE"
_KNUCKLES = (
    0.34  # of the photographs' width by that of an example's crop, so that hands are as large as they are beside faces
)
_LEAST_HAND = 0.02  # of a crop's pixels, below which a rendered hand is not cut out
_DARKEST_HAND = 40  # of 255, mean of what is cut out: a brighter scene would show noise
_FINE = 2  # samples along either side of a pixel in drawings
_HAIR = (
    (28, 20, 15),
    (60, 38, 22),
    (110, 72, 40),
    (165, 125, 75),
    (205, 175, 125),
    (130, 60, 25),
    (150, 150, 150),
    (12, 12, 14),
)


class Cutout(NamedTuple):
    """A thing to lay before a face, at the scale of an example's crop.

    rgba: sRGB colours times alpha, and alpha, 0..1, [H, W, 4]. Where it touches the border it goes on beyond. kind: the index of its class.
    worn: where the outer corners of the eyes and the middle of the mouth lie in it, [3, 2], of a thing that is worn; None for others.
    """

    rgba: Float
    kind: int
    worn: Float | None = None


def hand_photographs() -> Path:
    """Return a folder with three photographs of a hand: FACEPLATE_FINGERPOSE, else fetched by npm once. Raises MissingDependencyError."""
    if own := os.environ.get(_OWN_HANDS):
        return Path(own)
    folder = cache_folder() / "occlusion" / HANDS.replace("@", "-")
    if all((folder / name).is_file() for name in _PHOTOGRAPHS):
        return folder
    remedy = f"Connect and install npm, or name a folder that has {', '.join(_PHOTOGRAPHS)} in {_OWN_HANDS}"
    npm = shutil.which("npm")
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder), tempfile.TemporaryDirectory() as work:
        if not npm or subprocess.run([npm, "pack", "--silent", HANDS], cwd=work, capture_output=True).returncode:
            raise MissingDependencyError(f"{HANDS} cannot be fetched", remedy=remedy)
        archive = next(Path(work).glob("*.tgz"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != _DIGEST:
            raise MissingDependencyError(f"{HANDS} is not as published", remedy=remedy)
        with tarfile.open(archive, "r:gz") as tar:
            for name in _PHOTOGRAPHS:
                member = tar.extractfile(f"package/assets/{name}")
                assert member
                with whole_file(folder / name) as temporary:
                    temporary.write_bytes(member.read())
    return folder


def photographed_hands(folder: Path) -> list[Cutout]:
    """Cut the hand out of the photographs of `hand_photographs`: skin against a pale wall."""
    made = []
    for name in _PHOTOGRAPHS:
        picture = cv2.imread(str(folder / name))
        if picture is None:
            raise MissingDependencyError(f"{folder / name} cannot be read", remedy=f"Delete {folder} and run again")
        alpha = _against_wall(picture)
        hand = _clean(picture[..., ::-1].astype(np.float32) / 255, alpha)
        scale = _KNUCKLES * SIDE / 0.5 / picture.shape[1]  # the knuckles span half of a photograph
        made.append(Cutout(_trimmed(cv2.resize(hand, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), HAND))
    return made


def _against_wall(picture: Array) -> Float:
    """Return the matte [H, W] of what is more colourful or darker than a smooth wall: cuts of a graph (Rother et al. 2004), softened along edges (He et al. 2010)."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], -1).reshape(-1, 6)
    values = lab.reshape(-1, 3)
    wall = np.ones(len(values), bool)
    for _ in range(4):  # fit the wall's colour, then leave out what differs
        fitted = basis @ np.linalg.lstsq(basis[wall], values[wall], rcond=None)[0]
        distance = np.linalg.norm((values - fitted) * (0.5, 1.5, 1.0), axis=1)
        wall = distance < 9
    far = distance.reshape(height, width)
    labels = np.where(far > 20, cv2.GC_FGD, np.where(far > 10, cv2.GC_PR_FGD, cv2.GC_PR_BGD)).astype(np.uint8)
    labels[far < 5] = cv2.GC_BGD
    cv2.grabCut(picture, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    parts, number, stats, _ = cv2.connectedComponentsWithStats(inside)
    hand = (number == 1 + int(np.argmax(stats[1:parts, cv2.CC_STAT_AREA]))).astype(np.uint8)
    hand = cv2.morphologyEx(hand, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(
        cv2.GaussianBlur(cv2.erode(hand, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), 1.2), np.float32
    )


def rendered_hands(examples: Examples) -> list[Cutout]:
    """Cut the hands out of rendered examples that show enough of one."""
    made = []
    for picture, classes in zip(examples.pictures, examples.classes, strict=True):
        alpha = classes[HAND].astype(np.float32) / 255
        if alpha.mean() > _LEAST_HAND and alpha.max() > 0.9 and picture[alpha > 0.9].mean() > _DARKEST_HAND:
            made.append(Cutout(_trimmed(_clean(picture.astype(np.float32) / 255, alpha)), HAND))
    return made


def _clean(picture: Array, alpha: Float) -> Float:
    """Return colours times alpha, and alpha, where colours of soft edges come from the solid inside, not from behind."""
    solid = cv2.erode((alpha > 0.97).astype(np.float32), np.ones((3, 3), np.uint8))
    spread, total = picture * solid[..., None], solid
    colours = spread.copy()
    for width in (2.0, 6.0, 20.0):
        blurred, share = cv2.GaussianBlur(spread, (0, 0), width), cv2.GaussianBlur(solid, (0, 0), width)
        fill = (total < 0.5) & (share > 0.02)
        colours[fill] = blurred[fill] / share[fill, None]
        total = np.maximum(total, fill)
    return np.concatenate([colours * alpha[..., None], alpha[..., None]], -1).astype(np.float32)


def _trimmed(rgba: Array, margin: int = 3) -> Float:
    """Cut away what is empty around a thing; where the thing reaches the picture's border, the border stays."""
    rows, columns = (np.flatnonzero((rgba[..., 3] > 0.02).any(axis)) for axis in (1, 0))
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return np.ascontiguousarray(rgba[top : rows[-1] + margin, left : columns[-1] + margin], np.float32)


def drawn(random: np.random.Generator, count: int) -> list[Cutout]:
    """Draw things: hair, sticks, cloth, shapes, microphones, telephones, sheets of paper, and glasses."""
    painters: tuple[Callable[[np.random.Generator], Cutout], ...] = (
        strands, stick, cloth, shape, microphone, slab, spectacles,
    )  # fmt: skip
    chances = (0.3, 0.1, 0.12, 0.14, 0.09, 0.1, 0.15)
    return [painters[k](random) for k in random.choice(len(painters), count, p=chances)]


def all_cutouts(rendered: Sequence[Examples], photographs: Path, drawings: int = 300, seed: int = 0) -> list[Cutout]:
    """Return all cutouts: hands of rendered examples, each photographed hand several times, and drawings."""
    hands = [hand for examples in rendered for hand in rendered_hands(examples)]
    photographed = photographed_hands(photographs)
    return hands + photographed * max(1, len(hands) // 6) + drawn(np.random.default_rng(seed), drawings)


def strands(random: np.random.Generator) -> Cutout:
    """Draw a lock of hair that falls from the upper border: thin curves that taper, with a sheen across."""
    height, width = int(random.integers(160, 320)), int(random.integers(70, 220))
    count, points = int(np.exp(random.uniform(np.log(4), np.log(220)))), 24
    down = np.linspace(0, 1, points)
    spread = random.uniform(0.03, 0.25) * (1 + 2 * random.random() * down)
    waves = random.normal(0, 0.12) * np.sin(np.pi * down * random.uniform(0.5, 1.6) + random.uniform(0, 6)) * down
    curl = random.choice([0, 0, 0.04]) * np.sin(down * random.uniform(10, 30))
    middle = 0.5 + waves + curl + random.normal(0, 0.2) * down**1.5
    own = (
        random.normal(0, 1, (count, 1)) * spread
        + random.normal(0, 0.03, (count, 1))
        * np.sin(down * random.uniform(2, 7, (count, 1)) + random.uniform(0, 6, (count, 1)))
        * down
    )
    x = (middle + own) * width * _FINE
    y = down * random.uniform(0.55, 0.98, (count, 1)) * height * _FINE
    width = int((x.max() - x.min()) / _FINE) + 8  # so that it leaves through the upper border alone
    lines = np.round(np.stack([x - x.min() + 4 * _FINE, y], -1) * 16).astype(np.int32)
    base = np.array(_HAIR[int(random.integers(len(_HAIR)))]) * random.uniform(0.7, 1.3)
    canvas = np.zeros((height * _FINE, width * _FINE, 4), np.uint8)
    thick = int(random.choice([1, 1, 2, 3]))
    for line in lines:
        colour = (*np.clip(base * random.lognormal(0, 0.25), 0, 255).tolist(), 255)
        for first, last, thickness in ((0, 17, thick), (16, points, max(thick - 1, 1))):
            cv2.polylines(canvas, [line[first:last]], False, colour, thickness, cv2.LINE_AA, 4)
    rgba = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    sheen = 1 + random.uniform(0, 0.9) * np.exp(-(((np.linspace(0, 1, height) - random.uniform(0, 1)) / 0.12) ** 2))
    rgba[..., :3] = np.minimum(rgba[..., :3] * sheen[:, None, None], rgba[..., 3:])
    return Cutout(np.asarray(rgba, np.float32), HAIR)


def stick(random: np.random.Generator) -> Cutout:
    """Draw a round bar from the left border: a stick, a pencil or a cigarette."""
    length, thick = int(random.integers(90, 300)), float(random.uniform(2.5, 11))
    height = int(thick + 8)
    y, x = np.mgrid[:height, :length].astype(np.float32)
    across = (y - height / 2 + 0.5) / (thick / 2) / (1 - random.choice([0, 0.4]) * x / length)
    alpha = np.clip((1 - np.abs(across)) * thick / 2 + 0.5, 0, 1)
    end = length - 4 if random.random() < 0.7 else length + 9
    alpha *= np.clip(end - x, 0, 1)
    colour = np.ones((height, length, 3), np.float32) * _muted(random)
    if random.random() < 0.4:  # a cigarette
        colour[:] = 0.9
        colour[:, : int(0.3 * length)] = (0.75, 0.5, 0.25)
        colour[:, -14:] = np.where(random.random((height, 14, 1)) < 0.6, (0.3, 0.3, 0.3), (0.8, 0.3, 0.1))
    colour *= 1 + 0.25 * _noise(random, height, length, 4)[..., None]
    shade = np.sqrt(np.clip(1 - across**2, 0, 1)) * 0.6 + 0.4 + 0.25 * random.choice([-1, 1]) * across
    return _premultiplied(colour * shade[..., None], alpha, OTHER)


def cloth(random: np.random.Generator) -> Cutout:
    """Draw cloth that covers from the lower border up to a curved hem: plain or patterned, with the shade of folds."""
    height, width = int(random.integers(120, 260)), int(random.integers(160, 300))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    hem = height * random.uniform(0.1, 0.4) * (1 + 0.7 * _noise(random, 1, width, random.uniform(20, 60))[0])
    alpha = np.clip(y - np.maximum(hem, 3) + 0.5, 0, 1)
    if random.random() < 0.5:  # does not reach the sides
        left, right = (
            np.clip(random.uniform(0.05, 0.25) * width * (1 + 0.5 * _noise(random, 1, height, 30)[0]), 2, None)
            for _ in range(2)
        )
        alpha *= np.clip(x - left[:, None], 0, 1) * np.clip(width - right[:, None] - x, 0, 1)
    angle, wide = random.uniform(0, np.pi), random.uniform(8, 40)
    along = x * np.cos(angle) + y * np.sin(angle) + random.uniform(4, 30) * _noise(random, height, width, 40)
    folds = np.sin(along / wide * 2 * np.pi / 2) * random.uniform(0.1, 0.5) + 0.25 * _noise(random, height, width, 25)
    colour = np.ones((height, width, 3), np.float32) * _muted(random)
    if random.random() < 0.5:
        period, second = random.uniform(4, 24), _muted(random)
        pattern = np.sin(2 * np.pi * (x + 0.3 * along) / period)
        pattern = np.maximum(pattern, np.sin(2 * np.pi * y / period)) if random.random() < 0.5 else pattern
        colour = np.where(pattern[..., None] > random.uniform(-0.5, 0.7), colour, second)
    colour = colour * (1 + folds)[..., None] * (1 + 0.06 * random.standard_normal((height, width, 1)))
    return _premultiplied(colour, alpha, OTHER)


def shape(random: np.random.Generator) -> Cutout:
    """Draw a polygon or a round blob filled with a gradient, noise or a texture of many scales."""
    size = int(random.integers(50, 200))
    count = int(random.integers(3, 9))
    angle = np.sort(random.uniform(0, 2 * np.pi, count)) if random.random() < 0.5 else np.linspace(0, 2 * np.pi, 60)
    radius = (
        random.uniform(0.5, 1, len(angle))
        if len(angle) < 20
        else 0.75 + 0.22 * np.sin(angle * random.integers(1, 4) + random.uniform(0, 6)) * random.uniform(-1, 1)
    )
    points = np.stack([np.cos(angle), np.sin(angle) * random.uniform(0.4, 1)], 1) * radius[:, None]
    canvas = np.zeros((size * 4, size * 4), np.uint8)
    cv2.fillPoly(canvas, [np.round((points * 0.48 + 0.5) * 4 * size).astype(np.int32)], 255)
    alpha = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return _premultiplied(_texture(random, size, size), alpha, OTHER)


def microphone(random: np.random.Generator) -> Cutout:
    """Draw a microphone whose handle leaves through the lower border: a ball of metal mesh, or of foam."""
    radius, length = float(random.uniform(20, 42)), int(random.integers(80, 200))
    width, height = int(2 * radius + 10), int(2 * radius + length)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - width / 2 + 0.5, y - radius - 4
    ball = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)
    depth = np.sqrt(np.clip(1 - (x**2 + y**2) / radius**2, 0.02, 1))
    light = random.normal(0, 0.5, 2)
    lit = np.clip(0.35 + 0.65 * (depth + (x * light[0] + y * light[1]) / radius), 0.1, 1.8)
    if random.random() < 0.6:
        pitch = random.uniform(2.5, 5)
        bent = radius / depth.clip(0.35) / radius
        mesh = np.maximum(np.sin(2 * np.pi * (x + y) * bent / pitch), np.sin(2 * np.pi * (x - y) * bent / pitch))
        surface = random.uniform(0.25, 0.6) * (0.65 + 0.5 * mesh)
    else:
        surface = random.uniform(0.04, 0.2) * (1 + 0.5 * random.standard_normal(x.shape))
    half = radius * random.uniform(0.35, 0.7) * (1 - random.uniform(0, 0.3) * np.clip(y / height, 0, 1))
    handle = np.clip(half - np.abs(x) + 0.5, 0, 1) * (y > 0)
    shaft = random.uniform(0.03, 0.5) * (0.4 + 0.8 * np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1)))
    ring = (np.abs(y - 0.8 * radius) < 0.09 * radius) * 0.4
    grey = (surface * lit) * ball + (shaft + ring) * (1 - ball)
    tint = 1 + random.normal(0, 0.04, 3)
    return _premultiplied(grey[..., None] * tint, np.maximum(ball, handle), OTHER)


def slab(random: np.random.Generator) -> Cutout:
    """Draw a telephone, a sheet of paper, a card or a book: a box seen aslant."""
    width, height = int(random.integers(50, 130)), int(random.integers(80, 190))
    paper = random.random() < 0.5
    colour = np.ones((height, width, 3), np.float32) * (
        random.uniform(0.75, 0.95) if paper else random.uniform(0.02, 0.3)
    )
    if paper:
        for row in range(10, height - 8, int(random.integers(5, 10))):
            cv2.line(colour, (8, row), (int(random.uniform(0.5, 0.92) * width), row), (0.35,) * 3, 1)
    else:
        inner = int(random.integers(2, 8))
        screen = _texture(random, height - 2 * inner, width - 2 * inner)
        if random.random() < 0.6:
            colour[inner:-inner, inner:-inner] = screen
        cv2.circle(colour, (width // 4, height // 8), max(width // 14, 2), (0.02, 0.02, 0.05), -1, cv2.LINE_AA)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    colour *= (1 + 0.25 * random.normal() * x + 0.25 * random.normal() * y)[..., None]
    corner = random.uniform(0.5, 14) if not paper else 0.5
    inside = np.minimum(width / 2 - np.abs(x) * width / 2, height / 2 - np.abs(y) * height / 2)
    apart = np.hypot(
        np.maximum(corner - (1 - np.abs(x)) * width / 2, 0), np.maximum(corner - (1 - np.abs(y)) * height / 2, 0)
    )
    alpha = np.clip(inside + 0.5, 0, 1) * np.clip(corner - apart + 0.5, 0, 1)
    flat = _premultiplied(colour, alpha, OTHER).rgba
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    to = corners + random.normal(0, 0.06, (4, 2)) * width
    to = (to - to.min(0) + 3).astype(np.float32)
    size = np.ceil(to.max(0) + 3).astype(int)
    bent = cv2.warpPerspective(
        flat, cv2.getPerspectiveTransform(corners, to), tuple(size.tolist()), flags=cv2.INTER_AREA
    )
    return Cutout(np.asarray(bent, np.float32), OTHER)


def spectacles(random: np.random.Generator) -> Cutout:
    """Draw glasses: rims round to square, thin wires to thick plastic, seldom without the lower half, clear, tinted or dark, with reflections."""
    width, height = 200, 130
    right, left, mouth = (55.0, 50.0), (145.0, 50.0), (100.0, 118.0)
    half = np.array([random.uniform(24, 36), random.uniform(15, 30)])  # width and height of a lens
    middles = [np.array([100 + side * (half[0] + random.uniform(6, 13)), 52.0]) for side in (-1, 1)]
    thick = float(np.exp(random.uniform(np.log(0.8), np.log(6))))
    power = float(random.choice([2, 2.4, 3, 4.5]))  # of a superellipse
    y, x = (grid.astype(np.float32) + 0.5 for grid in np.mgrid[: height * _FINE, : width * _FINE])
    x, y = x / _FINE, y / _FINE
    open_below = random.random() < 0.15
    tint = 0.0 if random.random() < 0.7 else float(random.uniform(0.05, 0.95))
    rim, lens, glare = (np.zeros_like(x) for _ in range(3))
    for middle in middles:
        u, v = (x - middle[0]) / half[0], (y - middle[1]) / half[1]
        radius = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
        apart = (radius - 1) * half.min()  # pixels outside the lens, about
        line = np.clip((thick / 2 - np.abs(apart)) * _FINE + 0.5, 0, 1)
        rim = np.maximum(rim, line * (v < 0.2) if open_below else line)
        inside = np.clip(0.5 - apart * _FINE, 0, 1)
        lens = np.maximum(lens, inside)
        slant = u + random.normal(0, 0.6) * v - random.normal(0, 0.4)
        glare = np.maximum(glare, inside * np.exp(-((slant / random.uniform(0.1, 0.5)) ** 2)))
    bridge = np.abs(y - (52 - half[1] * random.uniform(0.1, 0.6)) - 0.02 * (x - 100) ** 2)
    between = np.abs(x - 100) < middles[1][0] - 100 - 0.8 * half[0]
    rim = np.maximum(rim, np.clip((max(thick, 1.2) / 2 - bridge) * _FINE + 0.5, 0, 1) * between)
    arm = np.abs(y - (52 - half[1] * random.uniform(0.2, 0.7)))
    aside = np.abs(x - 100)
    beyond = (aside > middles[1][0] - 100 + 0.9 * half[0]) & (aside < random.uniform(62, 76))
    rim = np.maximum(rim, np.clip((max(thick, 1.5) / 2 - arm) * _FINE + 0.5, 0, 1) * beyond)
    plain: Array = np.full(3, random.uniform(0.02, 0.25), np.float32)
    frame = _muted(random) if random.random() < 0.4 else plain
    frame = frame * (1 + 0.3 * _noise(random, height * _FINE, width * _FINE, 12)[..., None])
    glare *= random.uniform(0, 0.5) if random.random() < 0.3 else 0
    alpha = 1 - (1 - rim) * (1 - tint * lens) * (1 - glare)
    seen = rim[..., None] * frame + (1 - rim[..., None]) * (
        glare[..., None] + (1 - glare[..., None]) * (tint * lens)[..., None] * _muted(random) * 0.3
    )
    rgba = np.concatenate([np.clip(seen, 0, alpha[..., None]), alpha[..., None]], -1).astype(np.float32)
    small = cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA)
    return Cutout(np.asarray(small, np.float32), GLASSES, np.array([right, left, mouth], np.float32))


def _texture(random: np.random.Generator, height: int, width: int) -> Float:
    """Paint a surface [H, W, 3], 0..1: two colours mixed by a gradient or by noise of one or many scales."""
    first, second = _muted(random), _muted(random)
    kind = random.random()
    if kind < 0.3:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        angle = random.uniform(0, 2 * np.pi)
        mix = 0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle))
    elif kind < 0.5:
        mix = 0.5 + 0.5 * _noise(random, height, width, random.uniform(1, 12))
    else:
        mix = 0.5 + sum(0.6 / 1.6**k * _noise(random, height, width, 32 / 2**k) for k in range(6)) * 0.4
    mixed = first + (second - first) * np.clip(mix, 0, 1)[..., None]
    return np.asarray(mixed + 0.03 * random.standard_normal((height, width, 3)), np.float32)


def _muted(random: np.random.Generator) -> Float:
    """Draw a colour [3]: seldom a garish one."""
    level, colour = random.uniform(0.03, 0.95), random.uniform(0, 1, 3)
    return np.asarray(level + random.beta(1, 2) * (colour - level), np.float32)


def _noise(random: np.random.Generator, height: int, width: int, scale: float) -> Float:
    """Return smooth noise [H, W] of standard deviation 0.5, whose blobs are about `scale` pixels wide."""
    small = max(int(np.ceil(height / scale)) + 3, 4), max(int(np.ceil(width / scale)) + 3, 4)
    coarse = 0.5 * random.standard_normal(small, np.float32)
    whole = cv2.resize(coarse, (int(small[1] * scale) + 1, int(small[0] * scale) + 1), interpolation=cv2.INTER_CUBIC)
    return np.asarray(whole[:height, :width], np.float32)


def _premultiplied(colour: Array, alpha: Array, kind: int) -> Cutout:
    rgb = np.clip(colour, 0, 1) * alpha[..., None]
    return Cutout(np.concatenate([rgb, alpha[..., None]], -1).astype(np.float32), kind)
