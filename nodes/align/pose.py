"""What a face performs, apart from where it is: a rigid pose, and the shape that is left when the pose is taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.geometry.similarity import apply_similarity, fit_similarity, remove_similarity
from nodes.geometry.smoothing import smooth, smooth_rotations
from nodes.subjects import load_subject
from nodes.types import Float


@dataclass(frozen=True, slots=True)
class Performance:
    """T frames of one face. scale: [T]; rotation: [T, 3, 3]; position: [T, 3]; shape: [T, L, 3] in template units."""

    scale: Float
    rotation: Float
    position: Float
    shape: Float

    def place(self, shape: Float) -> Float:
        """Put shapes [T, L, 3] where this face is, as this face is turned."""
        return apply_similarity(shape, self.scale, self.rotation, self.position)

    @property
    def yaw_pitch(self) -> Float:
        """Turn to the side and nod in degrees, [T, 2]."""
        facing = self.rotation[:, 2]
        pitch = np.arcsin(np.clip(facing[:, 1], -1, 1))
        yaw = np.arctan2(facing[:, 0], facing[:, 2])
        return np.asarray(np.degrees(np.stack([yaw, pitch], axis=1)), np.float32)


def take_performance(landmarks: Float, window: int = 1) -> Performance:
    """Split landmarks [T, L, 3] into pose and shape; the pose smoothed over `window` frames."""
    subject = load_subject()
    scale, rotation, position = fit_similarity(subject.template[None], landmarks, subject.weights)
    shape = remove_similarity(landmarks, scale, rotation, position)
    return Performance(smooth(scale, window), smooth_rotations(rotation, window), smooth(position, window), shape)
