"""Face finder: detection by BlazeFace or S3FD, then a mesh of 478 points.

Each face is looked at twice. A quick network of 468 points (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from
Monocular Video on Mobile GPUs") finds the place. One of 478 (Grishchenko et al. 2023, "Blendshapes GHUM: Real-time Monocular
Facial Blendshape Prediction") looks at that place more closely: it sees lids that close, and irises. The first 468 points
are the same in both. Points 468 to 472 are the iris of the subject's right eye, centre first; 473 to 477 that of the left.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from nodes.definitions import Detector, DetectParameters
from nodes.detect import s3fd
from nodes.detect.blazeface import Detections, find_at_any_angle, find_in_image, find_small_faces
from nodes.detect.finder import DetectedLandmarks, thumbnail
from nodes.detect.squares import box_extent, look, probability, to_plate, turned_extent, turned_squares, unit
from nodes.footage.frame import Frame
from nodes.types import Float, Image8

POINTS = 478
SIZE = 192  # of the squares in which a face is looked for
CLOSE_NETWORK, CLOSE_SIZE = "face_landmarks", 256
_MARGIN = 1.5  # side of the square the networks look at, over the box it is made from: as they were trained
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners, the subject's own right and left


def squares_from_keypoints(boxes: Float, keypoints: Float) -> Float:
    """Lay squares around detections, with level eyes: boxes [B, 4], key points [B, 6, 2] → [B, 2, 3]."""
    across = unit(keypoints[:, 1] - keypoints[:, 0])
    centre, extent = box_extent(boxes)
    return turned_squares(centre, across, _MARGIN * extent.max(1), SIZE)


def squares_from_landmarks(landmarks: Float, size: int = SIZE) -> Float:
    """Lay squares for the next frame, around meshes [B, >=468, >=2] of this one → [B, 2, 3].

    size: pixels a side of the squares.
    """
    points = landmarks[..., :2]
    across = unit(points[:, _LEFT_EYE] - points[:, _RIGHT_EYE])
    centre, extent = turned_extent(points, across)
    return turned_squares(centre, across, _MARGIN * extent.max(1), size)


def find_landmarks(image: np.ndarray, squares: Float) -> tuple[Float, Float]:
    """Find meshes [B, 478, 3] in plate pixels and presence scores [B], 0..1, of the faces in `squares` [B, 2, 3].

    The score is the lower one of two networks, whose false detections differ.
    """
    place, quick_scores = _find("face_landmark", image, squares, SIZE)
    landmarks, scores = _find(CLOSE_NETWORK, image, squares_from_landmarks(place, CLOSE_SIZE), CLOSE_SIZE)
    return landmarks, np.minimum(scores, quick_scores)


def _find(network: str, image: np.ndarray, squares: Float, size: int) -> tuple[Float, Float]:
    raw, logits = look(network, image, squares, size)
    if raw.size < logits.size:
        raw, logits = logits, raw
    return to_plate(raw.reshape(len(raw), raw.shape[-1] // 3, 3), squares), probability(logits.reshape(-1))


_UPRIGHT_SCORE = 0.8  # of the detectors: below it a face may be upside down, and be detected as upright


class FaceFinder:
    """The finder of faces, by the detectors that the parameters name."""

    sure = 0.5

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """Search whole frames; by `full` and `auto`, small faces tile by tile."""
        score, detector = parameters.min_score, parameters.detector
        if detector is Detector.S3FD:
            yield s3fd.find_faces(frame.rgb8(), score)
            return
        networks = {Detector.SHORT: ["short"], Detector.FULL: ["full"]}.get(detector, ["short", "full"])
        picture = thumbnail(frame, cv2.INTER_AREA)
        scale = frame.width / picture.shape[1]
        for network in networks:
            detections = find_in_image(picture, network, score)
            if parameters.any_angle and len(detections) and detections.scores.min() < _UPRIGHT_SCORE:
                detections = find_at_any_angle(picture, network, score)
            yield detections.scaled(scale)
        if turned and parameters.any_angle:
            yield find_at_any_angle(picture, networks[-1], score).scaled(scale)
        if small and "full" in networks:
            yield find_small_faces(frame.rgb8(), score)

    def first_squares(self, detections: Detections) -> Float:
        """Lay squares in which the eyes are level."""
        return squares_from_keypoints(detections.boxes, detections.keypoints)

    def next_squares(self, landmarks: Float) -> Float:
        """Lay squares in which the eyes are level."""
        return squares_from_landmarks(landmarks)

    def look(self, image: Image8, squares: Float) -> DetectedLandmarks:
        """Find landmarks and scores; a face has no sides."""
        landmarks, scores = find_landmarks(image, squares)
        return DetectedLandmarks(landmarks, scores, np.ones_like(scores))
