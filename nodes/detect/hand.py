"""Hand finder: detection of palms, which change less than fingers do, then 21 landmarks and the side.

Zhang et al. 2020, "MediaPipe Hands: On-device Real-time Hand Tracking". Key points of a palm: wrist, knuckles of the index,
middle, ring and little finger, base and knuckle of the thumb. Landmarks: wrist, then four of each finger from its base to
its tip, thumb first.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect.blazeface import Detections, find_at_any_angle, find_in_image
from nodes.detect.finder import DetectedLandmarks, thumbnail
from nodes.detect.squares import box_extent, look, perpendicular, to_plate, turned_extent, turned_squares, unit
from nodes.footage.frame import Frame
from nodes.types import Float, Image8

WRIST, MIDDLE_KNUCKLE = 0, 2  # among the key points


POINTS = 21
SIZE = 224
# As the networks were trained. Of a palm: side of the square over the box, and its way towards the fingers, in box heights.
_PALM_MARGIN, _PALM_SHIFT = 2.6, 0.5
# The same of landmarks: all but the outer two of each finger, so that the square does not pump as fingers bend.
_MARGIN, _SHIFT = 2.0, 0.1
_STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
_KNUCKLES = [5, 9, 9, 13]  # index, middle twice, ring: their mean gives the hand's direction
_Z_SCALE = 0.4  # the network's depth is that much flatter than its x and y


def _squares(centre: Float, extent: Float, along: Float, margin: float, shift: float) -> Float:
    """Lay squares in which the hand points up: centre and extent [B, 2] of boxes, unit vectors `along` the hand [B, 2]."""
    centre = centre + along * shift * extent[:, 1:]
    return turned_squares(centre, perpendicular(along), margin * extent.max(1), SIZE)


def squares_from_keypoints(boxes: Float, keypoints: Float) -> Float:
    """Lay squares around the hands of palm detections: boxes [B, 4], key points [B, 7, 2] → [B, 2, 3]."""
    along = unit(keypoints[:, MIDDLE_KNUCKLE] - keypoints[:, WRIST])
    centre, extent = box_extent(boxes)
    return _squares(centre, extent, along, _PALM_MARGIN, _PALM_SHIFT)


def squares_from_landmarks(landmarks: Float) -> Float:
    """Lay squares around the hands for the next frame, given [B, 21, >=2] of this one → [B, 2, 3]."""
    points = landmarks[..., :2]
    along = unit((points[:, _KNUCKLES] - points[:, :1]).mean(1))
    centre, extent = turned_extent(points[:, _STEADY], perpendicular(along))
    return _squares(centre, extent, along, _MARGIN, _SHIFT)


def find_hands(image: np.ndarray, squares: Float) -> tuple[Float, Float, Float]:
    """Find landmarks [B, 21, 3], presence scores [B] and handedness [B] of the hands in `squares` [B, 2, 3], in one batch.

    Landmarks: x, y and z in plate pixels (z 0 at the wrist, smaller is nearer). Scores: 0..1. Handedness: probability 0..1
    that it is the person's right hand, in a camera's picture; in a mirrored picture (a selfie preview) it is the
    person's left.
    """
    raw, presence, right, _ = look("hand_landmark", image, squares, SIZE)
    points = raw.reshape(-1, POINTS, 3).copy()
    points[..., 2] /= _Z_SCALE
    return to_plate(points, squares), presence.reshape(-1), right.reshape(-1)


class HandFinder:
    """The finder of hands, left and right; it ignores the parameter `detector`."""

    sure = 0.8  # a smile mistaken for a palm reaches 0.7

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """Search the frame for hands at any angle; quarter turns find the rest."""
        picture = thumbnail(frame, cv2.INTER_AREA)
        scale = frame.width / picture.shape[1]
        yield find_in_image(picture, "palm", parameters.min_score).scaled(scale)
        if turned and parameters.any_angle:
            yield find_at_any_angle(picture, "palm", parameters.min_score).scaled(scale)

    def first_squares(self, detections: Detections) -> Float:
        """Lay squares in which the hand points up."""
        return squares_from_keypoints(detections.boxes, detections.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Lay squares in which the hand points up."""
        return squares_from_landmarks(landmarks)

    def look(self, image: Image8, squares: Float) -> DetectedLandmarks:
        """Find landmarks, presence and side."""
        return DetectedLandmarks(*find_hands(image, squares))
