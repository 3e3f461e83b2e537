"""Parts of FCPXML: times, resources, speeds, markers, and storylines as tracks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.model import (
    MapKey,
    add_note,
    exact,
    rational_time,
    sample_down,
    speed_effects,
    time_effect,
    time_range,
    value_at,
)
from nodes.footage.rates import snap_rate

PICTURE = otio.schema.TrackKind.Video
SOUND = otio.schema.TrackKind.Audio
_ZERO = Fraction(0)
_TIME = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)(?:/(\d+))?s?\s*")
_MOST = 10**9  # seconds
_NAMED_RATE = re.compile(r"([ip])(\d{2,5})(?:_\w+)?$")
_CONFORMS = Fraction(6, 100)  # Final Cut conforms rates that are up to 4.3 % apart, or so for a multiple
_MARKERS = ("marker", "chapter-marker", "keyword")


# --- times ---


def seconds_of(element: Element, name: str, default: Fraction = _ZERO) -> Fraction:
    """Parse the time in an attribute, such as `1001/24000s` or `5s`; raises ValueError for other text."""
    text = element.get(name)
    return default if text is None else _parse_time(text, f"{label_of(element)}: {name}")


def _parse_time(text: str, what: str) -> Fraction:
    match = _TIME.fullmatch(text)
    if match is None or (match[2] and int(match[2]) == 0):
        raise ValueError(f"{what} is '{text[:40]}', which is not a time")
    time = Fraction(match[1]) / int(match[2] or 1)
    if abs(time) > _MOST:
        raise ValueError(f"{what} is {float(time):.3g} s, which is out of range")
    return time


def label_of(element: Element) -> str:
    """Return an element's name for errors and notes."""
    name = element.get("name")
    return f"{element.tag} '{name[:60]}'" if name else element.tag


# --- resources ---


class Resources:
    """The elements of a document with an id."""

    def __init__(self, root: Element) -> None:
        holders = root.iter("resources")
        self._elements = {e.get("id", ""): e for holder in holders for e in holder if e.get("id")}

    def get(self, id: str | None) -> Element | None:
        """Return the element of a reference; None if missing."""
        return self._elements.get(id or "")

    def rate(self, id: str | None) -> Fraction | None:
        """Return the rate of a format in frames per second; None for formats without one."""
        element = self.get(id)
        if element is None or element.tag != "format":
            return None
        if element.get("frameDuration"):
            duration = seconds_of(element, "frameDuration")
            return snap_rate(1 / duration) if duration else None
        match = _NAMED_RATE.search(element.get("name") or "")
        if match is None:
            return None
        digits = match[2]
        rate = Fraction(int(digits), 100 if len(digits) > 3 or digits in ("2398", "4795") else 1)
        return snap_rate(rate / 2 if match[1] == "i" else rate)


def kinds_of(asset: Element) -> list[str]:
    """Return the kinds of track of an asset."""
    sound = asset.get("hasAudio") == "1"
    pictures = asset.get("hasVideo") == "1" or (not sound and asset.get("hasVideo") != "0")
    return [kind for kind, present in ((PICTURE, pictures), (SOUND, sound)) if present]


def clip_of(asset: Element, name: str, rate: Fraction) -> Any:
    """Return a clip of an asset's files: the original, and a proxy beside it. rate: of the asset, or one for sound."""
    sources = [(rep.get("kind"), rep.get("src")) for rep in asset.findall("media-rep")]
    sources.append((None, asset.get("src")))
    proxies = [src for kind, src in sources if src and kind == "proxy-media"]
    originals = [src for kind, src in sources if src and kind != "proxy-media"]
    urls = {"DEFAULT_MEDIA": (originals or proxies)[0]} if originals or proxies else {}
    if originals and proxies:
        urls["proxy"] = proxies[-1]
    available = None
    if length := seconds_of(asset, "duration"):
        begin = rational_time(seconds_of(asset, "start"), rate)
        available = TimeRange(begin, RationalTime(float(length * rate), float(rate)))
    references = {key: otio.schema.ExternalReference(url, available) for key, url in urls.items()}
    references = references or {"DEFAULT_MEDIA": otio.schema.MissingReference(available_range=available)}
    for reference in references.values():
        reference.name = asset.get("name", "")
    clip = otio.schema.Clip(name or asset.get("name", ""))
    clip.set_media_references(references, "DEFAULT_MEDIA")
    return clip


