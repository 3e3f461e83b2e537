"""Reader of FCPXML 1.0 to 1.14 as OpenTimelineIO, with exact times.

An element's `offset` is in its parent's own time, which begins at the parent's `start`. Elements with a lane are connected to their parent and
lie in the same composition. Elements without a lane are the parent's content; the parent shows a part of them. Looks (colour, titles, transforms, filters,
volumes) are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime

from host_bridge.timeline.read.fcpxml_parts import (
    PICTURE,
    SOUND,
    Composition,
    Resources,
    Retime,
    StoryItem,
    Storyline,
    clip_of,
    is_filled,
    kinds_of,
    label_of,
    markers_of,
    retime_of,
    seconds_of,
)
from host_bridge.timeline.read.model import EditDocument, add_note, start_of, time_range

_ZERO = Fraction(0)
_LOOKS = {"filter-video": "video filter", "filter-audio": "audio filter", "title": "title", "caption": "caption"}
_CLIPS = ("clip", "asset-clip", "ref-clip", "sync-clip", "mc-clip", "audition")
_SHOWN = {*_CLIPS, "video", "audio", "title", "gap", "live-drawing"}


def read_fcpxml(document: EditDocument) -> Any:
    """Return the projects of a document as a SerializableCollection of timelines; a clip alone is a timeline too.

    Raises SchemaError, which names the element, for times that cannot be read, for missing or circular references, and
    for a document without a project.
    """
    root, name = document.xml("fcpxml"), document.path.stem
    clips = [clip for event in (root, *root.iter("event")) for clip in event if clip.tag in _CLIPS]
    try:
        story = _Story(Resources(root))
        timelines = [
            _timeline(story.sequence(sequence), project.get("name", ""))
            for project in root.iter("project")
            if (sequence := project.find("sequence")) is not None
        ]
        if not timelines and len(clips) == 1:
            timelines = [_timeline(story.alone(clips[0]), clips[0].get("name") or name)]
    except ValueError as e:
        document.refuse(str(e), "Export the project again")
    except RecursionError:
        document.refuse("has a clip that holds itself, or is nested too deeply", "Export the project again")
    if not timelines:
        remedy = "Select the project in Final Cut Pro, not the event, and export it: File › Export XML"
        document.refuse(f"holds no project{f', only {len(clips)} clips of an event' if clips else ''}", remedy)
    for timeline in timelines:
        add_note(timeline, *_looks(root))
    return otio.schema.SerializableCollection(name, timelines)


def _looks(root: Element) -> list[str]:
    """Return a note on filters and titles, which are not read."""
    holders = (e for e in root.iter() if e.tag != "transition")  # a transition's filters are the transition itself
    count = Counter(_LOOKS[element.tag] for holder in holders for element in holder if element.tag in _LOOKS)
    looks = ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for what, n in count.items())
    return [f"{looks}: not read, and not in what export writes"] if looks else []


def _timeline(composition: Composition, name: str) -> Any:
    rate = composition.rate
    begin = RationalTime(float(composition.begin * rate), float(rate))  # its rate becomes that of the edit
    timeline = otio.schema.Timeline(name, global_start_time=begin)
    timeline.tracks = composition.stack("tracks")
    return timeline


class _Story:
    """Reader of the compositions of one document."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def sequence(self, element: Element) -> Composition:
        """Return a sequence; raises ValueError for an unreadable part."""
        rate = self._resources.rate(element.get("format")) or self._first_rate(element)
        begin = seconds_of(element, "tcStart")
        lines = self._content(element.findall("spine"), rate, begin)
        return Composition(lines, begin, rate, whole=True, notes=element.findall("note"))

    def alone(self, element: Element) -> Composition:
        """Return a clip outside of any project as a sequence that begins at 0; raises ValueError."""
        resource = self._resources.get(element.get("ref"))
        holders = [element] if resource is None else [*resource.iter("sequence"), *resource.iter("multicam"), resource]
        rate = self._resources.rate(holders[0].get("format")) or self._first_rate(element)
        return Composition(self._storylines([element], rate, _ZERO, None, 0), _ZERO, rate, whole=True)

    # --- compositions ---

    def _content(self, content: Iterable[Element], rate: Fraction, begin: Fraction) -> list[Storyline]:
        """Return the storylines of a composition: its spines or clips, and all connected to them."""
        lines: list[Storyline] = []
        loose: list[Element] = []
        for element in content:
            if element.tag == "spine":
                lines += self._storylines(list(element), rate, _ZERO, begin - seconds_of(element, "offset"), 0)
            else:
                loose.append(element)
        return lines + self._storylines(loose, rate, _ZERO, begin, 0)

    def _storylines(
        self, elements: Sequence[Element], rate: Fraction, at: Fraction, begin: Fraction | None, lane: int
    ) -> list[Storyline]:
        """Return a storyline and all connected to it. at: its begin in the composition; begin: the same in its own time, by default its first item's."""
        line, connected = Storyline(lane), list[Storyline]()
        offsets = [seconds_of(e, "offset") for e in elements if e.tag in _SHOWN and e.get("offset")]
        if begin is None:
            begin = offsets[0] if offsets else _ZERO
        elif offsets and offsets[0] < begin:  # it counts from 0
            begin = _ZERO
        ahead = at - begin
        for element in elements:
            if element.tag not in (*_SHOWN, "transition"):
                continue
            place = seconds_of(element, "offset", at - ahead) + ahead
            if element.tag == "transition":
                line.transitions[len(line.pieces)] = (element, at - place, place + seconds_of(element, "duration") - at)
                continue
            if place > at:
                line.pieces.append(StoryItem(at, place - at))
            piece = self._piece(element, rate, max(place, at))
            if at - place >= 1 / (2 * rate):
                lies = f"its offset lies {float(at - place):.3f} s before the end of what stands before it"
                piece.add_note(f"{lies}, where it is taken to begin")
            line.pieces.append(piece)
            at = piece.begin + piece.length
            for child in (_picked(element) or element) if element.tag == "audition" else element:
                if _lane(child) and child.tag in (*_SHOWN, "spine"):
                    begins = piece.at(seconds_of(child, "offset", piece.start), 1 / rate)
                    content = list(child) if child.tag == "spine" else [child]
                    connected += self._storylines(content, rate, begins, None, lane + _lane(child))
        return [line, *connected] if line.pieces else []

    # --- items ---

    def _piece(self, element: Element, rate: Fraction, at: Fraction) -> StoryItem:
        if element.tag == "audition":
            picked = _picked(element)
            return StoryItem(at, _ZERO) if picked is None else self._piece(picked, rate, at)
        make = {
            "gap": self._gap,
            "clip": self._container,
            "sync-clip": self._container,
            "ref-clip": self._compound,
            "mc-clip": self._multicam,
        }.get(element.tag, self._media)
        piece = make(element, rate)
        if piece.length < 0:
            raise ValueError(f"{label_of(element)} is {float(piece.length):g} s long")
        piece.begin = at
        piece.markers, notes = markers_of(element, piece.start, piece.start + piece.length * piece.scale, rate)
        for item in piece.items.values():
            item.enabled = element.get("enabled") != "0"
            item.name = item.name or element.get("name", "")
            item.markers.extend(marker.deepcopy() for marker in piece.markers)
            add_note(item, *notes)
        if piece.items:
            piece.markers = []
        return piece

    def _gap(self, element: Element, rate: Fraction) -> StoryItem:
        return StoryItem(_ZERO, seconds_of(element, "duration"), seconds_of(element, "start"))

    def _media(self, element: Element, rate: Fraction) -> StoryItem:
        """Read a clip of one asset, a title or a generator."""
        resource = self._resources.get(element.get("ref"))
        name = element.get("name", "")
        if resource is None or resource.tag != "asset":
            if resource is None and element.tag not in ("title", "live-drawing"):
                return self._absent(element, rate, "media")
            kind = (resource.get("name") if resource is not None else "") or element.tag
            piece = self._plain(element, rate, otio.schema.Clip(name, otio.schema.GeneratorReference(kind, kind)))
            if element.tag == "audio":
                piece.items = {}
            return piece
        own = self._resources.rate(resource.get("format"))
        origin, whole = seconds_of(resource, "start"), seconds_of(resource, "duration")
        length = seconds_of(element, "duration", whole)
        start = seconds_of(element, "start") if element.get("start") else None
        if not element.get("duration") and start is not None:
            length = max(length + origin - start, _ZERO)
        retime, scale = retime_of(element, start, length, rate, own, (origin, whole or None))
        kinds = [kind for kind in kinds_of(resource) if kind in _enabled(element)]
        if element.tag in ("video", "audio"):
            kinds = [PICTURE if element.tag == "video" else SOUND]
        items = {kind: clip_of(resource, name, own or rate) for kind in kinds}
        for clip in items.values():
            retime.put_on(clip, rate)
        return StoryItem(_ZERO, length, retime.begin if start is None else start, scale, items)

    def _absent(self, element: Element, rate: Fraction, what: str) -> StoryItem:
        """Return a clip of missing media, for one whose resource is not in the document."""
        name = element.get("name", "")
        clip = otio.schema.Clip(name, otio.schema.MissingReference(name=name))
        add_note(clip, f"refers to '{element.get('ref')}', which is no {what} of the document")
        return self._plain(element, rate, clip)

    def _plain(self, element: Element, rate: Fraction, clip: Any) -> StoryItem:
        """Return a clip with its element's own times."""
        length, begin = seconds_of(element, "duration"), seconds_of(element, "start")
        clip.source_range = time_range(begin, length, rate)
        return StoryItem(_ZERO, length, begin, items={SOUND if element.tag == "audio" else PICTURE: clip})

    def _container(self, element: Element, rate: Fraction) -> StoryItem:
        """Read a clip or synchronized clip, which contains its content."""
        content = [e for e in element if e.tag in (*_SHOWN, "spine") and not _lane(e)]
        inside = self._resources.rate(element.get("format")) or rate
        offsets = [_content_begin(e) for e in content]
        start = seconds_of(element, "start", min(offsets, default=_ZERO))
        begin = min([start, *offsets])
        own = next(filter(None, map(self._own_rate, content)), None)
        composition = Composition(self._content(content, inside, begin), begin, inside)
        return self._used(element, rate, composition, element.get("name", ""), own, start, flat=True)

    def _compound(self, element: Element, rate: Fraction) -> StoryItem:
        resource = self._resources.get(element.get("ref"))
        sequence = None if resource is None else resource.find("sequence")
        if resource is None or sequence is None:
            return self._absent(element, rate, "sequence")
        composition = self.sequence(sequence)
        return self._used(element, rate, composition, resource.get("name", ""), composition.rate)

    def _multicam(self, element: Element, rate: Fraction) -> StoryItem:
        resource = self._resources.get(element.get("ref"))
        multicam = None if resource is None else resource.find("multicam")
        if resource is None or multicam is None:
            return self._absent(element, rate, "multicam clip")
        inside = self._resources.rate(multicam.get("format")) or rate
        begin = seconds_of(multicam, "tcStart")
        angles, sources = multicam.findall("mc-angle"), element.findall("mc-source")
        lines, problem = list[Storyline](), ""
        for kind in (PICTURE, SOUND):
            angle_ids = [source.get("angleID") for source in sources if kind in _enabled(source)]
            angle_ids = angle_ids if sources else [angle.get("angleID") for angle in angles]
            angle = next((angle for angle in angles if angle.get("angleID") in angle_ids[:1]), None)
            if angle is None and angle_ids and kind == PICTURE:
                problem = f"its angle '{angle_ids[0]}' is not in the document"
            for line in self._content(angle, inside, begin) if angle is not None else ():
                lines.append(line)
                for piece in line.pieces:
                    piece.items = {k: item for k, item in piece.items.items() if k == kind}
                    piece.markers = piece.markers if kind == PICTURE else []
        piece = self._used(element, rate, Composition(lines, begin, inside), resource.get("name", ""), inside)
        if problem:
            piece.add_note(problem)
        return piece

    def _used(
        self,
        element: Element,
        rate: Fraction,
        composition: Composition,
        name: str,
        own: Fraction | None,
        start: Fraction | None = None,
        *,
        flat: bool = False,
    ) -> StoryItem:
        """Return a use of a composition. own: rate of its media. start: by default its element's. flat: replace a composition of a single clip by it."""
        begin = composition.begin
        start = seconds_of(element, "start", begin) if start is None else start
        if start < begin:  # it counts from 0
            begin = _ZERO
        length = seconds_of(element, "duration", max(composition.length + begin - start, _ZERO))
        retime, scale = retime_of(element, start, length, rate, own, (begin, None))
        retime = retime.shifted(-begin)
        items = _flat(composition.lines, retime, rate) if flat else {}
        if not items:
            stack = composition.stack(element.get("name") or name)
            kinds = {track.kind for track in stack if is_filled(track)} & _enabled(element)
            if kinds:
                retime.put_on(stack, rate)
                items = {PICTURE if PICTURE in kinds else SOUND: stack}
        return StoryItem(_ZERO, length, start, scale, items)

    # --- rates ---

    def _own_rate(self, element: Element) -> Fraction | None:
        resource = self._resources.get(element.get("ref"))
        return None if resource is None or resource.tag != "asset" else self._resources.rate(resource.get("format"))

    def _first_rate(self, element: Element) -> Fraction:
        """Return the rate for a sequence without one: of the first clip with a rate, else 24."""
        for child in element.iter():
            resource = self._resources.get(child.get("ref"))
            formats = child.get("format"), None if resource is None else resource.get("format")
            if rate := next(filter(None, map(self._resources.rate, formats)), None):
                return rate
        return Fraction(24)


