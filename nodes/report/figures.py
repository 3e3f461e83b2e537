"""Key figures of a report, each with its bar, its verdict and its meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nodes.report import measure
from nodes.report.document import Verdict
from nodes.report.frames import IN_FRONT, FrameCurves
from nodes.report.gather import MeasuredShot, SourceComparison
from nodes.report.measure import GROUPS, GroupFit, compare_expression
from nodes.report.samples import compared_regions
from nodes.types import Float

_SHOWN_ONLY = ("cheeks",)  # groups without a bar: cheeks and nose hardly move
_SOME = 3  # samples from which a region's sharpness can be measured


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """One number of the summary. low, high: the bar, both inclusive; None without one on that side.

    group: of the expression, or empty. problem: the fault when the bar is missed, for a sentence. step: distance beyond the bar that is as severe as
    a step of any other figure. unknown: text without a value.
    """

    name: str
    label: str
    value: float
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    digits: int = 2
    problem: str = ""
    step: float = 1.0
    group: str = ""
    unknown: str = "–"

    @property
    def verdict(self) -> Verdict:
        """The value against its bar; "info" without one."""
        if self.low is None and self.high is None:
            return "info" if np.isfinite(self.value) or self.unknown != "–" else "unmeasured"
        return "unmeasured" if not np.isfinite(self.value) else "fail" if self.severity > 0 else "pass"

    @property
    def severity(self) -> float:
        """Distance of the value beyond its bar, in steps; 0 within it. The value is judged as rounded for display."""
        value = round(self.value, self.digits)
        below, above = (
            0.0 if bar is None or not np.isfinite(value) else sign * (value - bar)
            for bar, sign in ((self.low, -1), (self.high, 1))
        )
        return max(below, above, 0.0) / self.step

    @property
    def shown(self) -> str:
        """The value as text with its unit; a dash where it could not be measured."""
        return f"{self.value:.{self.digits}f}{self.unit}" if np.isfinite(self.value) else self.unknown

    @property
    def complaint(self) -> str:
        """The problem, with the value and its bar."""
        what = f"{self.problem}: {self.label.lower().rpartition(', ')[2]} " if self.problem else f"{self.label}: "
        return f"{what[0].upper()}{what[1:]}{self.shown} (bar: {self.bar})"

    @property
    def bar(self) -> str:
        """The bar as text."""
        low, high = (None if v is None else f"{v:g}{self.unit}" for v in (self.low, self.high))
        if low and high:
            return f"{self.low:g} to {high}"
        return f"at least {low}" if low else ("exactly 0" if self.high == 0 else f"at most {high}") if high else ""


def key_figures(shot: MeasuredShot, c: FrameCurves) -> list[ShownFigure]:
    """Judge a shot. The bars are those that `docs/report.md` explains."""
    return [*_expression(shot, c), *_likeness(shot), *_sharpness(shot), *_picture(shot, c)]


def _expression(shot: MeasuredShot, c: FrameCurves) -> Iterator[ShownFigure]:
    """Judge the expression; of several faces the worst counts, group by group."""
    if not shot.coefficients:
        return
    faces = [
        compare_expression(f.plate_coefficients, f.composite_coefficients, shot.coefficients) for f in shot.replaced
    ]
    means = [_mean(g.correlation for g in groups) for groups in faces]
    calm = bool(faces) and all(g.calm for groups in faces for g in groups)
    yield ShownFigure(
        "expression_correlation", "Expression, correlation", _lowest(means), "",
        "Mean of the groups below: 1: the composite acts as the plate does; 0: it has nothing to do with it.",
        low=None if calm else 0.9, problem="expression out of step with the plate's", step=0.4, unknown="calm" if calm else "–",
    )  # fmt: skip
    yield ShownFigure(
        "expression_error", "Expression, error", _mean(c.expression), "",
        "Mean difference of all coefficients, in hundredths. The same plate compressed again: 0.3.",
        high=2.0, digits=1, problem="another expression than the plate's", step=4,
    )  # fmt: skip
    for group in GROUPS:
        fits = [g for groups in faces for g in groups if g.group == group]
        yield from _group(group, fits, barred=group not in _SHOWN_ONLY)


def _group(group: str, fits: list[GroupFit], *, barred: bool) -> Iterator[ShownFigure]:
    calm = bool(fits) and all(g.calm for g in fits)
    moves = barred and not calm
    unknown = "calm" if calm else "–"
    gain = _farthest([g.gain for g in fits])
    yield ShownFigure(
        f"{group}_correlation", f"{group.capitalize()}, correlation", _lowest([g.correlation for g in fits]), "",
        "1: it moves exactly when the plate's does; 0: it has nothing to do with it.",
        low=0.8 if moves else None, problem=f"{group} out of step with the plate's", step=0.2, group=group, unknown=unknown,
    )  # fmt: skip
    yield ShownFigure(
        f"{group}_gain", f"{group.capitalize()}, gain", gain, "",
        "1: it moves as far as the plate's does; below: it mumbles; above: it exaggerates.",
        low=0.75 if moves else None, high=1.2 if moves else None,
        problem=f"{group} too weak" if gain < 1 else f"{group} exaggerated",
        step=0.25, group=group, unknown=unknown,
    )  # fmt: skip
    yield ShownFigure(
        f"{group}_offset", f"{group.capitalize()}, offset", _most(g.offset for g in fits), "",
        "How far the coefficient that is farthest off lies from the plate's on average: a calm face that is made to frown.",
        high=0.1 if barred else None, problem=f"{group} held differently throughout",
        step=0.1, group=group,
    )  # fmt: skip


def _likeness(shot: MeasuredShot) -> Iterator[ShownFigure]:
    if shot.subject.name != "face":
        return
    sources = [f.source for f in shot.replaced if f.source]
    nearer = [100 * float((source.to_source < source.to_performer).mean()) for source in sources]
    yield ShownFigure(
        "likeness", "Distance to the source", _most(float(np.median(source.to_source)) for source in sources), "",
        "Of the recogniser's descriptors, median over sampled frames: one person's frames lie about 0.33 apart, at most 0.49, different people's 0.62 or more.",
        high=0.55, problem="too little like the source", step=0.1,
    )  # fmt: skip
    yield ShownFigure(
        "nearer_source", "Nearer to the source", _lowest(nearer), " %",
        "Sampled frames that are more like the source than like the plate's own performer.",
        low=99, digits=0, problem="more like the plate's performer than like the source", step=5,
    )  # fmt: skip
    yield ShownFigure(
        "source_spread", "The source's own spread", _most(source.own for source in sources), "",
        "Distance of the source's frames among each other: no result is nearer than that.",
    )  # fmt: skip


def _sharpness(shot: MeasuredShot) -> Iterator[ShownFigure]:
    sources = [f.source for f in shot.replaced if f.source]
    meaning = (
        "Fine detail over that of the source's frames in which this part looks alike, at the same size and contrast."
    )
    for region, label in compared_regions(shot.subject).items():
        values = [_some(source, region) for source in sources]
        yield ShownFigure(
            f"sharpness_{label}", f"{label.capitalize()}, sharpness", _lowest(values), " ×",
            meaning, low=0.85, problem=f"{label} softer than in the source's footage", step=0.2,
        )  # fmt: skip
        meaning = "The same in that region."


def _some(source: SourceComparison, region: str) -> float:
    values_known = _known(source.sharpness[region])
    return float(np.median(values_known)) if len(values_known) >= _SOME else float("nan")


def _picture(shot: MeasuredShot, c: FrameCurves) -> Iterator[ShownFigure]:
    few = max(0.02 * len(shot.coverage), 1.0)
    flicker = measure.flicker_ratio(
        *(_joined([getattr(f, f"flicker_{w}") for f in shot.replaced]) for w in ("plate", "composite"))
    )
    unit = "the distance of the eyes" if measure.measuring_unit(shot.subject) != 1 else "its radius"
    yield from (
        ShownFigure(
            "landmark_error", "Landmark error, median", _at(c.error, 50), " %",
            f"How far the composite's landmarks lie from the plate's, as a share of {unit}.",
            high=1.8, problem=f"{shot.subject.name} out of place or out of shape", step=1,
        ),
        ShownFigure("landmark_error_p95", "Landmark error, 95th percentile", _at(c.error, 95), " %", "The same on the worst twentieth of the frames."),
        ShownFigure(
            "flicker_median", "Flicker, median", flicker[0], " ×",
            "Change from frame to frame that is no movement, over the plate's own: 1 is as steady as the plate.",
            high=1.0, problem="more flicker than the plate", step=0.25,
        ),
        ShownFigure(
            "flicker_p95", "Flicker, 95th percentile", flicker[1], " ×", "The same for the most restless twentieth: pops and jumps.",
            high=1.25, problem="more pops and jumps than the plate", step=0.5,
        ),
        ShownFigure(
            "outside_change", "Change outside the matte", _most(c.outside), "",
            "Largest difference of a code value, of any frame, where the matte is 0: the plate is untouched there.",
            high=0, digits=0, step=0.1,
        ),
        ShownFigure(
            "frames_without_matte", "Frames without a matte", _without_matte(shot), " frames",
            f"Frames on which the {shot.subject.name} is there and nothing is replaced.",
            high=0, digits=0, step=few,
        ),
        ShownFigure(
            "faces_lost", f"{shot.subject.name.capitalize()}s lost", _sum(c.lost), " frames",
            f"Frames on which the plate has the {shot.subject.name} and none is found in the composite.",
            high=0, digits=0, step=few,
        ),
        ShownFigure("coverage", "Matte, share of the picture", _at(c.coverage, 50), " %", "Median over the shot."),
        ShownFigure("coverage_step", "Matte, largest step", _most(c.steps), " %", "Largest change of the covered area from one frame to the next, of its median."),
        ShownFigure("hidden", "Something in front", _sum((c.hidden > IN_FRONT).astype(np.float32)), " frames", f"Frames on which more than {IN_FRONT:.0f} % of the {shot.subject.name} is behind something, such as a hand.", digits=0),
        ShownFigure("smoothing", "Jitter taken out by smoothing", _rms(c.jitter), " px", "Distance between the raw and the smoothed position, root mean square."),
    )  # fmt: skip


def overall(figures: Sequence[ShownFigure]) -> tuple[Verdict, str]:
    """Return the verdict on the shot, and sentences, the worst first."""
    barred = [f for f in figures if f.low is not None or f.high is not None]
    open_ = [f for f in barred if f.verdict == "unmeasured"]
    rest = f" Not measured: {_listed(open_)}." if open_ else ""
    failed = sorted((f for f in barred if f.verdict == "fail"), key=lambda f: -f.severity)
    if failed:
        first = f"{failed[0].complaint}. {len(failed)} of {len(barred)} bars are missed"
        return "fail", f"{first}, worst first: {_listed(failed)}.{rest}" if len(failed) > 1 else f"{first}.{rest}"
    if next(f for f in figures if f.name == "landmark_error").verdict == "unmeasured":
        return "unmeasured", "There is nothing to judge in plate and composite."
    kept = f"All {len(barred) - len(open_)} bars that could be measured are kept.{rest}"
    return "pass", kept if open_ else f"All {len(barred)} bars are kept."


def _listed(figures: Iterable[ShownFigure]) -> str:
    """Name figures, those of one thing together: "gaze (correlation, gain); faces lost"."""
    things: dict[str, list[str]] = {}
    for figure in figures:
        thing, _, what = figure.label.lower().partition(", ")
        things.setdefault(thing, []).extend([what] if what else [])
    return "; ".join(f"{thing} ({', '.join(whats)})" if whats else thing for thing, whats in things.items())


def _without_matte(shot: MeasuredShot) -> float:
    if not shot.replaced:
        return float("nan")
    frames_with_face = np.unique(np.concatenate([f.frames[f.plate_score > 0] for f in shot.replaced]))
    return float(np.sum(~(shot.coverage[frames_with_face] > 0)))


def _joined(parts: list[Float]) -> Float:
    return np.concatenate([np.empty(0, np.float32), *parts])


def _known(values: Float | Iterable[float]) -> Float:
    array = np.asarray(list(values), np.float32)
    return array[np.isfinite(array)]


def _over(reduce: Callable[[Float], float], values: Float | Iterable[float]) -> float:
    """Reduce the finite values to a statistic; NaN without any."""
    finite = _known(values)
    return float(reduce(finite)) if len(finite) else float("nan")


_most, _lowest, _mean, _sum = (partial(_over, reduce) for reduce in (np.max, np.min, np.mean, np.sum))
_rms = partial(_over, lambda v: float(np.sqrt((v**2).mean())))
_farthest = partial(_over, lambda gains: float(gains[np.abs(gains - 1).argmax()]))


def _at(values: Float, percent: float) -> float:
    return _over(lambda v: float(np.percentile(v, percent)), values)
