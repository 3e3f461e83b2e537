"""A timeline as Final Cut Pro 7 XML, which Premiere and Resolve read too.

`in` counts frames of the sequence, and with a Time Remap those of the retimed clip; the exact second stands in Premiere's ticks beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import opentimelineio as otio

from host_bridge.timeline.read import Places
from host_bridge.timeline.read.fcp7 import TICKS
from host_bridge.timeline.read.header import read_header
from host_bridge.timeline.read.timemap import keys_in
from host_bridge.timeline.read.times import from_whole_hour, nearest, seconds
from host_bridge.timeline.shots import sequence_rate
from host_bridge.timeline.shots.media import Found, media_of
from host_bridge.timeline.shots.speed import speed_of
from host_bridge.timeline.shots.warp import Affine, Warp
from host_bridge.timeline.write.fcpxml import url_of, xml_text
from nodes.errors import OutputError
from nodes.footage.numbering import has_place, numbered
from nodes.footage.rates import frames_per_day, nominal, timecode_of

_ZERO = Fraction(0)
_OTIO = "Write .otio, which holds all of it"


def fcp7_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an xmeml document; raises OutputError, which names the clip, for what it cannot say.

    places: where its media are. name: of the sequence, where the timeline has none.
    """
    root = Element("xmeml", version="5")
    start = timeline.global_start_time
    begin = _ZERO if start is None else seconds(start, "the start of the edit")
    writer = _Writer(places, sequence_rate(timeline))
    root.append(writer.sequence(timeline.tracks, xml_text(timeline.name or name), begin))
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n' + bytes(tostring(root, "utf-8")) + b"\n"


@dataclass
class _Laid:
    """An item of a row. begin, end: its frames, without transitions; before, after: the transitions beside it. late: seconds that its first frame begins after the item itself."""

    item: Any
    begin: int
    end: int
    late: Fraction
    before: Any = None
    after: Any = None


