"""The key figures of a report, each with its bar, its verdict and what it means; and the frames to look at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nodes.report import measure
from nodes.report.gather import Gathered, Subject
from nodes.types import Float

Verdict = Literal["pass", "fail", "info", "unmeasured"]
_APART = 12  # frames between two that are shown for the same reason
_SHOWN = 12  # frames that are shown at most
_TRIFLE = 0.1  # severity below which a frame is not worth a look


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the summary. low, high: the bar, both inclusive; None where there is none on that side."""

    name: str
    label: str
    value: float
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    digits: int = 2

    @property
    def verdict(self) -> Verdict:
        """Whether the value keeps to its bar; "info" where there is none."""
        if not np.isfinite(self.value):
            return "unmeasured"
        if self.low is None and self.high is None:
            return "info"
        # What is judged is what is shown.
        value = round(self.value, self.digits)
        kept = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return "pass" if kept else "fail"

    @property
    def shown(self) -> str:
        """The value as text with its unit; a dash where it could not be measured."""
        return f"{self.value:.{self.digits}f}{self.unit}" if np.isfinite(self.value) else "–"

    @property
    def bar(self) -> str:
        """The bar as text."""
        low, high = (None if v is None else f"{v:g}{self.unit}" for v in (self.low, self.high))
        if low and high:
            return f"{self.low:g} to {high}"
        return f"at least {low}" if low else ("exactly 0" if self.high == 0 else f"at most {high}") if high else ""


@dataclass(frozen=True, slots=True)
class Curves:
    """What is plotted, per frame of the shot [T]; of several faces the worst counts. Errors and coverage in percent."""

    error: Float
    mouth: Float
    eyes: Float
    flicker_plate: Float
    flicker_composite: Float
    coverage: Float
    steps: Float
    outside: Float
    jitter: Float
    lost: Float


@dataclass(frozen=True, slots=True)
class Look:
    """A frame to look at, by position in the shot, and why; `whole`: the reason may lie anywhere in the picture."""

    frame: int
    reasons: tuple[str, ...]
    severity: float
    whole: bool = False


def curves(shot: Gathered) -> Curves:
    """Measure per frame."""
    count = len(shot.coverage)

    def over(value: Callable[[Subject], Float]) -> Float:
        out = np.full(count, np.nan, np.float32)
        for subject in shot.subjects:
            out[subject.frames] = np.fmax(out[subject.frames], value(subject))
        return out

    return Curves(
        error=100 * over(lambda s: measure.landmark_error(s.plate, s.composite)),
        mouth=over(lambda s: np.abs(measure.mouth_opening(s.composite) - measure.mouth_opening(s.plate))),
        eyes=over(lambda s: np.abs(measure.eye_opening(s.composite) - measure.eye_opening(s.plate))),
        flicker_plate=over(lambda s: s.flicker_plate),
        flicker_composite=over(lambda s: s.flicker_composite),
        coverage=100 * shot.coverage,
        steps=100 * measure.steps(shot.coverage),
        outside=shot.outside,
        jitter=over(lambda s: np.hypot(*(s.raw - s.smoothed)[:, 2:].T)),
        lost=over(lambda s: s.lost.astype(np.float32)),
    )


def key_figures(shot: Gathered, c: Curves) -> list[Figure]:
    """Judge a shot. The bars are those that `docs/report.md` explains."""
    mouth = [
        measure.agreement(measure.mouth_opening(s.plate), measure.mouth_opening(s.composite)) for s in shot.subjects
    ]
    eyes = [measure.agreement(measure.eye_opening(s.plate), measure.eye_opening(s.composite)) for s in shot.subjects]
    flicker = measure.flicker_ratio(
        *(_joined([getattr(s, f"flicker_{w}") for s in shot.subjects]) for w in ("plate", "composite"))
    )
    return [
        Figure(
            "faces_lost", "Faces lost", _sum(c.lost), " frames",
            "Frames on which the plate has the face and no face is found in the composite.", high=0, digits=0,
        ),
        Figure(
            "landmark_error", "Landmark error, median", _at(c.error, 50), " %",
            "How far the composite's landmarks lie from the plate's, as a share of the distance of the eyes: expression and pose kept.", high=4.2,
        ),
        Figure("landmark_error_p95", "Landmark error, 95th percentile", _at(c.error, 95), " %", "The same on the worst twentieth of the frames."),
        Figure(
            "mouth_correlation", "Mouth opening, correlation", _lowest([a.correlation for a in mouth]), "",
            "1: the mouth opens and closes exactly when the plate's does; 0: it has nothing to do with it.", low=0.9,
        ),
        Figure(
            "mouth_gain", "Mouth opening, gain", _farthest([a.gain for a in mouth]), "",
            "1: it opens as far as the plate's does; below: it mumbles; above: it exaggerates.", low=0.8, high=1.2,
        ),
        Figure(
            "eye_correlation", "Eye opening, correlation", _lowest([a.correlation for a in eyes]), "",
            "Whether blinks and widened eyes are followed; on small faces the landmarks' own noise keeps it well below 1.", low=0.4,
        ),
        Figure("eye_gain", "Eye opening, gain", _farthest([a.gain for a in eyes]), "", "1: the lids move as far as the plate's do."),
        Figure(
            "flicker_median", "Flicker, median", flicker[0], " ×",
            "Change from frame to frame that is no movement, over the plate's own: 1 is as steady as the plate.", high=1.1,
        ),
        Figure("flicker_p95", "Flicker, 95th percentile", flicker[1], " ×", "The same for the most restless twentieth: pops and jumps.", high=1.4),
        Figure(
            "outside_change", "Change outside the matte", _most(c.outside), "",
            "Largest difference of a code value, of any frame, where the matte is 0: the plate is untouched there.", high=0, digits=0,
        ),
        Figure(
            "frames_without_matte", "Frames without a matte", _without_matte(shot), " frames",
            "Frames on which the face is there and nothing is replaced.", high=0, digits=0,
        ),
        Figure("coverage", "Matte, share of the picture", _at(c.coverage, 50), " %", "Median over the shot."),
        Figure("coverage_step", "Matte, largest step", _most(c.steps), " %", "Largest change of the covered area from one frame to the next, of its median."),
        Figure("smoothing", "Jitter taken out by smoothing", _rms(c.jitter), " px", "Distance between the raw and the smoothed position of the face, root mean square."),
    ]  # fmt: skip


