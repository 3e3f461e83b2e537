"""Comparison of two people's expressions: the numbers of their frames, one set for each part of the subject."""

from __future__ import annotations

import numpy as np

from nodes.align.pose import Performance
from nodes.subjects.subject import Part, Subject
from nodes.types import Float

SPREAD = 0.13  # of a coefficient: its usual variation within one performer
POSE_UNIT = np.array([9.1, 13.0], np.float32)  # degrees of yaw and pitch that weigh as much as one spread of expression
_MOVED = 0.05  # template units, root mean square over all landmarks, that weigh as much as one spread of expression
_NEUTRAL_SHARE = 1 / 12
_NEUTRAL_SAMPLES = 1500
_MOST_PITCH_BIAS = 15.0  # degrees


def part_numbers(performance: Performance, part: Part, subject: Subject) -> Float:
    """Return the expression of a part, [T, D], in spreads; without coefficients, its shape against its own neutral one."""
    if subject.coefficients:
        return performance.coefficients[:, part.coefficients] * np.float32(part.weight / SPREAD)
    change = performance.shape - neutral_shape(performance.shape)
    return np.asarray(change.reshape(len(change), -1) / np.float32(_MOVED * np.sqrt(change.shape[1])), np.float32)


def common_poses(plate: Performance, source: Performance) -> tuple[Float, Float]:
    """Return yaw and pitch of both in degrees, [T, 2] and [N, 2], the source's usual pitch shifted to the plate's.

    Heads and cameras are at different heights: a nod is a change from each performer's usual pitch.
    """
    plate_pose, own = plate.yaw_pitch, source.yaw_pitch
    bias = np.clip(np.median(own[:, 1]) - np.median(plate_pose[:, 1]), -_MOST_PITCH_BIAS, _MOST_PITCH_BIAS)
    return plate_pose, own - np.array([0, bias], np.float32)


def squared_distances(a: Float, b: Float) -> Float:
    """Compute squared Euclidean distances [A, B] between rows of [A, D] and [B, D]."""
    distances: Float = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
    return distances


def neutral_shape(shape: Float) -> Float:
    """Estimate the neutral shape [L, 3] of a performer from shapes [T, L, 3]: the median of the most frequent ones."""
    step = max(1, len(shape) // _NEUTRAL_SAMPLES)
    numbers = shape[::step].reshape(len(shape[::step]), -1)
    neighbours = min(max(int(len(numbers) * _NEUTRAL_SHARE), 1), len(numbers) - 1)
    radius = np.partition(squared_distances(numbers, numbers), neighbours, axis=1)[:, neighbours]
    densest = np.argsort(radius)[: max(neighbours, 1)] * step
    return np.asarray(np.median(shape[densest], axis=0), np.float32)
