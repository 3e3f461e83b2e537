"""Reader of Final Cut Pro 7 XML (xmeml), also written by Premiere and Resolve, with exact times.

A clip's `start` and `end` count frames of the sequence, its `in` and `out` frames of its own rate. With a Time Remap they count the retimed
clip: at 200 %, `in` 20 is frame 40 of the media. Looks (colour, titles, motion, volumes) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from host_bridge.timeline.read.model import (
    EditDocument,
    MapKey,
    add_note,
    rational_time,
    speed_effects,
    time_effect,
    time_range,
    value_at,
)
from nodes.footage.rates import number_of, snap_rate

TICKS = 254_016_000_000  # of a second, in which Premiere counts
_ZERO = Fraction(0)
_MOST = 10**12
_ITEMS = ("clipitem", "generatoritem")
_CURVES = ("inbez", "outbez", "pproRampStart", "pproRampEnd")


@dataclass(frozen=True, slots=True)
class _ClipContent:
    """The media or subclip of a clip. begin, end: seconds in the media's count, of the file or the subclip; end None if unknown."""

    reference: Any
    begin: Fraction = _ZERO
    end: Fraction | None = None


def read_fcp7(document: EditDocument) -> Any:
    """Return the sequences of a document as a SerializableCollection of timelines.

    Nested ones are left out, unless all are nested. Raises SchemaError, which names the element, for numbers that
    cannot be read, for sequences that hold themselves, and for a document without sequences.
    """
    try:
        timelines = _SequenceReader(document.xml("xmeml")).timelines()
    except ValueError as e:
        document.refuse(str(e), "Export the sequence again")
    except RecursionError:
        document.refuse("has a sequence that holds itself, or is nested too deeply", "Export the sequence again")
    if not timelines:
        document.refuse("holds no sequence", "Select the sequence, not its clips, and export it as XML")
    return otio.schema.SerializableCollection(document.path.stem, timelines)


