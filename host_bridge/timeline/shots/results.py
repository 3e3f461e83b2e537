"""Results of Faceplate among an edit's media, known by their place in a run's folder, or by their names where that is lost.

Editors that drop metadata keep no more of a result than its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from host_bridge.timeline.document import NAME, MediaRecord, TimelineRun, load
from nodes.errors import FaceplateError

_MADE = re.compile(r"(V\d+(?:-\d+)?(?:\.V\d+(?:-\d+)?)*)\.(composite|patch)(?:\.(?:prores4444|dnxhr|avc)\.mov|/|\\|$)")
_LEVELS = 4  # from a result up to the folder of its run


@dataclass(frozen=True, slots=True)
class Result:
    """A result. patch: it is a patch, which is laid over a plate. plate: what it was made of, if that is known; first: the position in it of the result's first frame."""

    patch: bool
    plate: MediaRecord | None = None
    first: int = 0


def result_behind(url: str, path: Path | None) -> Result | None:
    """Return what a clip's media are a result of; None for footage. path: the file or the pattern, where it is there."""
    for folder in list(path.parents)[:_LEVELS] if path is not None else ():
        if (folder / NAME).is_file() and path is not None:
            run = _run(folder / NAME, (folder / NAME).stat().st_mtime_ns)
            found = _in_run(run, path.relative_to(folder)) if run is not None else None
            if found is not None:
                return found
    made = _MADE.search(str(path) if path is not None else url)
    return Result(made[2] == "patch") if made else None


def _in_run(run: TimelineRun, place: Path) -> Result | None:
    """The result that lies at a place in the run's folder: what an export made in `media`, or what a swap wrote."""
    for shot in run.shots:
        within = place.parts
        folder = () if shot.folder is None else shot.folder.parts
        if within[:1] == ("media",) and (made := _MADE.search(place.as_posix())) and made[1] == shot.id:
            return Result(made[2] == "patch", shot.media, shot.span[0])
        if folder and within[: len(folder)] == folder and len(within) > len(folder):
            return Result(within[len(folder)] == "patch", shot.media, shot.span[0])
    return None


@lru_cache(maxsize=16)
def _run(document: Path, _changed: int) -> TimelineRun | None:
    try:
        return load(document)
    except FaceplateError:
        return None
