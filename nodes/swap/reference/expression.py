"""Expressions as a few numbers that two people share: mouth, lids and brows, relative to each one's own neutral face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.subjects import load_subject
from nodes.types import Float

# Spread of each number within one person's talking (template units): what makes them comparable.
_LOWER_SPREAD = np.array([0.08, 0.05, 0.037, 0.01, 0.012, 0.014], np.float32)
_UPPER_SPREAD = np.array([0.014, 0.014, 0.024, 0.024, 0.02, 0.02, 0.01], np.float32)
# How much each counts: the corners of the mouth make wrinkles; the thickness of lips is mostly noise of the mesh.
_LOWER_WEIGHT = np.array([1, 1, 1.5, 0.5, 0.5, 0.5], np.float32)
_UPPER_WEIGHT = np.array([1.5, 1.5, 0.7, 0.7, 0.7, 0.7, 0.4], np.float32)
_TONE_WEIGHT = 20.0  # of the mean squared difference in shading
_CLOSED = (0.05, 0.1)  # opening (template units) up to which a mouth counts as closed, and from which as open
_ALIKE = 20
_FARTHEST = 2.5  # times as far as the other person ever opened it
_LEAST_BLINK = 0.15  # of the neutral opening: lids that travel less do not blink
_CLOSING_LIMITS = (0.8, 2.2)
_NEUTRAL_SHARE = 1 / 12
_NEUTRAL_SAMPLES = 1500


@dataclass(frozen=True, slots=True)
class Expression:
    """Expressions of T frames, in units of their usual spread, 0 for the neutral face. lower: [T, 6]; upper: [T, 7]."""

    lower: Float
    upper: Float


@dataclass(frozen=True, slots=True)
class LidMatch:
    """One person's eyes against another's. height: ratio of the neutral openings; closing: of the lids' travel."""

    height: float
    closing: float


def _distance(shape: Float, a: int, b: int) -> Float:
    return np.asarray(np.linalg.norm(shape[:, a] - shape[:, b], axis=-1))


def measure_lower(shape: Float) -> Float:
    """Mouth of shapes [T, 468, 3]: opening, width, height of the corners, thickness of both lips, upper lip to nose."""
    opening = (_distance(shape, 13, 14) + _distance(shape, 82, 87) + _distance(shape, 312, 317)) / 3
    corners = shape[:, [61, 291], 1].mean(1) - shape[:, [0, 17], 1].mean(1)
    lips = _distance(shape, 0, 13), _distance(shape, 14, 17)
    return np.stack([opening, _distance(shape, 61, 291), corners, *lips, shape[:, 0, 1] - shape[:, 2, 1]], axis=1)


def measure_upper(shape: Float) -> Float:
    """Eyes of shapes [T, 468, 3]: opening of both, height of both brows within and without, distance of the brows."""
    right = (_distance(shape, 159, 145) + _distance(shape, 158, 153) + _distance(shape, 160, 144)) / 3
    left = (_distance(shape, 386, 374) + _distance(shape, 385, 380) + _distance(shape, 387, 373)) / 3
    right_eye, left_eye = shape[:, [33, 133], 1].mean(1), shape[:, [263, 362], 1].mean(1)
    brows = [
        shape[:, points, 1].mean(1) - eye
        for points, eye in (
            ([107, 66], right_eye),
            ([336, 296], left_eye),
            ([70, 63], right_eye),
            ([300, 293], left_eye),
        )
    ]
    return np.stack([right, left, *brows, _distance(shape, 107, 336)], axis=1)


def squared_distances(a: Float, b: Float) -> Float:
    """Squared Euclidean distances [A, B] between rows of [A, D] and [B, D]."""
    found: Float = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
    return found


