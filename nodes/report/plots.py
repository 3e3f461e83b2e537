"""Curves of a report as inline SVG in the page's colours (variables of its style sheet), on screen and on paper."""

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
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 748, 46, 6, 18, 18  # of the picture and around its panels; text is 9 tall
_COLUMNS, _ROWS = 4, 2  # of the plots of a group
_FAINT = 0.02  # strength up to which a curve is not worth a plot
_DOTTED = 40  # values below which a line hardly shows: each gets a dot
_STROKES = {"": "━━", "4 2": "╍╍", "1 2": "┅┅"}  # dashes of a line, and their signs in the legend


class Panel:
    """One pair of axes: a box (left, top, width, height) in the picture, the ranges of its axes, and its drawing."""

    def __init__(
        self,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        label: str = "",
        title: Sequence[str] = (),
    ) -> None:
        self.left, self.top, self.width, self.height = box
        self.base, self.x0, self.y0 = self.top + self.height, x[0], y[0]
        self.per_x, self.per_y = self.width / (x[1] - x[0]), self.height / (y[1] - y[0])
        self.parts: list[str] = []
        self.legend: list[str] = []
        for tick in _ticks(*y, self.height / 24):
            self._stroke(f"M{self.left:g} {self._y(tick):.1f}h{self.width:g}", GRID, 0.6)
            self._text(self.left - 4, self._y(tick) + 3, f"{tick:g}", 'text-anchor="end"')
        for i, tick in enumerate(_ticks(*x, self.width / 70, least=1)):
            self._stroke(f"M{self._x(tick):.1f} {self.top:g}v{self.height:g}", GRID, 0.6)
            self._text(self._x(tick), self.base + 11, f"{tick:g}" if i else f"frame {tick:g}", 'text-anchor="middle"')
        self._stroke(f"M{self.left:g} {self.top:g}v{self.height:g}h{self.width:g}", GRID, 1)
        if label:
            x_label, y_label = self.left - 37, self.top + self.height / 2
            turn = f'text-anchor="middle" transform="rotate(-90 {x_label:g} {y_label:g})"'
            self._text(x_label, y_label, label, turn)
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
        """Draw values over x, interrupted where they are NaN; steps: each from half a step before to half a step after."""
        path, half = "", self.per_x / 2
        for points in self._points(x, y):
            if steps:
                path += "M" + "L".join(f"{px - half:.1f} {py:.1f}h{2 * half:.1f}" for px, py in points)
                continue
            path += "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
            if len(x) < _DOTTED:
                self.parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2" fill="{colour}"/>' for px, py in points]
        self._stroke(path, colour, width, dashes)
        self._name(label, colour, dashes)

    def area(self, x: Float, y: Float, colour: str) -> None:
        """Fill the area between values and the base."""
        for points in self._points(x, y):
            line = "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
            path = f"M{points[0][0]:.1f} {self.base:g}L{line}V{self.base:g}Z"
            self.parts.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.25"/>')

    def level(self, y: float, colour: str, label: str = "", dashes: str = "") -> None:
        """Draw a horizontal line."""
        self._stroke(f"M{self.left:g} {self._y(y):.1f}h{self.width:g}", colour, 1.2, dashes)
        self._name(label, colour, dashes)

    def mark(self, x: float) -> None:
        """Draw a vertical line, as at a cut."""
        self._stroke(f"M{self._x(x):.1f} {self.top:g}v{self.height:g}", INK, 0.8, "6 2 1 2")

    def shade(self, x: Float, where: npt.NDArray[np.bool_], colour: str) -> None:
        """Shade frames."""
        for start, end in _runs(where):
            path = f"M{self._x(x[start] - 0.5):.1f} {self.top:g}h{(end - start) * self.per_x:.1f}v{self.height:g}H{self._x(x[start] - 0.5):.1f}Z"
            self.parts.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.35"/>')

    def svg(self) -> str:
        """Return its SVG, with a legend above the right end."""
        legend = "&#160;&#160;&#160; ".join(self.legend)
        place = f'x="{self.left + self.width:g}" y="{self.top - 4:g}" text-anchor="end"'
        return "".join(self.parts) + (f"<text {place}>{legend}</text>" if legend else "")

    def _x(self, value: float) -> float:
        return self.left + (value - self.x0) * self.per_x

    def _y(self, value: float) -> float:
        return self.base - (value - self.y0) * self.per_y

    def _points(self, x: Float, y: Float) -> Iterator[list[tuple[float, float]]]:
        for start, end in _runs(np.isfinite(y)):
            yield [(self._x(a), self._y(b)) for a, b in zip(x[start:end], y[start:end], strict=True)]

    def _stroke(self, path: str, colour: str, width: float, dashes: str = "") -> None:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>')

    def _text(self, x: float, y: float, words: str, attributes: str = "") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(words)}</text>')

    def _name(self, label: str, colour: str, dashes: str) -> None:
        if label:
            self.legend.append(f'<tspan fill="{colour}">{_STROKES[dashes]}</tspan> {escape(label)}')


