"""The 21 landmarks of a hand: where the network looks, and what it finds.

Zhang et al. 2020, "MediaPipe Hands: On-device Real-time Hand Tracking". Landmarks: wrist, then four of each finger from
its base to its tip, thumb first.
"""

from __future__ import annotations

import numpy as np

from nodes.detect.palm import MIDDLE_KNUCKLE, WRIST
from nodes.detect.squares import box_extent, look, perpendicular, to_plate, turned_extent, turned_squares, unit
from nodes.types import Float

POINTS = 21
SIZE = 224
# As the networks were trained. Of a palm: side of the square over the box, and its way towards the fingers, in box heights.
_PALM_MARGIN, _PALM_SHIFT = 2.6, 0.5
# The same of landmarks: all but the outer two of each finger, so that the square does not pump as fingers bend.
_MARGIN, _SHIFT = 2.0, 0.1
_STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
_KNUCKLES = [5, 9, 9, 13]  # index, middle twice, ring: their mean is where the hand points
_Z_SCALE = 0.4  # the network's depth is that much flatter than its x and y


def _squares(centre: Float, extent: Float, along: Float, margin: float, shift: float) -> Float:
    """Squares in which the hand points up: centre and extent [B, 2] of boxes, unit vectors `along` the hand [B, 2]."""
    centre = centre + along * shift * extent[:, 1:]
    return turned_squares(centre, perpendicular(along), margin * extent.max(1), SIZE)


def squares_from_keypoints(boxes: Float, keypoints: Float) -> Float:
    """Where to look for the hands of palm detections: boxes [B, 4], key points [B, 7, 2] → [B, 2, 3]."""
    along = unit(keypoints[:, MIDDLE_KNUCKLE] - keypoints[:, WRIST])
    centre, extent = box_extent(boxes)
    return _squares(centre, extent, along, _PALM_MARGIN, _PALM_SHIFT)


def squares_from_landmarks(landmarks: Float) -> Float:
    """Where to look for the hands in the next frame, given [B, 21, >=2] of this one → [B, 2, 3]."""
    points = landmarks[..., :2]
    along = unit((points[:, _KNUCKLES] - points[:, :1]).mean(1))
    centre, extent = turned_extent(points[:, _STEADY], perpendicular(along))
    return _squares(centre, extent, along, _MARGIN, _SHIFT)


def find_hands(image: np.ndarray, squares: Float) -> tuple[Float, Float, Float]:
    """Landmarks [B, 21, 3], presence scores [B] and handedness [B] of the hands in `squares` [B, 2, 3], in one batch.

    Landmarks: x, y and z in plate pixels (z 0 at the wrist, smaller is nearer). Scores: 0..1. Handedness: probability 0..1
    that it is the person's right hand, in a picture as a camera takes it; in a mirrored picture (a selfie preview) it is the
    person's left.
    """
    raw, presence, right, _ = look("hand_landmark", image, squares, SIZE)
    points = raw.reshape(-1, POINTS, 3).copy()
    points[..., 2] /= _Z_SCALE
    return to_plate(points, squares), presence.reshape(-1), right.reshape(-1)


def find_landmarks(image: np.ndarray, squares: Float) -> tuple[Float, Float]:
    """The landmarks [B, 21, 3] and presence scores [B] of :func:`find_hands`."""
    landmarks, scores, _ = find_hands(image, squares)
    return landmarks, scores
