"""Which frame of the media is shown in each frame of the sequence.

Frame k of the sequence shows what its beginning, k / rate, falls on: the frame of the media whose beginning is nearest, as
Resolve has it for the first frame of a clip; half-way between two the earlier, so that half speed shows each frame twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from host_bridge.timeline.read.model import nearest
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.shots.warp import Warp


def positions(
    warp: Warp, record: tuple[int, int], rate: Fraction, media: Media, origin: Fraction
) -> tuple[Sequence[int], int]:
    """Return a position in the media for each of the record frames (first, count), and how many lay outside of it.

    warp: from seconds of the sequence to seconds as the document counts the media, which begin at `origin`. Constant whole
    speeds give a `range`, all else a tuple.
    """
    found = frames_through(warp, record, rate, media.rate, origin)
    low, high = (found[0], found[-1]) if warp.affine else (min(found), max(found))
    if min(low, high) >= 0 and (media.frames is None or max(low, high) < media.frames):
        return found, 0
    held = tuple(media.clamp(p) for p in found)
    return held, sum(a != b for a, b in zip(held, found, strict=True))


def frames_through(
    warp: Warp, record: tuple[int, int], rate: Fraction, into: Fraction, origin: Fraction = Fraction(0)
) -> Sequence[int]:
    """Return which frames, at the rate `into` and counted from `origin`, the record frames (first, count) fall on."""
    first, count = record
    affine = warp.affine
    if affine is None:
        return tuple(nearest((warp(Fraction(first + i) / rate) - origin) * into) for i in range(count))
    step = affine.scale * into / rate
    start = (affine.offset - origin) * into + step * first
    if step.denominator == 1 and step:
        begin = nearest(start)
        return range(begin, begin + int(step) * count, int(step))
    if not step:
        return (nearest(start),) * count
    # As whole numbers over one denominator, which is much faster than fractions: nearest() of (a + b i) / d.
    d = start.denominator * step.denominator
    a, b = start.numerator * step.denominator, step.numerator * start.denominator
    return tuple(-((d - 2 * (a + b * i)) // (2 * d)) for i in range(count))
