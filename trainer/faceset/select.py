"""Selection of frames by quality and by coverage of pose, expression and light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nodes.mask import draw_regions, visible_shares
from nodes.subjects.subject import Likeness, Subject
from nodes.types import Bool, Float, Image8, Int

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_MEASURED = 128  # largest side for measuring crops: beyond it a compressed picture only has noise
_INNER = 0.72  # of the face, about its middle: no hair, no background
_SMALL = 12  # side of the thumbnails
_FEWEST = 8  # crops that make a distribution
_BLURRED, _FAINTER, _SHARE = 3.5, 0.5, 1 / 3
_ODD = 8.0  # spreads


@dataclass(frozen=True, slots=True)
class Look:
    """Measurements of B crops. sharpness, contrast (luma levels), hidden (share of the subject behind something): [B]; thumbnails: uint8 [B, 12, 12]."""

    sharpness: Float
    contrast: Float
    hidden: Float
    thumbnails: Image8


def look(crops: Image8, landmarks: Float, subject: Subject) -> Look:
    """Measure crops uint8 [B, S, S, 3] with landmarks [B, L, >=2] in their pixels.

    sharpness: the variance of the Laplacian of the inner part at unit contrast (Pech-Pacheco et al. 2000, normalised).
    """
    side = min(crops.shape[1], _MEASURED)
    scale = side / crops.shape[1]
    luma: Float = np.asarray(crops.astype(np.float32) @ _LUMA, np.float32)
    if scale < 1:
        luma = np.stack([_reduce(plane, side) for plane in luma])
    points = landmarks[..., :2] * np.float32(scale)
    middle = points[:, subject.outline if len(subject.outline) else slice(None)].mean(1, keepdims=True)
    inner = draw_regions(middle + np.float32(_INNER) * (points - middle), side, subject)[:, 1:-1, 1:-1] > 0.5
    near = luma[:, 1:-1, 1:-1]
    laplacian = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:] - 4 * near
    contrast = _variance(near, inner)
    whole = draw_regions(points, side, subject)
    face = luma * whole
    small = np.stack([_reduce(plane, _SMALL) for plane in face])
    sharpness = np.asarray(_variance(laplacian, inner) / np.maximum(contrast, 1e-3), np.float32)
    visible = visible_shares(list(crops), list(landmarks), subject)
    hidden = np.zeros(len(crops), np.float32)
    if visible is not None:
        shown = np.stack([_reduce(plane, side) for plane in visible])
        hidden = np.asarray(1 - (shown * whole).sum((1, 2)) / np.maximum(whole.sum((1, 2)), 1), np.float32)
    return Look(sharpness, np.sqrt(contrast), hidden, np.asarray(np.rint(small), np.uint8))


def find_blurred(sharpness: Float) -> Bool:
    """Mark the crops of one clip that are far less sharp than the rest: never more than a third of them.

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


def oddness(shapes: Float, usual: Float, subject: Subject) -> Float:
    """Measure the distance of shapes [T, L, 3] from the performer's usual one, weighted against expression, in template units: [T]."""
    weights = subject.weights / subject.weights.sum()
    square = ((shapes - usual) ** 2).sum(-1) @ weights
    return np.asarray(np.sqrt(square), np.float32)


def usual_limit(values: Float, floor: float) -> float:
    """Compute the limit beyond which a value is an outlier; at least `floor`."""
    if len(values) < _FEWEST:
        return np.inf
    median, spread = _robust(values)
    return max(median + _ODD * spread, floor)


def _robust(values: Float) -> tuple[float, float]:
    """Compute the median, and the standard deviation of a normal distribution with the same median absolute deviation."""
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))


def _reduce(picture: Float, side: int) -> Float:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _variance(values: Float, where: Bool) -> Float:
    count = np.maximum(where.sum((1, 2)), 1)
    inside = np.where(where, values, 0)
    mean = inside.sum((1, 2)) / count
    return np.asarray(np.maximum((inside**2).sum((1, 2)) / count - mean**2, 0), np.float32)


