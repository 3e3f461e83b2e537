"""Curves of a report as SVG that stands in the page and has its colours (variables of its style sheet), on screen and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

from nodes.report.frames import FrameCurves
from nodes.report.gather import MeasuredShot, ReplacedFace
from nodes.report.measure import GroupFit, in_words
from nodes.types import Float

PLATE, COMPOSITE, BAR, BAD, INK, GRID = (
    f"var(--{name})" for name in ("plate", "composite", "pass", "fail", "soft", "line")
)
_WIDTH, _LEFT, _BOTTOM, _GAP = 748, 46, 30, 14  # units of the picture; text is 9 of them tall
_COLUMNS, _ROWS = 4, 2  # of the plots of a group
_FAINT = 0.02  # strength up to which a curve is not worth a plot
_DOTTED = 40  # values below which a line through them hardly shows: each gets a dot
_STROKES = {"": "━━", "4 2": "╍╍", "1 2": "┅┅"}  # dashes of a line, and how the legend shows them


class Panel:
    """One pair of axes: a box in the picture, ranges of its axes, and what is drawn in it."""

    def __init__(
        self,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        label: str = "",
        *,
        x_label: str = "",
        title: Sequence[str] = (),
        named: bool = True,
    ) -> None:
        """box: left, top, width, height. x, y: ranges. named: whether the vertical axis has numbers."""
        self.left, self.top, self.width, self.height = box
        self.x0, self.y0 = x[0], y[0]
        self.per_x = self.width / ((x[1] - x[0]) or 1)
        self.per_y = self.height / ((y[1] - y[0]) or 1)
        self.parts: list[str] = []
        self.legend: list[str] = []
        right, base = self.left + self.width, self.top + self.height
        for tick in _ticks(*y, max(2, round(self.height / 24))):
            at = self._y(tick)
            self._stroke(f"M{self.left:g} {at:.1f}H{right:g}", GRID, 0.6)
            if named:
                self._text(self.left - 4, at + 3, f"{tick:g}", "end")
        for tick in _ticks(*x, max(2, round(self.width / 70))):
            at = self._x(tick)
            self._stroke(f"M{at:.1f} {self.top:g}V{base:g}", GRID, 0.6)
            if x_label:
                self._text(at, base + 11, f"{tick:g}", "middle")
        self._stroke(f"M{self.left:g} {self.top:g}V{base:g}H{right:g}", GRID, 1)
        if x_label:
            self._text(self.left + self.width / 2, base + 23, x_label, "middle")
        if label:
            place = f'x="9" y="{self.top + self.height / 2:g}"'
            turn = f"rotate(-90 9 {self.top + self.height / 2:g})"
            self.parts.append(f'<text {place} text-anchor="middle" transform="{turn}">{escape(label)}</text>')
        for line, words in enumerate(reversed(title)):
            self._text(self.left, self.top - 4 - 11 * line, words)

    def line(
        self,
        x: Float,
        y: Float,
        colour: str,
        label: str = "",
        *,
        width: float = 1.2,
        dashes: str = "",
        steps: bool = False,
    ) -> None:
        """Draw values over x, interrupted where they are NaN; steps: each value from half a step before to half a step after."""
        path, half = "", self.per_x / 2
        for points in self._points(x, y):
            if steps:
                path += "M" + "L".join(f"{px - half:.1f} {py:.1f}H{px + half:.1f}" for px, py in points)
                continue
            path += "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
            if len(x) < _DOTTED:
                self.parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2" fill="{colour}"/>' for px, py in points]
        self._stroke(path, colour, width, dashes)
        self._name(label, colour, dashes)

    def area(self, x: Float, y: Float, colour: str) -> None:
        """Fill what lies between values and the base."""
        base = self.top + self.height
        for points in self._points(x, y):
            line = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
            path = f"M{points[0][0]:.1f} {base:g}L{line}V{base:g}Z"
            self.parts.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.25"/>')

    def level(self, y: float, colour: str, label: str = "", dashes: str = "") -> None:
        """Draw a horizontal line."""
        self._stroke(f"M{self.left:g} {self._y(y):.1f}h{self.width:g}", colour, 1.2, dashes)
        self._name(label, colour, dashes)

    def mark(self, x: float, colour: str) -> None:
        """Draw a vertical line, as at a cut."""
        self._stroke(f"M{self._x(x):.1f} {self.top:g}v{self.height:g}", colour, 0.8, "6 2 1 2")

    def shade(self, x: Float, where: npt.NDArray[np.bool_], colour: str) -> None:
        """Shade frames."""
        for start, end in _runs(where):
            left, width = self._x(x[start] - 0.5), (end - start) * self.per_x
            self.parts.append(
                f'<rect x="{left:.1f}" y="{self.top:g}" width="{width:.1f}" height="{self.height:g}" fill="{colour}" fill-opacity="0.35"/>'
            )

    def svg(self) -> str:
        """All of it, with a legend above the right end."""
        if self.legend:
            self.parts.append(
                f'<text x="{self.left + self.width:g}" y="{self.top - 4:g}" text-anchor="end">{"&#160;&#160;&#160; ".join(self.legend)}</text>'
            )
        return "".join(self.parts)

    def _points(self, x: Float, y: Float) -> Iterator[list[tuple[float, float]]]:
        """Runs of finite values as points of the picture."""
        for start, end in _runs(np.isfinite(y)):
            yield [(self._x(a), self._y(b)) for a, b in zip(x[start:end], y[start:end], strict=True)]

    def _x(self, value: float) -> float:
        return self.left + (value - self.x0) * self.per_x

    def _y(self, value: float) -> float:
        return self.top + self.height - (value - self.y0) * self.per_y

    def _stroke(self, path: str, colour: str, width: float, dashes: str = "") -> None:
        if path:
            dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
            self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>')

    def _text(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def _name(self, label: str, colour: str, dashes: str) -> None:
        if label:
            self.legend.append(f'<tspan fill="{colour}">{_STROKES[dashes]}</tspan> {escape(label)}')


def detections(shot: MeasuredShot) -> str:
    """Faces per frame and their scores; frames on which plate or composite has none are marked."""
    x, (plate, composite) = _numbers(shot), (shot.faces_plate, shot.faces_composite)
    top = max(int(plate.max(initial=0)), int(composite.max(initial=0)), 1)
    width = _WIDTH - _LEFT - 6
    faces = Panel((_LEFT, 18, width, 68), _span(x), (-0.2, top + 0.4), "faces")
    faces.shade(x, plate == 0, PLATE)
    faces.shade(x, composite == 0, BAD)
    faces.line(x, plate.astype(np.float32), PLATE, "plate", steps=True)
    faces.line(x, composite.astype(np.float32), COMPOSITE, "composite", dashes="4 2", steps=True)
    scores = Panel((_LEFT, 98, width, 96), _span(x), (0, 1.05), "score", x_label="frame")
    for face in shot.replaced:
        for values, colour in ((face.plate_score, PLATE), (face.composite_score, COMPOSITE)):
            scores.line(x[face.frames], np.where(values > 0, values, np.float32(np.nan)), colour)
    return _svg("detections", 224, _mark_cuts(faces, shot), _mark_cuts(scores, shot))


def transforms(shot: MeasuredShot, face: ReplacedFace) -> str:
    """Position, scale and rotation before and after smoothing, and beside each what smoothing took out."""
    x = _numbers(shot)[face.frames]
    rows = (("x", 2, 1.0, "px"), ("y", 3, 1.0, "px"), ("scale", 0, 1.0, "px"), ("rotation", 1, 180 / np.pi, "°"))
    wide = 2 * (_WIDTH - 2 * _LEFT - _GAP) / 3
    panels = []
    for i, (name, column, factor, unit) in enumerate(rows):
        raw, smoothed = np.float32(factor) * face.raw[:, column], np.float32(factor) * face.smoothed[:, column]
        top, last = 18 + 102 * i, i == len(rows) - 1
        frame = {"x_label": "frame" if last else "", "title": () if i else (f"{shot.subject.name} {face.track}",)}
        curve = Panel((_LEFT, top, wide, 88), _span(x), _range(raw, smoothed), f"{name} ({unit})", **frame)  # type: ignore[arg-type]
        curve.line(x, raw, PLATE, "" if i else "as found", width=1)
        curve.line(x, smoothed, COMPOSITE, "" if i else "smoothed")
        frame["title"] = () if i else ("as found − smoothed",)
        residual = Panel((2 * _LEFT + _GAP + wide, top, wide / 2 - 6, 88), _span(x), _range(raw - smoothed), **frame)  # type: ignore[arg-type]
        residual.level(0, GRID)
        residual.line(x, raw - smoothed, INK, width=0.7)
        panels += [curve, residual]
    return _svg(f"transforms{face.track}", 18 + 102 * 4 + 16, *panels)


def landmark_error(shot: MeasuredShot, curves: FrameCurves, bar: float) -> str:
    """Landmark error per frame, its median, and the bar that the median has to keep."""
    known = curves.error[np.isfinite(curves.error)]
    panel = _single(shot, "%", max(float(known.max(initial=0)), bar), 151)
    panel.line(_numbers(shot), curves.error, COMPOSITE)
    if len(known):
        panel.level(float(np.median(known)), INK, f"median {np.median(known):.2f} %", "1 2")
    panel.level(bar, BAR, f"bar for the median {bar:g} %", "4 2")
    return _svg("landmarks", 151, panel)


def expression(shot: MeasuredShot, face: ReplacedFace, group: GroupFit) -> str:
    """The strongest curves of a group of coefficients, composite over plate, each in a small plot of its own; empty if none moves."""
    rows = _ROWS if len(group.members) > _ROWS * _COLUMNS else 1
    count = min(rows * _COLUMNS, int((group.strengths > _FAINT).sum()))
    if not count:
        return ""
    shown = group.members[:count]
    sides = [side[:, shown] for side in (face.plate_coefficients, face.composite_coefficients)]
    top = max(float(np.nanmax(np.concatenate(sides))), 0.3)
    rows = ceil(count / _COLUMNS)
    x = _numbers(shot)[face.frames]
    width, height = (_WIDTH - _LEFT) / _COLUMNS - _GAP, 64
    panels = []
    for k in range(count):
        row, column = divmod(k, _COLUMNS)
        difference = float(np.nanmean(sides[1][:, k] - sides[0][:, k]))
        compared = f"correlation {group.correlations[k]:.2f}, gain {group.gains[k]:.2f}"
        if not np.isfinite(group.gains[k]):
            compared = f"not compared, off by {difference:.2f}"
        panel = Panel(
            (_LEFT / 2 + column * (width + _GAP), 30 + row * (height + 44), width, height),
            _span(x),
            (0, 1.05 * top),
            x_label=" ",
            title=(in_words(shot.coefficients[shown[k]]), compared),
            named=column == 0,
        )
        for values, colour in zip(sides, (PLATE, COMPOSITE), strict=True):
            panel.line(x, values[:, k], colour)
        panels.append(panel)
    return _svg(f"{group.group}{face.track}", 30 + rows * (height + 44) - 24, *panels)


def coverage(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Share of the picture under the matte, per frame."""
    panel = _single(shot, "% of the picture", _top(curves.coverage), 151)
    panel.area(_numbers(shot), curves.coverage, PLATE)
    panel.line(_numbers(shot), curves.coverage, PLATE)
    return _svg("coverage", 151, panel)


