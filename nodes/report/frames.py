"""Measurements of each frame, and the frames to look at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nodes.report import measure
from nodes.report.gather import MeasuredShot, ReplacedFace
from nodes.report.measure import GROUPS, expression_error, group_of, in_words
from nodes.types import Float

_APART = 12  # frames between two that are shown for the same reason
_SHOWN = 12  # frames that are shown at most
_TRIFLE = 0.1  # severity below which a frame is not listed
_MOST_SEVERE = 100.0  # a face that is lost, a change outside the matte: always first
_NAMED = 2  # coefficients of a group that a reason names
IN_FRONT = 10.0  # percent of a face that is hidden, from which the frame is shown
# Values that are conspicuous: severity 1.
_LANDMARKS, _COEFFICIENT, _STEP = 6.0, 0.4, 30.0


@dataclass(frozen=True, slots=True)
class FrameCurves:
    """Curves to plot, per frame of the shot [T]; of several faces the worst counts. Errors and coverage in percent.

    groups: largest difference of a coefficient, group by group. hidden: part of the face that is behind something.
    """

    error: Float
    expression: Float
    groups: dict[str, Float]
    flicker_plate: Float
    flicker_composite: Float
    coverage: Float
    hidden: Float
    steps: Float
    outside: Float
    jitter: Float
    lost: Float


@dataclass(frozen=True, slots=True)
class FrameToSee:
    """A frame to look at, by position in the shot, with reasons; `whole`: the cause may lie anywhere in the picture."""

    frame: int
    reasons: tuple[str, ...]
    severity: float
    whole: bool = False


def measure_frames(shot: MeasuredShot) -> FrameCurves:
    """Measure per frame."""
    count = len(shot.coverage)
    points = measure.inner_points(shot.subject)
    unit = measure.measuring_unit(shot.subject)
    names = shot.coefficients

    def over(value: Callable[[ReplacedFace], Float]) -> Float:
        out = np.full(count, np.nan, np.float32)
        for face in shot.replaced:
            out[face.frames] = np.fmax(out[face.frames], value(face))
        return out

    def landmarks(face: ReplacedFace) -> Float:
        plate, composite = (side[:, points, :2] for side in (face.plate, face.composite))
        return 100 * measure.landmark_error(plate, composite, unit * face.smoothed[:, 0])

    def apart(group: str) -> Float:
        members = [i for i, name in enumerate(names) if group_of(name) == group]
        return over(lambda f: np.abs(f.composite_coefficients - f.plate_coefficients)[:, members].max(1))

    return FrameCurves(
        error=over(landmarks),
        expression=over(lambda f: expression_error(f.plate_coefficients, f.composite_coefficients, names)),
        groups={group: apart(group) for group in GROUPS if any(group_of(name) == group for name in names)},
        flicker_plate=over(lambda f: f.flicker_plate),
        flicker_composite=over(lambda f: f.flicker_composite),
        coverage=100 * shot.coverage,
        hidden=over(lambda f: 100 * measure.hidden(f.covered)),
        steps=100 * measure.steps(shot.coverage),
        outside=shot.outside,
        jitter=over(lambda f: np.hypot(*(f.raw - f.smoothed)[:, 2:].T)),
        lost=over(lambda f: f.lost.astype(np.float32)),
    )


def worst_frames(shot: MeasuredShot, c: FrameCurves) -> list[FrameToSee]:
    """Choose the frames to look at first: the worst by each measure, most severe first, each with its reasons.

    Severity is the value over the conspicuous one of that measure; a good shot has frames to look at too.
    """
    excess = c.flicker_composite - c.flicker_plate
    usual, median, shaken = (_median(v) for v in (c.flicker_plate, c.error, c.jitter))

    def differing(group: str) -> Callable[[int], tuple[str, ...]]:
        return lambda i: tuple(_differing(shot, group, i))

    measures: list[tuple[Float, float, int, bool, Callable[[int], tuple[str, ...]]]] = [
        (_above(c.lost), 1 / _MOST_SEVERE, 3, False, lambda i: ("the face is lost in the composite",)),
        (_above(c.outside), 1 / _MOST_SEVERE, 2, True, lambda i: (f"changed outside the matte by {c.outside[i]:g} code values",)),
        *((values, _COEFFICIENT, 2, False, differing(group)) for group, values in c.groups.items()),
        (c.error, _LANDMARKS, 2, False, lambda i: (f"landmark error {c.error[i]:.1f} % (median {median:.1f} %)",)),
        (_above(excess), max(2 * usual, 1.0), 3, False, lambda i: (f"flicker {c.flicker_composite[i]:.1f}, the plate's {c.flicker_plate[i]:.1f}",)),
        (c.steps, _STEP, 2, False, lambda i: (f"matte changes by {c.steps[i]:.0f} % in one frame",)),
        (_above(c.hidden - IN_FRONT), IN_FRONT, 3, False, lambda i: (f"something is in front of {c.hidden[i]:.0f} % of the face",)),
        (c.jitter, max(8 * shaken, 4.0), 1, False, lambda i: (f"smoothing moves the face by {c.jitter[i]:.1f} px",)),
    ]  # fmt: skip
    looks: dict[int, FrameToSee] = {}
    for values, conspicuous, count, whole, say in measures:
        for rank, i in enumerate(measure.worst(values, count, _APART)):
            severity = min(float(values[i]) / conspicuous, _MOST_SEVERE) * 0.8**rank
            if severity < _TRIFLE:
                continue
            old = looks.get(i, FrameToSee(i, (), 0))
            reasons = (*old.reasons, *say(i)) if old.severity >= severity else (*say(i), *old.reasons)
            looks[i] = FrameToSee(i, reasons, max(old.severity, severity), old.whole or whole)
    return sorted(looks.values(), key=lambda look: -look.severity)[:_SHOWN]


def _differing(shot: MeasuredShot, group: str, frame: int) -> Iterator[str]:
    """Name the coefficients of a group that differ most in a frame, of the face in which they differ most."""
    members = [i for i, name in enumerate(shot.coefficients) if group_of(name) == group]
    rows = [(f, frame - int(f.frames[0])) for f in shot.replaced if f.frames[0] <= frame <= f.frames[-1]]
    both = [(f.plate_coefficients[at, members], f.composite_coefficients[at, members]) for f, at in rows]
    plate, composite = max(both, key=lambda pair: float(np.nan_to_num(np.abs(pair[1] - pair[0])).max()))
    apart = np.abs(composite - plate)
    for k in np.argsort(-apart)[:_NAMED]:
        if apart[k] >= apart.max() / 2:
            yield f"{in_words(shot.coefficients[members[k]])} {plate[k]:.2f} on the plate, {composite[k]:.2f} here"


def _median(values: Float) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0


def _above(values: Float) -> Float:
    return np.where(values > 0, values, np.float32(np.nan))
