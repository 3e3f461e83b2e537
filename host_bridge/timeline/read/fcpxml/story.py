"""The story of an FCPXML document: storylines, connected clips and lanes as tracks, and what is nested as stacks.

An element's `offset` counts as its parent's own time does, which begins at the parent's `start`. Elements with a lane are connected to their parent and
stand in the composition that it stands in; elements without one are its content, of which it shows a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read import limits
from host_bridge.timeline.read.fcpxml.resources import Asset, Resources, called, seconds_of
from host_bridge.timeline.read.fcpxml.retime import Retime, conform_of, retime_of, samples_down_in
from host_bridge.timeline.read.notes import add_note
from host_bridge.timeline.read.times import rational_time, seconds

_ZERO = Fraction(0)
_DEPTH = 40  # compositions within each other
_SHOWN = {
    "asset-clip",
    "clip",
    "video",
    "audio",
    "ref-clip",
    "sync-clip",
    "mc-clip",
    "audition",
    "title",
    "gap",
    "live-drawing",
}
_MARKERS = ("marker", "chapter-marker", "keyword", "note")
_Picture = otio.schema.TrackKind.Video
_Sound = otio.schema.TrackKind.Audio


@dataclass
class _Piece:
    """An item of a storyline.

    begin, length: of its record, in seconds. start: as its own time counts. items: by kind of track. markers: of a gap, counted as the record.
    """

    begin: Fraction
    length: Fraction
    start: Fraction = _ZERO
    scale: Fraction = Fraction(1)
    items: dict[str, Any] = field(default_factory=dict)
    markers: list[Any] = field(default_factory=list)

    def at(self, offset: Fraction, frame: Fraction) -> Fraction:
        """Where in the record something is connected. A conformed clip's offsets are found to count in one of two ways: by which they fall on frames."""
        along = offset - self.start
        if self.scale != 1 and (along / frame).denominator > 1 and (along / self.scale / frame).denominator == 1:
            along /= self.scale
        return self.begin + along


@dataclass(eq=False)
class _Run:
    """A storyline: pieces that follow each other without a hole, and transitions between them, by the number of the piece that they stand before."""

    lane: int
    pieces: list[_Piece] = field(default_factory=list)
    transitions: dict[int, tuple[Element, Fraction, Fraction]] = field(default_factory=dict)

    @property
    def begin(self) -> Fraction:
        """Its first second in the composition."""
        return self.pieces[0].begin

    @property
    def end(self) -> Fraction:
        """The second at which it is over."""
        return self.pieces[-1].begin + self.pieces[-1].length


@dataclass(frozen=True, slots=True)
class Composed:
    """A sequence as a stack. begin: its first timecode; length: in seconds."""

    stack: Any
    begin: Fraction
    length: Fraction
    rate: Fraction

    def timeline(self, name: str) -> otio.schema.Timeline:
        """The sequence as an edit of its own."""
        begin = RationalTime(float(self.begin * self.rate), float(self.rate))  # its rate is that of the edit
        found = otio.schema.Timeline(name, global_start_time=begin)
        found.tracks = self.stack
        found.tracks.name = "tracks"
        return found