def flicker(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Flicker of plate and composite, per frame."""
    sides = curves.flicker_composite, curves.flicker_plate
    panel = _single(shot, "second difference (of 255)", _top(*sides), 187)
    for values, colour, label in zip(sides, (COMPOSITE, PLATE), ("composite", "plate"), strict=True):
        panel.line(_numbers(shot), values, colour, label, width=0.9)
    return _svg("flicker", 187, panel)


def outside(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Largest change of a code value outside the matte, per frame."""
    panel = _single(shot, "code values", _top(curves.outside), 115)
    panel.line(_numbers(shot), curves.outside, BAD, steps=True)
    return _svg("outside", 115, panel)


def _single(shot: MeasuredShot, label: str, top: float, height: float) -> Panel:
    box = (_LEFT, 18, _WIDTH - _LEFT - 6, height - 18 - _BOTTOM)
    return _mark_cuts(Panel(box, _span(_numbers(shot)), (0, 1.05 * top or 1), label, x_label="frame"), shot)


def _mark_cuts(panel: Panel, shot: MeasuredShot) -> Panel:
    for cut in shot.faces.cuts:
        panel.mark(shot.first + cut - shot.faces.first - 0.5, INK)
    return panel


def _numbers(shot: MeasuredShot) -> Float:
    return np.asarray(shot.first + np.arange(len(shot.coverage)), np.float32)


def _span(x: Float) -> tuple[float, float]:
    """The frames as the range of an axis, half a frame more at both ends."""
    return float(x[0]) - 0.5, float(x[-1]) + 0.5


def _top(*values: Float) -> float:
    known = np.concatenate([v[np.isfinite(v)] for v in values])
    return float(known.max(initial=0))


def _range(*values: Float) -> tuple[float, float]:
    """The range of an axis that holds all values with some room."""
    known = np.concatenate([v[np.isfinite(v)] for v in values]).astype(np.float64)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = 0.05 * (high - low) or max(0.05 * abs(high), 0.05)
    return low - room, high + room


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers in a range, about so many: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count or 1.0
    power = 10.0 ** floor(log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= 0.99 * rough)
    return [round(i * step, 10) for i in range(ceil(low / step), floor(high / step) + 1)]


def _runs(where: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of true values as (first, one behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _svg(name: str, height: float, *panels: Panel) -> str:
    drawn = "".join(panel.svg() for panel in panels)
    return f'<svg class="plot" role="img" aria-label="{escape(name)}" viewBox="0 0 {_WIDTH} {height:g}">{drawn}</svg>'
