"""Times of a document as exact numbers: rates are fractions, seconds are fractions, and nothing drifts."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from nodes.errors import SchemaError
from nodes.footage.rates import snap_rate as snap_rate

_MOST = 1e12  # frames


def exact(value: float | Fraction) -> Fraction:
    """Return the number that a writer meant: 0.43 is 43/100 and 0.333333333333 is 1/3; raises ValueError if it is not finite."""
    if isinstance(value, Fraction):
        return value
    if not math.isfinite(value) or abs(value) > _MOST:
        raise ValueError(f"{value} is no time")
    if value == int(value):
        return Fraction(int(value))
    meant = Fraction(value).limit_denominator(10_000)
    return (
        meant if abs(meant - Fraction(value)) <= Fraction(1, 10**9) * max(Fraction(1), abs(meant)) else Fraction(value)
    )


def seconds(time: Any, what: str) -> Fraction:
    """Return a RationalTime in seconds; raises SchemaError, which calls it `what`, for a rate or a value that is none."""
    try:
        return exact(time.value) / snap_rate(time.rate)
    except ValueError as e:
        raise SchemaError(f"{what}: {e}", remedy="Export the edit again") from e


def rational_time(time: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    """Return a RationalTime that `seconds` reads as exactly this many seconds, counted in frames of `rate` wherever that can be.

    A time whose denominator is beyond a million is given to 1e-11 of a frame.
    """
    for counted in (rate, *(Fraction(time.denominator * n) for n in range(1, 9))):
        value = time * counted
        if value.denominator == 1 and 0 < counted <= 1_000_000 and snap_rate(float(counted)) == counted:
            return otio.opentime.RationalTime(float(value), float(counted))
    return otio.opentime.RationalTime(float(time * rate), float(rate))


def from_whole_hour(start: Fraction, whole: Fraction, rate: Fraction) -> Fraction:
    """Return the start of a nested clip `whole` seconds long; one behind its end counts from a whole hour of timecode."""
    return start % (3600 * Fraction(nearest(rate)) / rate) if start >= whole > 0 else start


def nearest(x: Fraction) -> int:
    """Round to the nearest whole number; a half goes down, so that what is shown twice as slowly is shown twice."""
    return -((x.denominator - 2 * x.numerator) // (2 * x.denominator))
