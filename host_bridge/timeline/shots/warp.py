"""Time as it runs inside a clip: offsets and speeds, exact, and the curves of speed ramps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from host_bridge.timeline.read.model import exact

Step = Callable[[Fraction], Fraction]
Number = float | Fraction


@dataclass(frozen=True, slots=True)
class Affine:
    """t becomes scale · t + offset, in seconds."""

    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def __call__(self, t: Fraction) -> Fraction:
        """Map a time."""
        return self.scale * t + self.offset


@dataclass(frozen=True, slots=True)
class Warp:
    """Steps, one after the other. `affine` is what they come to where all are affine."""

    steps: tuple[Step, ...] = (Affine(),)

    def then(self, step: Step) -> Warp:
        """The same with one more step at its end."""
        last = self.steps[-1]
        if isinstance(step, Affine) and isinstance(last, Affine):
            return Warp((*self.steps[:-1], Affine(step.scale * last.scale, step(last.offset))))
        return Warp((*self.steps, step))

    @property
    def affine(self) -> Affine | None:
        """All of it as one speed and offset; None where there is a curve in it."""
        return self.steps[0] if len(self.steps) == 1 and isinstance(self.steps[0], Affine) else None

    def __call__(self, t: Fraction) -> Fraction:
        """Map a time."""
        for step in self.steps:
            t = step(t)
        return t


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a speed ramp: at `record` seconds `source` seconds are shown. before, after: ends of its tangents, from it."""

    record: Number
    source: Number
    before: tuple[Number, Number] = (0.0, 0.0)
    after: tuple[Number, Number] = (0.0, 0.0)


class Curve:
    """A speed ramp: keys, straight between them or along cubic Bézier curves; before and behind them the speed stays."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = sorted(keys, key=lambda key: key.record)

    def __call__(self, t: Fraction) -> Fraction:
        """The source second at a record second."""
        a, b = next(((a, b) for a, b in pairwise(self.keys) if t < exact(b.record)), (self.keys[-2], self.keys[-1]))
        inside = self.keys[0].record <= t <= self.keys[-1].record
        if not inside or not any((*a.after, *b.before)):
            slope = (exact(b.source) - exact(a.source)) / (exact(b.record) - exact(a.record))
            return exact(a.source) + slope * (t - exact(a.record))
        xs = (a.record, a.record + a.after[0], b.record + b.before[0], b.record)
        ys = (a.source, a.source + a.after[1], b.source + b.before[1], b.source)
        return Fraction(_bezier(ys, _solve(lambda u: _bezier(xs, u), float(t))))

    def inverse(self, source: Fraction) -> Fraction:
        """The first record second at which a source second is shown; beyond the keys, as the speed there has it."""
        for a, b in pairwise(self.keys):
            low, high = sorted((a.source, b.source))
            if low <= source <= high and low < high:
                if not any((*a.after, *b.before)):
                    slope = (exact(b.record) - exact(a.record)) / (exact(b.source) - exact(a.source))
                    return exact(a.record) + slope * (source - exact(a.source))
                sign = 1 if b.source > a.source else -1
                width = exact(b.record) - exact(a.record)
                found = _solve(
                    lambda u, a=a, width=width, sign=sign: sign * float(self(exact(a.record) + width * Fraction(u))),  # type: ignore[misc]
                    sign * float(source),
                )
                return exact(a.record) + width * Fraction(found)
        a, b = (self.keys[0], self.keys[1]) if source < self.keys[0].source else (self.keys[-2], self.keys[-1])
        if a.source == b.source:
            return exact(a.record)
        slope = (exact(b.record) - exact(a.record)) / (exact(b.source) - exact(a.source))
        return exact(a.record) + slope * (source - exact(a.source))


def _bezier(p: tuple[Number, ...], u: float) -> float:
    v, (a, b, c, d) = 1 - u, map(float, p)
    return v**3 * a + 3 * v**2 * u * b + 3 * v * u**2 * c + u**3 * d


def _solve(rising: Callable[[float], float], value: float) -> float:
    """Where in 0..1 a rising function has a value, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return (low + high) / 2
