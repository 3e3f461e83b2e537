"""The strips of a sequencer: the document `faceplate.cut/1` of the Blender extension, and its OpenTimelineIO timeline.

Each channel becomes a video track, an audio track, or both; a meta strip a nested stack; a strip of one speed a clip with a
LinearTimeWarp or a FreezeFrame. Strips that OpenTimelineIO cannot express become generators, and are kept in our block of metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange
from pydantic import ConfigDict, Field, field_validator

from host_bridge.timeline.document import DocumentPart, Rate, load_document, save_document
from host_bridge.timeline.read.model import exact, speed_effects
from host_bridge.timeline.read.places import read_header
from nodes.errors import FootageError
from nodes.footage.numbering import has_place

SCHEMA = "faceplate.cut/1"
BLOCK, _STRIP = "faceplate_cut", "faceplate.strip/1"  # the key of our metadata, and its schema at a track or strip
_PORTABLE = frozenset({"MOVIE", "IMAGE", "SOUND", "META"})  # kinds of strips that OpenTimelineIO can express


# --- the document ---


class _CutPart(DocumentPart):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class StripFootage(_CutPart):
    """The file behind a strip.

    path: a file, or a pattern as name.%04d.png. rate: frames per second; for sound, the sequence's. frames: their number; None
    if unknown. first: the number of the first file of a sequence.
    """

    path: Path
    rate: Annotated[Rate, Field(le=1000)]
    frames: int | None = Field(None, ge=1)
    first: int = 0


class Strip(_CutPart):
    """One strip. kind: as Blender names it (MOVIE, IMAGE, SOUND, META, CROSS, ...).

    left, right: the visible frames of the scene, right excluded. source: the frame of the footage, counted from 0,
    that is shown at left; step: footage frames per frame of the scene, negative backwards, 0 for a still. host: the host's
    other properties of the strip. strips: the content of a meta strip, also in frames of the scene.
    """

    kind: str
    name: str
    channel: int = Field(ge=1)
    left: int
    right: int
    footage: StripFootage | None = None
    source: float = 0
    step: float = 1
    muted: bool = False
    host: dict[str, Any] = Field(default_factory=dict)
    strips: tuple[Strip, ...] = ()


class Marker(_CutPart):
    """A named frame of the scene."""

    name: str
    frame: int


class Cut(_CutPart):
    """The strips of a scene. first, last: the frames that the scene renders, both included."""

    schema_: Literal["faceplate.cut/1"] = Field(default="faceplate.cut/1", alias="schema")
    name: str
    rate: Annotated[Rate, Field(le=1000)]
    first: int
    last: int
    strips: tuple[Strip, ...] = ()
    markers: tuple[Marker, ...] = ()
    host: dict[str, Any] = Field(default_factory=dict)

    @field_validator("rate", mode="after")
    @classmethod
    def _exact(cls, rate: Fraction) -> Fraction:
        return rate.limit_denominator(1001)


def load(path: Path) -> Cut:
    """Read a cut; raises SchemaError when it is missing, damaged, of another kind or newer."""
    return load_document(path, Cut, SCHEMA, remedy="Export it again")


def save(path: Path, cut: Cut) -> None:
    """Write a cut; raises OutputError."""
    save_document(path, cut)


# --- the timeline ---


def timeline_of(cut: Cut) -> tuple[otio.schema.Timeline, list[str]]:
    """Return the cut as a timeline, and notes on what only the host will understand."""
    timeline = otio.schema.Timeline(cut.name)
    base = min([cut.first, *(s.left for s in cut.strips)])
    rate = float(cut.rate)
    timeline.global_start_time = RationalTime(base, rate)
    writer = _StripWriter(rate)
    writer.fill(timeline.tracks, cut.strips, base)
    for marker in cut.markers:
        at = TimeRange(RationalTime(marker.frame - base, rate), RationalTime(1, rate))
        timeline.tracks.markers.append(otio.schema.Marker(marker.name, at, metadata={"comment": marker.name}))
    timeline.metadata[BLOCK] = {"schema": SCHEMA, "first": cut.first, "last": cut.last, "base": base, "host": cut.host}
    return timeline, writer.notes


class _StripWriter:
    """Writer that fills stacks with tracks of strips. notes: what only the host will understand."""

    def __init__(self, rate: float) -> None:
        self._rate, self.notes = rate, list[str]()

    def fill(self, stack: otio.schema.Stack, strips: Iterable[Strip], base: int) -> None:
        """Put the tracks of some strips into a stack that begins at frame `base` of the scene."""
        channels: dict[tuple[bool, int], list[Strip]] = {}
        for strip in sorted(strips, key=lambda s: s.left):
            channels.setdefault((strip.kind == "SOUND", strip.channel), []).append(strip)
        for (audible, channel), row in sorted(channels.items()):
            kind = otio.schema.TrackKind.Audio if audible else otio.schema.TrackKind.Video
            track = otio.schema.Track(f"Channel {channel}", kind=kind)
            track.metadata[BLOCK] = {"schema": _STRIP, "channel": channel}
            at = base
            for strip in row:
                if strip.left > at:
                    track.append(otio.schema.Gap(duration=RationalTime(strip.left - at, self._rate)))
                track.append(self._item(strip))
                at = strip.right
            stack.append(track)

    def _item(self, strip: Strip) -> otio.core.Item:
        length = RationalTime(strip.right - strip.left, self._rate)
        block: dict[str, Any] = {"schema": _STRIP, "kind": strip.kind, "channel": strip.channel, "host": strip.host}
        item: otio.core.Item
        if strip.strips:
            base = min(s.left for s in strip.strips)
            start = RationalTime(strip.left - base, self._rate)
            item = otio.schema.Stack(strip.name, source_range=TimeRange(start, length))
            self.fill(item, strip.strips, base)
        elif strip.footage is not None:
            item = self._clip(strip, strip.footage, length)
            block |= {"source": strip.source, "step": strip.step}
        else:
            generator = otio.schema.GeneratorReference(generator_kind=f"Blender {strip.kind}")
            item = otio.schema.Clip(strip.name, generator, TimeRange(RationalTime(0, self._rate), length))
        item.enabled = not strip.muted
        item.metadata[BLOCK] = block | {"range": range_of(item)}
        if strip.kind not in _PORTABLE and strip.footage is None and not strip.strips:
            what = f"{strip.name} ({strip.kind.lower()}) is known to Blender only: other programs see a generator"
            self.notes.append(what)
        elif unsaid := list(strip.host.get("unsaid", ())):
            self.notes.append(f"{strip.name}: {', '.join(unsaid)} known to Blender only")
        return item

    def _clip(self, strip: Strip, footage: StripFootage, length: RationalTime) -> otio.schema.Clip:
        begin = _timecode(footage)
        natural = footage.rate / Fraction(self._rate).limit_denominator(1001)
        scalar = exact(strip.step) / natural
        first = (begin + exact(strip.source)) / natural
        if scalar < 0:  # a reversed clip plays its source range from the end
            first += scalar * (strip.right - strip.left - 1)
        span = TimeRange(RationalTime(float(first), self._rate), length)
        clip = otio.schema.Clip(strip.name, _reference(footage, begin), span)
        clip.effects.extend(speed_effects(scalar))
        for effect in clip.effects:
            effect.name = "Speed" if scalar else "Still"
        return clip


def range_of(item: otio.core.Item) -> list[float]:
    """Return an item's source range and speed, to detect later trims, moves and retimes; empty without a range."""
    span = item.source_range
    if span is None:
        return []
    speeds = [e.time_scalar for e in item.effects if isinstance(e, otio.schema.LinearTimeWarp)]
    return [span.start_time.value, span.duration.value, span.duration.rate, *speeds]


def _timecode(footage: StripFootage) -> int:
    """Return the number of the first frame: a file's timecode, or the number of a sequence's first file."""
    try:
        return read_header(footage.path).start or 0
    except (FootageError, OSError):
        return 0


def _reference(footage: StripFootage, begin: int) -> otio.core.MediaReference:
    path, rate, available = footage.path, float(footage.rate), None
    if footage.frames is not None:
        available = TimeRange(RationalTime(begin, rate), RationalTime(footage.frames, rate))
    if not has_place(path.name):
        return otio.schema.ExternalReference(path.as_posix(), available)
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
        available_range=available,
    )