def overall(figures: list[Figure]) -> tuple[Verdict, str]:
    """The verdict on the shot, and a sentence."""
    barred = [f for f in figures if f.low is not None or f.high is not None]
    failed = [f.label.lower() for f in barred if f.verdict == "fail"]
    open_ = [f.label.lower() for f in barred if f.verdict == "unmeasured"]
    rest = f" Not measured: {'; '.join(open_)}." if open_ else ""
    if failed:
        return "fail", f"{len(failed)} of {len(barred)} bars missed: {'; '.join(failed)}.{rest}"
    if next(f for f in figures if f.name == "landmark_error").verdict == "unmeasured":
        return "unmeasured", "There is no face to judge in plate and composite."
    return (
        "pass",
        f"All {len(barred) - len(open_)} bars that could be measured are kept.{rest}"
        if open_
        else f"All {len(barred)} bars are kept.",
    )


def look_first(shot: Gathered, c: Curves) -> list[Look]:
    """Choose the frames to look at first: the worst by each measure, most severe first, each with its reasons.

    Severity is the value over what would be conspicuous by that measure; a good shot has frames to look at too.
    """
    excess = c.flicker_composite - c.flicker_plate
    usual = _at(c.flicker_plate, 50)
    measures: list[tuple[Float, float, int, bool, Callable[[int], str]]] = [
        (_above(c.lost), 0.1, 3, False, lambda i: "the face is lost in the composite"),
        (_above(c.outside), 0.1, 2, True, lambda i: f"changed outside the matte by {c.outside[i]:g} code values"),
        (c.error, 2 * 4.2, 3, False, lambda i: f"landmark error {c.error[i]:.1f} % (median {_at(c.error, 50):.1f} %)"),
        (_above(excess), max(2 * usual, 1.0), 3, False, lambda i: f"flicker {c.flicker_composite[i]:.1f}, the plate's {c.flicker_plate[i]:.1f}"),
        (c.mouth, 0.2, 2, False, lambda i: f"mouth opening off by {100 * c.mouth[i]:.0f} % of its width"),
        (c.eyes, 0.15, 2, False, lambda i: f"eye opening off by {100 * c.eyes[i]:.0f} % of its width"),
        (c.steps, 30, 2, False, lambda i: f"matte changes by {c.steps[i]:.0f} % in one frame"),
        (c.jitter, max(4 * _rms(c.jitter), 2.0), 1, False, lambda i: f"smoothing moves the face by {c.jitter[i]:.1f} px"),
    ]  # fmt: skip
    found: dict[int, Look] = {}
    for values, allowed, count, whole, say in measures:
        for rank, i in enumerate(measure.worst(values, count, _APART)):
            severity = float(values[i]) / allowed * 0.8**rank
            if severity < _TRIFLE:
                continue
            old = found.get(i, Look(i, (), 0))
            found[i] = Look(i, (*old.reasons, say(i)), max(old.severity, severity), old.whole or whole)
    return sorted(found.values(), key=lambda look: -look.severity)[:_SHOWN]


def _above(values: Float) -> Float:
    """Values above 0; NaN for the others."""
    return np.where(values > 0, values, np.float32(np.nan))


def _without_matte(shot: Gathered) -> float:
    if not shot.subjects:
        return float("nan")
    there = np.unique(np.concatenate([s.frames[s.plate_score > 0] for s in shot.subjects]))
    return float(np.sum(~(shot.coverage[there] > 0)))


def _joined(parts: list[Float]) -> Float:
    return np.concatenate([np.empty(0, np.float32), *parts])


def _known(values: Float | list[float]) -> Float:
    array = np.asarray(values, np.float32)
    return array[np.isfinite(array)]


def _at(values: Float, percent: float) -> float:
    known = _known(values)
    return float(np.percentile(known, percent)) if len(known) else float("nan")


def _most(values: Float) -> float:
    return _at(values, 100)


def _lowest(values: list[float]) -> float:
    return float(min(_known(values), default=np.nan))


def _farthest(gains: list[float]) -> float:
    return float(max(_known(gains), key=lambda g: abs(g - 1), default=np.nan))


def _sum(values: Float) -> float:
    known = _known(values)
    return float(known.sum()) if len(known) else float("nan")


def _rms(values: Float) -> float:
    known = _known(values)
    return float(np.sqrt((known**2).mean())) if len(known) else float("nan")
