"""A clip of the timeline: its footage, and which frames of it are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .session import Problem, Session
from .text import SEQUENCE, nearest, number, pattern_of


@dataclass(frozen=True)
class Plate:
    """What a clip shows, by Faceplate's frame numbers: those of the files, or counted from 0. first: shown first; low..high: rendered."""

    item: Any
    name: str
    path: str
    rate: float
    count: int
    first: int
    low: int
    high: int
    start: int
    duration: int

    @property
    def pattern(self) -> str:
        """The footage as Faceplate opens it."""
        return pattern_of(self.path)


def shown(session: Session, item: Any) -> Plate:
    """Read a clip. Raises Problem for what has no footage, or another speed."""
    name, pool_item = item.GetName(), item.GetMediaPoolItem()
    path = pool_item.GetClipProperty("File Path") if pool_item else ""
    if not path:
        remedy = "Titles, generators and compound clips go by Export timeline to Faceplate"
        raise Problem(f"{name}: has no footage of its own", remedy)
    start, frames = int(number(pool_item.GetClipProperty("Start")) or 0), number(pool_item.GetClipProperty("Frames"))
    rate = number(pool_item.GetClipProperty("FPS")) or session.rate
    duration = item.GetDuration(False)
    count = max(nearest(duration * rate / session.rate), 1)
    first, last = item.GetSourceStartFrame() - start, item.GetSourceEndFrame() - start
    if last < first or abs(last - first - count) > 1:
        raise Problem(f"{name}: its speed was changed", "Use Export timeline to Faceplate, which follows speed changes")
    numbered = start if SEQUENCE.search(path) else 0
    low, high = max(first - session.config.handles, 0), first + count - 1 + session.config.handles
    if frames:
        high = min(high, int(frames) - 1)
    low, high, first = numbered + low, numbered + high, numbered + first
    return Plate(item, name, path, rate, count, first, low, high, item.GetStart(False), duration)
