"""Expressions as a few numbers that two performers share, relative to each one's own neutral shape.

Which numbers, a subject says: of a face its mouth, lids and brows. Of one that says nothing, all its landmarks are its expression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.subjects import Subject
from nodes.subjects.measures import Measure, measure
from nodes.types import Float

_MOVED = 0.05  # template units, root mean square over all landmarks, that weigh as much as one spread of expression
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
    """Expressions of T frames, in units of their usual spread, 0 for the neutral shape: lower [T, D], upper [T, E]."""

    lower: Float
    upper: Float


@dataclass(frozen=True, slots=True)
class LidMatch:
    """One person's eyes against another's. height: ratio of the neutral openings; closing: of the lids' travel."""

    height: float
    closing: float


def _scaled(measures: tuple[Measure, ...], shape: Float) -> Float:
    """Shapes as numbers of which one spread weighs as it should: [T, M]."""
    spread, weight = (np.array([getattr(m, name) for m in measures], np.float32) for name in ("spread", "weight"))
    return np.asarray(measure(measures, shape) / spread * weight, np.float32)


def _numbers(shape: Float, subject: Subject) -> tuple[Float, Float]:
    """The lower and the upper part of shapes [T, L, 3] as numbers."""
    if subject.lower or subject.upper:
        return _scaled(subject.lower, shape), _scaled(subject.upper, shape)
    flat = shape.reshape(len(shape), -1) / np.float32(_MOVED * np.sqrt(shape.shape[1]))
    return flat, flat[:, :0]


def squared_distances(a: Float, b: Float) -> Float:
    """Squared Euclidean distances [A, B] between rows of [A, D] and [B, D]."""
    found: Float = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
    return found


def neutral_shape(shape: Float, subject: Subject) -> Float:
    """The neutral shape [L, 3] of a performer, from shapes [T, L, 3]: the median of the expressions most often held."""
    step = max(1, len(shape) // _NEUTRAL_SAMPLES)
    numbers = np.concatenate(_numbers(shape[::step], subject), axis=1)
    neighbours = max(int(len(numbers) * _NEUTRAL_SHARE), 1)
    radius = np.partition(squared_distances(numbers, numbers), min(neighbours, len(numbers) - 1), axis=1)
    densest = np.argsort(radius[:, min(neighbours, len(numbers) - 1)])[:neighbours] * step
    return np.asarray(np.median(shape[densest], axis=0), np.float32)


def close_mouth(neutral: Float, others: Float, other_neutral: Float, subject: Subject) -> Float:
    """Close the mouth of a neutral face [L, 3] that is not neutral, because its shot is short and he talks all through it.

    others: shapes [T, L, 3] of another person, other_neutral: his neutral face; how he opens his mouth as far is taken
    back from the first, which stays as it is where he never comes half as far, and where nothing of a subject closes.
    """
    measures = tuple(subject.lower[i] for i in subject.closes)
    if not measures:
        return neutral
    opening = measure(measures, neutral[None])[0, 0]
    share = np.clip((opening - _CLOSED[0]) / (_CLOSED[1] - _CLOSED[0]), 0, 1)
    if share == 0:
        return neutral
    closed = float(measure(measures, other_neutral[None])[0, 0])
    numbers = measure(measures, others)
    open_too = np.flatnonzero(numbers[:, 0] >= (closed + opening) / 2)
    if not len(open_too):
        return neutral
    apart = (numbers[open_too] - measure(measures, neutral[None])) / [m.spread for m in measures]
    alike = open_too[np.argsort((apart**2).sum(1))[:_ALIKE]]
    opened = np.median(others[alike], axis=0) - other_neutral
    reached = float(measure(measures, (other_neutral + opened)[None])[0, 0])
    farther = np.clip((opening - closed) / max(reached - closed, 1e-3), 0, _FARTHEST)
    return np.asarray(neutral - share * farther * opened, np.float32)


def read_expression(shape: Float, neutral: Float, subject: Subject) -> Expression:
    """Read the expressions of shapes [T, L, 3] against a neutral shape [L, 3]."""
    both = zip(_numbers(shape, subject), _numbers(neutral[None], subject), strict=True)
    return Expression(*(numbers - usual for numbers, usual in both))


def read_tones(tones: Float, expression: Expression, subject: Subject) -> Float:
    """Shading against the performer's own neutral shape, [T, D], in spreads: folds that the landmarks miss.

    tones: [T, L], luma at each landmark. Level and contrast are taken out frame by frame.
    """
    near = tones[:, subject.shading]
    if not near.size:
        return near
    near = (near - near.mean(1, keepdims=True)) / np.maximum(near.std(1, keepdims=True), 1.0)
    far = (expression.lower**2).sum(1) + (expression.upper**2).sum(1)
    neutral = np.argsort(far)[: max(len(far) // 10, 1)]
    shading: Float = (near - np.median(near[neutral], axis=0)) * np.sqrt(_TONE_WEIGHT / near.shape[1])
    return shading.astype(np.float32)


def lid_travel(shape: Float, neutral: Float, subject: Subject) -> float:
    """How far the lids of shapes [T, L, 3] close at most, as a fraction of the neutral opening; 0 if they never blink.

    The mesh reports a closed eye as half open, on small or dark faces as three quarters open: only against a person's own
    travel does it say that an eye is closed.
    """
    opening = _lids_open(shape, subject) / max(float(_lids_open(neutral[None], subject)[0]), 1e-6)
    travel = 1 - float(np.percentile(opening, 1))
    return travel if travel >= _LEAST_BLINK else 0.0


def _lids_open(shape: Float, subject: Subject) -> Float:
    """Mean opening of the lids of shapes [T, L, 3]: [T], template units."""
    return np.asarray(measure(tuple(subject.upper[lid.measure] for lid in subject.lids), shape).mean(1))


def as_if_lids_of(expression: Expression, lids: LidMatch, subject: Subject) -> Expression:
    """Read the opening of the eyes as the other person would show it."""
    upper, eyes = expression.upper.copy(), [lid.measure for lid in subject.lids]
    upper[:, eyes] *= np.where(upper[:, eyes] < 0, lids.closing, 1) * lids.height
    return Expression(expression.lower, upper)


def match_lids(plate: Float, plate_neutral: Float, source: Float, source_neutral: Float, subject: Subject) -> LidMatch:
    """Compare the lids of two performers, given shapes [T, L, 3] and the neutral shape [L, 3] of each."""
    if not subject.lids:
        return LidMatch(1.0, 1.0)
    travel, own = lid_travel(plate, plate_neutral, subject), lid_travel(source, source_neutral, subject)
    closing = float(np.clip(own / travel, *_CLOSING_LIMITS)) if travel and own else 1.0
    height, own_height = (float(_lids_open(n[None], subject)[0]) for n in (plate_neutral, source_neutral))
    return LidMatch(own_height / max(height, 1e-3), closing)
