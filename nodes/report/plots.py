"""The curves of a report as inline SVG, by matplotlib: no window is opened, text is left as text so that the page's font is used."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from nodes.report.expression import Following, in_words
from nodes.report.frames import Curves
from nodes.report.gather import Gathered, Replacement
from nodes.types import Float

PLATE, COMPOSITE, BAR, BAD, INK, GRID = "#8fa3b8", "#f0a35e", "#6fbf8b", "#e06c6c", "#b9bdc3", "#34383e"
# What the page calls these colours, which are others on white paper.
_NAMES = {PLATE: "plate", COMPOSITE: "composite", BAR: "pass", BAD: "fail", INK: "soft", GRID: "line"}
_WIDTH = 10.4
_COLUMNS, _ROWS = 4, 2  # of the plots of a group
_FAINT = 0.02  # strength up to which a curve is not worth a plot
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.005,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def detections(shot: Gathered) -> str:
    """Faces per frame and their scores; frames on which plate or composite has none are marked."""
    with mpl.rc_context(_STYLE):
        canvas = Canvas((_WIDTH, 3.1), layout="constrained")
        faces, scores = canvas.subplots(2, 1, sharex=True, height_ratios=[1, 1.4])
        x = _numbers(shot)
        faces.step(x, shot.faces_plate, where="mid", color=PLATE, label="plate")
        faces.step(x, shot.faces_composite, where="mid", color=COMPOSITE, linestyle=(0, (4, 2)), label="composite")
        top = max(int(shot.faces_plate.max(initial=0)), int(shot.faces_composite.max(initial=0)), 1)
        faces.set(ylabel="faces", ylim=(-0.2, top + 0.4), yticks=range(0, top + 1, max(top // 3, 1)))
        for face in shot.replaced:
            at = x[face.frames]
            for values, colour in ((face.plate_score, PLATE), (face.composite_score, COMPOSITE)):
                scores.plot(at, np.where(values > 0, values, np.nan), color=colour, **_dots(at))
        scores.set(ylabel="score", xlabel="frame", ylim=(0, 1.05))
        for counts, colour in ((shot.faces_plate, PLATE), (shot.faces_composite, BAD)):
            _mark(faces, shot.first, counts == 0, colour)
        _mark_cuts((faces, scores), shot)
        _legend(faces)
        return _svg(canvas, "detections")


def transforms(shot: Gathered, face: Replacement) -> str:
    """Position, scale and rotation before and after smoothing, and beside each what smoothing took out."""
    with mpl.rc_context(_STYLE):
        canvas = Canvas((_WIDTH, 6.2), layout="constrained")
        grid = canvas.subplots(4, 2, sharex=True, width_ratios=[2, 1])
        x = _numbers(shot)[face.frames]
        rows = (("x", 2, 1.0, "px"), ("y", 3, 1.0, "px"), ("scale", 0, 1.0, "px"), ("rotation", 1, 180 / np.pi, "°"))
        for (name, column, factor, unit), (curve, residual) in zip(rows, grid, strict=True):
            raw, smoothed = factor * face.raw[:, column], factor * face.smoothed[:, column]
            curve.plot(x, raw, color=PLATE, linewidth=1, label="as found", **_dots(x))
            curve.plot(x, smoothed, color=COMPOSITE, label="smoothed")
            curve.set(ylabel=f"{name} ({unit})")
            residual.plot(x, raw - smoothed, color=INK, linewidth=0.7, **_dots(x))
            residual.axhline(0, color=GRID)
        grid[0][0].set_title(f"{shot.subject.name} {face.track}")
        grid[0][1].set_title("as found − smoothed")
        for axes in grid[-1]:
            axes.set_xlabel("frame")
        _legend(grid[0][0])
        return _svg(canvas, f"transforms{face.track}")


def landmark_error(shot: Gathered, curves: Curves, bar: float) -> str:
    """Landmark error per frame, its median, and the bar that the median has to keep."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _single(shot, "%")
        axes.plot(_numbers(shot), curves.error, color=COMPOSITE, **_dots(curves.error))
        known = curves.error[np.isfinite(curves.error)]
        if len(known):
            axes.axhline(float(np.median(known)), color=INK, linestyle=":", label=f"median {np.median(known):.2f} %")
        axes.axhline(bar, color=BAR, linestyle="--", label=f"bar for the median {bar:g} %")
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(canvas, "landmarks")