class Story:
    """Reads the compositions of one document."""

    def __init__(self, resources: Resources, file: Path) -> None:
        self._resources = resources
        self._file = file
        self._open: list[str] = []
        self._count = 0

    def sequence(self, element: Element, name: str) -> Composed:
        """Return a sequence; raises ValueError that says what in it cannot be read."""
        rate = self._resources.rate(element.get("format")) or _first_rate(element, self._resources)
        begin = seconds_of(element, "tcStart")
        runs, ahead = self._runs(element.findall("spine"), rate, begin)
        stack = _stack(runs, rate, name, whole=True)
        length = _end(runs)
        stack.markers.extend(_note(note, rate, length) for note in element.findall("note"))
        return Composed(stack, begin - ahead, length, rate)

    def alone(self, element: Element) -> Composed:
        """Return a clip that is in no project as a sequence that begins at 0; raises ValueError."""
        resource = self._resources.get(element.get("ref"))
        holders = [element] if resource is None else [*resource.iter("sequence"), *resource.iter("multicam"), resource]
        rate = self._resources.rate(holders[0].get("format")) or _first_rate(element, self._resources)
        run: list[_Run] = []
        self._run([element], rate, _ZERO, None, 0, run)
        return Composed(_stack(run, rate, "", whole=True), _ZERO, _end(run), rate)

    # --- compositions ---

    def _runs(self, content: Iterable[Element], rate: Fraction, begin: Fraction) -> tuple[list[_Run], Fraction]:
        """The storylines of a composition, and how many seconds before `begin`, as its time counts, the first of them begins.

        content: what has no lane in it: spines, or clips.
        """
        if len(self._open) > _DEPTH:
            raise ValueError(f"has more than {_DEPTH} clips nested in each other")
        found: list[_Run] = []
        loose: list[Element] = []
        for element in content:
            if element.tag == "spine":
                self._run(list(element), rate, _ZERO, begin - seconds_of(element, "offset"), 0, found)
            else:
                loose.append(element)
        if loose:
            self._run(loose, rate, _ZERO, begin, 0, found)
        ahead = max((-run.begin for run in found), default=_ZERO)
        for piece in (piece for run in found for piece in run.pieces if ahead > 0):
            piece.begin += ahead
        return found, max(ahead, _ZERO)

    def _run(
        self,
        elements: Sequence[Element],
        rate: Fraction,
        at: Fraction,
        begin: Fraction | None,
        lane: int,
        found: list[_Run],
    ) -> None:
        """Add a storyline that begins at `at` in its composition, where its own time is `begin`, and all that is connected to it.

        begin: None for that of its first item.
        """
        run = _Run(lane)
        found.append(run)
        offsets = [seconds_of(e, "offset") for e in elements if e.tag in _SHOWN and e.get("offset")]
        if begin is None:
            begin = offsets[0] if offsets else _ZERO
        elif offsets and offsets[0] < begin:  # it counts from 0
            begin = _ZERO
        first = at
        for element in elements:
            if element.tag == "transition":
                offset = seconds_of(element, "offset", begin + at - first) - begin + first
                run.transitions[len(run.pieces)] = (element, at - offset, offset + seconds_of(element, "duration") - at)
            elif element.tag in _SHOWN:
                place = seconds_of(element, "offset", begin + at - first) - begin + first
                if place > at:
                    run.pieces.append(_Piece(at, place - at))
                piece = self._piece(element, rate, max(place, at))
                if place < at:
                    _tell(piece, f"its offset lies {float(at - place):.3f} s before the end of what stands before it")
                run.pieces.append(piece)
                at = piece.begin + piece.length
                self._connected(element, piece, rate, lane, found)
        if not run.pieces:
            found.remove(run)

    def _connected(self, element: Element, piece: _Piece, rate: Fraction, lane: int, found: list[_Run]) -> None:
        """Add what is connected to an element."""
        for child in _picked(element):
            if not _lane(child) or child.tag not in (*_SHOWN, "spine"):
                continue
            at = piece.at(seconds_of(child, "offset", piece.start), 1 / rate)
            inside = list(child) if child.tag == "spine" else [child]
            self._run(inside, rate, at, None, lane + _lane(child), found)

    # --- items ---

    def _piece(self, element: Element, rate: Fraction, at: Fraction) -> _Piece:
        self._count += 1
        if self._count > limits.ITEMS:
            raise ValueError(f"has more than {limits.ITEMS} items")
        if element.tag == "audition":
            picks = [child for child in element if child.tag in _SHOWN]
            if not picks:
                return _Piece(at, _ZERO)
            return self._piece(picks[0], rate, at)
        make = {
            "gap": self._gap,
            "clip": self._container,
            "sync-clip": self._container,
            "ref-clip": self._compound,
            "mc-clip": self._multicam,
        }.get(element.tag, self._media)
        piece = make(element, rate)
        if piece.length < 0:
            raise ValueError(f"{called(element)} is {float(piece.length):g} s long")
        for item in piece.items.values():
            item.enabled = element.get("enabled") != "0"
            if not item.name:
                item.name = element.get("name", "")
            item.markers.extend(_markers(element, piece, rate))
        piece.begin = at
        if not piece.items:
            piece.markers = [_moved(marker, at - piece.start, rate) for marker in _markers(element, piece, rate)]
        return piece

    def _gap(self, element: Element, rate: Fraction) -> _Piece:
        return _Piece(_ZERO, seconds_of(element, "duration"), seconds_of(element, "start"))

    def _media(self, element: Element, rate: Fraction) -> _Piece:
        """A clip of one asset, or what makes its picture itself: titles and generators."""
        resource = self._resources.get(element.get("ref"))
        name = element.get("name", "")
        if resource is None or resource.tag != "asset":
            if resource is None and element.tag not in ("title", "live-drawing"):
                return self._absent(element, rate, "media")
            kind = (resource.get("name") if resource is not None else "") or element.tag
            shown = otio.schema.Clip(name, otio.schema.GeneratorReference(kind, kind))
            length, begin = seconds_of(element, "duration"), seconds_of(element, "start")
            shown.source_range = TimeRange(rational_time(begin, rate), rational_time(length, rate))
            return _Piece(_ZERO, length, begin, items={} if element.tag == "audio" else {_Picture: shown})
        asset = self._resources.asset(resource)
        length = seconds_of(element, "duration", asset.length or _ZERO)
        scale, said = conform_of(element, rate, asset.rate)
        start = seconds_of(element, "start") if element.get("start") else None
        if not element.get("duration") and start is not None:
            length = max(length + asset.start - start, _ZERO)
        retime = retime_of(element, start, length, (scale, said), (asset.start, asset.length))
        if asset.rate not in (None, rate) and scale == 1 and samples_down_in(element):
            retime = replace(retime, down=True)
        items = {kind: _clip(name, asset, retime, rate) for kind in _kinds(element, asset)}
        return _Piece(_ZERO, length, retime.begin if start is None else start, scale, items)

    def _absent(self, element: Element, rate: Fraction, what: str) -> _Piece:
        """A clip whose resource the document does not hold, as one of missing media."""
        length, begin = seconds_of(element, "duration"), seconds_of(element, "start")
        name = element.get("name", "")
        clip = otio.schema.Clip(name, otio.schema.MissingReference(name=name))
        clip.source_range = TimeRange(rational_time(begin, rate), rational_time(length, rate))
        add_note(clip, f"refers to '{element.get('ref')}', which is no {what} of the document")
        return _Piece(_ZERO, length, begin, items={_Sound if element.tag == "audio" else _Picture: clip})

    def _container(self, element: Element, rate: Fraction) -> _Piece:
        """A clip or synchronized clip: its content is in it."""
        content = [e for e in element if (e.tag in _SHOWN and not _lane(e)) or (e.tag == "spine" and not _lane(e))]
        inside = self._resources.rate(element.get("format")) or rate
        offsets = [_content_begin(e) for e in content]
        start = seconds_of(element, "start", min(offsets, default=_ZERO))
        begin = min([start, *offsets])
        self._open.append(called(element))
        runs, ahead = self._runs(content, inside, begin)
        self._open.pop()
        begin -= ahead
        length = seconds_of(element, "duration", max(_end(runs) + begin - start, _ZERO))
        own = next((r for e in content if (r := self._own_rate(e))), None)
        conform = conform_of(element, rate, own)
        retime = retime_of(element, start, length, conform, (begin, None)).shifted(-begin)
        items = _flat(runs, retime, rate) or _nested(runs, retime, rate, inside, element)
        return _Piece(_ZERO, length, start, conform[0], items)

    def _compound(self, element: Element, rate: Fraction) -> _Piece:
        resource = self._resources.get(element.get("ref"))
        sequence = None if resource is None else resource.find("sequence")
        if resource is None or sequence is None:
            return self._absent(element, rate, "sequence")
        composed = self._within(element, lambda: self.sequence(sequence, resource.get("name", "")))
        return self._used(element, rate, composed)

    def _multicam(self, element: Element, rate: Fraction) -> _Piece:
        resource = self._resources.get(element.get("ref"))
        multicam = None if resource is None else resource.find("multicam")
        if resource is None or multicam is None:
            return self._absent(element, rate, "multicam clip")
        inside = self._resources.rate(multicam.get("format")) or rate
        begin = seconds_of(multicam, "tcStart")
        angles = multicam.findall("mc-angle")
        chosen = {
            kind: next(
                (s.get("angleID") for s in element.findall("mc-source") if s.get("srcEnable", "all") in ("all", said)),
                None,
            )
            for kind, said in ((_Picture, "video"), (_Sound, "audio"))
        }
        if not element.findall("mc-source"):
            chosen = dict.fromkeys(chosen, angles[0].get("angleID") if angles else None)
        found: list[tuple[str, list[_Run], Fraction]] = []
        for kind, id in chosen.items():
            angle = next((a for a in angles if a.get("angleID") == id), None)
            if angle is not None:
                runs, ahead = self._within(element, lambda angle=angle: self._runs(list(angle), inside, begin))
                found.append((kind, runs, ahead))
        most = max((ahead for _, _, ahead in found), default=_ZERO)
        stack = otio.schema.Stack(resource.get("name", ""))
        for kind, runs, ahead in found:
            for piece in (piece for run in runs for piece in run.pieces):
                piece.begin += most - ahead
            stack.extend(track for track in _tracks(runs, inside) if track.kind == kind)
        length = max((_end(runs) for _, runs, _ in found), default=_ZERO)
        piece = self._used(element, rate, Composed(stack, begin - most, length, inside))
        if chosen[_Picture] and not any(kind == _Picture for kind, _, _ in found):
            _tell(piece, f"its angle '{chosen[_Picture]}' is not in the document")
        return piece

    def _within(self, element: Element, make: Any) -> Any:
        """What `make` returns of the resource that an element refers to; raises ValueError where that is in itself."""
        id = element.get("ref", "")
        if id in self._open:
            raise ValueError(f"goes in a circle: {called(element)} holds itself")
        self._open.append(id)
        try:
            return make()
        finally:
            self._open.pop()

    def _used(self, element: Element, rate: Fraction, composed: Composed) -> _Piece:
        """A use of a composition that other clips may use too."""
        begin = composed.begin
        start = seconds_of(element, "start", begin)
        if start < begin:  # it counts from 0
            begin = _ZERO
        length = seconds_of(element, "duration", max(composed.length + begin - start, _ZERO))
        conform = conform_of(element, rate, composed.rate)
        retime = retime_of(element, start, length, conform, (begin, None)).shifted(-begin)
        items = {}
        kinds = {track.kind for track in composed.stack if _filled(track)} & _enabled(element)
        kind = _Picture if _Picture in kinds else _Sound
        if kinds:
            retime.put_on(composed.stack, rate)
            composed.stack.name = element.get("name") or composed.stack.name
            items[kind] = composed.stack
        return _Piece(_ZERO, length, start, conform[0], items)

    def _own_rate(self, element: Element) -> Fraction | None:
        resource = self._resources.get(element.get("ref"))
        return None if resource is None or resource.tag != "asset" else self._resources.asset(resource).rate


