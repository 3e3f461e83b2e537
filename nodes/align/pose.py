"""The performance of a subject: rigid pose, shape without the pose, and expression coefficients, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from nodes.geometry.similarity import apply_similarity, fit_similarity, remove_similarity
from nodes.geometry.smoothing import smooth, smooth_rotations
from nodes.runtime import load_weights
from nodes.subjects.subject import Subject
from nodes.types import Float, Int

_BATCH = 64


def read_coefficients(landmarks: Float, subject: Subject) -> Float:
    """Read expression coefficients [T, C], 0..1, from landmarks [T, L, >=2] in square pixels; C is 0 for a subject without any.

    Of a face they are the 52 blendshapes of ARKit by their names (`subject.coefficients.names`), by MediaPipe's network:
    Grishchenko et al. 2022, "Attention Mesh" and "Blendshape V2" model card. Smooth the landmarks first: the network does not.
    """
    coefficients = subject.coefficients
    if coefficients is None:
        return np.zeros((len(landmarks), 0), np.float32)
    session = load_weights(coefficients.network)
    name = session.get_inputs()[0].name
    points = np.ascontiguousarray(landmarks[:, coefficients.points, :2], np.float32)
    batches = [session.run(None, {name: points[i : i + _BATCH]})[0] for i in range(0, len(points), _BATCH)]
    return np.concatenate(batches) if batches else np.zeros((0, len(coefficients.names)), np.float32)


@dataclass(frozen=True, slots=True)
class Performance:
    """T frames of one subject.

    scale: [T]; rotation: [T, 3, 3]; position: [T, 3]; shape: [T, L, 3] in template units. flip: [T], -1 where mirrored,
    as left ones of a handed subject are; else 1. coefficients: [T, C], of the expression, 0..1.
    """

    scale: Float
    rotation: Float
    position: Float
    shape: Float
    flip: Float
    coefficients: Float

    def place(self, shape: Float) -> Float:
        """Place shapes [T, L, 3] by this subject's pose."""
        return _flipped(apply_similarity(shape, self.scale, self.rotation, self.position), self.flip)

    def __getitem__(self, rows: Int) -> Performance:
        return Performance(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def yaw_pitch(self) -> Float:
        """Yaw and pitch in degrees, [T, 2]."""
        facing = self.rotation[:, 2]
        pitch = np.arcsin(np.clip(facing[:, 1], -1, 1))
        yaw = np.arctan2(facing[:, 0], facing[:, 2])
        return np.asarray(np.degrees(np.stack([yaw, pitch], axis=1)), np.float32)


def take_performance(landmarks: Float, subject: Subject, window: int = 1, *, mirrored: bool = False) -> Performance:
    """Split landmarks [T, L, 3] into pose, shape and expression; the pose smoothed over `window` frames."""
    flip = np.full(len(landmarks), -1 if mirrored else 1, np.float32)
    landmarks = _flipped(landmarks, flip)
    scale, rotation, position = fit_similarity(subject.template[None], landmarks, subject.weights)
    shape = remove_similarity(landmarks, scale, rotation, position)
    pose = smooth(scale, window), smooth_rotations(rotation, window), smooth(position, window)
    return Performance(*pose, shape, flip, read_coefficients(landmarks, subject))


def _flipped(points: Float, flip: Float) -> Float:
    return points * np.stack([flip, np.ones_like(flip), np.ones_like(flip)], 1)[:, None] if (flip < 0).any() else points


def joined(parts: Sequence[Performance]) -> Performance:
    """Concatenate performances in time."""
    return Performance(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Performance)))
