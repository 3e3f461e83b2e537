"""Small edits for the tests, built with OpenTimelineIO and shaped as Resolve writes them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.shots.cast import Cast
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Shot

Rate = Fraction | float


def span(start: float, count: float, rate: Rate) -> TimeRange:
    """A range of frames."""
    return TimeRange(RationalTime(start, float(rate)), RationalTime(count, float(rate)))


def clip(
    media: Path | str,
    start: float,
    count: float,
    rate: Rate,
    *,
    available: TimeRange | None = None,
    speed: float | None = None,
    effects: Sequence[Any] = (),
    name: str | None = None,
) -> Any:
    """A clip that shows `count` frames of the sequence from a start as the document counts, both at `rate`."""
    reference = otio.schema.ExternalReference(str(media), available)
    made = otio.schema.Clip(name or Path(str(media)).name, reference, span(start, count, rate))
    made.effects.extend(effects)
    if speed is not None:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    return made


def gap(count: float, rate: Rate) -> Any:
    """An empty stretch of a track."""
    return otio.schema.Gap(source_range=span(0, count, rate))


def dissolve(before: float, behind: float, rate: Rate) -> Any:
    """A transition: `before` frames before the cut, `behind` behind it."""
    return otio.schema.Transition(
        "Cross Dissolve", "SMPTE_Dissolve", RationalTime(before, float(rate)), RationalTime(behind, float(rate))
    )


def timeline(*tracks: Sequence[Any], rate: Rate = 25, start: int = 90000) -> Any:
    """A timeline of video tracks, the lowest first."""
    made = otio.schema.Timeline("", global_start_time=RationalTime(start, float(rate)))
    for number, children in enumerate(tracks, 1):
        track = otio.schema.Track(f"Video {number}", kind=otio.schema.TrackKind.Video)
        track.extend(children)
        made.tracks.append(track)
    return made


def written(made: Any, path: Path) -> Path:
    """Write it as .otio."""
    path.write_text(made.to_json_string(), "utf-8")
    return path


def shots_of(made: Any, folder: Path, cast: Cast | None = None, handles: int = 0, **options: Any) -> list[Shot]:
    """Write a timeline, read it again, and find its shots."""
    return find_shots(read_again(made, folder, **options), cast=cast, handles=handles)


def read_again(made: Any, folder: Path, **options: Any) -> Edit:
    """Write a timeline and read it."""
    return read_edit(written(made, folder / "edit.otio"), **options)
