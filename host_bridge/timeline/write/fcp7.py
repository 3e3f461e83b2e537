"""A timeline as Final Cut Pro 7 XML, which Premiere and Resolve read too.

`in` counts frames of the sequence, and with a Time Remap those of the retimed clip; the exact second stands in Premiere's ticks beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import opentimelineio as otio

from host_bridge.timeline.read.fcp7 import TICKS
from host_bridge.timeline.read.model import from_whole_hour, keys_in, nearest, seconds
from host_bridge.timeline.read.places import Places, read_header
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.write.writer import (
    ZERO,
    RowItem,
    TimelineWriter,
    cannot_hold,
    is_sound,
    stack_of,
    start_of,
    start_of_edit,
    url_of,
    xml_bytes,
    xml_text,
)
from nodes.footage.numbering import has_place, numbered
from nodes.footage.rates import frames_per_day, nominal, timecode_of


def fcp7_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an xmeml document; raises OutputError, which names the clip, for what it cannot say.

    places: where its media are. name: of the sequence, where the timeline has none.
    """
    root = Element("xmeml", version="5")
    writer = _Fcp7Writer(places, sequence_rate(timeline))
    root.append(writer.sequence(timeline.tracks, xml_text(timeline.name or name), start_of_edit(timeline)))
    return xml_bytes(root)


