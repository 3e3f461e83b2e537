"""Between clips and strips: which footage a clip shows, and from which of its frames on, how fast."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from host_bridge.timeline.cut.strips import Footage
from host_bridge.timeline.read.model import notes_of, seconds
from host_bridge.timeline.read.places import Places, read_header
from host_bridge.timeline.shots.media import Found, media_of
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.shots.speed import speed_of
from host_bridge.timeline.shots.warp import Warp
from nodes.errors import FootageError
from nodes.footage.numbering import find_sequence


@dataclass(frozen=True, slots=True)
class Shown:
    """What a clip shows: in frame k of its own record the frame `source + k * step` of the footage, counted from 0."""

    footage: Footage
    source: Fraction
    step: Fraction
    still: bool


def shown(clip: Any, places: Places, rate: Fraction, *, audible: bool) -> tuple[Shown | None, Fraction, list[str]]:
    """Return what a clip shows, None without a file, how many seconds it takes, and what is to be said. rate: of the sequence."""
    found = _sound(clip, places, rate) if audible else media_of(clip, places, rate, results=True)
    media, origin = found.media, found.origin
    start = origin if clip.source_range is None else seconds(clip.source_range.start_time, f"clip '{clip.name}'")
    length = found.length or Fraction(0)
    if clip.source_range is not None:
        length = seconds(clip.source_range.duration, f"clip '{clip.name}'")
    notes = [*notes_of(clip), *found.notes]
    if media.path is None:
        return None, length, notes
    steps, more = speed_of(clip, start, length, 1 / rate, (origin, found.length))
    warp = Warp()
    for step in steps:
        warp = warp.then(step)
    notes += more
    affine = warp.affine
    if affine is None:
        notes.append("has several speeds; its strip has that of its beginning")
    # Where there is a curve, its chord over the first frame stands for it.
    offset = warp(Fraction(0))
    slope = affine.scale if affine else (warp(1 / rate) - offset) * rate
    source = offset * media.rate - media.start
    footage = Footage(path=media.path, rate=media.rate, frames=media.frames, first=_first(media.path))
    return Shown(footage, source, slope * media.rate / rate, media.frames == 1), length, notes


def timecode(footage: Footage) -> Fraction:
    """The timecode of a footage's first frame, in its own frames: its file's, of a sequence the number of its first file."""
    try:
        header = read_header(footage.path)
    except (FootageError, OSError):
        return Fraction(0)
    return Fraction(header.start or 0)


def _sound(clip: Any, places: Places, rate: Fraction) -> Found:
    """The media of a clip of sound, which is counted in frames of the sequence."""
    reference = clip.media_reference
    path, note = places.find(getattr(reference, "target_url", "") or "", clip.name)
    available = getattr(reference, "available_range", None)
    began = Fraction(0) if available is None else seconds(available.start_time, f"the sound of clip '{clip.name}'")
    length = None if available is None else seconds(available.duration, f"the sound of clip '{clip.name}'")
    frames = None if length is None else max(1, round(length * rate))
    # `start` may be no whole number here: the first sample need not be at a frame.
    media = Media("", path, rate, began * rate, frames)  # type: ignore[arg-type]
    return Found(media, began, length, (f"media {note}",) if note else ())


def _first(path: Path) -> int:
    sequence = find_sequence(path)
    return 0 if sequence is None else sequence.first


def names_beside(taken: Collection[str], name: str) -> str:
    """A name that is not taken, with a number as Blender numbers names."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}.{number:03d}"
    return found