def expression(shot: Gathered, face: Replacement, group: Following) -> str:
    """The strongest curves of a group of coefficients, composite over plate, each in a small plot of its own; empty if none moves."""
    rows = _ROWS if len(group.members) > _ROWS * _COLUMNS else 1
    count = min(rows * _COLUMNS, int((group.strengths > _FAINT).sum()))
    if not count:
        return ""
    shown = group.members[:count]
    sides = [side[:, shown] for side in (face.plate_coefficients, face.composite_coefficients)]
    top = max(float(np.nanmax(np.concatenate(sides))), 0.3)
    rows = -(-count // _COLUMNS)
    with mpl.rc_context(_STYLE):
        canvas = Canvas((_WIDTH, 0.2 + 1.45 * rows), layout="constrained")
        grid = canvas.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
        x = _numbers(shot)[face.frames]
        for k, axes in zip(range(count), grid.flat, strict=False):
            for values, colour in zip(sides, (PLATE, COMPOSITE), strict=True):
                axes.plot(x, values[:, k], color=colour, **_dots(x))
            follows = f"correlation {group.correlations[k]:.2f}, gain {group.gains[k]:.2f}"
            off = float(np.nanmean(sides[1][:, k] - sides[0][:, k]))
            said = follows if np.isfinite(group.gains[k]) else f"not compared, off by {off:.2f}"
            axes.set(title=f"{in_words(shot.coefficients[shown[k]])}\n{said}", ylim=(0, 1.05 * top))
        for axes in grid.flat[count:]:
            axes.set_axis_off()
        return _svg(canvas, f"{group.group}{face.track}")


def coverage(shot: Gathered, curves: Curves) -> str:
    """Share of the picture under the matte, per frame."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _single(shot, "% of the picture")
        x = _numbers(shot)
        axes.fill_between(x, 0, curves.coverage, color=PLATE, alpha=0.25, linewidth=0)
        axes.plot(x, curves.coverage, color=PLATE, **_dots(x))
        axes.set_ylim(bottom=0)
        return _svg(canvas, "coverage")


def flicker(shot: Gathered, curves: Curves) -> str:
    """Flicker of plate and composite, per frame."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _single(shot, "second difference (of 255)", 2.6)
        x = _numbers(shot)
        axes.plot(x, curves.flicker_composite, color=COMPOSITE, linewidth=0.9, label="composite", **_dots(x))
        axes.plot(x, curves.flicker_plate, color=PLATE, linewidth=0.9, label="plate", **_dots(x))
        axes.set_ylim(bottom=0)
        _legend(axes)
        return _svg(canvas, "flicker")


def outside(shot: Gathered, curves: Curves) -> str:
    """Largest change of a code value outside the matte, per frame."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _single(shot, "code values", 1.6)
        axes.step(_numbers(shot), curves.outside, where="mid", color=BAD)
        axes.set_ylim(bottom=0)
        return _svg(canvas, "outside")


def _single(shot: Gathered, label: str, height: float = 2.1) -> tuple[Canvas, Axes]:
    canvas = Canvas((_WIDTH, height), layout="constrained")
    axes = canvas.subplots()
    axes.set(ylabel=label, xlabel="frame")
    _mark_cuts((axes,), shot)
    return canvas, axes


def _numbers(shot: Gathered) -> Float:
    return np.asarray(shot.first + np.arange(len(shot.coverage)), np.float32)


def _dots(values: Float) -> dict[str, Any]:
    """A line through a handful of values, or with holes all around, does not show: set dots."""
    return {"marker": "."} if len(values) < 40 else {}


def _mark(axes: Axes, first: int, where: np.ndarray, colour: str) -> None:
    """Shade runs of frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    for start, end in edges.reshape(-1, 2):
        axes.axvspan(first + start - 0.5, first + end - 0.5, color=colour, alpha=0.35, linewidth=0)


def _mark_cuts(all_axes: Sequence[Axes], shot: Gathered) -> None:
    for axes in all_axes:
        for cut in shot.faces.cuts:
            axes.axvline(shot.first + cut - shot.faces.first - 0.5, color=INK, linestyle="-.", linewidth=0.8)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=4, borderpad=0, handlelength=1.6)


def _svg(canvas: Canvas, name: str) -> str:
    """Write a figure as an SVG element that stands in a page and has its colours: no prologue, no metadata, no namespaces, names of its own."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()[out.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'^<svg width="[^"]*" height="[^"]*"', f'<svg class="plot" role="img" aria-label="{name}"', svg)
    svg = re.sub("|".join(_NAMES), lambda colour: f"var(--{_NAMES[colour[0]]})", svg)
    # Names of groups (figure_1, axes_1) repeat from plot to plot and are not referred to.
    return re.sub(r'<g id="[^"]*"', "<g", svg).strip()
