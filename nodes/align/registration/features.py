"""SIFT features of a picture, and their matches in another picture.

SIFT, because OpenCV carries it in its main module in versions 4 and 5 alike (AKAZE has left it), and because its patent has
expired. A product over NumPy matches faster than `BFMatcher`, which makes a Python object of every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from nodes.errors import FaceplateError
from nodes.geometry.sampling import points_from_opencv
from nodes.geometry.similarity import Double
from nodes.types import Float, Image8, Int

_RATIO = 0.8
_LIKE = 0.75  # least cosine between the descriptors of points that lie where they should
_CONTRAST = 0.02  # half of Lowe's: signs are printed in soft colours, too


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
    keypoints, raw = sift.detectAndCompute(grey, mask)
    if raw is None or not len(keypoints):
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    descriptors = np.sqrt(raw / np.maximum(raw.sum(1, keepdims=True), 1e-6)).astype(np.float32)
    points = points_from_opencv(np.array(cv2.KeyPoint.convert(keypoints)))
    return Features(points, descriptors)


def match(one: Features, other: Features) -> Int:
    """Match features: pairs [M, 2] of indices, each other's best and clearly better than the second best (Lowe's ratio)."""
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
    """Match features whose places in the other picture are known to within `radius`: pairs [M, 2] of indices.

    places: [N, 2]. Repeated points are told apart by their place, so no ratio test is needed.
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


SIDE = 800  # pixels of the object's longer side in which points are looked for
_POINTS = 4000
_FEWEST = 24  # points; fewer are not found again in a frame that is blurred or half hidden


@dataclass(frozen=True, slots=True)
class ReferencePicture:
    """A picture of the object. grey, mask: [H, W]; mask is 255 where it counts, else 0. features: in its own pixels."""

    grey: Image8
    mask: Image8
    features: Features

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.grey.shape[1], self.grey.shape[0]


def prepare(picture: Image8, mask: Image8 | None = None, *, file: Path | str | None = None) -> ReferencePicture:
    """Prepare a reference from an RGB picture [H, W, 3], uint8; mask: [H, W], not zero where the object is.

    Raises FaceplateError, naming `file`, for a picture with too little to recognise it by.
    """
    grey: Image8 = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    counts = np.full(grey.shape, 255, np.uint8) if mask is None else (mask > 0).astype(np.uint8) * 255
    features = features_of(grey, SIDE / max(grey.shape), _POINTS, counts)
    if len(features) < _FEWEST:
        raise FaceplateError(
            f"the reference has too little texture: {len(features)} distinctive points, {_FEWEST} are needed",
            file=file,
            remedy="Choose a sharper or larger picture, or a rectangle with print, edges or pattern in it, or let the mask show more",
        )
    return ReferencePicture(grey, counts, features)


def features_of(grey: Image8, shrink: float, at_most: int, mask: Image8 | None = None) -> Features:
    """Find features in a picture shrunk to a share of its size, at most 1; their points are in the picture's own pixels."""
    height, width = grey.shape
    if shrink >= 1:
        return find_features(grey, at_most, mask)
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    small = None if mask is None else np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    features = find_features(np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), at_most, small)
    return Features(features.points * np.array([width / size[0], height / size[1]]), features.descriptors)
