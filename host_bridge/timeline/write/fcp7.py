"""Writer of Final Cut Pro 7 XML, which Premiere and Resolve read too.

`in` counts frames of the sequence, and with a Time Remap those of the retimed clip; Premiere's ticks beside it hold the exact second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import opentimelineio as otio

from host_bridge.timeline.read.fcp7 import TICKS
from host_bridge.timeline.read.model import from_whole_hour, keys_in, nearest, seconds, start_of, start_of_edit
from host_bridge.timeline.read.places import Places, read_header
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.write import writer
from host_bridge.timeline.write.writer import ZERO, RowItem, cannot_hold, is_sound, xml_text
from nodes.footage.numbering import has_place, numbered
from nodes.footage.rates import frames_per_day, nominal, timecode_of


def fcp7_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an xmeml document; raises OutputError, which names the clip, for content it cannot hold.

    places: of its media. name: of the sequence, for a timeline without a name.
    """
    root = Element("xmeml", version="5")
    xml_writer = _Fcp7Writer(places, sequence_rate(timeline))
    root.append(xml_writer.sequence(timeline.tracks, xml_text(timeline.name or name), start_of_edit(timeline)))
    return writer.xml_bytes(root)


class _Fcp7Writer(writer.TimelineWriter):
    """Writer of sequences of one rate."""

    def __init__(self, places: Places, rate: Fraction) -> None:
        super().__init__(places, rate)
        self._files: dict[tuple[Any, ...], str] = {}

    def sequence(self, stack: Any, name: str, begin: Fraction) -> Element:
        """Return a stack as a sequence that begins at a timecode, in seconds."""
        sequence = Element("sequence", id=f"sequence-{next(self._numbers)}")
        _add(sequence, name=name, duration=self._frames(self.inside(stack)), rate=_rate(self._rate))
        _add(sequence, timecode=_timecode(begin, self._rate))
        media = SubElement(sequence, "media")
        picture, sound = SubElement(media, "video"), SubElement(media, "audio")
        _add(SubElement(SubElement(picture, "format"), "samplecharacteristics"), rate=_rate(self._rate))
        for child in stack:
            track, row = SubElement(sound if is_sound(child) else picture, "track"), self.row(child)
            for row_item in row:
                track.extend(self._item(row_item, last=row_item is row[-1]))
            _add(track, enabled=not isinstance(child, otio.schema.Track) or child.enabled)
        sequence.extend(self._markers(stack, ZERO))
        return sequence

    # --- items ---

    def _item(self, row_item: RowItem, *, last: bool) -> Iterator[Element]:
        """Yield the transition before an item, the item, and after the last one its transition."""
        if row_item.before is not None:
            yield from self._transition(row_item.before, row_item.begin)
        item = row_item.item
        if isinstance(item, otio.schema.Clip | otio.schema.Stack | otio.schema.Track):
            generated = isinstance(getattr(item, "media_reference", None), otio.schema.GeneratorReference)
            element = Element("generatoritem" if generated else "clipitem", id=f"item-{next(self._numbers)}")
            _add(element, name=xml_text(item.name) or "Clip", enabled=item.enabled, rate=_rate(self._rate))
            self._fill(element, row_item)
            yield element
        if last and row_item.after is not None:
            yield from self._transition(row_item.after, row_item.end)

    def _fill(self, element: Element, row_item: RowItem) -> None:
        before, after = self.offsets(row_item.before), self.offsets(row_item.after)
        begin, end = self._frames(row_item.begin), self._frames(row_item.end)
        _add(element, start=-1 if sum(before) > 0 else begin, end=-1 if sum(after) > 0 else end)
        count = end - begin + before[0] + after[1]
        if element.tag == "generatoritem":
            _add(element, **{"in": 0, "out": count})
            kind = xml_text(row_item.item.media_reference.generator_kind or "Generator")
            effect = SubElement(element, "effect")
            _add(effect, name=kind, effectid=kind, effecttype="generator", mediatype="video")
            return
        nested = isinstance(row_item.item, otio.core.Composition)
        inside, origin, whole = self._nested(row_item.item) if nested else self._file(row_item.item)
        head = before[0] / self._rate
        first, remap = self._speed(row_item, origin, whole, head)
        first -= head
        first_frame = self._frames(first)
        _add(element, duration=max(self._frames(whole), 1), **{"in": first_frame, "out": first_frame + count})
        _add(element, pproTicksIn=round(first * TICKS), file=inside)
        if remap is not None:
            element.append(remap)
        if row_item.sound:
            _add(SubElement(element, "sourcetrack"), mediatype="audio", trackindex=1)
        element.extend(self._markers(row_item.item, origin))

    def _speed(
        self, row_item: RowItem, origin: Fraction, whole: Fraction, head: Fraction
    ) -> tuple[Fraction, Element | None]:
        """Return a clip's first second in the count of `in`, and its Time Remap. origin, whole: begin and length of its media; head: of a transition before it, all in seconds."""
        item = row_item.item
        start = origin if item.source_range is None else start_of(item)
        if isinstance(item, otio.schema.Stack):
            start = from_whole_hour(start, whole, self._rate)
        affine = self.warp(item, start, (origin, whole), row_item.late).affine
        if affine is None:
            return self._ramp(item, origin, row_item.late, head)
        speed, duration = affine.scale, row_item.end - row_item.begin
        if speed == 1:
            return affine.offset - origin, None
        if speed >= 0:
            return (affine.offset - origin) / (speed or 1), _remap(speed)
        first = affine.offset + speed * (duration - 1 / self._rate)
        return (origin + whole - first) / -speed - duration, _remap(speed)

    def _ramp(self, item: Any, origin: Fraction, late: Fraction, head: Fraction) -> tuple[Fraction, Element]:
        keys = next((keys for effect in item.effects if (keys := keys_in(effect))), [])
        if not keys or any(key.before or key.after for key in keys):
            raise cannot_hold(f"'{item.name}': Final Cut Pro 7 XML cannot hold its speed ramp exactly")
        first = Fraction(math.ceil(max(late - keys[0].record, head) * self._rate)) / self._rate
        speed = (keys[-1].source - keys[0].source) / (keys[-1].record - keys[0].record)
        remap = _remap(speed, ramp=True)
        graph = SubElement(remap[0], "parameter")
        most = max(key.source - origin for key in keys) * self._rate
        _add(graph, parameterid="graphdict", name="graphdict", valuemin=0, valuemax=_decimal(most), value=0)
        for key in keys:
            when = (key.record - late + first) * self._rate
            _add(SubElement(graph, "keyframe"), when=_decimal(when), value=_decimal((key.source - origin) * self._rate))
        return first, remap

    def _transition(self, transition: Any, at: Fraction) -> Iterator[Element]:
        """Yield the transition at a cut, in seconds of the sequence; nothing for one of no length."""
        before, behind = self.offsets(transition)
        if not before + behind:
            return
        cut = self._frames(at)
        middle = before == behind or (before and behind)
        dissolve = transition.transition_type == otio.schema.TransitionTypes.SMPTE_Dissolve
        name = "Cross Dissolve" if dissolve else xml_text(transition.name) or "Transition"
        kind = {"name": name, "effectid": name, "effectcategory": "Dissolve", "effecttype": "transition"}
        yield _add(
            Element("transitionitem"),
            rate=_rate(self._rate),
            start=cut - before,
            end=cut + behind,
            alignment="center" if middle else "start" if not before else "end",
            cutPointTicks=round(before * TICKS / self._rate),
            effect=_add(Element("effect"), **kind, mediatype="video"),
        )

    # --- content of items ---

    def _nested(self, item: Any) -> tuple[Element, Fraction, Fraction]:
        """Return a sequence of a stack or track, its begin 0, and its length in seconds."""
        return self.sequence(writer.stack_of(item), xml_text(item.name) or "Sequence", ZERO), ZERO, self.inside(item)

    def _file(self, clip: Any) -> tuple[Element, Fraction, Fraction]:
        """Return a clip's file, its start timecode and its length, in seconds."""
        source, reference = self.media(clip), clip.media_reference
        media, origin = source.media, source.origin
        frames = media.frames if media.path is not None else None
        frames = frames or (nearest(source.length * media.rate) if source.length is not None else None)
        if frames is None:
            start = origin if clip.source_range is None else start_of(clip)
            frames = max(nearest((start + self.length(clip) - origin) * media.rate), 1)
        length = frames / media.rate
        url = media.url
        if has_place(url) and media.path is not None and has_place(media.path.name):
            url = str(numbered(media.path, read_header(media.path).start or 0))
        elif isinstance(reference, otio.schema.ImageSequenceReference):
            url = reference.target_url_for_image_number(0)
        key = (url, origin, frames, media.rate)
        if key in self._files:
            return Element("file", id=self._files[key]), origin, length
        self._files[key] = f"file-{next(self._numbers)}"
        name = xml_text(reference.name if reference else "") or xml_text(clip.name)
        file = _add(Element("file", id=self._files[key]), name=name, pathurl=writer.url_of(url))
        _add(file, rate=_rate(media.rate), duration=frames, timecode=_timecode(origin, media.rate))
        SubElement(SubElement(file, "media"), "video")
        return file, origin, length

    def _markers(self, item: Any, origin: Fraction) -> Iterator[Element]:
        for marker in item.markers:
            what = f"marker '{marker.name}'"
            begin = self._frames(seconds(marker.marked_range.start_time, what) - origin)
            length = seconds(marker.marked_range.duration, what) * self._rate
            place = {"in": begin, "out": begin + nearest(length) if length > 1 else -1}
            yield _add(Element("marker"), name=xml_text(marker.name), comment=xml_text(marker.comment), **place)

    def _frames(self, time: Fraction) -> int:
        return nearest(time * self._rate)


