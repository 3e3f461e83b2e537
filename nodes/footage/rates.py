"""Frame rates and timecode: the exact rate of a clip from its time stamps, and SMPTE ST 12-1 labels of frame numbers, drop-frame too."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from nodes.errors import FootageError
from nodes.text import command_line
from nodes.types import Int

STANDARD = tuple(
    Fraction(n * 1000, 1001) if ntsc else Fraction(n)
    for n in (24, 25, 30, 48, 50, 60, 12, 15, 8, 10, 100, 120, 144, 200, 240)
    for ntsc in ((False, True) if n in (24, 30, 48, 60, 120, 240) else (False,))
)
DEFAULT = Fraction(24)
LABEL = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})([:;.,])(\d{2,3})$")
_SNAP = Fraction(2, 10_000)  # 23.98 is 1.7e-4 off 24000/1001, and 24 is 1e-3 off


@lru_cache(maxsize=1024)
def snap_rate(rate: float | Fraction) -> Fraction:
    """Return the exact rate, in frames per second, of a rounded one: 23.976, 23.98 and 23.976023976 are 24000/1001.

    Raises ValueError for a rate that is not finite, zero or negative.
    """
    if not math.isfinite(rate) or not 0 < rate <= 1_000_000:
        raise ValueError(f"{float(rate):g} is not a valid frame rate")
    exact = Fraction(rate)
    whole = round(exact * Fraction(1001, 1000))
    broadcast = Fraction(whole * 1000, 1001)
    if whole and (whole % 12 == 0 or whole % 15 == 0) and abs(exact / broadcast - 1) <= _SNAP:
        return broadcast
    near = exact.limit_denominator(1001)
    return near if near and abs(near - exact) <= Fraction(1, 10**6) * exact else exact


def exact_rate(pts: Int, time_base: Fraction, declared: Iterable[Fraction | None], path: Path) -> Fraction:
    """Return the constant rate in frames per second that explains the time stamps.

    pts: int64 [N], ascending, in `time_base` seconds. declared: the container's own rates. Time stamps may differ from the
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
    # A short clip in a coarse time base fits several rates; the declared one takes precedence.
    declared_standard = [rate for rate in map(snap_rate, claims) if rate in STANDARD]
    near = sorted((r for r in STANDARD if abs(r / mean - 1) < Fraction(1, 20)), key=lambda r: abs(r - mean))
    for rate in (*declared_standard, *near, *claims, mean.limit_denominator(1001), mean):
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
    """Tell whether the time stamps differ from the rate by rounding to the time base alone (twice, for remuxed files)."""
    step = 1 / (rate * time_base)
    residual = (pts - pts[0]).astype(np.float64) - np.arange(len(pts)) * float(step)
    return float(np.ptp(residual)) <= min(2.0, 0.4 * float(step)) + 1e-6 * len(pts)


def _first_irregular(steps: Int) -> int:
    usual = np.median(steps)
    return int(np.argmax(np.abs(steps - usual) > max(1.0, 0.1 * usual))) + 1


def timecode_of(number: int, rate: Fraction, *, drop: bool = False) -> str:
    """Return the label of frame `number`, as 01:00:00:00; after a day it begins anew. drop: leave out labels (at 29.97 and 59.94) so that it follows the clock."""
    count = nominal(rate)
    dropped = _dropped(rate) if drop else 0
    if dropped:
        minute, ten = 60 * count - dropped, 600 * count - 9 * dropped
        tens, rest = divmod(number % (144 * ten), ten)
        minutes = 0 if rest < 60 * count else 1 + (rest - 60 * count) // minute
        number = number % (144 * ten) + dropped * (9 * tens + minutes)
    number %= 24 * 3600 * count
    seconds, frame = divmod(number, count)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{';' if dropped else ':'}{frame:02}"


def number_of(label: str, rate: Fraction, *, drop: bool | None = None) -> int:
    """Return the number of the frame that a label names.

    drop: whether labels are left out, as 29.97 and 59.94 can; by default those with ';' or ',' are drop-frame. Raises ValueError
    for text that is not a timecode, and for a label that does not exist at this rate.
    """
    match = LABEL.match(label.strip())
    count = nominal(rate)
    if match is None or int(match[5]) >= count or int(match[2]) > 59 or int(match[3]) > 59:
        raise ValueError(f"'{label}' is no timecode at {float(rate):.5g} frames/s")
    minutes = 60 * int(match[1]) + int(match[2])
    number = (60 * minutes + int(match[3])) * count + int(match[5])
    dropped = _dropped(rate) if (is_drop(label) if drop is None else drop) else 0
    if minutes % 10 and not int(match[3]) and int(match[5]) < dropped:
        raise ValueError(f"'{label}' does not exist in drop-frame timecode")
    return number - dropped * (minutes - minutes // 10)


def is_drop(label: str) -> bool:
    """Tell whether a label is drop-frame."""
    match = LABEL.match(label.strip())
    return match is not None and match[4] in ";,"


def frames_per_day(rate: Fraction, *, drop: bool = False) -> int:
    """Count the frames until timecode begins anew at 00:00:00:00."""
    return 144 * (600 * nominal(rate) - 9 * (_dropped(rate) if drop else 0))


def nominal(rate: Fraction) -> int:
    """Return the frames that a second of timecode counts: 24 at 23.976."""
    return max(1, (2 * rate.numerator + rate.denominator) // (2 * rate.denominator))


def _dropped(rate: Fraction) -> int:
    """Count the labels that a minute leaves out, each tenth excepted."""
    return nominal(rate) // 15 if rate.denominator == 1001 and nominal(rate) % 30 == 0 else 0
