"""OTIO as Kdenlive writes it (seen in 26.08), in OpenTimelineIO's own terms.

It counts a clip's markers from the clip's first frame, writes a mix as a gap as long as it is before its transition, and leaves speeds out.
"""

from __future__ import annotations

from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.notes import add_note
from host_bridge.timeline.read.times import seconds

KEY = "kdenlive"
SPEEDS = "Kdenlive's export leaves speeds out: a clip that plays at another speed shows other frames than these"


def settle(timeline: Any) -> None:
    """Change a timeline, in place, to say what Kdenlive meant; items keep their places. One that another program wrote stays as it is.

    Raises SchemaError for times that cannot be read.
    """
    if KEY not in timeline.metadata:
        return
    for clip in timeline.find_clips():
        add_note(clip, SPEEDS)
        for marker in clip.markers if clip.source_range is not None else ():
            marked = marker.marked_range
            marker.marked_range = TimeRange(marked.start_time + clip.source_range.start_time, marked.duration)
    for track in timeline.tracks:
        if isinstance(track, otio.schema.Track) and track.source_range is not None:
            _without_gaps_of_mixes(track)


def _without_gaps_of_mixes(track: Any) -> None:
    """Empty the gaps before transitions, where the track says that it is shorter by just these."""
    what = f"track '{track.name}'"
    items = [item for item in track if isinstance(item, otio.core.Item)]
    more = sum(seconds(item.trimmed_range().duration, what) for item in items) - seconds(
        track.source_range.duration, what
    )
    gaps = [
        gap
        for gap, after in zip(track, list(track)[1:], strict=False)
        if isinstance(gap, otio.schema.Gap) and isinstance(after, otio.schema.Transition)
    ]
    if gaps and more == sum(seconds(gap.source_range.duration, what) for gap in gaps):
        for gap in gaps:
            rate = gap.source_range.duration.rate
            gap.source_range = TimeRange(gap.source_range.start_time, RationalTime(0, rate))
