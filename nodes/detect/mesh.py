"""The 468-point face mesh: where it looks, and what it finds.

Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs".
"""

from __future__ import annotations

import numpy as np

from nodes.detect.squares import box_extent, look, probability, to_plate, turned_extent, turned_squares, unit
from nodes.types import Float

POINTS = 468
SIZE = 192
_MARGIN = 1.5  # side of the square the network looks at, over the box it is made from: as it was trained
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners, the subject's own right and left


def squares_from_keypoints(boxes: Float, keypoints: Float) -> Float:
    """Where to look for the mesh of detections, so that the eyes are level: boxes [B, 4], key points [B, 6, 2] → [B, 2, 3]."""
    across = unit(keypoints[:, 1] - keypoints[:, 0])
    centre, extent = box_extent(boxes)
    return turned_squares(centre, across, _MARGIN * extent.max(1), SIZE)


def squares_from_landmarks(landmarks: Float) -> Float:
    """Where to look for the mesh in the next frame, given [B, 468, 3] of this one → [B, 2, 3]."""
    points = landmarks[..., :2]
    across = unit(points[:, _LEFT_EYE] - points[:, _RIGHT_EYE])
    centre, extent = turned_extent(points, across)
    return turned_squares(centre, across, _MARGIN * extent.max(1), SIZE)


def find_landmarks(image: np.ndarray, squares: Float) -> tuple[Float, Float]:
    """Meshes [B, 468, 4] and presence scores [B], 0..1, of the faces in `squares` [B, 2, 3].

    A mesh gives x, y and z of each landmark in plate pixels and, fourth, the luma there, 0..255.
    """
    crops, (raw, logits) = look("face_landmark", image, squares, SIZE)
    if raw.size < logits.size:
        raw, logits = logits, raw
    return to_plate(raw.reshape(-1, POINTS, 3), crops, squares), probability(logits.reshape(-1))
