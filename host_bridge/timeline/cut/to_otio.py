"""The strips of a sequencer as an OpenTimelineIO timeline.

Each channel becomes a video track, an audio track, or both; a meta strip a nested stack; a strip of one speed a clip with a
LinearTimeWarp or a FreezeFrame. What OpenTimelineIO has no word for is a generator, and stays in our block of metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.cut.strips import Cut, Strip, StripFootage
from host_bridge.timeline.read.model import exact, speed_effects
from host_bridge.timeline.read.places import read_header
from nodes.errors import FootageError
from nodes.footage.numbering import has_place

BLOCK = "faceplate_cut"  # the key of our metadata
STRIP, CUT = "faceplate.strip/1", "faceplate.cut/1"
_PORTABLE = frozenset({"MOVIE", "IMAGE", "SOUND", "META"})  # kinds of strips that OpenTimelineIO has a word for

Start = Callable[[StripFootage], Fraction]
"""The timecode of a footage's first frame, in its own frames."""


def timeline_of(cut: Cut, start: Start) -> tuple[otio.schema.Timeline, list[str]]:
    """Return the cut as a timeline, and what of it only the host itself will understand."""
    timeline = otio.schema.Timeline(cut.name)
    base = min([cut.first, *(s.left for s in cut.strips)])
    rate = float(cut.rate)
    timeline.global_start_time = RationalTime(base, rate)
    writer = _StripWriter(rate, start)
    writer.fill(timeline.tracks, cut.strips, base)
    for marker in cut.markers:
        at = TimeRange(RationalTime(marker.frame - base, rate), RationalTime(1, rate))
        timeline.tracks.markers.append(otio.schema.Marker(marker.name, at, metadata={"comment": marker.name}))
    timeline.metadata[BLOCK] = {"schema": CUT, "first": cut.first, "last": cut.last, "base": base, "host": cut.host}
    return timeline, writer.notes


def timecode(footage: StripFootage) -> Fraction:
    """The timecode of a footage's first frame, in its own frames: its file's, of a sequence the number of its first file."""
    try:
        return Fraction(read_header(footage.path).start or 0)
    except (FootageError, OSError):
        return Fraction(0)


class _StripWriter:
    """Fills stacks with the tracks of strips. notes: what only the host will understand."""

    def __init__(self, rate: float, start: Start) -> None:
        self._rate, self._start, self.notes = rate, start, list[str]()

    def fill(self, stack: otio.schema.Stack, strips: Iterable[Strip], base: int) -> None:
        """Put the tracks of some strips into a stack that begins at frame `base` of the scene."""
        tracks: dict[tuple[bool, int], list[Strip]] = {}
        for strip in strips:
            tracks.setdefault((strip.audible, strip.channel), []).append(strip)
        for (audible, channel), on_it in sorted(tracks.items()):
            kind = otio.schema.TrackKind.Audio if audible else otio.schema.TrackKind.Video
            track = otio.schema.Track(f"Channel {channel}", kind=kind)
            track.metadata[BLOCK] = {"schema": STRIP, "channel": channel}
            self._lay(track, sorted(on_it, key=lambda s: s.left), base)
            stack.append(track)

    def _lay(self, track: otio.schema.Track, strips: list[Strip], base: int) -> None:
        at = base
        for strip in strips:
            if strip.left > at:
                track.append(otio.schema.Gap(duration=RationalTime(strip.left - at, self._rate)))
            track.append(self._item(strip))
            at = strip.right

    def _item(self, strip: Strip) -> otio.core.Item:
        length = RationalTime(strip.right - strip.left, self._rate)
        item: otio.core.Item
        if strip.strips:
            base = min(s.left for s in strip.strips)
            start = RationalTime(strip.left - base, self._rate)
            item = otio.schema.Stack(strip.name, source_range=TimeRange(start, length))
            self.fill(item, strip.strips, base)
        elif strip.footage is not None:
            item = self._clip(strip, strip.footage, length)
        else:
            generator = otio.schema.GeneratorReference(generator_kind=f"Blender {strip.kind}")
            item = otio.schema.Clip(strip.name, generator, TimeRange(RationalTime(0, self._rate), length))
        item.enabled = not strip.muted
        item.metadata[BLOCK] = _block(strip) | {"range": range_of(item)}
        self.notes += _unportable(strip)
        return item

    def _clip(self, strip: Strip, footage: StripFootage, length: RationalTime) -> otio.schema.Clip:
        begin = self._start(footage)
        natural = footage.rate / Fraction(self._rate).limit_denominator(1001)
        scalar = exact(strip.step) / natural
        first = (begin + exact(strip.source)) / natural
        if scalar < 0:  # a reversed clip plays what begins at its source range's start from its end
            first += scalar * (strip.right - strip.left - 1)
        span = TimeRange(RationalTime(float(first), self._rate), length)
        clip = otio.schema.Clip(strip.name, _reference(footage, begin), span)
        clip.effects.extend(speed_effects(scalar))
        for effect in clip.effects:
            effect.name = "Speed" if scalar else "Still"
        return clip


def range_of(item: otio.core.Item) -> list[float]:
    """An item's source range and speed, compared to tell whether others have trimmed, moved or retimed it; empty without a range."""
    span = item.source_range
    if span is None:
        return []
    speeds = [e.time_scalar for e in item.effects if isinstance(e, otio.schema.LinearTimeWarp)]
    return [span.start_time.value, span.duration.value, span.duration.rate, *speeds]


def _reference(footage: StripFootage, begin: Fraction) -> otio.core.MediaReference:
    rate = float(footage.rate)
    there = None
    if footage.frames is not None:
        there = TimeRange(RationalTime(float(begin), rate), RationalTime(footage.frames, rate))
    path = footage.path
    if not has_place(path.name):
        return otio.schema.ExternalReference(path.as_posix(), there)
    head, _, tail = path.name.partition("%0")
    digits, _, suffix = tail.partition("d")
    return otio.schema.ImageSequenceReference(
        target_url_base=path.parent.as_posix() + "/",
        name_prefix=head,
        name_suffix=suffix,
        start_frame=footage.first,
        frame_step=1,
        rate=rate,
        frame_zero_padding=int(digits or 0),
        available_range=there,
    )


def _block(strip: Strip) -> dict[str, Any]:
    """The metadata for the host: all that the clip itself does not say."""
    block: dict[str, Any] = {"schema": STRIP, "kind": strip.kind, "channel": strip.channel, "host": strip.host}
    if strip.footage is not None:
        block |= {"source": strip.source, "step": strip.step}
    return block


def _unportable(strip: Strip) -> list[str]:
    if strip.kind not in _PORTABLE and strip.footage is None and not strip.strips:
        return [f"{strip.name} ({strip.kind.lower()}) is known to Blender only: other programs see a generator"]
    kept = list(strip.host.get("unsaid", ()))
    return [f"{strip.name}: {', '.join(kept)} known to Blender only"] if kept else []
