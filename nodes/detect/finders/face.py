"""Finds faces: BlazeFace or S3FD, then the 478-point mesh."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from nodes.definitions import Detector, DetectParameters
from nodes.detect import mesh, s3fd
from nodes.detect.blazeface import Detections, find_faces, find_faces_at_any_angle, find_small_faces
from nodes.detect.finders.finder import Seen, thumbnail
from nodes.footage.frame import Frame
from nodes.types import Float, Image8

_UPRIGHT_SCORE = 0.8  # of the detectors: below it a face may be upside down, and found as if it were not


class FaceFinder:
    """Faces, by the detectors that the parameters name."""

    sure = 0.5

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """By `full` and `auto`, small ones are searched tile by tile."""
        score, detector = parameters.min_score, parameters.detector
        if detector is Detector.S3FD:
            yield s3fd.find_faces(frame.rgb8(), score)
            return
        networks = {Detector.SHORT: ["short"], Detector.FULL: ["full"]}.get(detector, ["short", "full"])
        picture = thumbnail(frame, cv2.INTER_AREA)
        scale = frame.width / picture.shape[1]
        for network in networks:
            found = find_faces(picture, network, score)
            if parameters.any_angle and len(found) and found.scores.min() < _UPRIGHT_SCORE:
                found = find_faces_at_any_angle(picture, network, score)
            yield found.scaled(scale)
        if turned and parameters.any_angle:
            yield find_faces_at_any_angle(picture, networks[-1], score).scaled(scale)
        if small and "full" in networks:
            yield find_small_faces(frame.rgb8(), score)

    def first_squares(self, found: Detections) -> Float:
        """Turned so that the eyes are level."""
        return mesh.squares_from_keypoints(found.boxes, found.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Turned so that the eyes are level."""
        return mesh.squares_from_landmarks(landmarks)

    def look(self, image: Image8, squares: Float) -> Seen:
        """A face has no sides."""
        landmarks, scores = mesh.find_landmarks(image, squares)
        return Seen(landmarks, scores, np.ones_like(scores))