class _Writer:
    """Writes sequences of one rate."""

    def __init__(self, places: Places, rate: Fraction) -> None:
        self._places, self._rate = places, rate
        self._files: dict[tuple[Any, ...], str] = {}
        self._count = 0

    def sequence(self, stack: Any, name: str, begin: Fraction) -> Element:
        """A stack as a sequence that begins at a timecode, in seconds."""
        sequence = Element("sequence", id=f"sequence-{self._number()}")
        _say(sequence, name=name, duration=nearest(self._inside(stack) * self._rate))
        sequence.append(_rate(self._rate))
        sequence.append(_timecode(begin, self._rate))
        media = SubElement(sequence, "media")
        picture, sound = SubElement(media, "video"), SubElement(media, "audio")
        SubElement(SubElement(picture, "format"), "samplecharacteristics").append(_rate(self._rate))
        for child in stack:
            track = isinstance(child, otio.schema.Track)
            audible = track and child.kind == otio.schema.TrackKind.Audio
            element = SubElement(sound if audible else picture, "track")
            row = self._row(child)
            for laid in row:
                element.extend(self._item(laid, audible=audible, last=laid is row[-1]))
            _say(element, enabled="TRUE" if not track or child.enabled else "FALSE")
        sequence.extend(self._markers(stack, _ZERO))
        return sequence

    def _row(self, child: Any) -> list[_Laid]:
        """The items of a track, or what lies in a stack without one, on frames of the sequence."""
        items = list(child) if isinstance(child, otio.schema.Track) and child.source_range is None else [child]
        found: list[_Laid] = []
        at, before = _ZERO, None
        for item in items:
            if not isinstance(item, otio.core.Item):
                before = item
                if found:
                    found[-1].after = item
                continue
            begin, end = nearest(at * self._rate), nearest((at + self._length(item)) * self._rate)
            if end > begin:
                found.append(_Laid(item, begin, end, begin / self._rate - at, before))
                before = None
            at += self._length(item)
        return found

    # --- items ---

    def _item(self, laid: _Laid, *, audible: bool, last: bool) -> Iterator[Element]:
        """The transition before an item, and the item; behind the last the transition there."""
        if laid.before is not None and (transition := self._transition(laid.before, laid.begin)) is not None:
            yield transition
        item = laid.item
        if isinstance(item, otio.schema.Clip | otio.schema.Stack | otio.schema.Track):
            generated = isinstance(getattr(item, "media_reference", None), otio.schema.GeneratorReference)
            element = Element("generatoritem" if generated else "clipitem", id=f"item-{self._number()}")
            _say(element, name=xml_text(item.name) or "Clip", enabled="TRUE" if item.enabled else "FALSE")
            element.append(_rate(self._rate))
            self._fill(element, laid, audible=audible)
            yield element
        if last and laid.after is not None and (transition := self._transition(laid.after, laid.end)) is not None:
            yield transition

    def _fill(self, element: Element, laid: _Laid, *, audible: bool) -> None:
        head = 0 if laid.before is None else self._frames(laid.before.in_offset)
        tail = 0 if laid.after is None else self._frames(laid.after.out_offset)
        faded = [
            t is not None and self._frames(t.in_offset) + self._frames(t.out_offset) > 0
            for t in (laid.before, laid.after)
        ]
        _say(element, start=-1 if faded[0] else laid.begin, end=-1 if faded[1] else laid.end)
        if element.tag == "generatoritem":
            _say(element, **{"in": 0, "out": laid.end - laid.begin + head + tail})
            kind = xml_text(laid.item.media_reference.generator_kind or "Generator")
            effect = SubElement(element, "effect")
            _say(effect, name=kind, effectid=kind, effecttype="generator", mediatype="video")
            return
        nested = isinstance(laid.item, otio.core.Composition)
        inside = self._nested(laid.item) if nested else self._file(laid.item)
        first, remap = self._speed(laid, inside[1], inside[2], head / self._rate)
        first -= head / self._rate
        _say(element, duration=max(nearest(inside[2] * self._rate), 1))
        _say(
            element,
            **{
                "in": nearest(first * self._rate),
                "out": nearest(first * self._rate) + laid.end - laid.begin + head + tail,
            },
        )
        _say(element, pproTicksIn=round(first * TICKS))
        element.append(inside[0])
        if remap is not None:
            element.append(remap)
        if audible:
            _say(SubElement(element, "sourcetrack"), mediatype="audio", trackindex=1)
        element.extend(self._markers(laid.item, inside[1]))

    def _speed(self, laid: _Laid, origin: Fraction, whole: Fraction, head: Fraction) -> tuple[Fraction, Element | None]:
        """A clip's first second as `in` counts it, and its Time Remap. origin, whole: where its media begin and how long they are; head: how much earlier it is seen, all in seconds."""
        item = laid.item
        start = origin if item.source_range is None else seconds(item.source_range.start_time, f"'{item.name}'")
        if isinstance(item, otio.schema.Stack):
            start = from_whole_hour(start, whole, self._rate)
        length, frame = self._length(item), 1 / self._rate
        steps, _ = speed_of(item, start, length, frame, (origin, whole))
        warp = Warp((Affine(offset=laid.late),))
        for step in steps:
            warp = warp.then(step)
        affine = warp.affine
        if affine is None:
            return self._ramp(item, origin, laid.late, head)
        speed, shown = affine.scale, Fraction(laid.end - laid.begin) / self._rate
        if speed == 1:
            return affine.offset - origin, None
        if speed >= 0:
            return (affine.offset - origin) / (speed or 1), _remap(speed)
        first = affine.offset + speed * shown - speed * frame
        return (origin + whole - first) / -speed - shown, _remap(speed)

    def _ramp(self, item: Any, origin: Fraction, late: Fraction, head: Fraction) -> tuple[Fraction, Element]:
        keys = next((keys for effect in item.effects if (keys := keys_in(effect))), [])
        if not keys or any(key.before or key.after for key in keys):
            raise OutputError(f"'{item.name}': Final Cut Pro 7 XML cannot hold its speed ramp exactly", remedy=_OTIO)
        first = Fraction(math.ceil(max(late - keys[0].record, head) * self._rate)) / self._rate
        speed = (keys[-1].source - keys[0].source) / (keys[-1].record - keys[0].record)
        remap = _remap(speed, ramp=True)
        graph = SubElement(remap[0], "parameter")
        most = max(key.source - origin for key in keys) * self._rate
        _say(graph, parameterid="graphdict", name="graphdict", valuemin=0, valuemax=_decimal(most), value=0)
        for key in keys:
            when = (key.record - late + first) * self._rate
            _say(SubElement(graph, "keyframe"), when=_decimal(when), value=_decimal((key.source - origin) * self._rate))
        return first, remap

    def _transition(self, transition: Any, cut: int) -> Element | None:
        before, behind = self._frames(transition.in_offset), self._frames(transition.out_offset)
        if not before + behind:
            return None
        found = Element("transitionitem")
        found.append(_rate(self._rate))
        _say(found, start=cut - before, end=cut + behind)
        _say(
            found,
            alignment="center" if before == behind else "start" if not before else "end" if not behind else "center",
        )
        _say(found, cutPointTicks=round(before * TICKS / self._rate))
        dissolve = transition.transition_type == otio.schema.TransitionTypes.SMPTE_Dissolve
        name = "Cross Dissolve" if dissolve else xml_text(transition.name) or "Transition"
        effect = SubElement(found, "effect")
        _say(effect, name=name, effectid=name, effectcategory="Dissolve", effecttype="transition", mediatype="video")
        return found

    # --- what items show ---

    def _nested(self, item: Any) -> tuple[Element, Fraction, Fraction]:
        """A sequence of a stack or track, which begins at 0, and how long it is, in seconds."""
        whole = item
        if isinstance(item, otio.schema.Track):
            inner = item.deepcopy()
            inner.source_range = None
            inner.effects.clear()
            whole = otio.schema.Stack()
            whole.append(inner)
        return self.sequence(whole, xml_text(item.name) or "Sequence", _ZERO), _ZERO, self._inside(item)

    def _file(self, clip: Any) -> tuple[Element, Fraction, Fraction]:
        """A clip's file, when it begins by its timecode, and how long it is, in seconds."""
        found, reference = self._found(clip), clip.media_reference
        media = found.media
        frames = media.frames if media.path is not None else None
        frames = frames or (nearest(found.length * media.rate) if found.length is not None else None)
        if frames is None:
            start = (
                found.origin if clip.source_range is None else seconds(clip.source_range.start_time, f"'{clip.name}'")
            )
            frames = max(nearest((start + self._length(clip) - found.origin) * media.rate), 1)
        length = frames / media.rate
        url = media.url
        if has_place(url) and media.path is not None and has_place(media.path.name):
            url = str(numbered(media.path, read_header(media.path).start or 0))
        elif isinstance(reference, otio.schema.ImageSequenceReference):
            url = reference.target_url_for_image_number(0)
        key = (url, found.origin, frames, media.rate)
        if key in self._files:
            return Element("file", id=self._files[key]), found.origin, length
        self._files[key] = f"file-{self._number()}"
        file = Element("file", id=self._files[key])
        _say(file, name=xml_text(reference.name if reference else "") or xml_text(clip.name), pathurl=url_of(url))
        file.append(_rate(media.rate))
        _say(file, duration=frames)
        file.append(_timecode(found.origin, media.rate))
        SubElement(SubElement(file, "media"), "video")
        return file, found.origin, length

    def _found(self, clip: Any) -> Found:
        return media_of(clip, self._places, self._rate, results=True)

    # --- times ---

    def _markers(self, item: Any, origin: Fraction) -> Iterator[Element]:
        for marker in item.markers:
            first = seconds(marker.marked_range.start_time, f"marker '{marker.name}'") - origin
            length = seconds(marker.marked_range.duration, f"marker '{marker.name}'")
            found = Element("marker")
            begin = nearest(first * self._rate)
            _say(found, name=xml_text(marker.name), comment=xml_text(marker.comment))
            _say(found, **{"in": begin, "out": begin + nearest(length * self._rate) if length * self._rate > 1 else -1})
            yield found

    def _frames(self, time: Any) -> int:
        return 0 if time is None else nearest(seconds(time, "a transition") * self._rate)

    def _length(self, item: Any) -> Fraction:
        if item.source_range is not None:
            return seconds(item.source_range.duration, f"'{item.name}'")
        if not isinstance(item, otio.schema.Clip):
            return self._inside(item)
        found = self._found(item)
        if found.length is None:
            raise OutputError(f"clip '{item.name}': nothing says how long it is", remedy=_OTIO)
        return found.length

    def _inside(self, item: Any) -> Fraction:
        if not isinstance(item, otio.core.Composition):
            return _ZERO
        lengths = [self._length(child) for child in item if isinstance(child, otio.core.Item)]
        return sum(lengths, _ZERO) if isinstance(item, otio.schema.Track) else max(lengths, default=_ZERO)

    def _number(self) -> int:
        self._count += 1
        return self._count