class _SequenceReader:
    """Reader of the sequences of one document. `_defined`: elements by tag and id, complete where first used, then referenced."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._defined: dict[tuple[str, str], Element] = {}
        for element in root.iter():
            if element.get("id") and len(element):
                self._defined.setdefault((element.tag, element.get("id", "")), element)

    def timelines(self) -> list[Any]:
        """Return the sequences that are not nested in another."""
        nested = {sequence for item in self._root.iter("clipitem") for sequence in item.iter("sequence")}
        sequences = [sequence for sequence in self._root.iter("sequence") if sequence not in nested]
        used = {sequence.get("id") for sequence in nested}
        outer = [sequence for sequence in sequences if sequence.get("id") not in used]
        return [self._timeline(self._whole(sequence)) for sequence in outer or sequences]

    def _whole(self, element: Element) -> Element:
        return self._defined.get((element.tag, element.get("id", "")), element)

    def _timeline(self, sequence: Element) -> Any:
        timeline = otio.schema.Timeline(_text(sequence, "name"))
        rate = self._rate_of(sequence)
        timeline.global_start_time = rational_time(_timecode(sequence, rate) or _ZERO, rate)
        timeline.tracks = self._stack(sequence, rate)
        timeline.tracks.name = "tracks"
        return timeline

    def _rate_of(self, sequence: Element) -> Fraction:
        """Return the rate of a sequence, else of its first clip with one."""
        for holder in (sequence, *sequence.iter("samplecharacteristics"), *sequence.iter("clipitem")):
            if (rate := _rate(holder)) is not None:
                return rate
        raise ValueError(f"sequence '{_text(sequence, 'name')}' does not say its frame rate")

    def _stack(self, sequence: Element, rate: Fraction) -> Any:
        stack = otio.schema.Stack(_text(sequence, "name"))
        for path, kind in (("media/video", otio.schema.TrackKind.Video), ("media/audio", otio.schema.TrackKind.Audio)):
            for element in sequence.findall(f"{path}/track"):
                if (element.get("currentExplodedTrackIndex") or "0") == "0":  # else a channel of the previous track
                    stack.append(self._track(element, kind, rate))
        stack.markers.extend(_markers(sequence, _ZERO, rate))
        return stack

    # --- tracks ---

    def _track(self, element: Element, kind: str, rate: Fraction) -> Any:
        track = otio.schema.Track(_text(element, "name") or element.get("MZ.TrackName", ""), kind=kind)
        track.enabled = _enabled(element)
        elements = [e for e in element if e.tag in (*_ITEMS, "transitionitem")]
        cuts = {i: _cut(elements, i, rate) for i, e in enumerate(elements) if e.tag == "transitionitem"}
        at = 0
        for i, item in enumerate(elements):
            if i in cuts:
                track.append(_transition(item, cuts[i], rate))
                continue
            start, end, lead = _edge(item, "start"), _edge(item, "end"), 0
            # With a transition `in` counts from the start of it, and the clip's own part begins at the cut.
            if start < 0 and i - 1 in cuts:
                start = cuts[i - 1]
                lead = start - _edge(elements[i - 1], "start")
            start = at if start < 0 else start
            if end < 0:
                length = _number(item, "out") - max(_number(item, "in"), _ZERO)
                end = cuts[i + 1] if i + 1 in cuts else start + int(length * rate / (_rate(item) or rate))
            if end < start:
                raise ValueError(f"clip '{_text(item, 'name')}' ends at frame {end}, before it starts at {start}")
            begin = max(start, at)
            if begin > at:
                track.append(otio.schema.Gap(duration=rational_time(Fraction(begin - at) / rate, rate)))
            at, lead = max(end, begin), lead + begin - start
            track.append(self._item(item, Fraction(at - begin) / rate, Fraction(lead) / rate, rate))
            if begin > start:
                add_note(track[-1], f"its first {begin - start} frames lie under what stands before it")
        return track

    def _item(self, element: Element, length: Fraction, lead: Fraction, rate: Fraction) -> Any:
        """Read an item. length, lead (from its `in` to its first frame): in seconds."""
        own = _rate(element)
        first = _first_second(element, own or rate) + lead
        item, source = self._content(element, own or rate)
        item.name = _text(element, "name") or getattr(source.reference, "name", "")
        item.enabled = _enabled(element)
        if own is None and element.find("rate") is not None:
            add_note(item, f"its frame rate is 0; the sequence's, {float(rate):.6g}, is taken")
        filters = element.findall("filter")
        remap = next((f for f in filters if _effect(f) == "timeremap" and _enabled(f)), None)
        stated = _stated_length(element, own or rate)
        if stated is not None and abs(stated - length) <= Fraction(3, 2) / min(own or rate, rate):
            stated = None
        start, effects, notes = _retimed(remap, first, length, stated, own or rate, source)
        item.source_range = time_range(start, length, rate, own)
        looks = [f for f in filters if _effect(f) != "timeremap"]
        effects += [otio.schema.Effect(_text(f, "effect/name"), effect_name=_effect(f)) for f in looks]
        item.effects.extend(effects)
        add_note(item, *notes)
        item.markers.extend(_markers(element, source.begin, own or rate))
        return item

    # --- media of clips ---

    def _content(self, element: Element, rate: Fraction) -> tuple[Any, _ClipContent]:
        """Return an item without its range, and its content."""
        if element.tag == "generatoritem":
            kind = _effect(element) or "generator"
            generator = otio.schema.GeneratorReference(kind, kind)
            return otio.schema.Clip(media_reference=generator), _ClipContent(generator)
        nested = element.find("sequence")
        if nested is not None:
            whole = self._whole(nested)
            inner = self._rate_of(whole)
            return self._stack(whole, inner), _ClipContent(None, end=_number(whole, "duration") / inner or None)
        notes = []
        file = element.find("file")
        angles = list(element.iter("angle"))
        active = [a for a in angles if _text(a, "activevideoangle").upper() == "TRUE"]
        angle = next(iter(active or angles), None)
        if file is None and angle is not None:
            file = angle.find(".//file")
            notes.append("multiclip: the media of its active angle are shown, in step with its first frame")
        if file is None:
            master = self._defined.get(("clip", _text(element, "masterclipid")))
            file = master.find(".//file") if master is not None else None
        source = self._file(self._whole(file), element, rate) if file is not None else None
        if source is None:
            source = _ClipContent(otio.schema.MissingReference(name=_text(element, "name")))
            notes.append("names no media")
        clip = otio.schema.Clip(media_reference=source.reference)
        add_note(clip, *notes)
        return clip, source

    def _file(self, file: Element, element: Element, fallback: Fraction) -> _ClipContent:
        rate = _rate(file) or fallback
        begin = _timecode(file, rate) or _ZERO
        length = _number(file, "duration") / rate
        if length <= 0 and _rate(element) is not None:
            length = _number(element, "duration") / fallback
        span = time_range(begin, length, rate) if length > 0 else None
        name = _text(file, "name")
        url = _text(file, "pathurl")
        reference = otio.schema.ExternalReference(url, span) if url else otio.schema.MissingReference(name, span)
        reference.name = name
        end = begin + length if length > 0 else None
        subclip = element.find("subclipinfo")
        if subclip is not None:
            begin += _number(subclip, "startoffset") / fallback
            end = end - _number(subclip, "endoffset") / fallback if end is not None else None
        return _ClipContent(reference, begin, end)


def _transition(element: Element, cut: int, rate: Fraction) -> Any:
    name = _text(element, "effect/name") or "Cross Dissolve"
    kind = "SMPTE_Dissolve" if "dissolve" in name.lower() else "Custom_Transition"
    frames = cut - _edge(element, "start"), _edge(element, "end") - cut
    return otio.schema.Transition(name, kind, *(rational_time(Fraction(n) / rate, rate) for n in frames))


def _cut(elements: list[Element], i: int, rate: Fraction) -> int:
    """Return the frame of the cut inside a transition."""
    transition = elements[i]
    start, end = _edge(transition, "start"), _edge(transition, "end")
    if end < start or start < 0:
        raise ValueError(f"a transition lies at frames {start} to {end}")
    before = _edge(elements[i - 1], "end") if i else -1
    behind = _edge(elements[i + 1], "start") if i + 1 < len(elements) else -1
    alignment = _text(transition, "alignment").lower()
    ticks = _number(transition, "cutPointTicks", -1)
    if start <= before <= end:
        return before
    if ticks >= 0 and round(ticks / TICKS * rate) <= end - start:
        return start + round(ticks / TICKS * rate)
    if start <= behind <= end:
        return behind
    return {"start": start, "start-black": start, "end": end, "end-black": end}.get(alignment, (start + end) // 2)


# --- speeds ---


def _retimed(
    remap: Element | None,
    first: Fraction,
    length: Fraction,
    stated: Fraction | None,
    rate: Fraction,
    source: _ClipContent,
) -> tuple[Fraction, list[Any], list[str]]:
    """Return the start of a source range, in seconds, with its time effects and notes on what is ignored.

    first: the clip's first second, in the count of `in`. length: of the record, in seconds. stated: by `in` and `out`, if different.
    """
    begin = source.begin
    if remap is None:
        if stated is None:
            return begin + first, [], []
        apart = f"`in` and `out` are {float(stated):.6g} s apart, it lasts {float(length):.6g} s"
        return begin + first, [], [f"{apart}, and no speed is said: 100 % is taken"]
    parameters = {_text(p, "parameterid").lower(): p for p in remap.findall("effect/parameter")}
    graph = parameters.get("graphdict")
    keys = _keys(graph, rate, begin) if graph is not None else []
    notes = []
    if _text(parameters.get("variablespeed"), "value").lower() in ("1", "true"):
        if graph is None or len(keys) < 2:
            notes.append("speed ramp without keys: its mean speed is taken")
        else:
            moved = [MapKey(key.record - first, key.source) for key in keys]
            if any(k.find(curve) is not None for k in graph.iter("keyframe") for curve in _CURVES):
                notes.append("speed ramp: straight lines are taken between its keys, which have curves")
            return value_at(moved, _ZERO), [time_effect(moved)], notes
    value = _text(parameters.get("speed"), "value").strip()
    speed = _fraction(value, "the speed of a clip") / 100 if value else None
    if speed is None and len(keys) > 1:
        speed = (keys[-1].source - keys[0].source) / (keys[-1].record - keys[0].record)
    if speed is None:
        return begin + first, [], [*notes, "a Time Remap that says no speed is not followed"]
    if _text(parameters.get("reverse"), "value").strip().upper() == "TRUE":
        speed = -abs(speed)
    if not speed:
        return value_at(keys, first) if len(keys) > 1 else begin + first, speed_effects(speed), notes
    warp = speed_effects(speed)
    if stated is not None and abs(stated - length * abs(speed)) <= Fraction(3, 2) / rate:
        notes.append("retimed: its `in` and `out` are taken to count frames of the media, by their distance")
        return begin + first, warp, notes
    if speed > 0:
        return begin + speed * first, warp, notes
    end = keys[0].source - keys[0].record * speed if len(keys) > 1 and keys[0].source > begin else source.end
    if end is None:
        return begin + first, [], [*notes, "is reversed, and nothing says how long its media are: played forwards"]
    if source.end is not None and source.end - end == 1 / rate:  # the key names the last frame, not its end
        end = source.end
    note = "reversed: its first frame is counted from the end of its media, as Final Cut Pro 7 and Premiere count it"
    return end + speed * (first + length), warp, [*notes, note]


def _keys(graph: Element, rate: Fraction, begin: Fraction) -> list[MapKey]:
    """Return the keys of a graph, from seconds of the retimed clip to seconds of its media.

    Premiere adds virtual keys at a clip's ends and in and out points; those outside the graph's values are ignored.
    """
    most = _number(graph, "valuemax") or _MOST
    values: dict[Fraction, Fraction] = {}
    for key in graph.findall("keyframe"):
        when, value = _number(key, "when"), _number(key, "value")
        if _text(key, "speedvirtualkf").upper() != "TRUE" or 0 <= value <= most:
            values[when] = value
    return [MapKey(when / rate, begin + value / rate) for when, value in sorted(values.items())]


# --- elements ---


def _markers(element: Element, begin: Fraction, rate: Fraction) -> Iterator[Any]:
    """Yield the markers of a clip or sequence whose frame 0 lies at `begin` seconds."""
    for marker in element.findall("marker"):
        first = _number(marker, "in")
        length = max(_number(marker, "out", -1) - first, Fraction(1))
        span = time_range(begin + first / rate, length / rate, rate)
        yield otio.schema.Marker(_text(marker, "name"), span, comment=_text(marker, "comment"))


def _stated_length(element: Element, rate: Fraction) -> Fraction | None:
    """Return seconds from a clip's `in` to its `out`; None where they reach into a transition."""
    first, last = _number(element, "in", -1), _number(element, "out", -1)
    partly = _edge(element, "start") < 0 or _edge(element, "end") < 0  # they reach into a transition
    return (last - first) / rate if 0 <= first < last and not partly else None


