"""Retiming of items: exact offsets and speeds, curves of speed ramps, and the frames that they show.

Frame k of the sequence begins at k / rate and shows the frame of the media whose beginning is nearest, as
Resolve does for the first frame of a clip; a tie goes to the earlier, so that half speed shows each frame twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import opentimelineio as otio

from host_bridge.timeline.read.model import REMEDY, MapKey, block_of, exact, keys_in, nearest
from host_bridge.timeline.shots.shot import Media
from nodes.errors import SchemaError

Step = Callable[[Fraction], Fraction]
Number = float | Fraction


# --- warps ---


@dataclass(frozen=True, slots=True)
class Affine:
    """The map of t to scale · t + offset, in seconds."""

    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def __call__(self, t: Fraction) -> Fraction:
        """Map a time."""
        return self.scale * t + self.offset


@dataclass(frozen=True, slots=True)
class Warp:
    """A chain of steps. affine: their composition if all are affine, else None."""

    steps: tuple[Step, ...] = (Affine(),)

    def then(self, *steps: Step) -> Warp:
        """Return a warp with more steps at its end."""
        *before, last = self.steps
        for step in steps:
            if isinstance(step, Affine) and isinstance(last, Affine):
                last = Affine(step.scale * last.scale, step(last.offset))
            else:
                before, last = [*before, last], step
        return Warp((*before, last))

    @property
    def affine(self) -> Affine | None:
        """All steps as one speed and offset; None if one is a curve."""
        return self.steps[0] if len(self.steps) == 1 and isinstance(self.steps[0], Affine) else None

    def __call__(self, t: Fraction) -> Fraction:
        """Map a time."""
        for step in self.steps:
            t = step(t)
        return t


@dataclass(frozen=True, slots=True)
class RampKey:
    """A key of a speed ramp: at `record` seconds `source` seconds are shown. before, after: ends of its tangents, from it."""

    record: Number
    source: Number
    before: tuple[Number, Number] = (0.0, 0.0)
    after: tuple[Number, Number] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """A speed ramp: keys in the order of their record, joined by lines or cubic Bézier curves; beyond them the speed stays."""

    keys: Sequence[RampKey]

    def __call__(self, t: Fraction) -> Fraction:
        """Return the source second at a record second."""
        a, b = next(((a, b) for a, b in pairwise(self.keys) if t < exact(b.record)), (self.keys[-2], self.keys[-1]))
        inside = self.keys[0].record <= t <= self.keys[-1].record
        if not inside or not any((*a.after, *b.before)):
            return _on_line((a.record, a.source), (b.record, b.source), t)
        xs = (a.record, a.record + a.after[0], b.record + b.before[0], b.record)
        ys = (a.source, a.source + a.after[1], b.source + b.before[1], b.source)
        return Fraction(_bezier(ys, _solve(lambda u: _bezier(xs, u), float(t))))

    def inverse(self, source: Fraction) -> Fraction:
        """Return the first record second that shows a source second; beyond the keys, by the speed there."""
        beyond = self.keys[:2] if source < self.keys[0].source else self.keys[-2:]
        holding = (pair for pair in pairwise(self.keys) if _is_between(source, *pair))
        a, b = next(holding, beyond)
        if a.source == b.source:
            return exact(a.record)
        if not any((*a.after, *b.before)) or not _is_between(source, a, b):
            return _on_line((a.source, a.record), (b.source, b.record), source)
        sign, start = (1 if b.source > a.source else -1), exact(a.record)
        width = exact(b.record) - start
        return start + width * Fraction(
            _solve(lambda u: sign * float(self(start + width * Fraction(u))), sign * float(source))
        )


def _is_between(source: Fraction, a: RampKey, b: RampKey) -> bool:
    return a.source != b.source and min(a.source, b.source) <= source <= max(a.source, b.source)


def _on_line(a: tuple[Number, Number], b: tuple[Number, Number], x: Fraction) -> Fraction:
    """Return y at x on the line through two points (x, y)."""
    (ax, ay), (bx, by) = map(exact, a), map(exact, b)
    return ay + (by - ay) / (bx - ax) * (x - ax)


def _bezier(p: tuple[Number, ...], u: float) -> float:
    v, (a, b, c, d) = 1 - u, map(float, p)
    return v**3 * a + 3 * v**2 * u * b + 3 * v * u**2 * c + u**3 * d


def _solve(rising: Callable[[float], float], value: float) -> float:
    """Find the argument in 0..1 at which a rising function has a value, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2


