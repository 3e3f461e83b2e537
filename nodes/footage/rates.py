"""The exact rate of a clip from the time stamps of its pictures, or the refusal of a variable one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.command_line import command_line
from nodes.errors import FootageError
from nodes.types import Int

STANDARD = tuple(
    Fraction(n * 1000, 1001) if ntsc else Fraction(n)
    for n in (24, 25, 30, 48, 50, 60, 12, 15, 8, 10, 100, 120, 144, 200, 240)
    for ntsc in ((False, True) if n in (24, 30, 48, 60, 120, 240) else (False,))
)
DEFAULT = Fraction(24)
_SNAP = Fraction(2, 10_000)  # 23.98 is 1.7e-4 off 24000/1001, and 24 is 1e-3 off


@lru_cache(maxsize=1024)
def snap_rate(rate: float | Fraction) -> Fraction:
    """Return the exact rate, in frames per second, that a writer's spelling stands for: 23.976, 23.98 and 23.976023976 are 24000/1001.

    Raises ValueError for what is no rate: not finite, zero, negative.
    """
    if not math.isfinite(rate) or not 0 < rate <= 1_000_000:
        raise ValueError(f"a rate of {float(rate):g} frames per second is none")
    found = Fraction(rate)
    whole = round(found * Fraction(1001, 1000))
    broadcast = Fraction(whole * 1000, 1001)
    if whole and (whole % 12 == 0 or whole % 15 == 0) and abs(found / broadcast - 1) <= _SNAP:
        return broadcast
    near = found.limit_denominator(1001)
    return near if near and abs(near - found) <= Fraction(1, 10**6) * found else found


def exact_rate(pts: Int, time_base: Fraction, declared: Iterable[Fraction | None], path: Path) -> Fraction:
    """Return the constant rate in frames per second that explains the time stamps.

    pts: int64 [N], ascending, in `time_base` seconds. declared: what the container claims. Time stamps may differ from the
    exact rate by the rounding of their time base only. Raises FootageError for a variable rate, with the frame at which it
    changes.
    """
    claims = [r for r in declared if r]
    if len(pts) < 2:
        return next(iter(claims), DEFAULT)
    mean = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * time_base) if pts[-1] > pts[0] else DEFAULT
    steps = np.diff(pts)
    if (steps == steps[0]).all():
        exact = 1 / (int(steps[0]) * time_base)
        if exact in claims or (len(pts) > 2 and exact in STANDARD):
            return exact
    # A short clip in a coarse time base fits several rates; then the one that its file declares is meant.
    said = [rate for rate in map(snap_rate, claims) if rate in STANDARD]
    near = sorted((r for r in STANDARD if abs(r / mean - 1) < Fraction(1, 20)), key=lambda r: abs(r - mean))
    for rate in (*said, *near, *claims, mean.limit_denominator(1001), mean):
        if _explains(rate, pts, time_base):
            return rate
    typical = 1 / (Fraction(float(np.median(steps))) * time_base)
    usual = min(STANDARD, key=lambda r: abs(r - typical))
    words = ("-fps_mode", "cfr", "-r", str(usual), "-c:v", "ffv1", "-c:a", "copy", f"{path.with_suffix('')}_cfr.mkv")
    raise FootageError(
        f"the frame rate varies (about {float(mean):.3f} frames/s on average)",
        file=path,
        frame=_first_irregular(steps),
        remedy=f"Conform it to a constant rate first: {command_line('ffmpeg', '-i', str(path), *words)}",
    )


def _explains(rate: Fraction, pts: Int, time_base: Fraction) -> bool:
    """Tell whether rounding to the time base (twice, for remuxed files) is all that sets the time stamps off the rate."""
    step = 1 / (rate * time_base)
    residual = (pts - pts[0]).astype(np.float64) - np.arange(len(pts)) * float(step)
    return float(np.ptp(residual)) <= min(2.0, 0.4 * float(step)) + 1e-6 * len(pts)


def _first_irregular(steps: Int) -> int:
    usual = np.median(steps)
    return int(np.argmax(np.abs(steps - usual) > max(1.0, 0.1 * usual))) + 1
