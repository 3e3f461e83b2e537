"""A timeline as FCPXML 1.9, every time of it exact.

The lowest video track becomes the primary storyline; all other tracks are connected to it, in lanes. Nested stacks become compound clips. Cuts are
where the reader of shots has them: on frames of the sequence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import opentimelineio as otio

from host_bridge.timeline.read import Places
from host_bridge.timeline.read.timemap import MapKey, keys_in, samples_down
from host_bridge.timeline.read.times import exact, from_whole_hour, nearest, seconds
from host_bridge.timeline.read.urls import is_absolute, plain_paths
from host_bridge.timeline.shots import sequence_rate
from host_bridge.timeline.shots.media import Found, media_of
from host_bridge.timeline.shots.speed import keys_of, speed_of
from host_bridge.timeline.shots.warp import Curve, Warp
from nodes.errors import FootageError, OutputError
from nodes.footage.numbering import has_place
from nodes.footage.probe import open_container, video_stream

_ZERO = Fraction(0)
_DISSOLVE = "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"
_RATES = {"24000/1001": "23.98", "30000/1001": "29.97", "48000/1001": "47.95", "60000/1001": "59.94"}
_RATES |= {rate: rate for rate in ("24", "25", "30", "48", "50", "60")}  # that `srcFrameRate` may say
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OTIO = "Write .otio, which holds all of it"


def fcpxml_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an FCPXML document; raises OutputError, which names the clip, for what it cannot say exactly.

    places: where its media are. name: of the project, where the timeline has none.
    """
    root = Element("fcpxml", version="1.9")
    resources = SubElement(root, "resources")
    event = SubElement(SubElement(root, "library"), "event", name="Faceplate")
    project = SubElement(event, "project", name=xml_text(timeline.name or name))
    start = timeline.global_start_time
    begin = _ZERO if start is None else seconds(start, "the start of the edit")
    project.append(_Writer(resources, places, sequence_rate(timeline)).sequence(timeline.tracks, begin))
    heard = {asset.get("id") for asset in resources.iter("asset") if asset.get("hasAudio")}
    for clip in root.iter("asset-clip"):  # the sound of these has clips of its own
        if clip.get("ref") in heard and not clip.get("srcEnable"):
            clip.set("srcEnable", "video")
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n' + bytes(tostring(root, "utf-8")) + b"\n"


@dataclass
class _Laid:
    """An item in its row. begin, end: of its record, in seconds; behind: how much later than the item itself its first frame begins."""

    item: Any
    sound: bool
    begin: Fraction
    end: Fraction
    behind: Fraction
    before: Any = None
    after: Any = None


@dataclass
class _Made:
    """An element, and when its own time begins. markers: go behind what is connected to it."""

    element: Element
    start: Fraction
    markers: list[Element] = field(default_factory=list)