# --- the speeds of items ---


def speed_of(
    item: Any, start: Fraction, length: Fraction, frame: Fraction, available: tuple[Fraction, Fraction | None]
) -> tuple[list[Step], list[str]]:
    """Return the steps from seconds since an item's first record frame to seconds of its source, and notes on what is ignored.

    start: of the source range; length: of the record; frame: of the sequence; available: where the source begins and how long
    it is, all in seconds. A reversed item plays the part of the source after `start` from its end, unless only the
    part before `start` exists: writers differ.
    """
    notes: list[str] = []
    scale, curve = Fraction(1), None
    for effect in item.effects:
        if not getattr(effect, "enabled", True) or not isinstance(effect, otio.schema.TimeEffect):
            continue
        if isinstance(effect, otio.schema.LinearTimeWarp):
            try:
                scale *= exact(effect.time_scalar)
            except ValueError as e:
                what = f"item '{item.name}' plays at a speed of {effect.time_scalar}"
                raise SchemaError(what, remedy=REMEDY) from e
        elif map_keys := keys_in(effect):
            return [Affine(scale), _mapped_curve(map_keys, frame)], notes
        elif keys := keys_of(effect):
            curve = Curve(keys)
        else:
            notes.append(f"time effect '{effect.name or effect.effect_name or 'without a name'}' is not followed")
    origin, whole = available
    if curve is not None:
        if start != origin:
            notes.append("speed ramp of a trimmed clip: its first frame is taken from the source range")
        return [Affine(scale, curve.inverse(start - origin)), curve, Affine(offset=origin)], notes
    if scale >= 0:
        return [Affine(scale, start)], notes
    part, half = -scale * length, frame / 2
    first = start + part + scale * frame
    if whole is not None and start + part > origin + whole + half and start - part >= origin - half:
        first = start
        notes.append("reversed, and taken to begin at its source range's start: what follows that is not there")
    return [Affine(scale, first)], notes


def _mapped_curve(keys: Sequence[MapKey], frame: Fraction) -> Curve:
    """Return exact keys as a curve from seconds of record to seconds of source. frame: of the sequence, in seconds.

    On a falling line, a frame shows the source at its end, as in a reversed item. An eased key becomes the parabola between the lines.
    """
    ramp: list[RampKey] = []
    for i, (a, b) in enumerate(pairwise(keys)):
        slope, half = (b.source - a.source) / (b.record - a.record), (b.record - a.record) / 2
        back = min(slope, Fraction(0)) * frame
        after = min(a.after, half) if i else Fraction(0)
        before = min(b.before, half) if i < len(keys) - 2 else Fraction(0)
        begin = RampKey(a.record + after, a.source + slope * after + back)
        if after and ramp:
            ramp[-1] = replace(ramp[-1], after=_tangent(ramp[-1], a, back))
            begin = replace(begin, before=_tangent(begin, a, back))
        ramp += [begin, RampKey(b.record - before, b.source - slope * before + back)]
    return Curve(ramp)


def _tangent(end: RampKey, corner: MapKey, back: Fraction) -> tuple[Fraction, Fraction]:
    """Return two thirds of the way from the end of an eased part to its corner: the tangent of a cubic equal to the parabola."""
    return (corner.record - exact(end.record)) * 2 / 3, (corner.source + back - exact(end.source)) * 2 / 3