def _remap(speed: Fraction, *, ramp: bool = False) -> Element:
    found = Element("filter")
    _say(found, enabled="TRUE", start=-1, end=-1)
    effect = Element("effect")
    found.insert(0, effect)
    _say(
        effect, name="Time Remap", effectid="timeremap", effectcategory="motion", effecttype="motion", mediatype="video"
    )
    for name, value in (
        ("variablespeed", int(ramp)),
        ("speed", _decimal(speed * 100)),
        ("reverse", "TRUE" if speed < 0 else "FALSE"),
        ("frameblending", "FALSE"),
    ):
        _say(SubElement(effect, "parameter"), parameterid=name, name=name, value=value)
    return found


def _rate(rate: Fraction) -> Element:
    """A rate as xmeml says it; raises OutputError for one that is neither whole nor 1000/1001 of that."""
    if rate not in (nominal(rate), Fraction(nominal(rate) * 1000, 1001)):
        raise OutputError(f"Final Cut Pro 7 XML cannot say {float(rate):.6g} frames per second", remedy=_OTIO)
    found = Element("rate")
    _say(found, timebase=nominal(rate), ntsc="TRUE" if rate.denominator == 1001 else "FALSE")
    return found


def _timecode(begin: Fraction, rate: Fraction) -> Element:
    found = Element("timecode")
    found.append(_rate(rate))
    number = nearest(begin * rate)
    if 0 <= number < frames_per_day(rate):
        _say(found, string=timecode_of(number, rate))
    _say(found, frame=number, displayformat="NDF")
    return found


def _decimal(value: Fraction) -> str:
    """A number as text, to 1e-9."""
    return f"{float(value):.9f}".rstrip("0").rstrip(".") if value.denominator > 1 else str(value.numerator)


def _say(element: Element, **told: object) -> None:
    for name, value in told.items():
        SubElement(element, name).text = str(value)
