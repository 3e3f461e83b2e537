"""What is warped: the surface that a subject's landmarks span, or, of one whose landmarks span none, the crop around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import Delaunay

from nodes.geometry.similarity import apply_similarity, fit_similarity
from nodes.subjects import Subject
from nodes.types import Float, Int

_RIM = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y], np.float32)


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh over V vertices: the L landmarks, and after them those of a rim that goes along with them.

    triangles: [T, 3]. rim: [V - L, 2], template units.
    """

    subject: Subject
    triangles: Int
    rim: Float

    def extend(self, landmarks: Float) -> Float:
        """The vertices [..., V, 3] of landmarks [..., L, 3] in any pixels; the rim lies behind all else."""
        if not len(self.rim):
            return landmarks
        template = self.subject.template[:, :2]
        # In a mirror, a similarity fits the mirrored template.
        flip = np.where(_turns(template, landmarks[..., :2], self.subject.weights) < 0, -1, 1)[..., None, None]
        sign = np.concatenate([flip, np.ones_like(flip)], -1).astype(np.float32)
        placed = apply_similarity(
            self.rim * sign, *fit_similarity(template * sign, landmarks[..., :2], self.subject.weights)
        )
        behind = np.broadcast_to(landmarks[..., 2:].max(-2, keepdims=True), (*placed.shape[:-1], 1))
        return np.concatenate([landmarks, np.concatenate([placed, behind], -1)], axis=-2).astype(np.float32)

    def extend_values(self, values: Float) -> Float:
        """Values at the landmarks [L] as values at the vertices [V]: the rim's are 0."""
        return np.concatenate([values, np.zeros(len(self.rim), np.float32)])


def _turns(template: Float, landmarks: Float, weights: Float) -> Float:
    """Positive where landmarks [..., L, 2] run the same way round as the template, negative where they are its mirror image."""
    share = (weights / weights.sum())[:, None]
    own = template - (template * share).sum(0)
    seen = landmarks - (landmarks * share).sum(-2, keepdims=True)
    return np.asarray(np.linalg.det(np.swapaxes(seen, -1, -2) @ (own * share)))


@cache
def surface_of(subject: Subject) -> Surface:
    """The surface of a subject."""
    if len(subject.triangles):
        return Surface(subject, subject.triangles, np.zeros((0, 2), np.float32))
    rim = _RIM * np.float32(subject.half_side)
    triangles = Delaunay(np.concatenate([subject.template[:, :2], rim])).simplices
    return Surface(subject, triangles.astype(np.int64), rim)
