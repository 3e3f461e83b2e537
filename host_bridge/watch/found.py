"""Which files of a watched folder are meant, and whether they are whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

JOB = ".json"
TIMELINES = (".otio", ".otioz", ".edl", ".fcpxml", ".xml", ".aaf")
CAST = (".cast.json", *(p + s for p in ("", ".cast") for s in (".toml", ".yaml", ".yml", ".csv")))
STATUS, ERROR, ANSWER = ".status.json", ".error.txt", ".answer.lua"
RESULT = ".faceplate"  # STEM.faceplate, and STEM.faceplate.otio
MOST = 1000  # files that are looked at


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one content of a file from another, without reading it."""

    size: int
    time: int

    def as_json(self) -> list[int]:
        """For a status file."""
        return [self.size, self.time]


def dropped(folder: Path) -> Iterator[tuple[Path, Mark]]:
    """The files that may be meant, oldest first: no folders, no links, nothing hidden, nothing of ours."""
    seen = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_meant(entry.name):
                continue
            try:
                told = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # taken away meanwhile
                continue
            if stat.S_ISREG(told.st_mode) and told.st_size:
                seen.append((folder / entry.name, Mark(told.st_size, told.st_mtime_ns)))
    seen.sort(key=lambda one: (one[1].time, one[0].name))
    yield from seen[:MOST]


def is_meant(name: str) -> bool:
    """Whether a file of this name may ask for something."""
    low = name.lower()
    if name.startswith((".", "~")) or f"{RESULT}." in low or low.endswith((STATUS, ERROR, ANSWER, *CAST)):
        return False
    return low.endswith((JOB, *TIMELINES))


def cast_of(timeline: Path) -> Path | None:
    """The cast file of the same stem that lies beside a timeline."""
    beside = (timeline.with_name(timeline.stem + suffix) for suffix in CAST)
    return next((path for path in beside if path.is_file() and not path.is_symlink()), None)


class Settling:
    """Files whose size and time do not change any more: a copy under way grows, a file that was renamed in does not."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Path, tuple[Mark, float]] = {}

    def whole(self, files: list[tuple[Path, Mark]], now: float) -> list[tuple[Path, Mark]]:
        """Those that have been the same for long enough."""
        since = {}
        for path, mark in files:
            before = self._since.get(path)
            since[path] = before if before is not None and before[0] == mark else (mark, now)
        self._since = since
        return [(path, mark) for path, mark in files if now - since[path][1] >= self._seconds]
