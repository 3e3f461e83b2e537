"""The story of an FCPXML document: storylines, connected clips and lanes as tracks, and what is nested as stacks.

An element's `offset` counts as its parent's own time does, which begins at the parent's `start`. Elements with a lane are connected to their parent and
stand in the composition that it stands in; elements without one are its content, of which it shows a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read import document as limits
from host_bridge.timeline.read.fcpxml.markers import markers_of, note_of
from host_bridge.timeline.read.fcpxml.resources import Asset, Resources, called, seconds_of
from host_bridge.timeline.read.fcpxml.retime import Retime, conform_of, retime_of, samples_down_in
from host_bridge.timeline.read.fcpxml.tracks import (
    PICTURE,
    SOUND,
    Piece,
    Run,
    end_of,
    is_filled,
    stack_of,
    tell,
    tracks_of,
)
from host_bridge.timeline.read.model import add_note, rational_time, seconds

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

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._open: list[str] = []
        self._count = 0

    def sequence(self, element: Element, name: str) -> Composed:
        """Return a sequence; raises ValueError that says what in it cannot be read."""
        rate = self._resources.rate(element.get("format")) or _first_rate(element, self._resources)
        begin = seconds_of(element, "tcStart")
        runs, ahead = self._runs(element.findall("spine"), rate, begin)
        stack = stack_of(runs, rate, name, whole=True)
        length = end_of(runs)
        stack.markers.extend(note_of(note, rate, length) for note in element.findall("note"))
        return Composed(stack, begin - ahead, length, rate)

    def alone(self, element: Element) -> Composed:
        """Return a clip that is in no project as a sequence that begins at 0; raises ValueError."""
        resource = self._resources.get(element.get("ref"))
        holders = [element] if resource is None else [*resource.iter("sequence"), *resource.iter("multicam"), resource]
        rate = self._resources.rate(holders[0].get("format")) or _first_rate(element, self._resources)
        run: list[Run] = []
        self._run([element], rate, _ZERO, None, 0, run)
        return Composed(stack_of(run, rate, "", whole=True), _ZERO, end_of(run), rate)

    # --- compositions ---

    def _runs(self, content: Iterable[Element], rate: Fraction, begin: Fraction) -> tuple[list[Run], Fraction]:
        """The storylines of a composition, and how many seconds before `begin`, as its time counts, the first of them begins.

        content: what has no lane in it: spines, or clips.
        """
        if len(self._open) > _DEPTH:
            raise ValueError(f"has more than {_DEPTH} clips nested in each other")
        found: list[Run] = []
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
        found: list[Run],
    ) -> None:
        """Add a storyline that begins at `at` in its composition, where its own time is `begin`, and all that is connected to it.

        begin: None for that of its first item.
        """
        run = Run(lane)
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
                    run.pieces.append(Piece(at, place - at))
                piece = self._piece(element, rate, max(place, at))
                if at - place >= 1 / (2 * rate):
                    lies = f"its offset lies {float(at - place):.3f} s before the end of what stands before it"
                    tell(piece, f"{lies}, where it is taken to begin")
                run.pieces.append(piece)
                at = piece.begin + piece.length
                self._connected(element, piece, rate, lane, found)
        if not run.pieces:
            found.remove(run)

    def _connected(self, element: Element, piece: Piece, rate: Fraction, lane: int, found: list[Run]) -> None:
        """Add what is connected to an element."""
        for child in _picked(element):
            if not _lane(child) or child.tag not in (*_SHOWN, "spine"):
                continue
            at = piece.at(seconds_of(child, "offset", piece.start), 1 / rate)
            inside = list(child) if child.tag == "spine" else [child]
            self._run(inside, rate, at, None, lane + _lane(child), found)

    # --- items ---

    def _piece(self, element: Element, rate: Fraction, at: Fraction) -> Piece:
        self._count += 1
        if self._count > limits.ITEMS:
            raise ValueError(f"has more than {limits.ITEMS} items")
        if element.tag == "audition":
            picks = [child for child in element if child.tag in _SHOWN]
            if not picks:
                return Piece(at, _ZERO)
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
        piece.begin = at
        piece.markers, said = markers_of(element, piece.start, piece.start + piece.length * piece.scale, rate)
        for item in piece.items.values():
            item.enabled = element.get("enabled") != "0"
            item.name = item.name or element.get("name", "")
            item.markers.extend(marker.deepcopy() for marker in piece.markers)
            add_note(item, *([said] if said else []))
        if piece.items:
            piece.markers = []
        return piece

    def _gap(self, element: Element, rate: Fraction) -> Piece:
        return Piece(_ZERO, seconds_of(element, "duration"), seconds_of(element, "start"))

    def _media(self, element: Element, rate: Fraction) -> Piece:
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
            return Piece(_ZERO, length, begin, items={} if element.tag == "audio" else {PICTURE: shown})
        asset = self._resources.asset(resource)
        length = seconds_of(element, "duration", asset.length or _ZERO)
        scale, said = conform_of(element, rate, asset.rate)
        start = seconds_of(element, "start") if element.get("start") else None
        if not element.get("duration") and start is not None:
            length = max(length + asset.start - start, _ZERO)
        retime = retime_of(element, start, length, (scale, said), (asset.start, asset.length))
        retime = _sampled(retime, element, asset.rate, rate, scale)
        items = {kind: _clip(name, asset, retime, rate) for kind in _kinds(element, asset)}
        return Piece(_ZERO, length, retime.begin if start is None else start, scale, items)

    def _absent(self, element: Element, rate: Fraction, what: str) -> Piece:
        """A clip whose resource the document does not hold, as one of missing media."""
        length, begin = seconds_of(element, "duration"), seconds_of(element, "start")
        name = element.get("name", "")
        clip = otio.schema.Clip(name, otio.schema.MissingReference(name=name))
        clip.source_range = TimeRange(rational_time(begin, rate), rational_time(length, rate))
        add_note(clip, f"refers to '{element.get('ref')}', which is no {what} of the document")
        return Piece(_ZERO, length, begin, items={SOUND if element.tag == "audio" else PICTURE: clip})

    def _container(self, element: Element, rate: Fraction) -> Piece:
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
        length = seconds_of(element, "duration", max(end_of(runs) + begin - start, _ZERO))
        own = next((r for e in content if (r := self._own_rate(e))), None)
        conform = conform_of(element, rate, own)
        retime = retime_of(element, start, length, conform, (begin, None)).shifted(-begin)
        retime = _sampled(retime, element, own, rate, conform[0])
        items = _flat(runs, retime, rate) or _nested(runs, retime, rate, inside, element)
        return Piece(_ZERO, length, start, conform[0], items)

    def _compound(self, element: Element, rate: Fraction) -> Piece:
        resource = self._resources.get(element.get("ref"))
        sequence = None if resource is None else resource.find("sequence")
        if resource is None or sequence is None:
            return self._absent(element, rate, "sequence")
        composed = self._within(element, lambda: self.sequence(sequence, resource.get("name", "")))
        return self._used(element, rate, composed)

    def _multicam(self, element: Element, rate: Fraction) -> Piece:
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
            for kind, said in ((PICTURE, "video"), (SOUND, "audio"))
        }
        if not element.findall("mc-source"):
            chosen = dict.fromkeys(chosen, angles[0].get("angleID") if angles else None)
        found: list[tuple[str, list[Run], Fraction]] = []
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
            stack.extend(track for track in tracks_of(runs, inside) if track.kind == kind)
        length = max((end_of(runs) for _, runs, _ in found), default=_ZERO)
        piece = self._used(element, rate, Composed(stack, begin - most, length, inside))
        if chosen[PICTURE] and not any(kind == PICTURE for kind, _, _ in found):
            tell(piece, f"its angle '{chosen[PICTURE]}' is not in the document")
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

    def _used(self, element: Element, rate: Fraction, composed: Composed) -> Piece:
        """A use of a composition that other clips may use too."""
        begin = composed.begin
        start = seconds_of(element, "start", begin)
        if start < begin:  # it counts from 0
            begin = _ZERO
        length = seconds_of(element, "duration", max(composed.length + begin - start, _ZERO))
        conform = conform_of(element, rate, composed.rate)
        retime = retime_of(element, start, length, conform, (begin, None)).shifted(-begin)
        retime = _sampled(retime, element, composed.rate, rate, conform[0])
        items = {}
        kinds = {track.kind for track in composed.stack if is_filled(track)} & _enabled(element)
        kind = PICTURE if PICTURE in kinds else SOUND
        if kinds:
            retime.put_on(composed.stack, rate)
            composed.stack.name = element.get("name") or composed.stack.name
            items[kind] = composed.stack
        return Piece(_ZERO, length, start, conform[0], items)

    def _own_rate(self, element: Element) -> Fraction | None:
        resource = self._resources.get(element.get("ref"))
        return None if resource is None or resource.tag != "asset" else self._resources.asset(resource).rate


# --- parts ---


def _sampled(retime: Retime, element: Element, own: Fraction | None, rate: Fraction, scale: Fraction) -> Retime:
    """The same, which shows the earlier of two frames where what is in it has a rate of its own and plays in real time."""
    down = own not in (None, rate) and scale == 1 and samples_down_in(element)
    return replace(retime, down=True) if down else retime


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
    return {kind for kind, said in ((PICTURE, "video"), (SOUND, "audio")) if wanted in ("all", said)}


def _kinds(element: Element, asset: Asset) -> list[str]:
    """On which tracks a clip of an asset lies."""
    if element.tag in ("video", "audio"):
        return [PICTURE if element.tag == "video" else SOUND]
    has = {PICTURE: asset.pictures, SOUND: asset.sound}
    return [kind for kind in (PICTURE, SOUND) if has[kind] and kind in _enabled(element)]


def _clip(name: str, asset: Asset, retime: Retime, rate: Fraction) -> otio.schema.Clip:
    clip = otio.schema.Clip(name or asset.name)
    clip.set_media_references(asset.references(rate), "DEFAULT_MEDIA")
    retime.put_on(clip, rate)
    return clip


def _flat(runs: list[Run], retime: Retime, rate: Fraction) -> dict[str, Any]:
    """A container around one clip that fills it, as that clip: by kind of track; empty where there is more in it than that."""
    shown = [(run, piece) for run in runs for piece in run.pieces if piece.items]
    pictures = [piece for _, piece in shown if PICTURE in piece.items]
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


def _source(piece: Piece, clip: Any) -> tuple[str, Fraction]:
    """Which media a clip shows, and how far their time is ahead of the composition's."""
    reference = clip.media_reference
    ahead = seconds(clip.source_range.start_time, f"clip '{clip.name}'") - piece.begin
    return str(getattr(reference, "target_url", "") or reference.name), ahead


def _nested(runs: list[Run], retime: Retime, rate: Fraction, inside: Fraction, element: Element) -> dict[str, Any]:
    stack = stack_of(runs, inside, element.get("name", ""))
    if not len(stack):
        return {}
    retime.put_on(stack, rate)
    return {PICTURE if any(track.kind == PICTURE for track in stack) else SOUND: stack}
