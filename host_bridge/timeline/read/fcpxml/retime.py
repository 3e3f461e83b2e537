"""How fast a clip of FCPXML plays: its rate conform and its time map.

A time map's `time` counts as the clip is used (its `start`), `value` as its content counts. A conformed clip plays the frames of its media one by one
at the rate of the timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import TimeRange

from host_bridge.timeline.read.fcpxml.resources import called, parse_time, seconds_of
from host_bridge.timeline.read.model import MapKey, add_note, exact, rational_time, sample_down, time_effect
from nodes.footage.rates import snap_rate

_CONFORMS = Fraction(6, 100)  # Final Cut conforms rates that are up to 4.3 % apart, or so for a multiple
Span = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Retime:
    """What of its content a clip shows.

    length: of its record, in seconds. keys: from seconds of record to seconds of its content. begin: as its own time counts.
    down: between two frames of its media it shows the earlier.
    """

    length: Fraction
    keys: tuple[MapKey, ...]
    begin: Fraction
    notes: tuple[str, ...] = ()
    down: bool = False

    def shifted(self, by: Fraction) -> Retime:
        """The same of a content that counts otherwise."""
        return replace(self, keys=tuple(replace(key, source=key.source + by) for key in self.keys))

    def put_on(self, item: Any, rate: Fraction) -> None:
        """Give an item its source range, its time effect, and its notes. rate: of the sequence."""
        first, last = self.keys[0], self.keys[-1]
        start = _value(self.keys, Fraction(0)) if self.length else first.source
        if len(self.keys) == 2 and self.length:
            speed = (last.source - first.source) / (last.record - first.record)
            start = min(start, last.source)
            if exact(float(speed)) != speed:
                item.effects.append(time_effect(self.keys))
            elif not speed:
                item.effects.append(otio.schema.FreezeFrame())
            elif speed != 1:
                item.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(speed)))
        elif self.length:
            item.effects.append(time_effect(self.keys))
        for clip in item.find_clips() if self.down and isinstance(item, otio.core.Composition) else [item] * self.down:
            sample_down(clip)
        item.source_range = TimeRange(rational_time(start, rate), rational_time(self.length, rate))
        add_note(item, *self.notes)


def conform_of(element: Element, rate: Fraction, own: Fraction | None) -> tuple[Fraction, str]:
    """How many seconds of its content a conformed clip plays in one of the timeline, and what is to be said. own: rate of its media."""
    found = element.find("conform-rate")
    if found is None or found.get("scaleEnabled") == "0":
        return Fraction(1), ""
    try:
        source = snap_rate(float(found.get("srcFrameRate") or own or rate))
    except ValueError:
        return Fraction(1), f"its frame rate, '{found.get('srcFrameRate')}', is not followed"
    multiple = max(1, round(source / rate))
    target = rate * multiple if source >= rate else rate / max(1, round(rate / source))
    if abs(target / source - 1) > _CONFORMS:
        said = f"conforms {float(source):.6g} to {float(rate):.6g} frames per second, which Final Cut Pro does not; played in real time"
        return Fraction(1), said
    return target / source, ""


def retime_of(
    element: Element,
    start: Fraction | None,
    length: Fraction,
    conform: tuple[Fraction, str],
    content: tuple[Fraction, Fraction | None],
) -> Retime:
    """What a clip shows. start: of its use, None where it does not say; length: of its record; content: begin and length of what is in it, in seconds."""
    scale, said = conform
    notes = [said] if said else []
    points = [] if (found := element.find("timeMap")) is None else found.findall("timept")
    keys = [_point(element, point) for point in points]
    begin = content[0] if start is None else start
    if points and (len(keys) < 2 or any(a.record >= b.record for a, b in pairwise(keys))):
        notes.append("its time map is not followed: its times do not rise; taken at 100 %")
        keys = []
    origin, there = content
    if not keys:
        if there is not None and begin + length * scale <= min(origin, there):
            begin += origin
            notes.append("its start counts from the beginning of the media")
        straight = (MapKey(Fraction(0), begin), MapKey(length, begin + length * scale))
        return Retime(length, straight, begin, tuple(notes))
    if scale != 1:
        notes.append("has a time map and a rate conform, which are taken one after the other; check its frames")
    if start is None and not _within(begin, keys):
        begin = keys[0].record
    elif not _within(begin, keys) and _within(begin - origin, keys):
        begin -= origin
        notes.append("its time map counts from the beginning of the media")
    end = begin + length * scale
    if begin < keys[0].record or end > keys[-1].record:
        notes.append("plays beyond its time map, whose speed is taken to go on")
    values = [_value(keys, begin), _value(keys, end), *(key.source for key in keys if begin < key.record < end)]
    if there is not None and max(values) <= there and max(values) < origin:
        keys = [replace(key, source=key.source + origin) for key in keys]
        notes.append("the values of its time map count from the beginning of the media")
    used = [
        MapKey(begin, _value(keys, begin)),
        *(key for key in keys if begin < key.record < end),
        MapKey(end, _value(keys, end)),
    ]
    if not length or len({(b.source - a.source) / (b.record - a.record) for a, b in pairwise(used)}) == 1:
        keys = [used[0], used[-1]]
    elif any(key.before or key.after for key in keys[1:-1]):
        notes.append("eases from one speed to another; its frames there may be one beside those of Final Cut Pro")
    elif any(point.get("interp") == "smooth" for point in points):
        notes.append("its speed is eased in Final Cut's older way; taken as straight between keys")
    mapped = (MapKey((k.record - begin) / scale, k.source, k.before / scale, k.after / scale) for k in keys)
    return Retime(length, tuple(mapped), begin, tuple(dict.fromkeys(notes)), samples_down_in(element))


def samples_down_in(element: Element) -> bool:
    """Whether a clip shows the earlier of two frames, as Final Cut does unless it is told otherwise."""
    said = [e.get("frameSampling", "floor") for e in map(element.find, ("timeMap", "conform-rate")) if e is not None]
    return (said or ["floor"])[0] != "nearest-neighbor"


def _point(element: Element, point: Element) -> MapKey:
    what = f"{called(element)}: a point of its time map"
    return MapKey(
        seconds_of(point, "time"),
        parse_time(point.get("value", ""), what),
        max(Fraction(0), seconds_of(point, "inTime")),
        max(Fraction(0), seconds_of(point, "outTime")),
    )


def _within(time: Fraction, keys: Sequence[MapKey]) -> bool:
    return keys[0].record <= time <= keys[-1].record


def _value(keys: Sequence[MapKey], time: Fraction) -> Fraction:
    """What a map has at a time; beyond its ends its first and last speed go on."""
    a, b = next(((a, b) for a, b in pairwise(keys) if time <= b.record), (keys[-2], keys[-1]))
    return a.source + (b.source - a.source) / (b.record - a.record) * (time - a.record)
