"""Writer of FCPXML 1.9, with exact times.

The lowest video track becomes the primary storyline; all other tracks are connected to it, in lanes. Nested stacks become compound clips. Cuts lie
on frames of the sequence, as in the reader of shots.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import opentimelineio as otio

from host_bridge.timeline.read.model import (
    MapKey,
    exact,
    from_whole_hour,
    keys_in,
    nearest,
    samples_down,
    seconds,
    start_of,
    start_of_edit,
)
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.shots.media import ClipMedia
from host_bridge.timeline.shots.warp import Curve, keys_of
from host_bridge.timeline.write import writer
from host_bridge.timeline.write.writer import ZERO, RowItem, cannot_hold, is_sound, xml_text
from nodes.errors import FootageError
from nodes.footage.numbering import has_place
from nodes.footage.probe import open_container, video_stream

_DISSOLVE = "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"
_RATES = {"24000/1001": "23.98", "30000/1001": "29.97", "48000/1001": "47.95", "60000/1001": "59.94"}
_RATES |= {rate: rate for rate in ("24", "25", "30", "48", "50", "60")}  # that `srcFrameRate` may say


def fcpxml_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an FCPXML document; raises OutputError, which names the clip, for content it cannot hold exactly.

    places: of its media. name: of the project, for a timeline without a name.
    """
    root = Element("fcpxml", version="1.9")
    resources = SubElement(root, "resources")
    event = SubElement(SubElement(root, "library"), "event", name="Faceplate")
    project = SubElement(event, "project", name=xml_text(timeline.name or name))
    xml_writer = _FcpxmlWriter(resources, places, sequence_rate(timeline))
    project.append(xml_writer.sequence(timeline.tracks, start_of_edit(timeline)))
    heard = {asset.get("id") for asset in resources.iter("asset") if asset.get("hasAudio")}
    for clip in root.iter("asset-clip"):  # the sound of these has clips of its own
        if clip.get("ref") in heard and not clip.get("srcEnable"):
            clip.set("srcEnable", "video")
    return writer.xml_bytes(root)


@dataclass
class _Piece:
    """An element of a storyline. start: of its own time; record: its time in the sequence. markers: go after connected elements."""

    element: Element
    start: Fraction
    markers: list[Element] = field(default_factory=list)
    record: Fraction = ZERO