def detections(shot: MeasuredShot) -> str:
    """Plot faces per frame and their scores; frames on which plate or composite lacks a face are marked."""
    x, (plate, composite) = _numbers(shot), (shot.faces_plate, shot.faces_composite)
    faces = _panel(shot, 68, (-0.2, max(plate.max(initial=1), composite.max(initial=1)) + 0.4), "faces")
    faces.shade(x, plate == 0, PLATE)
    faces.shade(x, composite == 0, BAD)
    faces.line(x, plate.astype(np.float32), PLATE, "plate", steps=True)
    faces.line(x, composite.astype(np.float32), COMPOSITE, "composite", dashes="4 2", steps=True)
    scores = _panel(shot, 96, (0, 1.05), "score", top=112)
    for face in shot.replaced:
        for values, colour in ((face.plate_score, PLATE), (face.composite_score, COMPOSITE)):
            scores.line(x[face.frames], np.where(values > 0, values, np.float32(np.nan)), colour)
    return _svg("detections", faces, scores)


def transforms(shot: MeasuredShot, face: ReplacedFace) -> str:
    """Plot position, scale and rotation before and after smoothing, and beside each the difference."""
    x = _numbers(shot)[face.frames]
    rows = (("x", 2, 1.0, "px"), ("y", 3, 1.0, "px"), ("scale", 0, 1.0, "px"), ("rotation", 1, 180 / np.pi, "°"))
    wide, panels = 2 * (_WIDTH - 2 * _LEFT - _RIGHT) / 3, []
    for i, (name, column, factor, unit) in enumerate(rows):
        raw, smoothed = np.float32(factor) * face.raw[:, column], np.float32(factor) * face.smoothed[:, column]
        titles = ((f"{shot.subject.name} {face.track}",), ("as found − smoothed",)) if i == 0 else ((), ())
        top = _TOP + 106 * i
        curve = Panel((_LEFT, top, wide, 84), _span(x), _range(raw, smoothed), f"{name} ({unit})", titles[0])
        curve.line(x, raw, PLATE, "" if i else "as found", width=1)
        curve.line(x, smoothed, COMPOSITE, "" if i else "smoothed")
        rest = Panel((2 * _LEFT + wide, top, wide / 2, 84), _span(x), _range(raw - smoothed), "", titles[1])
        rest.level(0, GRID)
        rest.line(x, raw - smoothed, INK, width=0.7)
        panels += [curve, rest]
    return _svg(f"transforms{face.track}", *panels)


def landmark_error(shot: MeasuredShot, curves: FrameCurves, bar: float) -> str:
    """Plot landmark error per frame, its median, and the median's bar."""
    finite = curves.error[np.isfinite(curves.error)]
    panel = _panel(shot, 115, _from_zero(curves.error, np.full(1, bar, np.float32)), "%")
    panel.line(_numbers(shot), curves.error, COMPOSITE)
    if len(finite):
        panel.level(float(np.median(finite)), INK, f"median {np.median(finite):.2f} %", "1 2")
    panel.level(bar, BAR, f"bar for the median {bar:g} %", "4 2")
    return _svg("landmarks", panel)


