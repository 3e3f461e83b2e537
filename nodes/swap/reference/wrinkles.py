"""Wrinkles: the fine shading that an expression adds to a face, in a canonical unwrap of its surface.

After the expression ratio images of Liu, Shan and Zhang 2001, "Expressive expression mapping with ratio images": a ratio of shades of one person
multiplies the picture of another. Here the ratio is a regression from coefficients, not a picture, so that it is free of noise and identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from nodes.align.pose import Performance
from nodes.geometry.step import smoothstep
from nodes.subjects.subject import Subject
from nodes.swap.reference.expression import common_poses
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.retarget import numbers_of, regress
from nodes.swap.reference.source import Source
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp
from nodes.types import Float, Int

SIDE = 192  # pixels of the unwrap
_FILL = 0.94  # of it that the surface fills
_FINEST, _COARSEST = 1.5, 9.0  # σ in pixels of the unwrap: the band that wrinkles lie in
_NOISE = 6.0  # of 255, below which a ratio of shades is noise
_SAMPLES = 96  # frames of each person to learn from
_PENALTY, _PENALTY_APART = 2e-2, 3e-2
_FOLDS = 16  # independent patterns that are kept
_MOST = 0.35  # of a change in log shade
_RIM, _CLEAR = 5.0, 9.0  # pixels around openings and the outline without change, and the width of their fade


@dataclass(frozen=True, slots=True)
class Wrinkles:
    """A model of log shade: `folds` [K, SIDE * SIDE], of which each coefficient has its own mixture, [C, K]."""

    mixtures: Float
    folds: Float

    def change(self, apart: Float, shares: Float) -> Float:
        """Compute the change in log shade, [SIDE, SIDE], for coefficients that are `apart` [P, C] in P parts of `shares` [P, SIDE * SIDE]."""
        total = ((apart @ self.mixtures @ self.folds) * shares).sum(0)
        return np.asarray(np.clip(total, -_MOST, _MOST).reshape(SIDE, SIDE), np.float32)


def learn_wrinkles(
    plate: Performance,
    chosen: Int,
    plate_pictures: list[Reference],
    source: Source,
    rows: Int,
    pictures: list[Reference],
) -> Wrinkles:
    """Learn the source's wrinkles, shrunk towards the plate's.

    The subject has coefficients. plate_pictures: of the frames `chosen` of the plate's performance. pictures: of the source's `rows`.
    """
    subject = source.subject
    plate_pose, own = common_poses(plate, source.performance)
    unwrap = _Unwrap(subject)
    theirs = np.stack([unwrap.detail(p) for p in plate_pictures])
    mine = np.stack([unwrap.detail(p) for p in pictures])
    numbers, own_numbers = (
        numbers_of(plate.coefficients[chosen], plate_pose[chosen]),
        numbers_of(source.performance.coefficients[rows], own[rows]),
    )
    learned = regress(numbers, theirs, own_numbers, mine, _PENALTY, _PENALTY_APART)
    count = plate.coefficients.shape[1]
    # A few folds hold nearly all of the change, at a third of the work in each frame.
    u, strength, folds = np.linalg.svd(learned.source[1 : 1 + count] * unwrap.mask, full_matrices=False)
    return Wrinkles(u[:, :_FOLDS] * strength[:_FOLDS], np.ascontiguousarray(folds[:_FOLDS]))


def spread_out(coefficients: Float, most: int = _SAMPLES) -> Int:
    """Choose frames whose expressions [T, C] cover all of them: farthest points first (Gonzalez 1985); ascending."""
    chosen = [int(np.argmin(((coefficients - np.median(coefficients, 0)) ** 2).sum(1)))]
    away = np.full(len(coefficients), np.inf)
    while len(chosen) < min(most, len(coefficients)):
        away = np.minimum(away, ((coefficients - coefficients[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(away.argmax()))
    return np.unique(chosen)


class _Unwrap:
    """The unwrapper of a subject's pictures."""

    def __init__(self, subject: Subject) -> None:
        self._warp = MeshWarp(unwrapped(subject), surface_of(subject).triangles, SIDE)
        self.mask = _mask(subject, self._warp)

    def detail(self, picture: Reference) -> Float:
        """Extract the band of fine shading, as log luma: [SIDE * SIDE]."""
        image = self._warp.fetch([picture])[0]
        shade = np.log(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(_NOISE))
        band = cv2.GaussianBlur(shade, (0, 0), _FINEST) - cv2.GaussianBlur(shade, (0, 0), _COARSEST)
        return np.asarray(band.ravel(), np.float32)


def _mask(subject: Subject, warp: MeshWarp) -> Float:
    """Make a mask of 1 on skin, 0 in openings and off the surface: [SIDE * SIDE]."""
    skin = warp.visible.astype(np.uint8)
    skin[[0, -1]] = skin[:, [0, -1]] = 0
    points = unwrapped(subject)[:, :2]
    for opening in subject.openings:
        cv2.fillPoly(skin, [np.round(points[opening.contour]).astype(np.int32)], 0)
    away = cv2.distanceTransform(skin, cv2.DIST_L2, cv2.DIST_MASK_5)
    return smoothstep((away - _RIM) / _CLEAR).ravel()


@cache
def unwrapped(subject: Subject) -> Float:
    """Place the surface's vertices [V, 3] in the unwrap: the template from the front, to fill it."""
    shape = surface_of(subject).extend(subject.template)
    low, high = shape[:, :2].min(0), shape[:, :2].max(0)
    scale = _FILL * SIDE / float((high - low).max())
    middle = np.append((low + high) / 2, 0)
    return np.asarray((shape - middle) * scale + [SIDE / 2, SIDE / 2, 0], np.float32)


@cache
def part_shares(subject: Subject) -> Float:
    """Compute the share of each part in each pixel of the unwrap: [P, SIDE * SIDE]."""
    warp = MeshWarp(unwrapped(subject), surface_of(subject).triangles, SIDE)
    return np.ascontiguousarray(warp.spread(surface_of(subject).shares).reshape(SIDE * SIDE, -1).T)
