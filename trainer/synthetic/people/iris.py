"""Pictures of eyes: the fibres of an iris, and the white with its veins, in the coordinates of the mesh of an eyeball.

The middle of the iris is the middle of both pictures. The iris reaches 1 / 1.2 of the half side of its own picture, and 1 / 6 of that
of the white.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from nodes.types import Float
from trainer.synthetic.people.traits import Eyes, generator

REACH = {"iris": 1.2, "white": 6.0}  # half sides in radii of the iris
_SIZE = 512


def _polar(reach: float) -> tuple[Float, Float]:
    axis = (np.arange(_SIZE, dtype=np.float32) + 0.5) / _SIZE * 2 - 1
    x, y = np.meshgrid(reach * axis, -reach * axis)
    return np.hypot(x, y), np.arctan2(y, x)


def _step(value: Float, low: npt.ArrayLike, high: npt.ArrayLike) -> Float:
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    part = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def _streaks(rng: np.random.Generator, radius: Float, angle: Float, count: int, rows: int, warp: Float) -> Float:
    """Return noise -1..1 that runs along radii: count lumps around and rows along the radius."""
    lumps = rng.normal(0, 1, (rows, count)).astype(np.float32)
    lumps = np.concatenate([lumps, lumps[:, :3]], 1)
    across = ((angle / (2 * np.pi) + 0.5) * count + warp) % count
    drawn = cv2.remap(
        lumps,
        (across + 1).astype(np.float32),
        (radius * (rows - 1)).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.clip(drawn / 1.6, -1, 1), np.float32)


def iris(look: Eyes, seed: int) -> Float:
    """Return the iris with pupil and limbus, [512, 512, 3], linear, with alpha as a fourth channel's worth of nothing beyond the limbus."""
    rng = generator(seed, "iris")
    radius, angle = _polar(REACH["iris"])
    warp = 0.8 * _streaks(rng, radius, angle, 24, 6, np.zeros_like(radius))
    coarse = _streaks(rng, radius, angle, 40, 4, warp)
    middle = _streaks(rng, radius, angle, 90, 4, 2 * warp)
    fine = _streaks(rng, radius, angle, 190, 5, 4 * warp)
    lumps = _streaks(rng, radius, angle, 14, 5, np.zeros_like(radius))
    collar = np.float32(look.pupil + 0.2) + 0.035 * coarse + 0.03 * lumps
    inside = 1 - _step(radius, collar - 0.12, collar + 0.14)
    colour = (
        np.array(look.iris, np.float32) * (1 - inside[..., None]) + np.array(look.inner, np.float32) * inside[..., None]
    )
    fibres = 1 + look.fibres * (0.35 * fine + 0.35 * middle + 0.2 * coarse) * (
        0.45 + 0.8 * _step(radius, look.pupil, 0.7)
    )
    fibres += 0.3 * look.fibres * np.exp(-(((radius - collar) / 0.035) ** 2))
    crypts: Float = (
        _step(lumps * 0.6 + coarse * 0.7, 0.55, 0.95)
        * _step(radius, collar, collar + 0.08)
        * (1 - _step(radius, 0.7, 0.88))
    )
    fibres *= 1 - 0.5 * look.fibres * crypts
    fibres *= 1 - 0.12 * np.cos(34 * radius + 2 * lumps) * _step(radius, 0.55, 0.7)
    edge = _step(radius + 0.015 * coarse, 0.8, 1.0)
    fibres *= 1 - (0.35 + 0.55 * look.ring) * edge
    fibres *= 0.75 + 0.25 * _step(radius, look.pupil, look.pupil + 0.08)
    colour = colour * np.clip(fibres, 0.06, 2.2)[..., None]
    pupil = _step(radius + 0.006 * middle, look.pupil - 0.02, look.pupil + 0.015)
    return np.asarray(np.clip(colour * pupil[..., None] + 0.003 * (1 - pupil[..., None]), 0, 1), np.float32)


def white(look: Eyes, seed: int) -> Float:
    """Return the white of an eye, [512, 512, 3], linear."""
    rng = generator(seed, "white")
    radius, angle = _polar(REACH["white"])
    clean, yellow = np.array([0.66, 0.63, 0.6], np.float32), np.array([0.62, 0.53, 0.4], np.float32)
    colour = clean + look.yellow * (yellow - clean) * (0.5 + 0.5 * _step(radius, 1.0, 2.4))[..., None]
    corner = _step(radius * np.abs(np.cos(angle)), 1.3, 3.0)
    colour *= 1 - (0.25 + 0.25 * look.veins) * corner[..., None] * np.array([0.25, 0.75, 0.75], np.float32)
    colour *= 1 - 0.22 * (1 - _step(radius, 0.98, 1.18))[..., None] * np.array([1.0, 0.8, 0.65], np.float32)
    veins = np.zeros((_SIZE, _SIZE), np.float32)
    for side in (0.0, np.pi):
        for _ in range(int(10 + 26 * look.veins)):
            _vein(veins, rng, side + rng.normal(0, 0.32), rng.uniform(0.3, 1.0), 3)
    thin = np.clip(0.6 * cv2.GaussianBlur(veins, (0, 0), 0.8) + 0.6 * cv2.GaussianBlur(veins, (0, 0), 2.5), 0, 1)
    thin *= (0.25 + 0.6 * look.veins) * _step(radius, 1.1, 2.6)
    colour *= np.exp(-thin[..., None] * np.array([0.25, 1.5, 1.3], np.float32))
    return np.asarray(np.clip(colour, 0, 1), np.float32)


def _vein(
    canvas: Float, rng: np.random.Generator, angle: float, strength: float, branches: int, start: float = 4.6
) -> None:
    radius, heading = start, rng.normal(0, 0.2)
    end = rng.uniform(1.15, 2.4)
    points: list[tuple[float, float]] = []
    while radius > end and len(points) < 90:
        points.append((radius * np.cos(angle), radius * np.sin(angle)))
        heading = 0.85 * heading + rng.normal(0, 0.16)
        radius -= 0.06 * np.cos(heading)
        angle += 0.06 * np.sin(heading) / radius
        if branches and rng.random() < 0.04:
            _vein(canvas, rng, angle, 0.6 * strength, branches - 1, radius)
    if len(points) > 1:
        pixels = (np.array(points) * [1, -1] / REACH["white"] + 1) / 2 * _SIZE
        drawn = np.zeros_like(canvas)
        cv2.polylines(drawn, [np.round(pixels * 16).astype(np.int32)], False, strength, 1, cv2.LINE_AA, 4)
        np.maximum(canvas, drawn, out=canvas)
