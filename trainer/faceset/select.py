"""Which crops are worth keeping: a subset as varied as the whole, by pose, expression and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.subjects import Likeness, Subject
from nodes.types import Float, Image8, Int

# What the eye just sees as another picture: the units of the descriptors.
_TURN = 1.2  # degrees of yaw or pitch
_MOVED = 0.03  # root-mean-square movement of all landmarks, template units, of a subject that does not say
_LEVELS = 4.0  # root-mean-square change of a small grey picture of the face, of 255
_BLOCK = 1 << 24  # numbers in a block of distances
_LOST = 0.02  # mean square of what is neglected, for speed; 1 is the distance of duplicates


@dataclass(frozen=True, slots=True)
class Cover:
    """kept: [K] rows, ascending. by: [N], the kept row nearest to each row. distance: [N], how far that is."""

    kept: Int
    by: Int
    distance: Float


def describe(shape: Float, yaw_pitch: Float, subject: Subject) -> Float:
    """Describe pose and expression so that a distance of 1 is just seen: [T, D].

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
    points = _reduced(points - points.mean(0), least)  # small numbers: their squares are subtracted
    norms = np.einsum("ij,ij->i", points, points)
    rows, there, squares = np.arange(len(points)), points, norms
    nearest = np.full(len(points), np.inf, np.float32)
    kept = [int(norms.argmin())]  # the most ordinary one
    while True:
        centre = kept[-1]
        np.minimum(nearest, squares - 2 * (there @ points[centre]) + norms[centre], out=nearest)
        nearest[rows == centre] = -1
        far = int(nearest.argmax())
        if len(kept) == most or nearest[far] < least**2:
            break
        kept.append(int(rows[far]))
        if len(kept) % 64 == 0:
            open_ = nearest >= least**2  # what is covered stays covered
            if open_.mean() < 0.7:
                rows, there, squares, nearest = rows[open_], there[open_], squares[open_], nearest[open_]
    return _assign(points, norms, np.sort(np.asarray(kept, np.int64)))


def _reduced(points: Float, least: float) -> Float:
    """Turn centred points onto the few axes along which they differ: what is lost is small against `least`."""
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