# Just noticeable differences: the units of the descriptors.
_TURN = 1.2  # degrees of yaw or pitch
_MOVED = 0.03  # root-mean-square movement of all landmarks, template units, of a subject without `likeness`
_LEVELS = 4.0  # root-mean-square change of a small grey picture of the face, of 255
_BLOCK = 1 << 24  # numbers in a block of distances
_LOST = 0.02  # mean square that is neglected, for speed; 1 is the distance of duplicates


@dataclass(frozen=True, slots=True)
class Cover:
    """A choice of rows. kept: [K] rows, ascending. by: [N], the kept row nearest to each row. distance: [N], to that row."""

    kept: Int
    by: Int
    distance: Float


def describe(shape: Float, yaw_pitch: Float, subject: Subject) -> Float:
    """Describe pose and expression so that a distance of 1 is just noticeable: [T, D].

    shape: [T, L, 3], as :func:`nodes.align.pose.take_performance` gives it. yaw_pitch: [T, 2], degrees.
    """
    columns = [yaw_pitch / _TURN]
    for part in subject.likeness or (Likeness(np.arange(shape.shape[1]), _MOVED),):
        flat = shape[:, part.points, :2].reshape(len(shape), -1)
        columns.append(flat / (part.unit * np.sqrt(len(part.points))))
    return np.concatenate(columns, axis=1, dtype=np.float32)


def describe_light(thumbnails: Image8 | Float) -> Float:
    """Describe the look of faces, from grey pictures [T, h, w], 0..255, black outside the face: [T, h·w]."""
    flat = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), -1)
    return flat / np.float32(_LEVELS * np.sqrt(flat.shape[1]))


def cover(points: Float, most: int, least: float) -> Cover:
    """Choose up to `most` rows of [N, D] so that the others are near a chosen one: farthest first (Gonzalez 1985).

    Ends as soon as no row is `least` or farther from a chosen one. Memory: a few times the rows; time: rows × chosen.
    """
    points = np.asarray(points, np.float32)
    if not len(points):
        return Cover(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    points = _on_few_axes(points - points.mean(0), least)  # centred, since squares of large numbers lose precision
    norms = np.einsum("ij,ij->i", points, points)
    rows, remaining, squares = np.arange(len(points)), points, norms
    nearest = np.full(len(points), np.inf, np.float32)
    kept = [int(norms.argmin())]  # the most ordinary one
    while True:
        centre = kept[-1]
        np.minimum(nearest, squares - 2 * (remaining @ points[centre]) + norms[centre], out=nearest)
        nearest[rows == centre] = -1
        farthest = int(nearest.argmax())
        if len(kept) == most or nearest[farthest] < least**2:
            break
        kept.append(int(rows[farthest]))
        if len(kept) % 64 == 0:
            open_ = nearest >= least**2  # covered rows stay covered
            if open_.mean() < 0.7:
                rows, remaining, squares, nearest = rows[open_], remaining[open_], squares[open_], nearest[open_]
    return _assign(points, norms, np.sort(np.asarray(kept, np.int64)))


def _on_few_axes(points: Float, least: float) -> Float:
    """Turn centred points onto the few axes along which they differ; the loss is small against `least`."""
    spread, axes = np.linalg.eigh((points.T @ points).astype(np.float64) / len(points))
    return np.asarray(points @ axes[:, np.cumsum(spread) > _LOST * least**2].astype(np.float32), np.float32)


def _assign(points: Float, norms: Float, kept: Int) -> Cover:
    """Find the nearest kept row of each row, a block at a time."""
    by, distance = np.empty(len(points), np.int64), np.empty(len(points), np.float32)
    step = max(_BLOCK // len(kept), 1)
    for at in range(0, len(points), step):
        part = slice(at, at + step)
        squares = norms[kept] - 2 * (points[part] @ points[kept].T)
        near = squares.argmin(1)
        by[part] = kept[near]
        distance[part] = np.sqrt(np.maximum(squares[np.arange(len(near)), near] + norms[part], 0))
    by[kept], distance[kept] = kept, 0
    return Cover(kept, by, distance)