# --- parts ---


def _first_rate(element: Element, resources: Resources) -> Fraction:
    """The rate of a sequence whose format says none: that of the first clip that says one, else 24."""
    for child in element.iter():
        own = resources.get(child.get("ref"))
        if found := resources.rate(child.get("format")) or (
            resources.rate(own.get("format")) if own is not None else None
        ):
            return found
    return Fraction(24)


def _picked(element: Element) -> Element:
    """What an audition shows: its first; any other element itself."""
    if element.tag != "audition":
        return element
    return next((child for child in element if child.tag in _SHOWN), element)


def _lane(element: Element) -> int:
    try:
        return int(element.get("lane") or 0)
    except ValueError as e:
        raise ValueError(f"{called(element)}: lane is '{element.get('lane')}', which is not a number") from e


def _content_begin(element: Element) -> Fraction:
    """When, as its parent's time counts, an element of content begins."""
    offset = seconds_of(element, "offset")
    if element.tag != "spine":
        return offset
    first = next((child for child in element if child.tag in _SHOWN), None)
    return offset + (_ZERO if first is None else seconds_of(first, "offset"))


def _enabled(element: Element) -> set[str]:
    wanted = element.get("srcEnable", "all")
    return {kind for kind, said in ((_Picture, "video"), (_Sound, "audio")) if wanted in ("all", said)}