# --- elements ---


def _picked(element: Element) -> Element | None:
    """Return the active clip of an audition: its first."""
    return next((child for child in element if child.tag in _SHOWN), None)


def _lane(element: Element) -> int:
    try:
        return int(element.get("lane") or 0)
    except ValueError as e:
        raise ValueError(f"{label_of(element)}: lane is '{element.get('lane')}', which is not a number") from e


def _content_begin(element: Element) -> Fraction:
    """Return the begin of an element of content, in its parent's time."""
    first = _picked(element) if element.tag == "spine" else None
    return seconds_of(element, "offset") + (_ZERO if first is None else seconds_of(first, "offset"))


def _enabled(element: Element) -> set[str]:
    """Return the kinds of track for which a clip or an angle is enabled."""
    return {"video": {PICTURE}, "audio": {SOUND}, "all": {PICTURE, SOUND}}.get(element.get("srcEnable", "all"), set())


def _flat(lines: list[Storyline], retime: Retime, rate: Fraction) -> dict[str, Any]:
    """Return the single clip that fills a container, by kind of track; empty if it holds anything else."""
    filled = [piece for line in lines for piece in line.pieces if piece.items]
    pictures = [piece for piece in filled if PICTURE in piece.items]
    if len(pictures) > 1 or not filled or any(line.transitions for line in lines):
        return {}
    main = (pictures or filled)[0]
    ends = (retime.keys[0].source, retime.keys[-1].source)
    if min(ends) < main.begin or max(ends) > main.begin + main.length:
        return {}
    items = [(piece, kind, item) for piece in filled for kind, item in piece.items.items()]
    if not all(isinstance(item, otio.schema.Clip) and not item.effects and item.enabled for _, _, item in items):
        return {}
    references = [item.media_reference for _, _, item in items]
    media = {getattr(reference, "target_url", "") or reference.name for reference in references}
    leads = {start_of(item) - piece.begin for piece, _, item in items}  # offsets of their time to the composition's
    if len(media) > 1 or len(leads) > 1:
        return {}
    ahead = leads.pop()
    clips = {kind: item for _, kind, item in reversed(items)}  # the first of each kind
    for clip in clips.values():
        retime.shifted(ahead).put_on(clip, rate)
    return {kind: clips[kind] for kind in dict.fromkeys(kind for _, kind, _ in items)}
