"""Finds hands: palms, then 21 landmarks, and whether it is the right one."""

from __future__ import annotations

from collections.abc import Iterator

import cv2

from nodes.definitions import DetectParameters
from nodes.detect import hand
from nodes.detect.blazeface import Detections
from nodes.detect.finders.finder import Seen, thumbnail
from nodes.detect.palm import find_palms, find_palms_at_any_angle
from nodes.footage.frame import Frame
from nodes.types import Float, Image8


class HandFinder:
    """Both hands of anybody; which face detector the parameters name does not matter."""

    sure = 0.8  # a smile that passes for a palm reaches 0.7

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """Hands lie at any angle, and the detector knows them so; quarter turns find what is left."""
        picture = thumbnail(frame, cv2.INTER_AREA)
        scale = frame.width / picture.shape[1]
        yield find_palms(picture, parameters.min_score).scaled(scale)
        if turned and parameters.any_angle:
            yield find_palms_at_any_angle(picture, parameters.min_score).scaled(scale)

    def first_squares(self, found: Detections) -> Float:
        """Turned so that the hand points up."""
        return hand.squares_from_keypoints(found.boxes, found.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Turned so that the hand points up."""
        return hand.squares_from_landmarks(landmarks)

    def look(self, image: Image8, squares: Float) -> Seen:
        """Landmarks, presence and side."""
        return Seen(*hand.find_hands(image, squares))
