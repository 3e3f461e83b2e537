"""Find the shots of an edit: every use of media on its video tracks, and in the stacks and compound clips on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.edit import NATIVE, Edit
from host_bridge.timeline.read.model import (
    REMEDY,
    SLACK,
    add_note,
    block_of,
    from_whole_hour,
    nearest,
    notes_of,
    samples_down,
    seconds,
    start_of,
    start_of_edit,
)
from host_bridge.timeline.shots.cast import Cast, in_marker, in_metadata
from host_bridge.timeline.shots.media import OURS, ClipMedia, media_of
from host_bridge.timeline.shots.shot import Casting, Shot
from host_bridge.timeline.shots.warp import Affine, View, Warp, positions, speed_of
from nodes.errors import SchemaError
from nodes.footage.rates import snap_rate

_FRAMES = 20_000_000  # of an edit: 46 hours at 120
_KNOWN_WRITERS = ("Resolve_OTIO", "faceplate_cut")  # programs whose reversed clips are known
Where = tuple[int, ...]
_Level = tuple[tuple[tuple[int, int], Casting], ...]


def find_shots(edit: Edit, *, cast: Cast | None = None, handles: int = 0, results: bool = False) -> list[Shot]:
    """Return the shots of an edit, track by track, with their cast.

    handles: frames of media wanted on either side. results: treat results of Faceplate as footage; by default their plates are used.
    Raises SchemaError, which names the clip, for invalid times.
    """
    return _Finder(edit, cast or Cast(), handles, results).shots()


def sequence_rate(timeline: Any) -> Fraction:
    """Return the rate of an edit: of its start timecode, else the most common among its items, else 24."""
    rates = [timeline.global_start_time.rate] if timeline.global_start_time is not None else []
    counted: Counter[float] = Counter()
    for item in timeline.tracks.find_children() if not rates else ():
        audible = getattr(item.parent(), "kind", "") == otio.schema.TrackKind.Audio
        if isinstance(item, otio.core.Item) and item.source_range is not None and not audible:
            counted[item.source_range.duration.rate] += 1
    try:
        rate = snap_rate((rates + [rate for rate, _ in counted.most_common(1)] + [24.0])[0])
    except ValueError as e:
        raise SchemaError(f"the edit: {e}", remedy=REMEDY) from e
    if rate > 1000:
        raise SchemaError(f"the edit runs at {float(rate):g} frames per second", remedy=REMEDY)
    return rate


def is_result_track(row: Any) -> bool:
    """Tell whether a track is one that Faceplate added for results."""
    return isinstance(row, otio.schema.Track) and block_of(row, OURS).get("schema") == "faceplate.track/1"


@dataclass(frozen=True, slots=True)
class _Context:
    """The surroundings of an item. castings: from markers on each surrounding track and stack, with their frames; innermost first."""

    view: View
    where: Where
    id: str
    enabled: bool = True
    castings: tuple[_Level, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Finder:
    edit: Edit
    cast: Cast
    handles: int
    results: bool
    lengths: dict[Where, Fraction] = field(default_factory=dict)
    media: dict[Where, ClipMedia] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rate = sequence_rate(self.edit.timeline)
        self.frame = 1 / self.rate

    def shots(self) -> list[Shot]:
        stack = self.edit.timeline.tracks
        count = nearest(self._length(stack, ()) * self.rate)
        if count > _FRAMES:
            what = f"is {count} frames long; up to {_FRAMES} are read"
            raise SchemaError(what, file=self.edit.path, remedy=REMEDY)
        view = View(Warp((Affine(offset=start_of(stack)),)), (0, count), self.rate)
        context = self._marked(
            stack, _Context(view, (), ""), "marker on the timeline", start_of_edit(self.edit.timeline)
        )
        return list(self._in_stack(stack, context))

    # --- length ---

    def _length(self, item: Any, where: Where) -> Fraction:
        """Return the length of an item in seconds."""
        if where not in self.lengths:
            self.lengths[where] = self._measured(item, where)
        return self.lengths[where]

    def _measured(self, item: Any, where: Where) -> Fraction:
        what = f"{type(item).__name__.lower()} '{item.name}'"
        inside = self._inside(item, where)  # first, so that errors inside precede those of the item
        if item.source_range is not None:
            length = seconds(item.source_range.duration, what)
            if length < 0:
                raise SchemaError(f"{what} is {float(length):g} s long", file=self.edit.path, remedy=REMEDY)
            start_of(item)  # refuses an invalid one now
            return length
        if isinstance(item, otio.core.Composition):
            return inside
        if isinstance(item, otio.schema.Clip):
            if (media_length := self._media(item, where).length) is None:
                what = f"{what}: neither the document nor a file says how long it is"
                raise SchemaError(what, file=self.edit.path, remedy="Give its folder with --media-root")
            return media_length
        return Fraction(0)

    def _inside(self, item: Any, where: Where) -> Fraction:
        if not isinstance(item, otio.core.Composition):
            return Fraction(0)
        parts = [self._length(c, (*where, i)) for i, c in enumerate(item) if isinstance(c, otio.core.Item)]
        return sum(parts, Fraction(0)) if isinstance(item, otio.schema.Track) else max(parts, default=Fraction(0))

    def _media(self, clip: Any, where: Where) -> ClipMedia:
        if where not in self.media:
            self.media[where] = media_of(clip, self.edit.places, self.rate, results=self.results)
        return self.media[where]

    # --- walking ---

    def _in_stack(self, stack: Any, context: _Context) -> Iterator[Shot]:
        video = otio.schema.TrackKind.Video
        rows = [(i, child) for i, child in enumerate(stack) if getattr(child, "kind", video) == video]
        rows = [(i, child) for i, child in rows if not is_result_track(child)]
        for number, (i, child) in enumerate(rows, 1):
            where, inner = (*context.where, i), replace(context, id=f"{context.id}.V{number}".lstrip("."))
            if isinstance(child, otio.schema.Track):
                enabled = context.enabled and child.enabled
                yield from self._in_track(child, replace(inner, where=where, enabled=enabled))
            else:
                yield from self._item(child, where, 1, Fraction(0), (Fraction(0), Fraction(0)), inner)

    def _in_track(self, track: Any, context: _Context) -> Iterator[Shot]:
        if track.source_range is not None:
            end = nearest(self._length(track, context.where) * self.rate)
            visible = View(context.view.warp, context.view.window(0, end), self.rate)
            context = replace(context, view=visible.shifted(start_of(track)))
        if any(isinstance(e, otio.schema.TimeEffect) for e in track.effects):
            context = replace(context, notes=(*context.notes, f"a time effect of track '{track.name}' is not followed"))
        context = self._marked(track, context, f"marker on track '{track.name}'")
        at, number, children = Fraction(0), 0, list(track)
        for i, child in enumerate(children):
            if isinstance(child, otio.schema.Transition):
                _offset(child, "in_offset"), _offset(child, "out_offset")
            if not isinstance(child, otio.core.Item):
                continue
            where = (*context.where, i)
            if not isinstance(child, otio.schema.Gap):
                number += 1
                yield from self._item(child, where, number, at, overlaps(children, i), context)
            at += self._length(child, where)

    def _item(
        self, item: Any, where: Where, number: int, at: Fraction, overlaps: tuple[Fraction, Fraction], context: _Context
    ) -> Iterator[Shot]:
        if isinstance(item, otio.schema.Gap):
            return
        view, length = context.view, self._length(item, where)
        begin, end = nearest(at * self.rate), nearest((at + length) * self.rate)
        head, tail = (nearest(o * self.rate) for o in overlaps)
        record = view.window(begin - head, end + tail)
        if begin >= end or not record[1]:
            return
        own = view.window(begin, end)
        transitions = (own[0] - record[0], sum(record) - sum(own)) if own[1] else (0, 0)
        id = f"{context.id}-{number:04}"
        enabled = context.enabled and item.enabled
        inner = replace(context, where=where, id=id, enabled=enabled, notes=(*context.notes, *notes_of(item)))
        if isinstance(item, otio.schema.Clip) and self._media(item, where).patch:
            add_note(self.edit.timeline, f"clip '{item.name}' is a patch of Faceplate, and no plate")
        elif isinstance(item, otio.schema.Clip):
            yield self._shot(item, at, length, record, transitions, inner)
        elif isinstance(item, otio.schema.Stack | otio.schema.Track):
            yield from self._nested(item, at, length, record, inner)

    def _nested(
        self, item: Any, at: Fraction, length: Fraction, record: tuple[int, int], context: _Context
    ) -> Iterator[Shot]:
        start, notes = start_of(item), list(context.notes)
        whole = self._inside(item, context.where)
        if isinstance(item, otio.schema.Stack) and (begin := from_whole_hour(start, whole, self.rate)) != start:
            start = begin
            notes.append("compound clip: its source range is taken to count from a whole hour of timecode")
        steps, more = speed_of(item, start, length, self.frame, (Fraction(0), whole))
        warp = context.view.warp.then(Affine(offset=-at), *steps)
        inner = replace(context, view=View(warp, record, self.rate), notes=(*notes, *more))
        if isinstance(item, otio.schema.Track):
            yield from self._in_track(item, replace(inner, view=inner.view.shifted(-start_of(item))))
        else:
            yield from self._in_stack(item, self._marked(item, inner, f"marker on '{item.name}'", whole=True))

    def _shot(
        self,
        clip: Any,
        at: Fraction,
        length: Fraction,
        record: tuple[int, int],
        transitions: tuple[int, int],
        context: _Context,
    ) -> Shot:
        source = self._media(clip, context.where)
        media, origin = source.media, source.origin
        start = start_of(clip) if clip.source_range is not None else origin
        steps, notes = speed_of(clip, start, length, self.frame, (origin, source.length))
        warp = context.view.warp.then(Affine(offset=-at), *steps)
        if samples_down(clip):
            warp = warp.then(Affine(offset=(SLACK - Fraction(1, 2)) / media.rate))
        frames, outside = positions(warp, record, self.rate, media, origin)
        if outside and media.frames != 1:
            notes.append(f"{outside} of {record[1]} frames lie outside of the media, whose first or last is held there")
        if warp.affine is not None and warp.affine.scale < 0 and self._is_ambiguous(clip):
            notes.append(
                f"reversed: frames {frames[0]} to {frames[-1]} of the media are taken, as OpenTimelineIO has it; "
                "Premiere and others write it otherwise: compare its first frame"
            )
        range_shown = (origin + min(frames) / media.rate, origin + (max(frames) + 1) / media.rate)
        ranges = ((start, start + length), (Fraction(0), length), range_shown)
        marker_castings = [in_marker(marker) for marker in clip.markers if self._touches(marker, ranges)]
        own, unclear = in_metadata(clip)
        near = [casting for castings, _ in marker_castings for casting in castings]
        end = sum(record)
        surrounding = [
            [c for window, c in level if window[0] < end and record[0] < sum(window)] for level in context.castings
        ]
        notes += [note for _, problems in marker_castings for note in problems] + unclear
        name = clip.name or context.id
        return Shot(
            id=context.id,
            name=name,
            where=context.where,
            media=media,
            rate=self.rate,
            record=record,
            frames=frames,
            transitions=transitions,
            handles=self.handles,
            cast=self.cast.of(context.id, name, [near, own, *surrounding]),
            enabled=context.enabled,
            notes=tuple(dict.fromkeys((*context.notes, *source.notes, *notes))),
        )

    def _is_ambiguous(self, clip: Any) -> bool:
        """Tell whether a reversed clip's range is ambiguous: in OTIO of programs with an unknown convention."""
        theirs = (*clip.metadata, *self.edit.timeline.metadata, *self.edit.timeline.tracks.metadata)
        return self.edit.path.suffix.lower() in NATIVE and not any(key in theirs for key in _KNOWN_WRITERS)

    # --- markers ---

    def _marked(
        self, holder: Any, context: _Context, said: str, origin: Fraction = Fraction(0), *, whole: bool = False
    ) -> _Context:
        """Add the castings in markers of a track or stack. origin: timecode at which the edit begins; whole: markers apply to all of it."""
        level, notes = [], list(context.notes)
        for marker in holder.markers:
            castings, unclear = in_marker(marker)
            notes += unclear
            begin = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
            length = seconds(marker.marked_range.duration, f"marker '{marker.name}'")
            if 0 < origin <= begin:
                begin -= origin
            first = nearest(begin * self.rate)
            last = first + max(nearest(length * self.rate), 1)
            window = context.view.record if whole else context.view.window(first, last)
            level += [(window, replace(casting, said=said)) for casting in castings]
        return replace(context, castings=(tuple(level), *context.castings), notes=tuple(notes))

    def _touches(self, marker: Any, ranges: Sequence[tuple[Fraction, Fraction]]) -> bool:
        """Tell whether a marker lies on a clip. ranges: begin and end of the clip, in each way that programs count a marker's time."""
        first = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
        last = first + max(seconds(marker.marked_range.duration, f"marker '{marker.name}'"), self.frame)
        return any(first < end and begin < last for begin, end in ranges)


def overlaps(children: Sequence[Any], i: int) -> tuple[Fraction, Fraction]:
    """Return the seconds that transitions add before an item's begin and after its end."""
    before = next((children[k] for k in range(i - 1, -1, -1) if not _is_empty(children[k])), None)
    behind = next((children[k] for k in range(i + 1, len(children)) if not _is_empty(children[k])), None)
    return (
        _offset(before, "in_offset") if isinstance(before, otio.schema.Transition) else Fraction(0),
        _offset(behind, "out_offset") if isinstance(behind, otio.schema.Transition) else Fraction(0),
    )


def _is_empty(item: Any) -> bool:
    return isinstance(item, otio.schema.Gap) and item.source_range is not None and not item.source_range.duration.value


def _offset(transition: Any, name: str) -> Fraction:
    time = getattr(transition, name)
    length = Fraction(0) if time is None else seconds(time, f"transition '{transition.name}'")
    if length < 0:
        raise SchemaError(f"transition '{transition.name}' is {float(length):g} s long", remedy=REMEDY)
    return length
