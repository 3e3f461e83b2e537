"""An edit as the strips of a sequencer.

Video tracks become channels, and sound lies below the pictures, unless the edit came from a sequencer and says its channels. Clips
that dissolve into each other lie on two channels below a cross effect. Where a clip lies and what it shows is read from the edit,
which others may have changed since; all else of a strip is taken from our block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.cut.strips import Cut, Marker, Strip, StripFootage
from host_bridge.timeline.cut.to_otio import BLOCK, range_of
from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.read.model import exact, from_whole_hour, nearest, notes_of, seconds, start_of
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.media import ClipMedia, media_of
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.shots.warp import Warp, speed_of
from host_bridge.timeline.write.tree import TRACK, marked
from nodes.footage.numbering import find_sequence

_FADE = 3  # channels of a track with dissolves: clips on two in turn, and the effects above them


def cut_of(edit: Edit, first: int = 1) -> tuple[Cut, list[str]]:
    """Return the strips of an edit, and what of it they cannot say. first: the frame of the scene at which an edit begins that says none."""
    timeline = edit.timeline
    block = _block(timeline)
    base = int(block.get("base", first))
    reader = _StripReader(edit, sequence_rate(timeline))
    strips = tuple(reader.stack(timeline.tracks, base))
    end = max((s.right for s in strips), default=base + 1)
    markers = tuple(reader.markers(timeline, base))
    cut = Cut(
        name=timeline.name or edit.path.stem,
        rate=reader.rate,
        first=int(block.get("first", base)),
        last=int(block.get("last", end - 1)),
        strips=strips,
        markers=markers,
        host=_plain(block.get("host", {})),
    )
    return cut, list(dict.fromkeys(reader.notes))


class _StripReader:
    """Walks an edit. notes: what strips cannot say."""

    def __init__(self, edit: Edit, rate: Fraction) -> None:
        self.rate, self.notes = rate, list[str]()
        self._places, self._names = edit.places, set[str]()

    def stack(self, stack: Any, base: int) -> Iterator[Strip]:
        """The strips of a stack that begins at frame `base` of the scene."""
        rows = [child if isinstance(child, otio.schema.Track) else [child] for child in stack]
        sound = [row for row in rows if _audible(row)]
        channel = 1
        for row in (*sound, *(row for row in rows if not _audible(row))):
            strips = list(self._track(row, base, int(_block(row).get("channel") or channel)))
            yield from strips
            channel = max([channel, *(strip.channel + 1 for strip in strips)])

    def markers(self, timeline: Any, base: int) -> Iterator[Marker]:
        """The markers of the edit as frames of the scene."""
        begin = timeline.global_start_time
        origin = Fraction(0) if begin is None else seconds(begin, "the start of the edit")
        for marker in timeline.tracks.markers:
            at = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
            at -= origin if not _block(timeline) and 0 < origin <= at else 0
            yield Marker(name=marker.name, frame=base + nearest(at * self.rate))

    def _track(self, row: Sequence[Any], base: int, channel: int) -> Iterator[Strip]:
        at, lane, before = Fraction(0), 0, None
        fades = any(isinstance(child, otio.schema.Transition) for child in row)
        if getattr(row, "source_range", None) is not None:
            at = -seconds(row.source_range.start_time, f"track '{row.name}'")  # type: ignore[attr-defined]
            self.notes.append(f"track '{row.name}' is trimmed as a whole; its strips are not")  # type: ignore[attr-defined]
        for i, child in enumerate(row):
            if isinstance(child, otio.schema.Transition):
                if child.transition_type != "SMPTE_Dissolve":
                    self.notes.append(f"transition '{child.name}' ({child.transition_type}) becomes a cross dissolve")
                continue
            head = _offset(row[i - 1], "in_offset") if i else Fraction(0)
            tail = _offset(row[i + 1], "out_offset") if i + 1 < len(row) else Fraction(0)
            lane = 1 - lane if head and before is not None else lane
            strip, length = self._item(child, row, base, at, (head, tail), channel + lane)
            at += length
            if strip is None:
                before = None
                continue
            yield strip
            if head and before is not None and before.right > strip.left:
                yield self._cross(before, strip, channel + _FADE - 1)
            before = strip
        if fades and _block(row):
            self.notes.append(f"dissolves of track '{row.name}' may lie on the channels above it")  # type: ignore[attr-defined]

    def _item(
        self, item: Any, row: Any, base: int, at: Fraction, offsets: tuple[Fraction, Fraction], channel: int
    ) -> tuple[Strip | None, Fraction]:
        """The strip of an item at `at` seconds, and how long the item is; offsets: how much longer it is seen, in dissolves."""
        if isinstance(item, otio.schema.Gap) or not isinstance(item, otio.core.Item):
            return None, _length(item)
        audible, block, footage = _audible(row), _block(item), None
        source, step, length = Fraction(0), Fraction(1), None
        if isinstance(item, otio.schema.Clip) and not isinstance(item.media_reference, otio.schema.GeneratorReference):
            footage, length, notes = _footage_of(item, self._places, self.rate, audible=audible)
            self.notes += [f"'{item.name}': {note}" for note in notes]
            if footage is None:
                return None, length
            source, step = footage.source, footage.step
            stored = list(block.get("range", ()))
            if stored and stored == range_of(item):  # nobody has trimmed or retimed it since
                source, step = exact(block["source"]), exact(block["step"])
        length = _length(item) if length is None else length
        begin, head = nearest(at * self.rate), nearest(offsets[0] * self.rate)
        end = nearest((at + length) * self.rate) + nearest(offsets[1] * self.rate)
        if end <= begin - head:
            return None, length
        inside = tuple(self._nested(item, base + begin)) if isinstance(item, otio.core.Composition) else ()
        kind = str(block.get("kind") or _kind(footage, audible, bool(inside)))
        if not kind:
            self.notes.append(f"'{item.name}' is a title or a generator, which becomes no strip")
            return None, length
        self._note_leftovers(item)
        enabled = item.enabled and getattr(row, "enabled", True)
        strip = Strip(
            kind=kind,
            name=self._name(item.name or kind.title()),
            channel=channel,
            left=base + begin - head,
            right=base + end,
            footage=None if footage is None else footage.footage,
            source=float(source - head * step),
            step=float(step),
            muted=not enabled,
            host=_plain(block.get("host", {})) or ({"blend_type": "ALPHA_OVER"} if _is_result(row) else {}),
            strips=inside,
        )
        return strip, length

    def _nested(self, item: Any, begin: int) -> Iterator[Strip]:
        if any(isinstance(effect, otio.schema.TimeEffect) for effect in item.effects):
            self.notes.append(f"'{item.name}' is retimed as a whole, which a meta strip cannot say")
        whole = max((_length(child) for child in item), default=Fraction(0))
        start = from_whole_hour(start_of(item), whole, self.rate)
        rows = item if isinstance(item, otio.schema.Stack) else [item]
        yield from self.stack(rows, begin - nearest(start * self.rate))

    def _cross(self, a: Strip, b: Strip, channel: int) -> Strip:
        host = {"inputs": [a.name, b.name], "blend_type": "REPLACE"}
        return Strip(kind="CROSS", name=self._name("Cross"), channel=channel, left=b.left, right=a.right, host=host)

    def _note_leftovers(self, item: Any) -> None:
        others = [e.name or e.effect_name for e in item.effects if not isinstance(e, otio.schema.TimeEffect)]
        if others and not _block(item):
            self.notes.append(f"'{item.name}': {len(others)} effects stay in the edit ({', '.join(others[:3])})")
        if item.markers:
            self.notes.append(f"'{item.name}': its {len(item.markers)} markers stay in the edit")

    def _name(self, name: str) -> str:
        free = _free_name(self._names, name[:60])
        self._names.add(free)
        return free


# --- footage ---


@dataclass(frozen=True, slots=True)
class _ClipFootage:
    """The footage of a clip: in frame k of its own record the frame `source + k * step` of the footage, counted from 0."""

    footage: StripFootage
    source: Fraction
    step: Fraction
    still: bool


def _footage_of(
    clip: Any, places: Places, rate: Fraction, *, audible: bool
) -> tuple[_ClipFootage | None, Fraction, list[str]]:
    """Return what a clip shows, None without a file, how many seconds it takes, and notes. rate: of the sequence."""
    shown = _sound(clip, places, rate) if audible else media_of(clip, places, rate, results=True)
    media, origin = shown.media, shown.origin
    start, length = origin, shown.length or Fraction(0)
    if clip.source_range is not None:
        start, length = start_of(clip), seconds(clip.source_range.duration, f"clip '{clip.name}'")
    notes = [*notes_of(clip), *shown.notes]
    if media.path is None:
        return None, length, notes
    steps, more = speed_of(clip, start, length, 1 / rate, (origin, shown.length))
    warp = Warp().then(*steps)
    notes += more
    if warp.affine is None:
        notes.append("has several speeds; its strip has that of its beginning")
    # Where there is a curve, its chord over the first frame stands for it.
    offset = warp(Fraction(0))
    slope = warp.affine.scale if warp.affine else (warp(1 / rate) - offset) * rate
    sequence = find_sequence(media.path)
    first = 0 if sequence is None else sequence.first
    footage = StripFootage(path=media.path, rate=media.rate, frames=media.frames, first=first)
    source = offset * media.rate - media.start
    return _ClipFootage(footage, source, slope * media.rate / rate, media.frames == 1), length, notes


def _sound(clip: Any, places: Places, rate: Fraction) -> ClipMedia:
    """The media of a clip of sound, which is counted in frames of the sequence."""
    reference = clip.media_reference
    path, note = places.find(getattr(reference, "target_url", "") or "", clip.name)
    available = getattr(reference, "available_range", None)
    began, length, frames = Fraction(0), None, None
    if available is not None:
        what = f"the sound of clip '{clip.name}'"
        began, length = seconds(available.start_time, what), seconds(available.duration, what)
        frames = max(1, round(length * rate))
    # `start` may be no whole number here: the first sample need not be at a frame.
    media = Media("", path, rate, began * rate, frames)  # type: ignore[arg-type]
    return ClipMedia(media, began, length, (f"media {note}",) if note else ())


def _free_name(taken: Collection[str], name: str) -> str:
    """A name that is not taken, with a number as Blender numbers names."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}.{number:03d}"
    return free


# --- parts ---


def _audible(row: Any) -> bool:
    return bool(getattr(row, "kind", "") == otio.schema.TrackKind.Audio)


def _kind(footage: Any, audible: bool, nested: bool) -> str:
    if footage is None:
        return "META" if nested else ""
    if audible:
        return "SOUND"
    return "IMAGE" if footage.still or "%" in footage.footage.path.name else "MOVIE"


def _length(item: Any) -> Fraction:
    if not isinstance(item, otio.core.Item):
        return Fraction(0)
    return seconds(item.trimmed_range().duration, f"'{item.name}'")


def _offset(item: Any, name: str) -> Fraction:
    if not isinstance(item, otio.schema.Transition):
        return Fraction(0)
    return seconds(getattr(item, name), f"transition '{item.name}'")


def _block(item: Any) -> Any:
    block = item.metadata.get(BLOCK) if hasattr(item, "metadata") else None
    return block if hasattr(block, "get") else {}


def _is_result(row: Any) -> bool:
    return marked({"metadata": _plain(getattr(row, "metadata", {}))}, TRACK) is not None


def _plain(value: Any) -> Any:
    """Metadata of OpenTimelineIO as plain JSON values."""
    if hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