def _kinds(element: Element, asset: Asset) -> list[str]:
    """On which tracks a clip of an asset lies."""
    if element.tag in ("video", "audio"):
        return [_Picture if element.tag == "video" else _Sound]
    has = {_Picture: asset.pictures, _Sound: asset.sound}
    return [kind for kind in (_Picture, _Sound) if has[kind] and kind in _enabled(element)]


def _clip(name: str, asset: Asset, retime: Retime, rate: Fraction) -> otio.schema.Clip:
    clip = otio.schema.Clip(name or asset.name)
    clip.set_media_references(asset.references(rate), "DEFAULT_MEDIA")
    retime.put_on(clip, rate)
    return clip


def _flat(runs: list[_Run], retime: Retime, rate: Fraction) -> dict[str, Any]:
    """A container around one clip that fills it, as that clip: by kind of track; empty where there is more in it than that."""
    shown = [(run, piece) for run in runs for piece in run.pieces if piece.items]
    pictures = [piece for _, piece in shown if _Picture in piece.items]
    if len(pictures) > 1 or not shown or any(run.transitions for run in runs):
        return {}
    main = pictures[0] if pictures else shown[0][1]
    ends = (retime.keys[0].source, retime.keys[-1].source)
    if min(ends) < main.begin or max(ends) > main.begin + main.length:
        return {}
    items = [item for _, piece in shown for item in piece.items.values()]
    plain = all(isinstance(i, otio.schema.Clip) and not i.effects and i.enabled for i in items)
    sources = {_source(piece, item) for _, piece in shown for item in piece.items.values()} if plain else ()
    if len(sources) != 1:
        return {}
    ((_, ahead),) = sources
    found = {}
    for kind in dict.fromkeys(kind for _, piece in shown for kind in piece.items):
        found[kind] = next(piece.items[kind] for _, piece in shown if kind in piece.items)
        retime.shifted(ahead).put_on(found[kind], rate)
    return found


