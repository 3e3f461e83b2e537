"""Distinctive points of a picture, and which of two pictures' points show the same thing.

SIFT, because OpenCV carries it in its main module in versions 4 and 5 alike (AKAZE has left it), and because its patent has
expired. A product over NumPy matches faster than `BFMatcher`, which makes a Python object of every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from nodes.geometry.sampling import points_from_opencv
from nodes.geometry.similarity import Double
from nodes.types import Float, Image8, Int

_RATIO = 0.8
_LIKE = 0.75  # least cosine between the descriptors of points that lie where they should
_CONTRAST = 0.02  # half of what Lowe takes: signs are printed in soft colours, too


@dataclass(frozen=True, slots=True)
class Features:
    """N points. points: [N, 2] in continuous pixels. descriptors: [N, 128], of unit length."""

    points: Double
    descriptors: Float

    def __len__(self) -> int:
        return len(self.points)


def find_features(grey: Image8, at_most: int, mask: Image8 | None = None) -> Features:
    """Find up to `at_most` points in a picture [H, W], the strongest; where `mask` [H, W] is not zero.

    Lowe 2004, "Distinctive image features from scale-invariant keypoints", compared by the Hellinger kernel: Arandjelović &
    Zisserman 2012, "Three things everyone should know to improve object retrieval".
    """
    # Without the precise upscale every point lies a quarter of a pixel off.
    sift = cv2.SIFT.create(nfeatures=at_most, contrastThreshold=_CONTRAST, enable_precise_upscale=True)
    found, raw = sift.detectAndCompute(grey, mask)
    if raw is None or not len(found):
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    descriptors = np.sqrt(raw / np.maximum(raw.sum(1, keepdims=True), 1e-6)).astype(np.float32)
    points = points_from_opencv(np.array(cv2.KeyPoint.convert(found)))
    return Features(points, descriptors)


def match(one: Features, other: Features) -> Int:
    """Pairs [M, 2] of indices that are each other's best and clearly better than the second best (Lowe's ratio)."""
    if len(one) < 2 or len(other) < 2:
        return np.zeros((0, 2), np.int64)
    likeness = one.descriptors @ other.descriptors.T
    best, back = likeness.argmax(1), likeness.argmax(0)
    rows = np.arange(len(one))
    first = likeness[rows, best]
    likeness[rows, best] = -1
    distance, second = np.sqrt(np.maximum(1 - np.stack([first, likeness.max(1)]), 0))
    chosen = (back[best] == rows) & (distance < _RATIO * second)
    return np.stack([rows[chosen], best[chosen]], 1)


def match_near(one: Features, other: Features, places: Double, radius: float) -> Int:
    """Pairs [M, 2] of indices, when it is known to within `radius` where in the other picture each point lies.

    places: [N, 2]. There, points that repeat are told apart by their place, and no ratio is asked for.
    """
    near = cKDTree(np.nan_to_num(places, nan=-1e6)).sparse_distance_matrix(
        cKDTree(other.points), radius, output_type="ndarray"
    )
    i, j = near["i"], near["j"]
    likeness = np.einsum("nd,nd->n", one.descriptors[i], other.descriptors[j])
    order = np.argsort(-likeness, kind="stable")[: int((likeness > _LIKE).sum())]
    i, j = i[order], j[order]
    first_of_i, first_of_j = np.zeros(len(i), bool), np.zeros(len(i), bool)
    first_of_i[np.unique(i, return_index=True)[1]] = True
    first_of_j[np.unique(j, return_index=True)[1]] = True
    return np.stack([i, j], 1)[first_of_i & first_of_j].astype(np.int64)
