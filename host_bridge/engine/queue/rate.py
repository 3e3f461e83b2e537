"""How fast a job goes, what is left of it, and the curve of what it learns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

WINDOW = 15.0
MOST_POINTS = 200


class Rate:
    """The rate of a stage over the last seconds. clock: seconds that only ever grow, so that nobody's setting the time matters."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage: str | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def progress(self, stage: str, done: int, total: int | None) -> dict[str, Any]:
        """The progress as a job tells it: rate in units a second and seconds left, null until they can be known."""
        now = self._clock()
        if stage != self._stage or (self._seen and done < self._seen[-1][1]):
            self._stage = stage
            self._seen.clear()
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        if not self._seen or now - self._seen[-1][0] >= WINDOW / 100:
            self._seen.append((now, done))
        (since, first), passed = self._seen[0], now - self._seen[0][0]
        rate = (done - first) / passed if passed > 0.2 and done > first and since < now else None
        left = None if rate is None or total is None else max(total - done, 0) / rate
        return {"stage": stage, "done": done, "total": total, "rate": _short(rate), "left": _short(left)}


def extended(curve: list[list[float]], step: float, loss: float) -> list[list[float]]:
    """A curve with one more point, where it is due: at most 200, of half the resolution whenever they have become too many.

    A training that goes on from an earlier checkpoint takes back what came after it.
    """
    kept = [point for point in curve if point[0] < step]
    if len(kept) >= MOST_POINTS - 1:
        kept = kept[::2]
    # What is as far from the last as its points are from each other; a short curve takes all.
    gap = min((b[0] - a[0] for a, b in pairwise(kept)), default=0.0) if len(kept) >= MOST_POINTS // 2 else 0.0
    if kept and step - kept[-1][0] < gap:
        return kept
    return [*kept, [step, loss]]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
