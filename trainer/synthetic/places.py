"""Places: pictures of what surrounds a person, out of focus, made from a seed; they light the scene and stand behind the person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from nodes.types import Float

Place = Literal["studio", "room", "street", "garden", "night"]
_HEIGHT = 512
_BEHIND = _HEIGHT // 2  # columns: the painters have it in the middle
_BLUR = 3.0  # pixels: what a portrait lens leaves of the background


def place_image(place: Place, seed: int) -> Float:
    """Return an equirectangular picture as Cycles has it, linear, float32 [512, 1024, 3]; what is behind a person, +Y, lies at a quarter of its width."""
    random = np.random.default_rng([seed, len(place)])
    image = _PAINTERS[place](random)
    wide = np.concatenate([image, image, image], 1)
    blurred = cv2.GaussianBlur(wide, (0, 0), _BLUR)[:, 2 * _HEIGHT + _BEHIND : 4 * _HEIGHT + _BEHIND]
    return np.ascontiguousarray(blurred, np.float32)


def _gradient(*stops: tuple[float, tuple[float, float, float]]) -> Float:
    """Paint from the zenith, 0, to the nadir, 1."""
    heights, colours = [h for h, _ in stops], np.array([c for _, c in stops])
    rows = np.linspace(0, 1, _HEIGHT)
    column = np.stack([np.interp(rows, heights, colours[:, c]) for c in range(3)], -1)
    return np.repeat(column[:, None], 2 * _HEIGHT, 1).astype(np.float32)


def _box(image: Float, left: float, right: float, top: float, bottom: float, colour: npt.ArrayLike) -> None:
    """Fill a box given by parts of the picture; it may cross the seam."""
    columns = np.arange(round(left * 2 * _HEIGHT), round(right * 2 * _HEIGHT)) % (2 * _HEIGHT)
    image[round(top * _HEIGHT) : round(bottom * _HEIGHT), columns] = colour


def _hue(random: np.random.Generator, level: float, saturation: float) -> Float:
    colour = 1 + saturation * random.normal(size=3)
    return (level * np.clip(colour, 0.2, 2)).astype(np.float32)


def _studio(random: np.random.Generator) -> Float:
    image = _gradient((0, (0.1, 0.1, 0.1)), (0.5, (0.16, 0.16, 0.16)), (1, (0.08, 0.08, 0.08)))
    image *= _hue(random, random.uniform(0.5, 1.6), 0.12)
    columns = np.linspace(-1, 1, 2 * _HEIGHT)
    glow = np.exp(-((columns - random.uniform(-0.1, 0.1)) ** 2) / 0.05)[None, :, None]  # a lamp on the wall
    return np.asarray(image * (1 + 0.8 * glow), np.float32)


def _room(random: np.random.Generator) -> Float:
    wall = _hue(random, 0.32, 0.15)
    image = _gradient(
        (0, (0.5, 0.48, 0.45)),
        (0.3, tuple(1.1 * wall)),
        (0.62, tuple(wall)),
        (0.66, (0.14, 0.1, 0.07)),
        (1, (0.1, 0.07, 0.05)),
    )
    for _ in range(14):  # furniture, pictures, doors
        left, width, top = random.uniform(), random.uniform(0.015, 0.08), random.uniform(0.36, 0.6)
        _box(
            image,
            left,
            left + width,
            top,
            min(top + random.uniform(0.05, 0.3), 0.7),
            _hue(random, random.uniform(0.03, 0.5), 0.35),
        )
    for _ in range(2):  # windows, not behind the person
        left = random.uniform(0.62, 1.3)
        _box(image, left, left + 0.08, 0.3, 0.55, (5.0, 5.6, 6.4))
    for _ in range(3):  # lamps
        left, top = random.uniform(0.6, 1.38), random.uniform(0.33, 0.5)
        _box(image, left, left + 0.012, top, top + 0.03, (9.0, 6.0, 3.0))
    return image


def _street(random: np.random.Generator) -> Float:
    image = _gradient(
        (0, (0.9, 1.05, 1.3)), (0.46, (1.5, 1.55, 1.6)), (0.5, (0.35, 0.33, 0.31)), (1, (0.2, 0.19, 0.18))
    )
    left = 0.0
    while left < 1:  # houses, with rows of windows
        width, top, colour = (
            random.uniform(0.04, 0.12),
            random.uniform(0.28, 0.44),
            _hue(random, random.uniform(0.15, 0.5), 0.2),
        )
        _box(image, left, left + width, top, 0.52, colour)
        for row in np.arange(top + 0.02, 0.5, 0.035):
            for column in np.arange(left + 0.008, left + width - 0.01, 0.016):
                _box(image, column, column + 0.007, row, row + 0.018, _hue(random, random.uniform(0.05, 0.5), 0.2))
        left += width + random.uniform(0, 0.02)
    return image


def _garden(random: np.random.Generator) -> Float:
    image = _gradient((0, (0.7, 0.9, 1.4)), (0.42, (1.4, 1.5, 1.6)), (0.52, (0.14, 0.22, 0.07)), (1, (0.1, 0.14, 0.05)))
    for _ in range(500):  # leaves in light and shade
        x, y, size = random.uniform(), random.beta(4, 3) * 0.5 + 0.22, random.uniform(0.004, 0.03)
        level = random.choice([0.03, 0.12, 0.3, 0.9], p=[0.35, 0.4, 0.2, 0.05])
        _box(image, x, x + size, y, y + 1.6 * size, level * random.uniform(0.7, 1.3, 3) * (0.6, 1.0, 0.25))
    return image


def _night(random: np.random.Generator) -> Float:
    image = _gradient((0, (0.004, 0.005, 0.01)), (0.5, (0.025, 0.022, 0.03)), (1, (0.01, 0.01, 0.012)))
    for _ in range(90):  # lights of a town
        x, y, size = random.uniform(), random.normal(0.5, 0.06), random.uniform(0.003, 0.009)
        colour = random.choice([[1, 0.55, 0.2], [1, 0.85, 0.6], [0.4, 0.6, 1], [1, 0.15, 0.1]])
        cv2.circle(
            image,
            (round(x * 2 * _HEIGHT), round(y * _HEIGHT)),
            round(size * _HEIGHT),
            (random.uniform(1, 6) * colour).tolist(),
            -1,
        )
    return image


_PAINTERS: dict[Place, Callable[[np.random.Generator], Float]] = {
    "studio": _studio,
    "room": _room,
    "street": _street,
    "garden": _garden,
    "night": _night,
}