def _remap(speed: Fraction, *, ramp: bool = False) -> Element:
    effect = _add(Element("effect"), name="Time Remap", effectid="timeremap")
    _add(effect, effectcategory="motion", effecttype="motion", mediatype="video")
    values = {"variablespeed": int(ramp), "speed": _decimal(speed * 100), "reverse": speed < 0, "frameblending": False}
    for name, value in values.items():
        _add(SubElement(effect, "parameter"), parameterid=name, name=name, value=value)
    return _add(Element("filter"), effect=effect, enabled=True, start=-1, end=-1)


def _rate(rate: Fraction) -> Element:
    """Return a rate as xmeml; raises OutputError for one that is neither whole nor 1000/1001 of a whole one."""
    if rate not in (nominal(rate), Fraction(nominal(rate) * 1000, 1001)):
        raise cannot_hold(f"Final Cut Pro 7 XML cannot say {float(rate):.6g} frames per second")
    return _add(Element("rate"), timebase=nominal(rate), ntsc=rate.denominator == 1001)


def _timecode(begin: Fraction, rate: Fraction) -> Element:
    timecode, number = _add(Element("timecode"), rate=_rate(rate)), nearest(begin * rate)
    if 0 <= number < frames_per_day(rate):
        _add(timecode, string=timecode_of(number, rate))
    return _add(timecode, frame=number, displayformat="NDF")


def _decimal(value: Fraction) -> str:
    """Format a number, to 1e-9."""
    return f"{float(value):.9f}".rstrip("0").rstrip(".") if value.denominator > 1 else str(value.numerator)


def _add(element: Element, **values: object) -> Element:
    """Add children to an element and return it: elements as they are, other values as text under their tags."""
    for name, value in values.items():
        if isinstance(value, Element):
            element.append(value)
        else:
            SubElement(element, name).text = str(value).upper() if isinstance(value, bool) else str(value)
    return element
