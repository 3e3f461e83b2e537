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
from host_bridge.timeline.read.model import from_whole_hour, keys_in, nearest, seconds, start_of, start_of_edit
from host_bridge.timeline.read.places import Places, read_header
from host_bridge.timeline.shots.find import sequence_rate
from host_bridge.timeline.write import writer
from host_bridge.timeline.write.writer import ZERO, RowItem, cannot_hold, is_sound, xml_text
from nodes.footage.numbering import has_place, numbered
from nodes.footage.rates import frames_per_day, nominal, timecode_of


def fcp7_of(timeline: Any, places: Places, name: str) -> bytes:
    """Return a timeline as an xmeml document; raises OutputError, which names the clip, for what it cannot say.

    places: where its media are. name: of the sequence, where the timeline has none.
    """
    root = Element("xmeml", version="5")
    made = _Fcp7Writer(places, sequence_rate(timeline))
    root.append(made.sequence(timeline.tracks, xml_text(timeline.name or name), start_of_edit(timeline)))
    return writer.xml_bytes(root)


class _Fcp7Writer(writer.TimelineWriter):
    """Writes sequences of one rate."""

    def __init__(self, places: Places, rate: Fraction) -> None:
        super().__init__(places, rate)
        self._files: dict[tuple[Any, ...], str] = {}

    def sequence(self, stack: Any, name: str, begin: Fraction) -> Element:
        """A stack as a sequence that begins at a timecode, in seconds."""
        sequence = Element("sequence", id=f"sequence-{next(self._numbers)}")
        _say(sequence, name=name, duration=self._frames(self.inside(stack)), rate=_rate(self._rate))
        _say(sequence, timecode=_timecode(begin, self._rate))
        media = SubElement(sequence, "media")
        picture, sound = SubElement(media, "video"), SubElement(media, "audio")
        _say(SubElement(SubElement(picture, "format"), "samplecharacteristics"), rate=_rate(self._rate))
        for child in stack:
            track, row = SubElement(sound if is_sound(child) else picture, "track"), self.row(child)
            for laid in row:
                track.extend(self._item(laid, last=laid is row[-1]))
            _say(track, enabled=not isinstance(child, otio.schema.Track) or child.enabled)
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
            element = Element("generatoritem" if generated else "clipitem", id=f"item-{next(self._numbers)}")
            _say(element, name=xml_text(item.name) or "Clip", enabled=item.enabled, rate=_rate(self._rate))
            self._fill(element, laid)
            yield element
        if last and laid.after is not None:
            yield from self._transition(laid.after, laid.end)

    def _fill(self, element: Element, laid: RowItem) -> None:
        before, after = self.offsets(laid.before), self.offsets(laid.after)
        begin, end = self._frames(laid.begin), self._frames(laid.end)
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
        shown = self._frames(first)
        _say(element, duration=max(self._frames(whole), 1), **{"in": shown, "out": shown + count})
        _say(element, pproTicksIn=round(first * TICKS), file=inside)
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
        cut = self._frames(at)
        middle = before == behind or (before and behind)
        dissolve = transition.transition_type == otio.schema.TransitionTypes.SMPTE_Dissolve
        name = "Cross Dissolve" if dissolve else xml_text(transition.name) or "Transition"
        kind = {"name": name, "effectid": name, "effectcategory": "Dissolve", "effecttype": "transition"}
        yield _say(
            Element("transitionitem"),
            rate=_rate(self._rate),
            start=cut - before,
            end=cut + behind,
            alignment="center" if middle else "start" if not before else "end",
            cutPointTicks=round(before * TICKS / self._rate),
            effect=_say(Element("effect"), **kind, mediatype="video"),
        )

    # --- what items show ---

    def _nested(self, item: Any) -> tuple[Element, Fraction, Fraction]:
        """A sequence of a stack or track, which begins at 0, and how long it is, in seconds."""
        return self.sequence(writer.stack_of(item), xml_text(item.name) or "Sequence", ZERO), ZERO, self.inside(item)

    def _file(self, clip: Any) -> tuple[Element, Fraction, Fraction]:
        """A clip's file, when it begins by its timecode, and how long it is, in seconds."""
        shown, reference = self.media(clip), clip.media_reference
        media, origin = shown.media, shown.origin
        frames = media.frames if media.path is not None else None
        frames = frames or (nearest(shown.length * media.rate) if shown.length is not None else None)
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
        file = _say(Element("file", id=self._files[key]), name=name, pathurl=writer.url_of(url))
        _say(file, rate=_rate(media.rate), duration=frames, timecode=_timecode(origin, media.rate))
        SubElement(SubElement(file, "media"), "video")
        return file, origin, length

    def _markers(self, item: Any, origin: Fraction) -> Iterator[Element]:
        for marker in item.markers:
            what = f"marker '{marker.name}'"
            begin = self._frames(seconds(marker.marked_range.start_time, what) - origin)
            length = seconds(marker.marked_range.duration, what) * self._rate
            place = {"in": begin, "out": begin + nearest(length) if length > 1 else -1}
            yield _say(Element("marker"), name=xml_text(marker.name), comment=xml_text(marker.comment), **place)

    def _frames(self, time: Fraction) -> int:
        return nearest(time * self._rate)


def _remap(speed: Fraction, *, ramp: bool = False) -> Element:
    effect = _say(Element("effect"), name="Time Remap", effectid="timeremap")
    _say(effect, effectcategory="motion", effecttype="motion", mediatype="video")
    values = {"variablespeed": int(ramp), "speed": _decimal(speed * 100), "reverse": speed < 0, "frameblending": False}
    for name, value in values.items():
        _say(SubElement(effect, "parameter"), parameterid=name, name=name, value=value)
    return _say(Element("filter"), effect=effect, enabled=True, start=-1, end=-1)


def _rate(rate: Fraction) -> Element:
    """A rate as xmeml says it; raises OutputError for one that is neither whole nor 1000/1001 of that."""
    if rate not in (nominal(rate), Fraction(nominal(rate) * 1000, 1001)):
        raise cannot_hold(f"Final Cut Pro 7 XML cannot say {float(rate):.6g} frames per second")
    return _say(Element("rate"), timebase=nominal(rate), ntsc=rate.denominator == 1001)


def _timecode(begin: Fraction, rate: Fraction) -> Element:
    timecode, number = _say(Element("timecode"), rate=_rate(rate)), nearest(begin * rate)
    if 0 <= number < frames_per_day(rate):
        _say(timecode, string=timecode_of(number, rate))
    return _say(timecode, frame=number, displayformat="NDF")


def _decimal(value: Fraction) -> str:
    """A number as text, to 1e-9."""
    return f"{float(value):.9f}".rstrip("0").rstrip(".") if value.denominator > 1 else str(value.numerator)


def _say(element: Element, **values: object) -> Element:
    """Add children to an element, which is returned: elements as they are, other values as texts by their tags."""
    for name, value in values.items():
        if isinstance(value, Element):
            element.append(value)
        else:
            SubElement(element, name).text = str(value).upper() if isinstance(value, bool) else str(value)
    return element
