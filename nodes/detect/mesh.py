"""The 468-point face mesh: where it looks, and what it finds.

Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs".
"""

from __future__ import annotations

import cv2
import numpy as np

from nodes.geometry.sampling import crop, transform_points
from nodes.runtime import load_weights
from nodes.types import Float

POINTS = 468
SIZE = 192
_MARGIN = 1.5  # side of the square the network looks at, over the box it is made from: as it was trained
_BLUR = 5  # pixels of the square over which luma is averaged
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners, the subject's own right and left


def _squares(boxes: Float, right_eye: Float, left_eye: Float) -> Float:
    """Squares around boxes, turned so that the eyes are level: [B, 2, 3], square pixels → plate pixels."""
    across = left_eye - right_eye
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    side = _MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(1) / SIZE
    linear = np.stack([across, across[:, ::-1] * [-1, 1]], axis=2) * side[:, None, None]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    shift = centre - linear @ np.full(2, SIZE / 2)
    return np.concatenate([linear, shift[..., None]], axis=2).astype(np.float32)


def squares_from_keypoints(boxes: Float, keypoints: Float) -> Float:
    """Where to look for the mesh of detections: boxes [B, 4], key points [B, 6, 2] → [B, 2, 3]."""
    return _squares(boxes, keypoints[:, 0], keypoints[:, 1])


def squares_from_landmarks(landmarks: Float) -> Float:
    """Where to look for the mesh in the next frame, given [B, 468, 3] of this one → [B, 2, 3].

    The extent is measured along the face's own axes, so that a tilted head does not change the scale.
    """
    points = landmarks[..., :2]
    across = points[:, _LEFT_EYE] - points[:, _RIGHT_EYE]
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    turn = np.stack([across, across[:, ::-1] * [-1, 1]], axis=1)
    level = points @ np.swapaxes(turn, 1, 2)
    low, high = level.min(1), level.max(1)
    middle = np.einsum("bj,bjk->bk", (low + high) / 2, turn)
    half = (high - low) / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    return _squares(boxes, points[:, _RIGHT_EYE], points[:, _LEFT_EYE])


def find_landmarks(image: np.ndarray, squares: Float) -> tuple[Float, Float]:
    """Meshes [B, 468, 4] and presence scores [B], 0..1, of the faces in `squares` [B, 2, 3].

    A mesh gives x, y and z of each landmark in plate pixels and, fourth, the luma there, 0..255.
    """
    session = load_weights("face_landmark", threads=1)
    crops = crop(image, squares, SIZE)
    raw, logits = session.run(None, {session.get_inputs()[0].name: crops.astype(np.float32) / 255})
    if raw.size < logits.size:
        raw, logits = logits, raw
    points = raw.reshape(-1, POINTS, 3)
    scale = np.sqrt(np.abs(np.linalg.det(squares[:, :, :2])))
    xy = transform_points(squares, points[..., :2])
    meshes = np.concatenate([xy, points[..., 2:] * scale[:, None, None], _luma_at(crops, points)[..., None]], axis=-1)
    return meshes.astype(np.float32), (1 / (1 + np.exp(-np.clip(logits.reshape(-1), -80, 80)))).astype(np.float32)


def _luma_at(crops: np.ndarray, points: Float) -> Float:
    """Luma [B, L] of crops [B, S, S, 3] at points [B, L, >=2], averaged over a few pixels."""
    stack = cv2.blur(cv2.cvtColor(crops.reshape(-1, SIZE, 3), cv2.COLOR_RGB2GRAY), (_BLUR, _BLUR))
    column, row = (np.clip(points[..., i].astype(np.intp), 0, SIZE - 1) for i in (0, 1))
    return np.asarray(stack.reshape(-1, SIZE, SIZE)[np.arange(len(crops))[:, None], row, column], np.float32)