# --- speeds ---
#
# A time map's `time` is in the clip's own time (its `start`), `value` in its content's. A conformed clip plays the frames of its media one
# by one at the rate of the timeline.


@dataclass(frozen=True, slots=True)
class Retime:
    """The part of its content that a clip shows.

    length: of its record, in seconds. keys: from seconds of record to seconds of its content. begin: in its own time.
    down: whether it shows the earlier of two frames of its media.
    """

    length: Fraction
    keys: tuple[MapKey, ...]
    begin: Fraction
    notes: tuple[str, ...] = ()
    down: bool = False

    def shifted(self, by: Fraction) -> Retime:
        """Return the same part with the content's time shifted."""
        return replace(self, keys=tuple(replace(key, source=key.source + by) for key in self.keys))

    def put_on(self, item: Any, rate: Fraction) -> None:
        """Give an item its source range, its time effect, and its notes. rate: of the sequence."""
        first, last = self.keys[0], self.keys[-1]
        start = value_at(self.keys, _ZERO) if self.length else first.source
        if len(self.keys) == 2 and self.length:
            speed = (last.source - first.source) / (last.record - first.record)
            start = min(start, last.source)
            item.effects.extend(speed_effects(speed) if exact(float(speed)) == speed else [time_effect(self.keys)])
        elif self.length:
            item.effects.append(time_effect(self.keys))
        if self.down:
            for clip in item.find_clips() if isinstance(item, otio.core.Composition) else [item]:
                sample_down(clip)
        item.source_range = time_range(start, self.length, rate)
        add_note(item, *self.notes)


def _conform_of(element: Element, rate: Fraction, own: Fraction | None) -> tuple[Fraction, list[str]]:
    """Return the seconds of content that a conformed clip plays per second of the timeline, and notes."""
    conform = element.find("conform-rate")
    if conform is None or conform.get("scaleEnabled") == "0":
        return Fraction(1), []
    try:
        source = snap_rate(float(conform.get("srcFrameRate") or own or rate))
    except ValueError:
        return Fraction(1), [f"its frame rate, '{conform.get('srcFrameRate')}', is not followed"]
    target = rate * max(1, round(source / rate)) if source >= rate else rate / max(1, round(rate / source))
    if abs(target / source - 1) > _CONFORMS:
        what = f"conforms {float(source):.6g} to {float(rate):.6g} frames per second, which Final Cut Pro does not"
        return Fraction(1), [f"{what}; played in real time"]
    return target / source, []


def retime_of(
    element: Element,
    start: Fraction | None,
    length: Fraction,
    rate: Fraction,
    own: Fraction | None,
    content: tuple[Fraction, Fraction | None],
) -> tuple[Retime, Fraction]:
    """Return the part of its content that a clip shows, and its seconds per second of the timeline by rate conform alone.

    start: of its use, None if not given. length: of its record. rate: of the sequence. own: of its media. content: begin and
    length of its content. All in seconds, rates in frames per second.
    """
    scale, notes = _conform_of(element, rate, own)
    down = _samples_down(element)
    points = element.findall("timeMap/timept")
    keys = [
        MapKey(
            seconds_of(point, "time"),
            _parse_time(point.get("value", ""), f"{label_of(element)}: a point of its time map"),
            max(_ZERO, seconds_of(point, "inTime")),
            max(_ZERO, seconds_of(point, "outTime")),
        )
        for point in points
    ]
    origin, available = content
    begin = origin if start is None else start
    if points and (len(keys) < 2 or any(a.record >= b.record for a, b in pairwise(keys))):
        notes.append("its time map is not followed: its times do not rise; taken at 100 %")
        keys = []
    if not keys:
        if available is not None and begin + length * scale <= min(origin, available):
            begin += origin
            notes.append("its start counts from the beginning of the media")
        straight = (MapKey(_ZERO, begin), MapKey(length, begin + length * scale))
        return Retime(length, straight, begin, tuple(notes), own not in (None, rate) and scale == 1 and down), scale
    if scale != 1:
        notes.append("has a time map and a rate conform, which are taken one after the other; check its frames")
    first, last = keys[0].record, keys[-1].record
    if start is None and not first <= begin <= last:
        begin = first
    elif not first <= begin <= last and first <= begin - origin <= last:
        begin -= origin
        notes.append("its time map counts from the beginning of the media")
    end = begin + length * scale
    if begin < first or end > last:
        notes.append("plays beyond its time map, whose speed is taken to go on")
    inner = [key for key in keys if begin < key.record < end]
    used = [MapKey(begin, value_at(keys, begin)), *inner, MapKey(end, value_at(keys, end))]
    most = max(key.source for key in used)
    if available is not None and most <= available and most < origin:
        keys, used = ([replace(key, source=key.source + origin) for key in some] for some in (keys, used))
        notes.append("the values of its time map count from the beginning of the media")
    if not length or len({(b.source - a.source) / (b.record - a.record) for a, b in pairwise(used)}) == 1:
        keys = [used[0], used[-1]]
    elif any(key.before or key.after for key in keys[1:-1]):
        notes.append("eases from one speed to another; its frames there may be one beside those of Final Cut Pro")
    elif any(point.get("interp") == "smooth" for point in points):
        notes.append("its speed is eased in Final Cut's older way; taken as straight between keys")
    mapped = (MapKey((k.record - begin) / scale, k.source, k.before / scale, k.after / scale) for k in keys)
    return Retime(length, tuple(mapped), begin, tuple(dict.fromkeys(notes)), down), scale


