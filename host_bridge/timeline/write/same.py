"""Whether what was written shows the frames of what it was written from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read import Edit
from host_bridge.timeline.shots import Shot, find_shots
from host_bridge.timeline.write.block import NAME
from host_bridge.timeline.write.tree import DEFAULT_KEY
from nodes.errors import OutputError


def as_shown(timeline: Any) -> Any:
    """Reduce a timeline, in place, to what other programs see of it: the media that each clip shows, missing ones by name, and no tracks of ours."""
    for clip in timeline.find_clips():
        reference = clip.media_reference
        if isinstance(reference, otio.schema.MissingReference) and (reference.name or clip.name):
            reference = otio.schema.ExternalReference(reference.name or clip.name, reference.available_range)
        clip.set_media_references({DEFAULT_KEY: reference.deepcopy()}, DEFAULT_KEY)
    for track in timeline.find_children(descended_from_type=otio.schema.Track):
        track.metadata.pop(NAME, None)
    return timeline


def check_frames(before: Edit, after: Edit, file: Path, *, missing_too: bool) -> None:
    """Raise OutputError unless each shot of one edit is in the other, at its place and with its frames. Titles and generators do not count.

    missing_too: the frames of missing media count too, as where the format says where they begin and end.
    """
    had, has = (_by_frames(edit, missing_too=missing_too) for edit in (before, after))
    for key in sorted(had.keys() | has.keys()):
        missing, more = had.get(key, [])[len(has.get(key, [])) :], has.get(key, [])[len(had.get(key, [])) :]
        for shot in (*missing, *more):
            what = f"cannot hold shot '{shot.name}' (frames {shot.record[0]} to {sum(shot.record) - 1} of the edit) to the frame"
            raise OutputError(what, file=file, remedy="Write .otio, which holds all of it")


def _by_frames(edit: Edit, *, missing_too: bool) -> dict[tuple[Any, ...], list[Shot]]:
    found: dict[tuple[Any, ...], list[Shot]] = {}
    for shot in find_shots(edit, results=True):
        if shot.media.path is not None or shot.media.url:
            frames = () if shot.media.path is None and not missing_too else tuple(shot.frames)
            key = (shot.record, shot.enabled, str(shot.media.path or ""), frames)
            found.setdefault(key, []).append(shot)
    return found