def _rate(element: Element) -> Fraction | None:
    """Return the rate of an element in frames per second; None if missing or 0."""
    base = _number(element, "rate/timebase")
    if base <= 0:
        return None
    ntsc = _text(element, "rate/ntsc").upper() == "TRUE"
    return snap_rate(base * Fraction(1000, 1001) if ntsc and base.denominator == 1 else base)


def _first_second(element: Element, rate: Fraction) -> Fraction:
    """Return a clip's first second, from Premiere's ticks if they agree with its `in`."""
    first = max(_number(element, "in"), _ZERO) / rate
    ticks = _number(element, "pproTicksIn", -1) / TICKS
    return ticks if ticks >= 0 and abs(ticks - first) * rate < 1 else first


def _timecode(element: Element, rate: Fraction) -> Fraction | None:
    """Return the second of an element's start timecode; None without a timecode."""
    timecode = element.find("timecode")
    if timecode is None:
        return None
    rate = _rate(timecode) or rate
    drop = _text(timecode, "displayformat").upper() == "DF"
    with suppress(ValueError):
        label = re.sub(r"[;,.]", ":", _text(timecode, "string"))
        return Fraction(number_of(label, rate, drop=drop or ";" in _text(timecode, "string"))) / rate
    return _number(timecode, "frame") / rate


def _effect(element: Element) -> str:
    return (_text(element, "effect/effectid") or _text(element, "effect/name")).lower().replace(" ", "")


def _enabled(element: Element) -> bool:
    return _text(element, "enabled").upper() != "FALSE"


def _text(element: Element | None, path: str) -> str:
    return ((element.findtext(path) if element is not None else None) or "").strip()


def _edge(element: Element, name: str) -> int:
    return round(_number(element, name, -1))


def _number(element: Element, path: str, default: int = 0) -> Fraction:
    text = _text(element, path)
    return _fraction(text, f"{path} of {element.tag} '{_text(element, 'name')[:60]}'") if text else Fraction(default)


def _fraction(text: str, what: str) -> Fraction:
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError) as e:
        raise ValueError(f"{what} is '{text[:40]}', which is not a number") from e
    if abs(number) > _MOST * TICKS:
        raise ValueError(f"{what} is out of range")
    return number
