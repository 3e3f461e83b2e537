"""Retargeting: the new face's shape, the source's own with the plate's performance.

For each person a ridge regression (Hoerl & Kennard 1970) predicts the mesh from coefficients and pose. The source's is shrunk towards the
plate's, so that an expression missing in the source moves as the plate's does, and the residual of the plate's regression
is added back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.align.pose import Performance, read_coefficients
from nodes.definitions import SwapParameters
from nodes.geometry.step import smoothstep
from nodes.subjects.subject import Subject
from nodes.swap.reference.expression import common_poses, neutral_shape
from nodes.types import Float

_POSE_SCALE = 30.0  # degrees
_PENALTY, _PENALTY_APART = 2e-3, 6e-3  # of the plate's own weights, and of the source's distance from them
_RESIDUAL = 1.0  # of the residual of the plate's regression
_ROUNDS = 2  # of correcting the new face's mesh until its coefficients are the plate's
_RIM = 0.45  # template units from the outline over which the source's shape takes over from the target's


@dataclass(frozen=True, slots=True)
class Regression:
    """Linear models from the numbers of two people to values of theirs.

    plate, source: [1 + K, D], weights of a constant and of K numbers.
    """

    plate: Float
    source: Float


def regress(
    plate: Float,
    plate_values: Float,
    source: Float,
    source_values: Float,
    penalty: float = _PENALTY,
    apart_penalty: float = _PENALTY_APART,
) -> Regression:
    """Fit values [T, D] and [N, D] to numbers [T, K] and [N, K] of the plate and of the source, the latter shrunk to the former.

    penalty: on the plate's weights; apart_penalty: on the source's distance from them.
    """
    own = _ridge(plate, plate_values, penalty)
    apart = _ridge(source, source_values - source @ own[1:], apart_penalty)
    apart[1:] += own[1:]
    return Regression(own.astype(np.float32), apart.astype(np.float32))


def _ridge(numbers: Float, values: Float, penalty: float) -> Float:
    x = np.concatenate([np.ones((len(numbers), 1)), numbers], 1, dtype=np.float64)
    shrink = np.diag([1e-9, *[penalty] * (x.shape[1] - 1)]) * len(x)
    return np.asarray(np.linalg.solve(x.T @ x + shrink, x.T @ np.asarray(values, np.float64)))


def numbers_of(coefficients: Float, pose: Float) -> Float:
    """Collect the numbers that move a mesh: coefficients [T, C], and yaw and pitch [T, 2] in degrees with their squares: [T, C + 4]."""
    turn = pose / np.float32(_POSE_SCALE)
    return np.concatenate([coefficients, turn, turn**2], 1)


def retarget(
    plate: Performance, source: Performance, subject: Subject, parameters: SwapParameters, wanted: Float | None = None
) -> Float:
    """Compute the new face's shapes [T, L, 3], template units: between the plate's own and the source's, by `parameters.shape`.

    wanted: coefficients [T, C] that the new face is to show; by default the plate's, times `parameters.expression`.

    A face's coefficients depend on its shape too: some people's mouth corners hang at rest. So the new mesh's coefficients
    are read again, and corrected along the regression towards the plate's.
    """
    gain, inner = np.float32(parameters.expression), inner_weight(subject)[:, None]
    if not subject.coefficients:
        neutral = neutral_shape(plate.shape)
        change = gain * (plate.shape - neutral)
        plate_shape, theirs = neutral + change, neutral_shape(source.shape) + change
        return np.asarray(plate_shape + parameters.shape * inner * (theirs - plate_shape), np.float32)
    wanted = gain * plate.coefficients if wanted is None else wanted
    plate_pose, own = common_poses(plate, source)
    numbers = numbers_of(plate.coefficients, plate_pose)
    moves = regress(numbers, _flat(plate.shape), numbers_of(source.coefficients, own), _flat(source.shape))
    acted = numbers_of(wanted, plate_pose)

    def of(weights: Float, numbers: Float) -> Float:
        return np.asarray((weights[0] + numbers @ weights[1:]).reshape(plate.shape.shape), np.float32)

    left = _RESIDUAL * (plate.shape - of(moves.plate, numbers))
    theirs = of(moves.source, acted) + left
    plate_shape = plate.shape + of(moves.plate, acted) - of(moves.plate, numbers)
    shape = np.asarray(plate_shape + parameters.shape * inner * (theirs - plate_shape), np.float32)
    along = moves.source[1 : 1 + plate.coefficients.shape[1]]
    for _ in range(_ROUNDS):
        apart = wanted - read_coefficients(plate.place(shape), subject)
        apart[:, subject.coefficients.gaze] = 0
        shape += inner * (apart @ along).reshape(shape.shape)
    return close_openings(shape, plate.shape, subject)


def _flat(shape: Float) -> Float:
    return shape.reshape(len(shape), -1)


def inner_weight(subject: Subject) -> Float:
    """Weight landmarks by 1 well inside the subject, 0 on its outline, where the new shape must meet the plate: [L]."""
    flat = subject.template[:, :2]
    if not len(subject.outline):
        return np.ones(len(flat), np.float32)
    outline = flat[subject.outline]
    return smoothstep(np.linalg.norm(flat[:, None] - outline[None], axis=-1).min(1) / _RIM)


def close_openings(shape: Float, like: Float, subject: Subject) -> Float:
    """Let lids and lips meet exactly when those of `like` do; shapes [T, L, 3]."""
    shape = shape.copy()
    for opening in subject.openings:
        low, high = (side[1:-1] for side in opening.sides)
        width = [np.linalg.norm(s[:, opening.sides[0][0]] - s[:, opening.sides[0][-1]], axis=-1) for s in (shape, like)]
        gap = shape[:, low] - shape[:, high]
        theirs = (like[:, low] - like[:, high]) * (width[0] / np.maximum(width[1], 1e-6))[:, None, None]
        height = np.linalg.norm(theirs, axis=-1).max(1) / np.maximum(width[0], 1e-6)
        # 1 while it is open; towards closed, the gap approaches the other's.
        free = smoothstep(height / opening.closed - 0.25)[:, None, None]
        change = (1 - free) * (theirs - gap) / 2
        shape[:, low] += change
        shape[:, high] -= change
    return shape