def _source(piece: _Piece, clip: Any) -> tuple[str, Fraction]:
    """Which media a clip shows, and how far their time is ahead of the composition's."""
    reference = clip.media_reference
    ahead = seconds(clip.source_range.start_time, f"clip '{clip.name}'") - piece.begin
    return str(getattr(reference, "target_url", "") or reference.name), ahead


def _nested(runs: list[_Run], retime: Retime, rate: Fraction, inside: Fraction, element: Element) -> dict[str, Any]:
    stack = _stack(runs, inside, element.get("name", ""))
    if not len(stack):
        return {}
    retime.put_on(stack, rate)
    return {_Picture if any(track.kind == _Picture for track in stack) else _Sound: stack}


def _stack(runs: list[_Run], rate: Fraction, name: str, *, whole: bool = False) -> otio.schema.Stack:
    stack = otio.schema.Stack(name)
    stack.extend(_tracks(runs, rate, whole=whole))
    return stack


def _tracks(runs: list[_Run], rate: Fraction, *, whole: bool = False) -> list[otio.schema.Track]:
    """The tracks of storylines: pictures from the lowest lane up, then sound.

    Storylines of one lane share a track where they do not touch in a transition. whole: with the primary one though it be empty, for its length.
    """
    rows: list[list[_Run]] = []
    for lane in sorted({run.lane for run in runs}):
        here: list[list[_Run]] = []
        for run in sorted((run for run in runs if run.lane == lane), key=lambda run: run.begin):
            row = next((row for row in here if _fits(row[-1], run)), None)
            if row is None:
                here.append(row := [])
            row.append(run)
        rows += here
    found = [_track(row, kind, rate) for kind in (_Picture, _Sound) for row in rows]
    primary = found[next(i for i, row in enumerate(rows) if runs[0] in row)] if whole and runs else None
    return [track for track in found if track is primary or track.markers or _filled(track)]


