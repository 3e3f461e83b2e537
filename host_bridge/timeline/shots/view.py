"""What of a track, a stack or a compound clip is seen in the sequence, and where."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from host_bridge.timeline.read.model import nearest
from host_bridge.timeline.shots.mapping import frames_through
from host_bridge.timeline.shots.warp import Affine, Warp


@dataclass(frozen=True)
class View:
    """Frames of the sequence, (first, count), and the way from its seconds to those inside."""

    warp: Warp
    record: tuple[int, int]
    rate: Fraction

    def shifted(self, start: Fraction) -> View:
        """The same, with time inside beginning at `start`."""
        return View(self.warp.then(Affine(offset=start)), self.record, self.rate)

    def frame(self, time: Fraction) -> int:
        """The frame inside at which something begins that is said to begin at a time."""
        return nearest(time * self.rate)

    def window(self, first: int, end: int) -> tuple[int, int]:
        """The frames of the sequence in which one of the frames first..end - 1 inside is seen, as (first, count)."""
        begin, count = self.record
        if self._shift is not None:
            a, b = max(first - self._shift, begin), min(end - self._shift, begin + count)
            return a, max(b - a, 0)
        seen = np.flatnonzero((self._inside >= first) & (self._inside < end))
        return (begin + int(seen[0]), int(seen[-1] - seen[0]) + 1) if len(seen) else (begin, 0)

    @cached_property
    def _shift(self) -> int | None:
        """By how many frames inside is ahead, where time runs there as it does outside."""
        affine = self.warp.affine
        return nearest(affine.offset * self.rate) if affine is not None and affine.scale == 1 else None

    @cached_property
    def _inside(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(frames_through(self.warp, self.record, self.rate, self.rate), np.int64)