def _samples_down(element: Element) -> bool:
    """Tell whether a clip shows the earlier of two frames, as Final Cut does by default."""
    holder = next((e for e in map(element.find, ("timeMap", "conform-rate")) if e is not None), None)
    return holder is None or holder.get("frameSampling", "floor") != "nearest-neighbor"


# --- markers ---


def markers_of(element: Element, begin: Fraction, end: Fraction, rate: Fraction) -> tuple[list[Any], list[str]]:
    """Return the markers, keywords and notes of an element that touch its used part, from begin to end, and a note on others."""
    markers, notes = [], []
    for child in element:
        if child.tag == "note":
            markers.append(_note_marker(child, rate, end - begin, begin))
        elif child.tag in _MARKERS:
            at, length = seconds_of(child, "start", begin), seconds_of(child, "duration")
            name, comment = child.get("value", ""), child.get("note", "")
            if at < end and (at + length > begin or at == begin):
                markers.append(otio.schema.Marker(name, time_range(at, length, rate), comment=comment))
            elif "FACE" in f"{name} {comment}".upper():
                notes = ["a marker that says FACE lies outside of what is used of it, and is not followed"]
    return markers, notes


def _note_marker(element: Element, rate: Fraction, length: Fraction, begin: Fraction = _ZERO) -> Any:
    """Turn a note into a marker over its whole element."""
    return otio.schema.Marker("", time_range(begin, length, rate), comment=(element.text or "").strip())


# --- storylines as tracks ---


@dataclass
class StoryItem:
    """An item of a storyline.

    begin, length: of its record, in seconds. start: in its own time. items: by kind of track. markers: if it has no item.
    """

    begin: Fraction
    length: Fraction
    start: Fraction = _ZERO
    scale: Fraction = Fraction(1)
    items: dict[str, Any] = field(default_factory=dict)
    markers: list[Any] = field(default_factory=list)

    def at(self, offset: Fraction, frame: Fraction) -> Fraction:
        """Return the record second of a connection. Offsets in a conformed clip count in one of two ways; the one that falls on a frame is taken."""
        along = offset - self.start
        if self.scale != 1 and (along / frame).denominator > 1 and (along / self.scale / frame).denominator == 1:
            along /= self.scale
        return self.begin + along

    def add_note(self, note: str) -> None:
        """Add a note to its items."""
        for item in self.items.values():
            add_note(item, note)


@dataclass(eq=False)
class Storyline:
    """Items in sequence without gaps, and transitions between them, by the index of the item after each."""

    lane: int
    pieces: list[StoryItem] = field(default_factory=list)
    transitions: dict[int, tuple[Element, Fraction, Fraction]] = field(default_factory=dict)

    @property
    def begin(self) -> Fraction:
        """The first second in the composition."""
        return self.pieces[0].begin

    @property
    def end(self) -> Fraction:
        """The last second in the composition."""
        return self.pieces[-1].begin + self.pieces[-1].length


