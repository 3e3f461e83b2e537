"""An edit as the strips of a sequencer.

Video tracks become channels, and sound lies below the pictures, unless the edit came from a sequencer and says its channels. Clips
that dissolve into each other lie on two channels below a cross effect. Position and frames of a clip are read from the edit, which may have
been changed since; all other properties of a strip come from our block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.read.model import (
    block_of,
    exact,
    from_whole_hour,
    nearest,
    notes_of,
    seconds,
    start_of,
    start_of_edit,
)
from host_bridge.timeline.shots.find import is_result_track, overlaps, sequence_rate
from host_bridge.timeline.shots.media import ClipMedia, media_of
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.shots.warp import Warp, speed_of
from host_bridge.timeline.strips import BLOCK, Cut, Marker, Strip, StripFootage, range_of
from nodes.footage.numbering import find_sequence, has_place

_FADE = 3  # channels of a track with dissolves: clips on two in turn, and the effects above them


def cut_of(edit: Edit, first: int = 1) -> tuple[Cut, list[str]]:
    """Return the strips of an edit, and notes on what they cannot hold. first: default first frame of the scene."""
    timeline = edit.timeline
    block = block_of(timeline, BLOCK)
    base = int(block.get("base", first))
    reader = _StripReader(edit)
    strips = tuple(reader.stack(timeline.tracks, base))
    end = max((s.right for s in strips), default=base + 1)
    cut = Cut(
        name=timeline.name or edit.path.stem,
        rate=reader.rate,
        first=int(block.get("first", base)),
        last=int(block.get("last", end - 1)),
        strips=strips,
        markers=tuple(reader.markers(timeline, base)),
        host=_host(block),
    )
    return cut, list(dict.fromkeys(reader.notes))


class _StripReader:
    """Reader that turns an edit into strips. notes: what strips cannot hold."""

    def __init__(self, edit: Edit) -> None:
        self.rate, self.notes = sequence_rate(edit.timeline), list[str]()
        self._places, self._names = edit.places, set[str]()

    def stack(self, stack: Any, base: int) -> Iterator[Strip]:
        """Yield the strips of a stack that begins at frame `base` of the scene."""
        rows = [child if isinstance(child, otio.schema.Track) else [child] for child in stack]
        channel = 1
        for row in sorted(rows, key=_audible, reverse=True):
            own = 0 if isinstance(row, list) else block_of(row, BLOCK).get("channel")
            strips = list(self._track(row, base, int(own or channel)))
            yield from strips
            channel = max([channel, *(strip.channel + 1 for strip in strips)])

    def markers(self, timeline: Any, base: int) -> Iterator[Marker]:
        """Yield the markers of the edit as frames of the scene."""
        origin = start_of_edit(timeline)
        for marker in timeline.tracks.markers:
            at = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
            at -= origin if not block_of(timeline, BLOCK) and 0 < origin <= at else 0
            yield Marker(name=marker.name, frame=base + nearest(at * self.rate))

    def _track(self, row: Any, base: int, channel: int) -> Iterator[Strip]:
        at, lane, before, children = Fraction(0), 0, None, list(row)
        if getattr(row, "source_range", None) is not None:
            at = -start_of(row)
            self.notes.append(f"track '{row.name}' is trimmed as a whole; its strips are not")
        fades = [child for child in children if isinstance(child, otio.schema.Transition)]
        for fade in fades:
            if fade.transition_type != "SMPTE_Dissolve":
                self.notes.append(f"transition '{fade.name}' ({fade.transition_type}) becomes a cross dissolve")
        for i, child in enumerate(children):
            if not isinstance(child, otio.core.Item):
                continue
            head, tail = overlaps(children, i)
            lane = 1 - lane if head and before is not None else lane
            strip, length = self._item(child, row, base, at, (head, tail), channel + lane)
            at += length
            if strip is not None:
                yield strip
                if head and before is not None and before.right > strip.left:
                    yield self._cross(before, strip, channel + _FADE - 1)
            before = strip
        if fades and block_of(row, BLOCK):
            self.notes.append(f"dissolves of track '{row.name}' may lie on the channels above it")

    def _item(
        self, item: Any, row: Any, base: int, at: Fraction, fades: tuple[Fraction, Fraction], channel: int
    ) -> tuple[Strip | None, Fraction]:
        """Return the strip of an item at `at` seconds, and the item's length. fades: seconds added by dissolves."""
        if isinstance(item, otio.schema.Gap):
            return None, _length(item)
        audible, block, footage = _audible(row), block_of(item, BLOCK), None
        source, step = Fraction(0), Fraction(1)
        if isinstance(item, otio.schema.Clip) and not isinstance(item.media_reference, otio.schema.GeneratorReference):
            footage, source, step, length = self._footage(item, audible=audible)
            if footage is None:
                return None, length
            stored = list(block.get("range", ()))
            if stored and stored == range_of(item):  # not trimmed or retimed since
                source, step = exact(block["source"]), exact(block["step"])
        else:
            length = _length(item)
        begin, end = nearest(at * self.rate), nearest((at + length) * self.rate)
        head, tail = (nearest(fade * self.rate) for fade in fades)
        if end + tail <= begin - head:
            return None, length
        inside = tuple(self._nested(item, base + begin)) if isinstance(item, otio.core.Composition) else ()
        if footage is None:
            kind = "META" if inside else ""
        else:
            still = footage.frames == 1 or has_place(footage.path.name)
            kind = "SOUND" if audible else "IMAGE" if still else "MOVIE"
        kind = str(block.get("kind") or kind)
        if not kind:
            self.notes.append(f"'{item.name}' is a title or a generator, which becomes no strip")
            return None, length
        self._note_leftovers(item)
        over = {"blend_type": "ALPHA_OVER"} if is_result_track(row) else {}
        strip = Strip(
            kind=kind,
            name=self._name(item.name or kind.title()),
            channel=channel,
            left=base + begin - head,
            right=base + end + tail,
            footage=footage,
            source=float(source - head * step),
            step=float(step),
            muted=not (item.enabled and getattr(row, "enabled", True)),
            host=_host(block) or over,
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
        if others and not block_of(item, BLOCK):
            self.notes.append(f"'{item.name}': {len(others)} effects stay in the edit ({', '.join(others[:3])})")
        if item.markers:
            self.notes.append(f"'{item.name}': its {len(item.markers)} markers stay in the edit")

    def _name(self, name: str) -> str:
        """Make a strip name unique, with a number in Blender's form."""
        name, number = name[:60], 0
        free = name
        while free in self._names:
            number += 1
            free = f"{name}.{number:03d}"
        self._names.add(free)
        return free

    def _footage(self, clip: Any, *, audible: bool) -> tuple[StripFootage | None, Fraction, Fraction, Fraction]:
        """Return a clip's footage (None without a file), its first frame counted from 0, its step per frame of the sequence, and the clip's seconds."""
        source_media = self._sound(clip) if audible else media_of(clip, self._places, self.rate, results=True)
        media, origin = source_media.media, source_media.origin
        start, length = origin, source_media.length or Fraction(0)
        if clip.source_range is not None:
            start, length = start_of(clip), seconds(clip.source_range.duration, f"clip '{clip.name}'")
        notes = [*notes_of(clip), *source_media.notes]
        footage, source, step = None, Fraction(0), Fraction(1)
        if media.path is not None:
            steps, more = speed_of(clip, start, length, 1 / self.rate, (origin, source_media.length))
            warp = Warp().then(*steps)
            notes += more
            if warp.affine is None:
                notes.append("has several speeds; its strip has that of its beginning")
            # Where there is a curve, its chord over the first frame stands for it.
            source = (warp(Fraction(0)) - origin) * media.rate
            slope = warp.affine.scale if warp.affine else (warp(1 / self.rate) - warp(Fraction(0))) * self.rate
            step = slope * media.rate / self.rate
            sequence = find_sequence(media.path)
            first = 0 if sequence is None else sequence.first
            footage = StripFootage(path=media.path, rate=media.rate, frames=media.frames, first=first)
        self.notes += [f"'{clip.name}': {note}" for note in notes]
        return footage, source, step, length

    def _sound(self, clip: Any) -> ClipMedia:
        """Return the media of a sound clip in frames of the sequence; its first sample may lie between two."""
        reference = clip.media_reference
        path, note = self._places.find(getattr(reference, "target_url", "") or "", clip.name)
        available = getattr(reference, "available_range", None)
        begin, length, frames = Fraction(0), None, None
        if available is not None:
            what = f"the sound of clip '{clip.name}'"
            begin, length = seconds(available.start_time, what), seconds(available.duration, what)
            frames = max(1, round(length * self.rate))
        media = Media("", path, self.rate, nearest(begin * self.rate), frames)
        return ClipMedia(media, begin, length, (f"media {note}",) if note else ())


# --- parts ---


def _audible(row: Sequence[Any]) -> bool:
    return bool(getattr(row, "kind", "") == otio.schema.TrackKind.Audio)


def _length(item: Any) -> Fraction:
    return seconds(item.trimmed_range().duration, f"'{item.name}'") if isinstance(item, otio.core.Item) else Fraction(0)


def _host(block: Any) -> dict[str, Any]:
    """Return the host's properties from our block, as plain JSON values."""
    return dict(json.loads(otio.core.serialize_json_to_string(block.get("host", {}))))