class _FcpxmlWriter(writer.TimelineWriter):
    """Writer of sequences of one rate."""

    def __init__(self, resources: Element, places: Places, rate: Fraction) -> None:
        super().__init__(places, rate)
        self._resources = resources
        self._assets: dict[tuple[Any, ...], Element] = {}
        self._formats: dict[tuple[Any, ...], str] = {}
        self._dissolve = ""

    # --- sequences ---

    def sequence(self, stack: Any, begin: Fraction) -> Element:
        """Return a stack as a sequence that begins at a timecode, in seconds."""
        format = self._resource("format", frameDuration=_time(1 / self._rate))
        pictures = [self.row(child) for child in stack if not is_sound(child)]
        sounds = [self.row(child, exact_sound=True) for child in stack if is_sound(child)]
        end = max((laid.end for row in (*pictures, *sounds) for laid in row), default=ZERO)
        duration = _time(Fraction(nearest(end * self._rate)) / self._rate)
        times = {"duration": duration, "tcStart": _time(begin), "tcFormat": "NDF"}
        sequence = Element("sequence", {"format": format.get("id", "")} | times)
        spine = SubElement(sequence, "spine")
        storyline = self._storyline(spine, pictures[0] if pictures else [], begin, end)
        for lane, row in [*enumerate(pictures[1:], 1), *((-n, row) for n, row in enumerate(sounds, 1))]:
            for shown, run in groupby(row, key=lambda laid: _shown(laid.item)):
                if shown:
                    self._connect(list(run), lane, storyline)
        for piece in storyline:
            piece.element.extend(piece.markers)
        sized = next((f for f in self._resources.iter("format") if f.get("width")), None)
        if sized is not None:
            format.attrib.update(width=sized.get("width", ""), height=sized.get("height", ""))
        return sequence

    def _storyline(self, spine: Element, row: list[RowItem], begin: Fraction, end: Fraction) -> list[_Piece]:
        """Fill a spine with a row; returns its pieces. begin: time of the spine at its first frame; end: how long it lasts at least."""
        pieces: list[_Piece] = []
        first, last = (row[0].begin, row[-1].end) if row else (ZERO, ZERO)

        def add(piece: _Piece, record: Fraction) -> None:
            piece.element.set("offset", _time(begin + record - first))
            piece.record = record
            spine.append(piece.element)
            pieces.append(piece)

        for laid in row:
            self._transition(spine, laid.before, begin + laid.begin - first)
            add(self._item(laid), laid.begin)
        self._transition(spine, row[-1].after if row else None, begin + last - first)
        if end > last:
            add(self._gap(end - last), last)
        return pieces

    def _connect(self, run: list[RowItem], lane: int, storyline: list[_Piece]) -> None:
        """Connect items that follow each other to what is below them in the storyline."""
        at = run[0].begin
        below = storyline[max(bisect_right(storyline, at, key=attrgetter("record")) - 1, 0)]
        offset = _time(below.start + at - below.record)
        if len(run) == 1 and run[0].before is None and run[0].after is None:
            above = [self._item(run[0])]
            above[0].element.attrib.update(lane=str(lane), offset=offset)
            below.element.append(above[0].element)
        else:
            spine = SubElement(below.element, "spine", lane=str(lane), offset=offset)
            above = self._storyline(spine, run, ZERO, ZERO)
        for piece in above:
            piece.element.extend(piece.markers)

    def _transition(self, spine: Element, transition: Any, cut: Fraction) -> None:
        """Add a transition at a cut, in seconds of the spine; nothing for None, and for one without a length."""
        before, behind = self.offsets(transition)
        if before + behind == 0:
            return
        if not self._dissolve:
            self._dissolve = self._resource("effect", name="Cross Dissolve", uid=_DISSOLVE).get("id", "")
        name = xml_text(transition.name) or "Cross Dissolve"
        element = SubElement(spine, "transition", name=name, offset=_time(cut - before / self._rate))
        element.set("duration", _time((before + behind) / self._rate))
        SubElement(element, "filter-video", ref=self._dissolve, name="Cross Dissolve")

    # --- items ---

    def _item(self, laid: RowItem) -> _Piece:
        item, length = laid.item, laid.end - laid.begin
        if not _shown(item):
            return self._gap(length, item.name)
        piece = self._compound(laid) if isinstance(item, otio.core.Composition) else self._clip(laid)
        piece.element.attrib.update(start=_time(piece.start), duration=_time(length))
        if not item.enabled or (isinstance(item.parent(), otio.schema.Track) and not item.parent().enabled):
            piece.element.set("enabled", "0")
        piece.markers = [_marker(m, piece.start, length, self._rate) for m in item.markers]
        return piece

    def _gap(self, length: Fraction, name: str = "") -> _Piece:
        return _Piece(Element("gap", name=xml_text(name) or "Gap", duration=_time(length), start="0s"), ZERO)

    def _clip(self, laid: RowItem) -> _Piece:
        clip = laid.item
        source = self.media(clip)
        start = source.origin if clip.source_range is None else start_of(clip)
        element = Element("asset-clip", name=xml_text(clip.name) or "Clip")
        content, down = (source.origin, source.length), samples_down(clip)
        begin, *shown = self._speed(element, laid, start, content, down, source.media.rate)
        asset = self._asset(clip, source, max(*shown, start + laid.end - laid.begin), sound=laid.sound)
        element.set("ref", asset.get("id", ""))
        if laid.sound:
            element.set("srcEnable", "audio")
        return _Piece(element, begin)

    def _compound(self, laid: RowItem) -> _Piece:
        item = laid.item
        name = xml_text(item.name) or "Compound clip"
        media = self._resource("media", name=name)
        media.append(self.sequence(writer.stack_of(item), ZERO))
        inside = self.inside(item)
        start = ZERO if item.source_range is None else start_of(item)
        if isinstance(item, otio.schema.Stack):
            start = from_whole_hour(start, inside, self._rate)
        element = Element("ref-clip", name=name, ref=media.get("id", ""))
        down = all(map(samples_down, item.find_clips()))
        return _Piece(element, self._speed(element, laid, start, (ZERO, inside), down, self._rate)[0])

    def _speed(
        self,
        element: Element,
        laid: RowItem,
        start: Fraction,
        content: tuple[Fraction, Fraction | None],
        down: bool,
        own: Fraction,
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Write an item's speed; return the begin of its own time, and the first and last second of content shown."""
        (origin, whole), length = content, laid.end - laid.begin
        sampling = {} if down else {"frameSampling": "nearest-neighbor"}
        if own != self._rate:
            rate = {"srcFrameRate": _RATES[str(own)]} if str(own) in _RATES else {}
            SubElement(element, "conform-rate", {"scaleEnabled": "0"} | rate | sampling)
        affine = self.warp(laid.item, start, content).affine
        if affine is not None and affine.scale == 1:
            begin = affine.offset + laid.late
            return begin, begin, begin + length
        if affine is None:
            keys = _keys(laid.item, origin, start)
            begin = origin + laid.late
            points = [(origin + key.record, key.source, key.before, key.after) for key in keys]
            ends = [key.source for key in keys]
        else:
            speed = affine.scale
            first = affine.offset - min(speed, ZERO) / self._rate + speed * laid.late
            ends = [first, first + speed * length]
            low, high = min(origin, *ends), max(origin + (whole or ZERO), *ends)
            if not speed:
                begin = origin
                points = [(begin, first, ZERO, ZERO), (begin + length, first, ZERO, ZERO)]
            else:
                begin = (first if speed > 0 else low + high - first) / abs(speed)
                values = (low, high) if speed > 0 else (high, low)
                points = [(t / abs(speed), v, ZERO, ZERO) for t, v in zip((low, high), values, strict=True)]
        mapped = SubElement(element, "timeMap", sampling)
        for time, value, before, after in points:
            point = SubElement(mapped, "timept", time=_time(time), value=_time(value))
            point.set("interp", "smooth2" if before or after else "linear")
            for name, eased in (("inTime", before), ("outTime", after)):
                if eased:
                    point.set(name, _time(eased))
        return begin, min(ends), max(ends)

    # --- resources ---

    def _asset(self, clip: Any, source: ClipMedia, used: Fraction, *, sound: bool) -> Element:
        """Return the resource of a clip's media. used: the last second shown, for media of unknown length."""
        media, reference = source.media, clip.media_reference
        if isinstance(reference, otio.schema.ImageSequenceReference) or (
            media.path is not None and has_place(media.path.name)
        ):
            what = f"clip '{clip.name}' shows an image sequence, which FCPXML cannot hold"
            raise cannot_hold(what, "Give --media prores4444.")
        length = source.length
        if length is None:
            length = media.frames / media.rate if media.frames is not None else max(used - source.origin, ZERO)
        key = (media.url, source.origin, length, media.rate)
        if key not in self._assets:
            times = {"start": _time(source.origin), "duration": _time(length)}
            asset = self._resource("asset", name=xml_text(reference.name or clip.name), **times)
            SubElement(asset, "media-rep", kind="original-media", src=writer.url_of(media.url))
            self._assets[key] = asset
        asset = self._assets[key]
        if sound:
            asset.attrib.update(hasAudio="1", audioSources="1")
        elif not asset.get("hasVideo"):
            asset.attrib.update(hasVideo="1", videoSources="1", format=self._format(media.rate, _size(media.path)))
        return asset

    def _format(self, rate: Fraction, size: tuple[int, int] | None) -> str:
        key = (rate, size)
        if key not in self._formats:
            sides = {"width": str(size[0]), "height": str(size[1])} if size else {}
            self._formats[key] = self._resource("format", frameDuration=_time(1 / rate), **sides).get("id", "")
        return self._formats[key]

    def _resource(self, tag: str, **attributes: str) -> Element:
        return SubElement(self._resources, tag, {"id": f"r{next(self._numbers)}"} | attributes)


def _shown(item: Any) -> bool:
    """Tell whether FCPXML can hold an item as more than a gap."""
    if isinstance(item, otio.schema.Clip):
        reference = item.media_reference
        return bool(getattr(reference, "target_url", "")) or isinstance(reference, otio.schema.ImageSequenceReference)
    return isinstance(item, otio.schema.Stack | otio.schema.Track)


def _keys(item: Any, origin: Fraction, start: Fraction) -> list[MapKey]:
    """Return the keys of an item's variable speed, from seconds of its record; raises OutputError for curves that FCPXML cannot hold."""
    effects = [e for e in item.effects if isinstance(e, otio.schema.TimeEffect) and e.enabled]
    if len(effects) == 1 and (keys := keys_in(effects[0])):
        return keys
    rows = keys_of(effects[0]) if len(effects) == 1 else []
    rising = all(exact(b.source) >= exact(a.source) for a, b in pairwise(rows))
    if not rows or not rising or any(any((*key.before, *key.after)) for key in rows):
        raise cannot_hold(f"clip '{item.name}': FCPXML cannot hold its speed ramp exactly")
    first = Curve(rows).inverse(start - origin)
    return [MapKey(exact(key.record) - first, origin + exact(key.source)) for key in rows]


def _marker(marker: Any, begin: Fraction, length: Fraction, rate: Fraction) -> Element:
    """A marker of an item whose own time begins at `begin`; one that lies elsewhere is moved to its beginning, for there it is seen."""
    at = seconds(marker.marked_range.start_time, f"marker '{marker.name}'")
    at = at if begin <= at < begin + length else begin
    value = xml_text(marker.name or marker.comment) or "Marker"
    element = Element("marker", start=_time(at), duration=_time(1 / rate), value=value)
    if marker.name and marker.comment:
        element.set("note", xml_text(marker.comment))
    return element


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