def _filled(track: otio.schema.Track) -> bool:
    return any(not isinstance(item, otio.schema.Gap) for item in track)


def _fits(last: _Run, run: _Run) -> bool:
    touches = len(last.pieces) in last.transitions or 0 in run.transitions
    return last.end < run.begin if touches else last.end <= run.begin


def _track(row: list[_Run], kind: str, rate: Fraction) -> otio.schema.Track:
    track = otio.schema.Track(kind=kind)
    at = _ZERO
    for run in row:
        _pad(track, run.begin - at, rate)
        for i, piece in enumerate(run.pieces):
            if i in run.transitions:
                _dissolve(track, run, i, kind, rate)
            item = piece.items.get(kind)
            if item is None:
                _pad(track, piece.length, rate)
            else:
                track.append(item)
        if len(run.pieces) in run.transitions:
            _dissolve(track, run, len(run.pieces), kind, rate)
        track.markers.extend(marker for piece in run.pieces if kind == _Picture for marker in piece.markers)
        at = run.end
    return track


def _pad(track: otio.schema.Track, length: Fraction, rate: Fraction) -> None:
    if length > 0:
        track.append(otio.schema.Gap(source_range=TimeRange(RationalTime(0, float(rate)), rational_time(length, rate))))


def _dissolve(track: otio.schema.Track, run: _Run, i: int, kind: str, rate: Fraction) -> None:
    """Add the transition before piece `i`, if it is between things of this kind."""
    element, before, behind = run.transitions[i]
    beside = [piece.items[kind] for piece in run.pieces[max(i - 1, 0) : i + 1] if kind in piece.items]
    if before < 0 or behind < 0 or not before + behind:
        for item in beside:
            add_note(item, f"{called(element)} does not touch the cut that it stands at; not followed")
    elif beside:
        name = element.get("name", "")
        dissolve = "dissolve" in name.lower() or not name
        track.append(
            otio.schema.Transition(
                name,
                otio.schema.TransitionTypes.SMPTE_Dissolve if dissolve else otio.schema.TransitionTypes.Custom,
                in_offset=rational_time(before, rate),
                out_offset=rational_time(behind, rate),
            )
        )


def _end(runs: list[_Run]) -> Fraction:
    return max((run.end for run in runs), default=_ZERO)


def _tell(piece: _Piece, note: str) -> None:
    for item in piece.items.values():
        add_note(item, note)


def _markers(element: Element, piece: _Piece, rate: Fraction) -> list[otio.schema.Marker]:
    """The markers, keywords and notes of an element that touch the part of it that is used."""
    found = []
    end = piece.start + piece.length * piece.scale
    for child in element:
        if child.tag == "note":
            found.append(_note(child, rate, piece.length, piece.start))
        elif child.tag in _MARKERS:
            begin, length = seconds_of(child, "start", piece.start), seconds_of(child, "duration")
            if begin < end and (begin + length > piece.start or begin == piece.start):
                found.append(_marker(child.get("value", ""), child.get("note", ""), begin, length, rate))
            elif "FACE" in f"{child.get('value', '')} {child.get('note', '')}".upper():
                _tell(piece, "a marker that says FACE lies outside of what is used of it, and is not followed")
    return found


def _note(element: Element, rate: Fraction, length: Fraction, begin: Fraction = _ZERO) -> otio.schema.Marker:
    return _marker("", (element.text or "").strip(), begin, length, rate)


def _marker(name: str, comment: str, begin: Fraction, length: Fraction, rate: Fraction) -> otio.schema.Marker:
    span = TimeRange(rational_time(begin, rate), rational_time(length, rate))
    return otio.schema.Marker(name, span, comment=comment)


def _moved(marker: otio.schema.Marker, by: Fraction, rate: Fraction) -> otio.schema.Marker:
    begin = seconds(marker.marked_range.start_time, "a marker") + by
    return _marker(marker.name, marker.comment, begin, seconds(marker.marked_range.duration, "a marker"), rate)