class _Fcp7Writer(TimelineWriter):
    """Writes sequences of one rate."""

    def __init__(self, places: Places, rate: Fraction) -> None:
        super().__init__(places, rate)
        self._files: dict[tuple[Any, ...], str] = {}

    def sequence(self, stack: Any, name: str, begin: Fraction) -> Element:
        """A stack as a sequence that begins at a timecode, in seconds."""
        sequence = Element("sequence", id=f"sequence-{self.number()}")
        _say(sequence, name=name, duration=nearest(self.inside(stack) * self._rate))
        sequence.append(_rate(self._rate))
        sequence.append(_timecode(begin, self._rate))
        media = SubElement(sequence, "media")
        picture, sound = SubElement(media, "video"), SubElement(media, "audio")
        SubElement(SubElement(picture, "format"), "samplecharacteristics").append(_rate(self._rate))
        for child in stack:
            element = SubElement(sound if is_sound(child) else picture, "track")
            row = self.row(child)
            for laid in row:
                element.extend(self._item(laid, last=laid is row[-1]))
            enabled = not isinstance(child, otio.schema.Track) or child.enabled
            _say(element, enabled="TRUE" if enabled else "FALSE")
        sequence.extend(self._markers(stack, ZERO))
        return sequence

    # --- items ---

    def _item(self, laid: RowItem, *, last: bool) -> Iterator[Element]:
        """The transition before an item, and the item; behind the last the transition there."""
        if laid.before is not None:
            yield from self._transition(laid.before, laid.begin)
        item = laid.item
        if isinstance(item, otio.schema.Clip | otio.schema.Stack | otio.schema.Track):
            generated = isinstance(getattr(item, "media_reference", None), otio.schema.GeneratorReference)
            element = Element("generatoritem" if generated else "clipitem", id=f"item-{self.number()}")
            _say(element, name=xml_text(item.name) or "Clip", enabled="TRUE" if item.enabled else "FALSE")
            element.append(_rate(self._rate))
            self._fill(element, laid)
            yield element
        if last and laid.after is not None:
            yield from self._transition(laid.after, laid.end)

    def _fill(self, element: Element, laid: RowItem) -> None:
        before, after = self.offsets(laid.before), self.offsets(laid.after)
        begin, end = (nearest(t * self._rate) for t in (laid.begin, laid.end))
        _say(element, start=-1 if sum(before) > 0 else begin, end=-1 if sum(after) > 0 else end)
        count = end - begin + before[0] + after[1]
        if element.tag == "generatoritem":
            _say(element, **{"in": 0, "out": count})
            kind = xml_text(laid.item.media_reference.generator_kind or "Generator")
            effect = SubElement(element, "effect")
            _say(effect, name=kind, effectid=kind, effecttype="generator", mediatype="video")
            return
        nested = isinstance(laid.item, otio.core.Composition)
        inside, origin, whole = self._nested(laid.item) if nested else self._file(laid.item)
        head = before[0] / self._rate
        first, remap = self._speed(laid, origin, whole, head)
        first -= head
        shown = nearest(first * self._rate)
        _say(element, duration=max(nearest(whole * self._rate), 1), **{"in": shown, "out": shown + count})
        _say(element, pproTicksIn=round(first * TICKS))
        element.append(inside)
        if remap is not None:
            element.append(remap)
        if laid.sound:
            _say(SubElement(element, "sourcetrack"), mediatype="audio", trackindex=1)
        element.extend(self._markers(laid.item, origin))

    def _speed(
        self, laid: RowItem, origin: Fraction, whole: Fraction, head: Fraction
    ) -> tuple[Fraction, Element | None]:
        """A clip's first second as `in` counts it, and its Time Remap. origin, whole: where its media begin and how long they are; head: how much earlier it is seen, all in seconds."""
        item = laid.item
        start = origin if item.source_range is None else start_of(item)
        if isinstance(item, otio.schema.Stack):
            start = from_whole_hour(start, whole, self._rate)
        affine = self.warp(item, start, (origin, whole), laid.late).affine
        if affine is None:
            return self._ramp(item, origin, laid.late, head)
        speed, shown = affine.scale, laid.end - laid.begin
        if speed == 1:
            return affine.offset - origin, None
        if speed >= 0:
            return (affine.offset - origin) / (speed or 1), _remap(speed)
        first = affine.offset + speed * (shown - 1 / self._rate)
        return (origin + whole - first) / -speed - shown, _remap(speed)

    def _ramp(self, item: Any, origin: Fraction, late: Fraction, head: Fraction) -> tuple[Fraction, Element]:
        keys = next((keys for effect in item.effects if (keys := keys_in(effect))), [])
        if not keys or any(key.before or key.after for key in keys):
            raise cannot_hold(f"'{item.name}': Final Cut Pro 7 XML cannot hold its speed ramp exactly")
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

    def _transition(self, transition: Any, at: Fraction) -> Iterator[Element]:
        """The transition at a cut, in seconds of the sequence; nothing for one without a length."""
        before, behind = self.offsets(transition)
        if not before + behind:
            return
        cut = nearest(at * self._rate)
        found = Element("transitionitem")
        found.append(_rate(self._rate))
        _say(found, start=cut - before, end=cut + behind)
        middle = before == behind or (before and behind)
        _say(found, alignment="center" if middle else "start" if not before else "end")
        _say(found, cutPointTicks=round(before * TICKS / self._rate))
        dissolve = transition.transition_type == otio.schema.TransitionTypes.SMPTE_Dissolve
        name = "Cross Dissolve" if dissolve else xml_text(transition.name) or "Transition"
        effect = SubElement(found, "effect")
        _say(effect, name=name, effectid=name, effectcategory="Dissolve", effecttype="transition", mediatype="video")
        yield found

    # --- what items show ---

    def _nested(self, item: Any) -> tuple[Element, Fraction, Fraction]:
        """A sequence of a stack or track, which begins at 0, and how long it is, in seconds."""
        return self.sequence(stack_of(item), xml_text(item.name) or "Sequence", ZERO), ZERO, self.inside(item)

    def _file(self, clip: Any) -> tuple[Element, Fraction, Fraction]:
        """A clip's file, when it begins by its timecode, and how long it is, in seconds."""
        found, reference = self.media(clip), clip.media_reference
        media = found.media
        frames = media.frames if media.path is not None else None
        frames = frames or (nearest(found.length * media.rate) if found.length is not None else None)
        if frames is None:
            start = found.origin if clip.source_range is None else start_of(clip)
            frames = max(nearest((start + self.length(clip) - found.origin) * media.rate), 1)
        length = frames / media.rate
        url = media.url
        if has_place(url) and media.path is not None and has_place(media.path.name):
            url = str(numbered(media.path, read_header(media.path).start or 0))
        elif isinstance(reference, otio.schema.ImageSequenceReference):
            url = reference.target_url_for_image_number(0)
        key = (url, found.origin, frames, media.rate)
        if key in self._files:
            return Element("file", id=self._files[key]), found.origin, length
        self._files[key] = f"file-{self.number()}"
        file = Element("file", id=self._files[key])
        _say(file, name=xml_text(reference.name if reference else "") or xml_text(clip.name), pathurl=url_of(url))
        file.append(_rate(media.rate))
        _say(file, duration=frames)
        file.append(_timecode(found.origin, media.rate))
        SubElement(SubElement(file, "media"), "video")
        return file, found.origin, length

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
        raise cannot_hold(f"Final Cut Pro 7 XML cannot say {float(rate):.6g} frames per second")
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


def _say(element: Element, **values: object) -> None:
    for name, value in values.items():
        SubElement(element, name).text = str(value)