def neutral_shape(shape: Float) -> Float:
    """The neutral face [468, 3] of a person, from shapes [T, 468, 3]: the median of the expressions most often held."""
    step = max(1, len(shape) // _NEUTRAL_SAMPLES)
    numbers = np.concatenate(
        [measure_lower(shape) / _LOWER_SPREAD * _LOWER_WEIGHT, measure_upper(shape) / _UPPER_SPREAD * _UPPER_WEIGHT], 1
    )[::step]
    neighbours = max(int(len(numbers) * _NEUTRAL_SHARE), 1)
    radius = np.partition(squared_distances(numbers, numbers), min(neighbours, len(numbers) - 1), axis=1)
    densest = np.argsort(radius[:, min(neighbours, len(numbers) - 1)])[:neighbours] * step
    return np.asarray(np.median(shape[densest], axis=0), np.float32)


def close_mouth(neutral: Float, others: Float, other_neutral: Float) -> Float:
    """Close the mouth of a neutral face [468, 3] that is not neutral, because its shot is short and he talks all through it.

    others: shapes [T, 468, 3] of another person, other_neutral: his neutral face; how he opens his mouth as far is taken
    back from the first, which stays as it is where he never comes half as far.
    """
    opening = measure_lower(neutral[None])[0, 0]
    share = np.clip((opening - _CLOSED[0]) / (_CLOSED[1] - _CLOSED[0]), 0, 1)
    if share == 0:
        return neutral
    closed = float(measure_lower(other_neutral[None])[0, 0])
    numbers = measure_lower(others)[:, :2]
    open_too = np.flatnonzero(numbers[:, 0] >= (closed + opening) / 2)
    if not len(open_too):
        return neutral
    apart = (numbers[open_too] - measure_lower(neutral[None])[:, :2]) / _LOWER_SPREAD[:2]
    alike = open_too[np.argsort((apart**2).sum(1))[:_ALIKE]]
    opened = np.median(others[alike], axis=0) - other_neutral
    reached = float(measure_lower((other_neutral + opened)[None])[0, 0])
    farther = np.clip((opening - closed) / max(reached - closed, 1e-3), 0, _FARTHEST)
    return np.asarray(neutral - share * farther * opened, np.float32)


def read_expression(shape: Float, neutral: Float) -> Expression:
    """Read the expressions of shapes [T, 468, 3] against a neutral face [468, 3]."""
    lower = measure_lower(shape) - measure_lower(neutral[None])
    upper = measure_upper(shape) - measure_upper(neutral[None])
    return Expression(
        (lower / _LOWER_SPREAD * _LOWER_WEIGHT).astype(np.float32),
        (upper / _UPPER_SPREAD * _UPPER_WEIGHT).astype(np.float32),
    )


def read_tones(tones: Float, expression: Expression) -> Float:
    """Shading of the lower face against the person's own neutral face, [T, D], in spreads: folds that the mesh misses.

    tones: [T, 468], luma at each landmark. Level and contrast are taken out frame by frame.
    """
    template = load_subject().template
    below = (template[:, 1] > 0.1) & (template[:, 1] < 1.25) & (np.abs(template[:, 0]) < 0.8)
    near = tones[:, below]
    near = (near - near.mean(1, keepdims=True)) / np.maximum(near.std(1, keepdims=True), 1.0)
    far = (expression.lower**2).sum(1) + (expression.upper**2).sum(1)
    neutral = np.argsort(far)[: max(len(far) // 10, 1)]
    shading: Float = (near - np.median(near[neutral], axis=0)) * np.sqrt(_TONE_WEIGHT / near.shape[1])
    return shading.astype(np.float32)


def lid_travel(shape: Float, neutral: Float) -> float:
    """How far the lids of shapes [T, 468, 3] close at most, as a fraction of the neutral opening; 0 if they never blink.

    The mesh reports a closed eye as half open, on small or dark faces as three quarters open: only against a person's own
    travel does it say that an eye is closed.
    """
    opening = measure_upper(shape)[:, :2].mean(1) / max(float(measure_upper(neutral[None])[:, :2].mean()), 1e-6)
    travel = 1 - float(np.percentile(opening, 1))
    return travel if travel >= _LEAST_BLINK else 0.0


def as_if_lids_of(expression: Expression, lids: LidMatch) -> Expression:
    """Read the opening of the eyes as the other person would show it."""
    upper = expression.upper.copy()
    upper[:, :2] *= np.where(upper[:, :2] < 0, lids.closing, 1) * lids.height
    return Expression(expression.lower, upper)


def match_lids(plate: Float, plate_neutral: Float, source: Float, source_neutral: Float) -> LidMatch:
    """Compare the eyes of two people, given shapes [T, 468, 3] and the neutral face [468, 3] of each."""
    travel, own = lid_travel(plate, plate_neutral), lid_travel(source, source_neutral)
    closing = float(np.clip(own / travel, *_CLOSING_LIMITS)) if travel and own else 1.0
    height, own_height = (float(measure_upper(n[None])[:, :2].mean()) for n in (plate_neutral, source_neutral))
    return LidMatch(own_height / max(height, 1e-3), closing)
