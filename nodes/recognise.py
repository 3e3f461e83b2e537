"""Recognise: describe a face as 128 numbers that distinguish people. It keeps and searches no list of people."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from nodes.align.landmarks68 import to_68
from nodes.detect.squares import look
from nodes.geometry.similarity import fit_similarity
from nodes.types import Float, Image8

NETWORK = "face_recognition"
SIZE = 150  # pixels a side of a chip
_PADDING = 0.25  # around the mean face, on each side, over its size

# The points of the 68 that dlib aligns on: not jaw, brows and lower lip.
_ALIGNED = [*range(27, 55), *range(60, 65)]
# dlib's mean face at these points, 0..1 over the face's box (`get_face_chip_details`; Boost licence).
# fmt: off
_MEAN_FACE: Float = np.array([
    (0.490127, 0.203352), (0.490127, 0.307009), (0.490127, 0.409805), (0.490127, 0.515625),  # bridge of the nose
    (0.366880, 0.587326), (0.426036, 0.609345), (0.490127, 0.628106), (0.554217, 0.609345), (0.613373, 0.587326),
    (0.121737, 0.216423), (0.187122, 0.178758), (0.265825, 0.179852),  # right eye
    (0.334606, 0.231733), (0.260918, 0.245099), (0.182743, 0.244077),
    (0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758),  # left eye
    (0.858516, 0.216423), (0.797510, 0.244077), (0.719335, 0.245099),
    (0.254149, 0.780233), (0.340985, 0.745405), (0.428858, 0.727388), (0.490127, 0.742578),  # upper lip, outside
    (0.551395, 0.727388), (0.639268, 0.745405), (0.726104, 0.780233),
    (0.290379, 0.784792), (0.428096, 0.778746), (0.490127, 0.785343), (0.552157, 0.778746), (0.689874, 0.784792),
], np.float32)
# fmt: on
_TEMPLATE: Float = (_MEAN_FACE + np.float32(_PADDING)) * np.float32(SIZE / (1 + 2 * _PADDING))


def describe(image: Image8, landmarks: Float) -> Float:
    """Describe the faces of one image, in one batch.

    image: RGB [H, W, 3], display-referred. landmarks: [B, >=468, >=2] of the subject `face`, in plate pixels. Returns
    [B, 128]. A face that reaches over the edge of the image is padded by repeating the edge. Raises GeometryError for
    landmarks that are not finite or all in one place.
    """
    (descriptors,) = look(NETWORK, image, chip_transforms(landmarks), SIZE)
    return descriptors


def chip_transforms(landmarks: Float) -> Float:
    """Fit similarity transforms [B, 2, 3], pixels of dlib's 150-pixel chip → plate pixels, to landmarks [B, >=468, >=2]."""
    scale, rotation, translation = fit_similarity(_TEMPLATE, to_68(landmarks)[:, _ALIGNED])
    return np.concatenate([scale[:, None, None] * rotation, translation[..., None]], axis=2)


def likeness(descriptors: Float, gallery: Float) -> Float:
    """Measure the median distance of descriptors [T, 128] to those of a person, [N, 128], N > 0: [T], smaller is more alike.

    About 16 frames spread over a clip make a gallery.
    """
    return np.asarray(np.median(cdist(descriptors, gallery), axis=1), np.float32)
