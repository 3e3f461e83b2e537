"""Which landmark becomes which when a picture is mirrored, found from the template's own symmetry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from nodes.types import Float, Int

_NORMALS = {2: 36, 3: 300}  # planes of symmetry to start from: one every 5 degrees in 2-D, some 8 in 3-D
_SETTLE = 6  # rounds after which a plane lies where the pairs it makes want it
_TRIED = 8  # planes that are paired one to one, which is the slow part
_SAME = 0.999  # cosine between normals of one plane
_SIDEWAYS = (
    0.5  # largest depth of a normal: a thin subject mirrors itself front to back, which no flip of a picture does
)

Double = npt.NDArray[np.float64]


def mirror_pairs(template: Float, tolerance: float = 0.1) -> Int:
    """The landmark [L] that each becomes under a left-right flip: each itself where the template has no symmetry.

    template: [L, 2 or 3], of root-mean-square radius 1. tolerance: root-mean-square distance, in units of the template,
    between the mirrored landmarks and those that they become. Of several symmetries, as a square has them, the one whose
    mirror image is turned the least is taken. Zabrodsky et al. 1995, "Symmetry as a continuous feature", for the distance.
    """
    flat = template.shape[1] == 2 or not np.any(template[:, 2])
    shape = np.asarray(template[:, : 2 if flat else 3], np.float64)
    shape = shape - shape.mean(0)
    tree = cKDTree(shape)
    normals = _directions(shape.shape[1])
    for _ in range(_SETTLE):  # the nearest landmarks bring every plane to the symmetry that it is close to
        normals = _settled(shape, np.asarray(tree.query(_mirrored(shape, normals))[1]))
    off = (np.asarray(tree.query(_mirrored(shape, normals))[0]) ** 2).mean(1)
    best, side = np.arange(len(shape)), -1.0
    for normal in _different(normals[np.argsort(off)])[:_TRIED]:
        mirror, distance = _paired(shape, normal)
        both_ways = (mirror[mirror] == np.arange(len(shape))).all()
        if both_ways and distance < tolerance and abs(normal[0]) > side:
            best, side = mirror, abs(normal[0])
    return best.astype(np.int64)


def _directions(dimensions: int) -> Double:
    """Unit vectors [N, D] spread over half the circle, or over the part of the sphere that may be the normal of a flip."""
    steps = np.arange(_NORMALS[dimensions])
    if dimensions == 2:
        angle = np.pi * steps / len(steps)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    depth = _SIDEWAYS * (2 * (steps + 0.5) / len(steps) - 1)
    angle = steps * np.pi * (3 - np.sqrt(5))  # a golden-angle spiral
    return np.stack([*(np.sqrt(1 - depth**2) * [np.cos(angle), np.sin(angle)]), depth], axis=1)


def _mirrored(shape: Double, normals: Double) -> Double:
    """A shape [L, D] behind the mirrors through its centre with normals [N, D]: [N, L, D]."""
    return np.asarray(shape - 2 * (shape @ normals.T).T[..., None] * normals[:, None])


def _settled(shape: Double, mirrors: npt.NDArray[np.intp]) -> Double:
    """The normals [N, D] that best explain pairs [N, L]: along what lies between a landmark and its counterpart."""
    return np.linalg.svd(shape - shape[mirrors], full_matrices=False)[2][:, 0]


def _different(normals: Double) -> Double:
    """The first of each bundle of normals [N, D] of the same plane, without those that point too much at the camera."""
    kept: list[Double] = []
    for normal in normals:
        sideways = len(normal) == 2 or abs(normal[2]) <= _SIDEWAYS
        if sideways and all(abs(normal @ k) < _SAME for k in kept):
            kept.append(normal)
    return np.reshape(kept, (-1, normals.shape[1]))


def _paired(shape: Double, normal: Double) -> tuple[npt.NDArray[np.intp], float]:
    """One-to-one pairs [L] under the mirror with this normal, and their root-mean-square distance."""
    before = np.arange(len(shape))
    for _ in range(_SETTLE):
        distance = ((_mirrored(shape, normal[None])[0][:, None] - shape) ** 2).sum(-1)
        mirror = linear_sum_assignment(distance)[1]
        if (mirror == before).all():
            break
        before, normal = mirror, _settled(shape, mirror[None])[0]
    return mirror, float(np.sqrt(distance[np.arange(len(mirror)), mirror].mean()))