def expression(shot: MeasuredShot, face: ReplacedFace, group: GroupFit) -> str:
    """Plot the strongest curves of a group of coefficients, composite over plate, each on its own; empty if none moves."""
    rows = _ROWS if len(group.members) > _ROWS * _COLUMNS else 1
    members = group.members[: min(rows * _COLUMNS, int((group.strengths > _FAINT).sum()))]
    sides = [side[:, members] for side in (face.plate_coefficients, face.composite_coefficients)]
    x, top = _numbers(shot)[face.frames], max(_from_zero(*sides)[1], 0.3)
    width, panels = (_WIDTH - _RIGHT) / _COLUMNS - 28, []
    for k, member in enumerate(members):
        row, column = divmod(k, _COLUMNS)
        compared = f"correlation {group.correlations[k]:.2f}, gain {group.gains[k]:.2f}"
        if not np.isfinite(group.gains[k]):
            compared = f"not compared, off by {np.nanmean(sides[1][:, k] - sides[0][:, k]):.2f}"
        box = 28 + column * (width + 28), 30 + row * 108, width, 64
        panel = Panel(box, _span(x), (0, top), title=(in_words(shot.coefficients[member]), compared))
        for values, colour in zip(sides, (PLATE, COMPOSITE), strict=True):
            panel.line(x, values[:, k], colour)
        panels.append(panel)
    return _svg(f"{group.group}{face.track}", *panels) if panels else ""


def coverage(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Plot the share of the picture under the matte, per frame."""
    panel = _panel(shot, 115, _from_zero(curves.coverage), "% of the picture")
    panel.area(_numbers(shot), curves.coverage, PLATE)
    panel.line(_numbers(shot), curves.coverage, PLATE)
    return _svg("coverage", panel)


def flicker(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Plot flicker of plate and composite, per frame."""
    panel = _panel(shot, 151, _from_zero(curves.flicker_composite, curves.flicker_plate), "second difference (of 255)")
    panel.line(_numbers(shot), curves.flicker_composite, COMPOSITE, "composite", width=0.9)
    panel.line(_numbers(shot), curves.flicker_plate, PLATE, "plate", width=0.9)
    return _svg("flicker", panel)


def outside(shot: MeasuredShot, curves: FrameCurves) -> str:
    """Plot the largest change of a code value outside the matte, per frame."""
    panel = _panel(shot, 79, _from_zero(curves.outside), "code values")
    panel.line(_numbers(shot), curves.outside, BAD, steps=True)
    return _svg("outside", panel)


def _panel(shot: MeasuredShot, height: float, y: tuple[float, float], label: str, top: float = _TOP) -> Panel:
    """Make a panel over the whole width and all frames, with the cuts."""
    panel = Panel((_LEFT, top, _WIDTH - _LEFT - _RIGHT, height), _span(_numbers(shot)), y, label)
    for cut in shot.faces.cuts:
        panel.mark(shot.first + cut - shot.faces.first - 0.5)
    return panel


def _numbers(shot: MeasuredShot) -> Float:
    return np.asarray(shot.first + np.arange(len(shot.coverage)), np.float32)


def _span(x: Float) -> tuple[float, float]:
    return float(x[0]) - 0.5, float(x[-1]) + 0.5


def _from_zero(*values: Float) -> tuple[float, float]:
    """Return the range of an axis from 0 to the largest value and a little more."""
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    return 0.0, 1.05 * float(finite.max(initial=0)) or 1.0


def _range(*values: Float) -> tuple[float, float]:
    finite = np.concatenate([v[np.isfinite(v)] for v in values]).astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = 0.05 * (high - low) or max(0.05 * abs(high), 0.05)
    return low - room, high + room


def _ticks(low: float, high: float, count: float, least: float = 0) -> list[float]:
    """List about `count` round numbers in a range: multiples of 1, 2 or 5 times a power of ten, at least `least` apart."""
    rough = (high - low) / max(round(count), 2)
    power = 10.0 ** floor(log10(rough))
    step = max(next(s * power for s in (1, 2, 5, 10) if s * power >= 0.99 * rough), least)
    return [round(i * step, 10) for i in range(ceil(low / step), floor(high / step) + 1)]


def _runs(where: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List runs of true values as (first, one behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _svg(name: str, *panels: Panel) -> str:
    height = max(panel.base for panel in panels) + _BOTTOM
    content = "".join(panel.svg() for panel in panels)
    return f'<svg class="plot" role="img" aria-label="{escape(name)}" viewBox="0 0 {_WIDTH} {height:g}">{content}</svg>'
