"""How good a crop is: whether the face in it is sharp, and whether it is the performer's face at all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nodes.mask import draw_regions
from nodes.subjects import Subject
from nodes.types import Bool, Float, Image8

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_MEASURED = 128  # side at which crops are looked at, at most: above it a compressed picture has only noise
_INNER = 0.72  # of the face, about its middle: no hair, no background
_SMALL = 12  # side of the thumbnails
_FEWEST = 8  # crops that make a distribution
_BLURRED, _FAINTER, _SHARE = 3.5, 0.5, 1 / 3
_ODD, _ODD_FLOOR, _JUMP_FLOOR = 8.0, 0.08, 0.03


@dataclass(frozen=True, slots=True)
class Look:
    """What a block of B crops looks like. sharpness, contrast (luma levels): [B]; thumbnails: uint8 [B, 12, 12]."""

    sharpness: Float
    contrast: Float
    thumbnails: Image8


def look(crops: Image8, landmarks: Float, subject: Subject) -> Look:
    """Measure crops uint8 [B, S, S, 3] with landmarks [B, L, >=2] in their pixels.

    sharpness: the variance of the Laplacian of the inner part at unit contrast (Pech-Pacheco et al. 2000, normalised).
    """
    side = min(crops.shape[1], _MEASURED)
    scale = side / crops.shape[1]
    luma: Float = np.asarray(crops.astype(np.float32) @ _LUMA, np.float32)
    if scale < 1:
        luma = np.stack([_reduced(one, side) for one in luma])
    points = landmarks[..., :2] * np.float32(scale)
    middle = points[:, subject.outline if len(subject.outline) else slice(None)].mean(1, keepdims=True)
    inner = draw_regions(middle + np.float32(_INNER) * (points - middle), side, subject)[:, 1:-1, 1:-1] > 0.5
    near = luma[:, 1:-1, 1:-1]
    laplacian = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:] - 4 * near
    contrast = _variance(near, inner)
    face = luma * draw_regions(points, side, subject)
    small = np.stack([_reduced(one, _SMALL) for one in face])
    sharpness = np.asarray(_variance(laplacian, inner) / np.maximum(contrast, 1e-3), np.float32)
    return Look(sharpness, np.sqrt(contrast), np.asarray(np.rint(small), np.uint8))


def find_blurred(sharpness: Float) -> Bool:
    """Say which of one clip's crops are far less sharp than the rest: never more than a third of them.

    On a logarithmic scale, by median and median absolute deviation.
    """
    if len(sharpness) < _FEWEST:
        return np.zeros(len(sharpness), bool)
    level = np.log(np.maximum(sharpness, 1e-9))
    median, spread = _robust(level)
    blurred: Bool = level < median + min(-_BLURRED * spread, float(np.log(_FAINTER)))
    if blurred.mean() > _SHARE:
        blurred = np.zeros(len(level), bool)
        blurred[np.argsort(level)[: int(len(level) * _SHARE)]] = True
    return blurred


def median_shape(shapes: Float) -> Float:
    """The performer's usual shape [L, 3], of shapes [T, L, 3]."""
    return np.asarray(np.median(shapes, axis=0), np.float32)


def oddness(shapes: Float, usual: Float, subject: Subject) -> Float:
    """How far shapes [T, L, 3] are from the performer's usual one where expression does not move it, in template units: [T]."""
    weights = subject.weights / subject.weights.sum()
    square = ((shapes - usual) ** 2).sum(-1) @ weights
    return np.asarray(np.sqrt(square), np.float32)


def odd_limit(values: Float) -> float:
    """The oddness of a shape beyond which it is no longer the performer's."""
    return _limit(values, _ODD_FLOOR)


def jump_limit(values: Float) -> float:
    """The distance of landmarks from their smooth path, in crop sides, beyond which they are on something else."""
    return _limit(values, _JUMP_FLOOR)


def _limit(values: Float, floor: float) -> float:
    if len(values) < _FEWEST:
        return np.inf
    median, spread = _robust(values)
    return max(median + _ODD * spread, floor)


def _robust(values: Float) -> tuple[float, float]:
    """Median, and what would be the standard deviation of a normal distribution with this median absolute deviation."""
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))


def _reduced(picture: Float, side: int) -> Float:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _variance(values: Float, where: Bool) -> Float:
    count = np.maximum(where.sum((1, 2)), 1)
    kept = np.where(where, values, 0)
    mean = kept.sum((1, 2)) / count
    return np.asarray(np.maximum((kept**2).sum((1, 2)) / count - mean**2, 0), np.float32)