def keys_of(effect: Any) -> Sequence[RampKey]:
    """Return the keys of a speed ramp as Resolve writes them: [record s, source s, smooth, before x, y, after x, y] each.

    Seconds count from the begin of the media. Empty if fewer than two are usable. Resolve ignores
    tangents on the first and the last key.
    """
    rows = block_of(effect, "Resolve_OTIO").get("Key Frames")
    if rows is None or isinstance(rows, str) or not hasattr(rows, "__len__"):
        return []
    keys = []
    for row in rows:
        try:
            values = [float(v) for v in row]
        except (TypeError, ValueError):
            return []
        if len(values) < 2 or not all(math.isfinite(v) and abs(v) < 1e9 for v in values):
            return []
        record, source, smooth, *tangents = values + [0.0] * (7 - len(values))
        before, after = ((tangents[0], tangents[1]), (tangents[2], tangents[3])) if smooth else ((0.0, 0.0), (0.0, 0.0))
        keys.append(RampKey(record, source, before, after))
    keys.sort(key=lambda key: key.record)
    if len(keys) < 2 or any(exact(a.record) == exact(b.record) for a, b in pairwise(keys)):
        return []
    return [RampKey(keys[0].record, keys[0].source), *keys[1:-1], RampKey(keys[-1].record, keys[-1].source)]


# --- the frames that are shown ---


def positions(
    warp: Warp, record: tuple[int, int], rate: Fraction, media: Media, origin: Fraction
) -> tuple[Sequence[int], int]:
    """Return a position in the media for each record frame (first, count), and how many lay outside.

    warp: from seconds of the sequence to seconds as the document counts the media, which begin at `origin`. Constant whole
    speeds give a `range`, all else a tuple.
    """
    frames = _frames_through(warp, record, rate, media.rate, origin)
    low, high = (frames[0], frames[-1]) if warp.affine else (min(frames), max(frames))
    if min(low, high) >= 0 and (media.frames is None or max(low, high) < media.frames):
        return frames, 0
    held = tuple(media.clamp(p) for p in frames)
    return held, sum(a != b for a, b in zip(held, frames, strict=True))


def _frames_through(
    warp: Warp, record: tuple[int, int], rate: Fraction, into: Fraction, origin: Fraction = Fraction(0)
) -> Sequence[int]:
    """Map record frames (first, count) to frames at the rate `into`, counted from `origin`."""
    first, count = record
    affine = warp.affine
    if affine is None:
        return tuple(nearest((warp(Fraction(first + i) / rate) - origin) * into) for i in range(count))
    step = affine.scale * into / rate
    start = (affine.offset - origin) * into + step * first
    if step.denominator == 1 and step:
        begin = nearest(start)
        return range(begin, begin + int(step) * count, int(step))
    # As whole numbers over one denominator, which is much faster than fractions: nearest() of (a + b i) / d.
    d = start.denominator * step.denominator
    a, b = start.numerator * step.denominator, step.numerator * start.denominator
    return tuple(-((d - 2 * (a + b * i)) // (2 * d)) for i in range(count))


@dataclass(frozen=True)
class View:
    """The visible part of a track, stack or compound clip. record: its frames of the sequence, (first, count); warp: from their seconds to those inside."""

    warp: Warp
    record: tuple[int, int]
    rate: Fraction

    def shifted(self, start: Fraction) -> View:
        """Return a view whose time inside begins at `start`."""
        return View(self.warp.then(Affine(offset=start)), self.record, self.rate)

    def window(self, first: int, end: int) -> tuple[int, int]:
        """Return the frames of the sequence that show frames first..end - 1 inside, as (first, count)."""
        begin, count = self.record
        if self._shift is not None:
            a, b = max(first - self._shift, begin), min(end - self._shift, begin + count)
            return a, max(b - a, 0)
        visible = np.flatnonzero((self._inside >= first) & (self._inside < end))
        return (begin + int(visible[0]), int(visible[-1] - visible[0]) + 1) if len(visible) else (begin, 0)

    @cached_property
    def _shift(self) -> int | None:
        """The offset of the frames inside, if time runs at the same speed there; else None."""
        affine = self.warp.affine
        return nearest(affine.offset * self.rate) if affine is not None and affine.scale == 1 else None

    @cached_property
    def _inside(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(_frames_through(self.warp, self.record, self.rate, self.rate), np.int64)