class _Writer:
    """Writes sequences of one rate."""

    def __init__(self, resources: Element, places: Places, rate: Fraction) -> None:
        self._resources, self._places, self._rate = resources, places, rate
        self._assets: dict[tuple[Any, ...], Element] = {}
        self._formats: dict[tuple[Any, ...], str] = {}
        self._dissolve = ""
        self._count = 0

    # --- sequences ---

    def sequence(self, stack: Any, begin: Fraction) -> Element:
        """A stack as a sequence that begins at a timecode, in seconds."""
        format = SubElement(self._resources, "format", id=self._id(), frameDuration=_time(1 / self._rate))
        rows = [self._row(child) for child in stack]
        pictures = [row for row, sound in rows if not sound]
        sounds = [row for row, sound in rows if sound]
        end = max((laid.end for row, _ in rows for laid in row), default=_ZERO)
        duration = _time(Fraction(nearest(end * self._rate)) / self._rate)
        sequence = Element(
            "sequence", format=format.get("id", ""), duration=duration, tcStart=_time(begin), tcFormat="NDF"
        )
        spine = SubElement(sequence, "spine")
        made = self._storyline(spine, pictures[0] if pictures else [], begin, end)
        for lane, row in [*enumerate(pictures[1:], 1), *((-n, row) for n, row in enumerate(sounds, 1))]:
            for run in _runs(row):
                self._connect(run, lane, made)
        for _, _, piece in made:
            piece.element.extend(piece.markers)
        sized = next((f for f in self._resources.iter("format") if f.get("width")), None)
        if sized is not None:
            format.attrib.update(width=sized.get("width", ""), height=sized.get("height", ""))
        return sequence

    def _row(self, child: Any) -> tuple[list[_Laid], bool]:
        """The items of a track, or of what lies in a stack without one, and whether they are sound."""
        track = isinstance(child, otio.schema.Track)
        sound = track and child.kind == otio.schema.TrackKind.Audio
        items = list(child) if track and child.source_range is None else [child]
        found: list[_Laid] = []
        at, before = _ZERO, None
        for item in items:
            if not isinstance(item, otio.core.Item):
                before = item
                if found:
                    found[-1].after = item
                continue
            length = self._length(item)
            begin, end = at, at + length
            if not sound:
                begin, end = (Fraction(nearest(t * self._rate)) / self._rate for t in (begin, end))
            if end > begin:
                found.append(_Laid(item, sound, begin, end, begin - at, before))
            at, before = at + length, None
        return found, sound

    def _storyline(
        self, spine: Element, row: list[_Laid], begin: Fraction, end: Fraction
    ) -> list[tuple[Fraction, Fraction, _Made]]:
        """Fill a spine with a row; returns what is in it, with its record. begin: time of the spine at its first frame; end: how long it lasts at least."""
        found = []
        first = row[0].begin if row else _ZERO
        for laid in row:
            if laid.before is not None:
                self._transition(spine, laid.before, begin + laid.begin - first)
            made = self._item(laid)
            made.element.set("offset", _time(begin + laid.begin - first))
            spine.append(made.element)
            found.append((laid.begin, laid.end, made))
        if row and row[-1].after is not None:
            self._transition(spine, row[-1].after, begin + row[-1].end - first)
        last = row[-1].end if row else _ZERO
        if end > last:
            made = self._gap(end - last)
            made.element.set("offset", _time(begin + last - first))
            spine.append(made.element)
            found.append((last, end, made))
        return found

    def _connect(self, run: list[_Laid], lane: int, storyline: list[tuple[Fraction, Fraction, _Made]]) -> None:
        """Connect items that follow each other to what is below them in the storyline."""
        at = run[0].begin
        begin, _, below = storyline[max(bisect_right(storyline, at, key=itemgetter(0)) - 1, 0)]
        offset = _time(below.start + at - begin)
        if len(run) == 1 and run[0].before is None and run[0].after is None:
            made = self._item(run[0])
            above = [(at, run[0].end, made)]
            made.element.set("lane", str(lane))
            made.element.set("offset", offset)
            below.element.append(made.element)
        else:
            spine = SubElement(below.element, "spine", lane=str(lane), offset=offset)
            above = self._storyline(spine, run, _ZERO, _ZERO)
        for _, _, made in above:
            made.element.extend(made.markers)

    def _transition(self, spine: Element, transition: Any, cut: Fraction) -> None:
        ends = [getattr(transition, name) for name in ("in_offset", "out_offset")]
        before, behind = (nearest(_ZERO if t is None else seconds(t, "a transition") * self._rate) for t in ends)
        if before + behind == 0:
            return
        if not self._dissolve:
            effect = SubElement(self._resources, "effect", id=self._id(), name="Cross Dissolve", uid=_DISSOLVE)
            self._dissolve = effect.get("id", "")
        name = xml_text(transition.name) or "Cross Dissolve"
        found = SubElement(spine, "transition", name=name, offset=_time(cut - before / self._rate))
        found.set("duration", _time((before + behind) / self._rate))
        SubElement(found, "filter-video", ref=self._dissolve, name="Cross Dissolve")

    # --- items ---

    def _item(self, laid: _Laid) -> _Made:
        item, length = laid.item, laid.end - laid.begin
        if not _shown(item):
            return self._gap(length, item.name)
        made = self._compound(laid) if isinstance(item, otio.core.Composition) else self._clip(laid)
        made.element.set("duration", _time(length))
        if not item.enabled or (isinstance(item.parent(), otio.schema.Track) and not item.parent().enabled):
            made.element.set("enabled", "0")
        return made

    def _gap(self, length: Fraction, name: str = "") -> _Made:
        return _Made(Element("gap", name=xml_text(name) or "Gap", duration=_time(length), start="0s"), _ZERO)

    def _clip(self, laid: _Laid) -> _Made:
        clip = laid.item
        found = self._found(clip)
        start = found.origin if clip.source_range is None else _start(clip)
        length = laid.end - laid.begin
        element = Element("asset-clip", name=xml_text(clip.name) or "Clip")
        used = self._speed(element, laid, start, (found.origin, found.length), samples_down(clip), found.media.rate)
        asset = self._asset(clip, found, max(used[1], used[2], start + length), sound=laid.sound)
        element.set("ref", asset.get("id", ""))
        if laid.sound:
            element.set("srcEnable", "audio")
        begin = used[0]
        element.set("start", _time(begin))
        return _Made(element, begin, [_marker(m, begin, length, self._rate) for m in clip.markers])

    def _compound(self, laid: _Laid) -> _Made:
        item = laid.item
        media = SubElement(self._resources, "media", id=self._id(), name=xml_text(item.name) or "Compound clip")
        whole = otio.schema.Stack()
        if isinstance(item, otio.schema.Track):
            inner = item.deepcopy()
            inner.source_range = None
            inner.effects.clear()
            whole.append(inner)
        else:
            whole = item
        media.append(self.sequence(whole, _ZERO))
        inside = self._inside(item)
        start = _ZERO if item.source_range is None else _start(item)
        if isinstance(item, otio.schema.Stack):
            start = from_whole_hour(start, inside, self._rate)
        element = Element("ref-clip", name=xml_text(item.name) or "Compound clip", ref=media.get("id", ""))
        down = all(map(samples_down, item.find_clips()))
        begin, _, _ = self._speed(element, laid, start, (_ZERO, inside), down, self._rate)
        element.set("start", _time(begin))
        return _Made(element, begin, [_marker(m, begin, laid.end - laid.begin, self._rate) for m in item.markers])

    def _speed(
        self,
        element: Element,
        laid: _Laid,
        start: Fraction,
        content: tuple[Fraction, Fraction | None],
        down: bool,
        own: Fraction,
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Say how fast an item plays; returns when its own time begins, and the first and last second of its content that it shows."""
        frame, length = 1 / self._rate, laid.end - laid.begin
        steps, _ = speed_of(laid.item, start, self._length(laid.item), frame, content)
        warp = Warp()
        for step in steps:
            warp = warp.then(step)
        sampling = {} if down else {"frameSampling": "nearest-neighbor"}
        if own != self._rate:
            said = {"srcFrameRate": _RATES[str(own)]} if str(own) in _RATES else {}
            SubElement(element, "conform-rate", {"scaleEnabled": "0"} | said | sampling)
        affine = warp.affine
        if affine is not None and affine.scale == 1:
            begin = affine.offset + laid.behind
            return begin, begin, begin + length
        if affine is None:
            keys = _keys(laid.item, content[0], start)
            begin = content[0] + laid.behind
            points = [(content[0] + key.record, key.source, key.before, key.after) for key in keys]
            ends = [key.source for key in keys]
        else:
            speed = affine.scale
            first = affine.offset - min(speed, _ZERO) * frame + speed * laid.behind
            ends = [first, first + speed * length]
            low, high = min(content[0], *ends), max(content[0] + (content[1] or _ZERO), *ends)
            if not speed:
                begin, points = (
                    content[0],
                    [(content[0], first, _ZERO, _ZERO), (content[0] + length, first, _ZERO, _ZERO)],
                )
            else:
                begin = (first if speed > 0 else low + high - first) / abs(speed)
                values = (low, high) if speed > 0 else (high, low)
                points = [(t / abs(speed), v, _ZERO, _ZERO) for t, v in zip((low, high), values, strict=True)]
        mapped = SubElement(element, "timeMap", sampling)
        for time, value, before, after in points:
            point = SubElement(mapped, "timept", time=_time(time), value=_time(value))
            point.set("interp", "smooth2" if before or after else "linear")
            for name, eased in (("inTime", before), ("outTime", after)):
                if eased:
                    point.set(name, _time(eased))
        return begin, min(ends), max(ends)

    # --- resources ---

    def _found(self, clip: Any) -> Found:
        return media_of(clip, self._places, self._rate, results=True)

    def _asset(self, clip: Any, found: Found, used: Fraction, *, sound: bool) -> Element:
        """The resource of a clip's media. used: the last second of them that is shown, for media that do not say how long they are."""
        media, reference = found.media, clip.media_reference
        if isinstance(reference, otio.schema.ImageSequenceReference) or (
            media.path is not None and has_place(media.path.name)
        ):
            raise OutputError(
                f"clip '{clip.name}' shows an image sequence, which FCPXML cannot hold",
                remedy=f"Give --media prores4444. {_OTIO}",
            )
        length = found.length
        if length is None:
            length = media.frames / media.rate if media.frames is not None else max(used - found.origin, _ZERO)
        key = (media.url, found.origin, length, media.rate)
        if key not in self._assets:
            asset = SubElement(self._resources, "asset", id=self._id(), name=xml_text(reference.name or clip.name))
            asset.attrib.update(start=_time(found.origin), duration=_time(length))
            SubElement(asset, "media-rep", kind="original-media", src=url_of(key[0]))
            self._assets[key] = asset
        asset = self._assets[key]
        if sound:
            asset.attrib.update(hasAudio="1", audioSources="1")
        elif not asset.get("hasVideo"):
            size = _size(media.path)
            asset.attrib.update(hasVideo="1", videoSources="1", format=self._format(media.rate, size))
        return asset

    def _format(self, rate: Fraction, size: tuple[int, int] | None) -> str:
        key = (rate, size)
        if key not in self._formats:
            found = SubElement(self._resources, "format", id=self._id(), frameDuration=_time(1 / rate))
            if size is not None:
                found.attrib.update(width=str(size[0]), height=str(size[1]))
            self._formats[key] = found.get("id", "")
        return self._formats[key]

    def _id(self) -> str:
        self._count += 1
        return f"r{self._count}"

    # --- lengths ---

    def _length(self, item: Any) -> Fraction:
        if item.source_range is not None:
            return seconds(item.source_range.duration, f"'{item.name}'")
        if isinstance(item, otio.schema.Clip):
            found = self._found(item)
            if found.length is None:
                raise OutputError(f"clip '{item.name}': nothing says how long it is", remedy=_OTIO)
            return found.length
        return self._inside(item)

    def _inside(self, item: Any) -> Fraction:
        if not isinstance(item, otio.core.Composition):
            return _ZERO
        lengths = [self._length(child) for child in item if isinstance(child, otio.core.Item)]
        return sum(lengths, _ZERO) if isinstance(item, otio.schema.Track) else max(lengths, default=_ZERO)


def _shown(item: Any) -> bool:
    """Whether FCPXML has a word for an item other than a gap."""
    if isinstance(item, otio.schema.Clip):
        reference = item.media_reference
        return bool(getattr(reference, "target_url", "")) or isinstance(reference, otio.schema.ImageSequenceReference)
    return isinstance(item, otio.schema.Stack | otio.schema.Track)


def _runs(row: list[_Laid]) -> Iterator[list[_Laid]]:
    """The items of a row that follow each other without a hole."""
    run: list[_Laid] = []
    for laid in row:
        if _shown(laid.item):
            run.append(laid)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _keys(item: Any, origin: Fraction, start: Fraction) -> list[MapKey]:
    """The keys of an item's variable speed, from seconds of its record; raises OutputError for curves that FCPXML does not know."""
    effects = [e for e in item.effects if isinstance(e, otio.schema.TimeEffect) and e.enabled]
    if len(effects) == 1 and (keys := keys_in(effects[0])):
        return keys
    rows = keys_of(effects[0]) if len(effects) == 1 else []
    rising = all(exact(b.source) >= exact(a.source) for a, b in pairwise(rows))
    if not rows or not rising or any(any((*key.before, *key.after)) for key in rows):
        raise OutputError(f"clip '{item.name}': FCPXML cannot hold its speed ramp exactly", remedy=_OTIO)
    first = Curve(rows).inverse(start - origin)
    return [MapKey(exact(key.record) - first, origin + exact(key.source)) for key in rows]


def _marker(marker: Any, begin: Fraction, length: Fraction, rate: Fraction) -> Element:
    """A marker of an item whose own time begins at `begin`; one that lies elsewhere is moved to its beginning, for there it is seen."""
    at = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
    at = at if begin <= at < begin + length else begin
    found = Element(
        "marker", start=_time(at), duration=_time(1 / rate), value=xml_text(marker.name or marker.comment) or "Marker"
    )
    if marker.name and marker.comment:
        found.set("note", xml_text(marker.comment))
    return found


def _start(item: Any) -> Fraction:
    return seconds(item.source_range.start_time, f"'{item.name}'")


def url_of(url: str) -> str:
    """A place as FCPXML has it: an address, or a path from the document's folder."""
    if re.match(r"[a-z]+://", url, re.IGNORECASE):
        return xml_text(url)
    path = (plain_paths(url) or [url])[0]
    return xml_text(f"file://{'' if path.startswith('/') else '/'}{quote(path)}" if is_absolute(path) else quote(path))


def _size(path: Any) -> tuple[int, int] | None:
    try:
        with open_container(path) as container:
            stream = video_stream(container, path)
            return stream.width, stream.height
    except (FootageError, AttributeError):
        return None


def _time(time: Fraction) -> str:
    """Seconds as FCPXML writes them, with 64 bits over 32: what needs more is rounded to 1e-9 s at most, which `check_frames` lets through or not."""
    time = time.limit_denominator((1 << 31) - 1)
    return f"{time.numerator}s" if time.denominator == 1 else f"{time.numerator}/{time.denominator}s"


def xml_text(text: str) -> str:
    """A text without what no XML document can hold."""
    return _UNWRITABLE.sub("", text or "")