@dataclass
class Composition:
    """Storylines together. begin: its first second in its own time. rate: in frames per second.

    whole: keep the primary storyline even if empty, for its length. notes: about all of it.
    """

    lines: list[Storyline]
    begin: Fraction
    rate: Fraction
    whole: bool = False
    notes: Sequence[Element] = ()

    def __post_init__(self) -> None:
        """Shift all storylines so that none begins before 0."""
        ahead = max((-line.begin for line in self.lines if line.begin < 0), default=_ZERO)
        self.begin -= ahead
        for piece in (piece for line in self.lines for piece in line.pieces):
            piece.begin += ahead

    @property
    def length(self) -> Fraction:
        """The length in seconds."""
        return max((line.end for line in self.lines), default=_ZERO)

    def stack(self, name: str) -> Any:
        """Return a stack of its tracks: pictures from the lowest lane up, then sound. Storylines of a lane share a track unless they collide."""
        rows: list[list[Storyline]] = []
        for lane in sorted({line.lane for line in self.lines}):
            here: list[list[Storyline]] = []
            for line in sorted((line for line in self.lines if line.lane == lane), key=lambda line: line.begin):
                row = next((row for row in here if _fits(row[-1], line)), None)
                if row is None:
                    here.append(row := [])
                row.append(line)
            rows += here
        tracks = [_track(row, kind, self.rate) for kind in (PICTURE, SOUND) for row in rows]
        primary = tracks[next(i for i, row in enumerate(rows) if self.lines[0] in row)] if self.whole and rows else None
        stack = otio.schema.Stack(name)
        stack.extend(track for track in tracks if track is primary or track.markers or is_filled(track))
        stack.markers.extend(_note_marker(note, self.rate, self.length) for note in self.notes)
        return stack


def is_filled(track: Any) -> bool:
    """Tell whether a track holds anything but gaps."""
    return any(not isinstance(item, otio.schema.Gap) for item in track)


def _fits(last: Storyline, line: Storyline) -> bool:
    touches = len(last.pieces) in last.transitions or 0 in line.transitions
    return last.end < line.begin if touches else last.end <= line.begin


def _track(row: Sequence[Storyline], kind: str, rate: Fraction) -> Any:
    track = otio.schema.Track(kind=kind)
    at = _ZERO
    for line in row:
        _pad(track, line.begin - at, rate)
        for i, piece in enumerate((*line.pieces, None)):
            if i in line.transitions:
                _add_transition(track, line, i, kind, rate)
            if piece is not None and kind in piece.items:
                track.append(piece.items[kind])
            elif piece is not None:
                _pad(track, piece.length, rate)
        for piece in line.pieces if kind == PICTURE else ():
            by = rational_time(piece.begin - piece.start, rate)
            for marker in piece.markers:
                marker.marked_range = TimeRange(marker.marked_range.start_time + by, marker.marked_range.duration)
                track.markers.append(marker)
        at = line.end
    return track


def _pad(track: Any, length: Fraction, rate: Fraction) -> None:
    if length > 0:
        track.append(otio.schema.Gap(source_range=TimeRange(RationalTime(0, float(rate)), rational_time(length, rate))))


def _add_transition(track: Any, line: Storyline, i: int, kind: str, rate: Fraction) -> None:
    """Add the transition before item `i`, if an item of this kind is beside it."""
    element, before, behind = line.transitions[i]
    beside = [piece.items[kind] for piece in line.pieces[max(i - 1, 0) : i + 1] if kind in piece.items]
    if before < 0 or behind < 0 or not before + behind:
        for item in beside:
            add_note(item, f"{label_of(element)} does not touch the cut that it stands at; not followed")
    elif beside:
        name = element.get("name", "")
        types = otio.schema.TransitionTypes
        shape = types.SMPTE_Dissolve if "dissolve" in name.lower() or not name else types.Custom
        track.append(otio.schema.Transition(name, shape, rational_time(before, rate), rational_time(behind, rate)))
