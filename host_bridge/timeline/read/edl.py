"""Reader of EDLs (CMX 3600): timecodes become counts of frames, events clips on tracks, M2 lines speeds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.edl_text import (
    BARS,
    BLACK,
    EdlEvent,
    EdlRate,
    choose_rate,
    frame_number,
    parse_edl,
)
from host_bridge.timeline.read.model import EditDocument, add_note, block_of, speed_effects
from host_bridge.timeline.read.places import Places, begin_of, read_header
from nodes.errors import FootageError, SchemaError
from nodes.footage.formats import IMAGES
from nodes.footage.rates import frames_per_day, is_drop, nominal, number_of, timecode_of

KEY = "cmx_3600"
_MOVIES = (".mov", ".mxf", ".mp4", ".mkv")
_RANGE = re.compile(r"^(.*?)\[(\d+)-\d+\](\.\w+)$")
_Layer = list[tuple[Any, int]]  # tracks of one channel, and the frame at which each ends


def read_edl(document: EditDocument) -> Any:
    """Return the timeline of an EDL.

    Its rate is the user's, else that of its media. Notes tell how it was chosen, and which parts of events are ignored. Raises
    SchemaError, which names the event.
    """
    text = parse_edl(document.data, document.path)
    for event in text.events:
        _find_media(event, document.places)
    chosen = choose_rate(text, document.path, document.rate)
    timeline = otio.schema.Timeline(text.title)
    if chosen.drop:
        timeline.metadata[KEY] = {"drop": True}
    add_note(timeline, *chosen.notes)
    _EdlBuilder(document.path, chosen, text.events, timeline).build()
    return timeline


def is_drop_frame(timeline: Any) -> bool:
    """Tell whether the EDL of a timeline counts its record as drop-frame."""
    return bool(block_of(timeline, KEY).get("drop"))


def _find_media(event: EdlEvent, places: Places) -> None:
    """Find the media of an event by the first of its names that exists."""
    event.media = event.names[0] if event.names else ""
    for name in event.names:
        name = _RANGE.sub(lambda m: f"{m[1]}%0{len(m[2])}d{m[3]}", name)
        has_suffix = Path(name).suffix.lower() in (*_MOVIES, *IMAGES) or len(Path(name).suffix) == 4
        for suffix in ("",) if has_suffix else ("", *_MOVIES):
            file, _ = places.find(name + suffix)
            if file is not None:
                event.media = name + suffix
                with suppress(FootageError):
                    event.header = read_header(file)
                return


class _EdlBuilder:
    """Builder that puts the events of an EDL on tracks."""

    def __init__(self, path: Path, chosen: EdlRate, events: Sequence[EdlEvent], timeline: Any) -> None:
        self._path, self._chosen, self._events, self._timeline = path, chosen, events, timeline
        self._rate = float(chosen.rate)
        self._as_media = _counted_as_media(events, chosen)

    def build(self) -> None:
        """Fill the timeline."""
        day, begins = self._chosen.day, list[int]()
        for event in self._events:
            begin = self._chosen.number(event.record[0], event)
            before = begins[-1] if begins else begin
            begins.append(begin + day * round(Fraction(before - begin, day)))  # continues over midnight
        start = min(begins)
        self._timeline.global_start_time = RationalTime(start % day, self._rate)
        layers: dict[str, _Layer] = {}
        after = dict(pairwise(sorted(set(begins))))
        for begin, event in sorted(zip(begins, self._events, strict=True), key=lambda pair: pair[0]):
            possible = _frames_of_source(event, self._chosen, as_media=self._as_media)
            length, notes = self._length(event, possible, after.get(begin, begin) - begin)
            if length and event.channels:
                clip = self._clip(event, possible, length, notes)
                for channel in event.channels:
                    self._lay(layers.setdefault(channel, []), channel, deepcopy(clip), begin - start, event)
            elif event.source[0] != event.source[1]:  # not the first line of a transition
                what = "no length in the record" if event.channels else "no channel"
                add_note(self._timeline, f"event {event.number} has {what}, and is left out")
        for _, layer in sorted(layers.items(), key=lambda item: (item[0][0] == "A", len(item[0]), item[0])):
            self._timeline.tracks.extend([track for track, _ in layer])

    def _length(self, event: EdlEvent, possible: Sequence[_SourceFrames], room: int) -> tuple[int, list[str]]:
        """Count the frames of an event in the edit, with notes where the EDL contradicts itself. room: frames until the next event begins."""
        rate, day = self._chosen.rate, self._chosen.day
        length = self._chosen.length(event.record, event)
        at, count = (possible[0].rate, possible[0].count) if possible else (rate, 0)
        needed = round(count * rate / at)
        agree = abs(length * at / rate - count) < 1  # where the source is counted at another rate, it is rounded
        if event.retimed or agree or needed > day // 2:
            return (0 if length > day // 2 else length), []
        if length > day // 2 or (length < needed and needed == room) or (not length and (needed < room or not room)):
            return needed, [f"its record ends too early; it is taken to be as long as its source, {needed} frames"]
        return length, []

    def _lay(self, layer: _Layer, channel: str, clip: Any, at: int, event: EdlEvent) -> None:
        """Put a clip at its record time; on a track above if that is occupied."""
        free = next((i for i, (_, end) in enumerate(layer) if end <= at), len(layer))
        if free == len(layer):
            layer.append((otio.schema.Track(channel, kind="Audio" if channel.startswith("A") else "Video"), 0))
        track, end = layer[free]
        if free:
            add_note(clip, f"event {event.number} is recorded over another; it lies on a track of its own")
        if at > end:
            track.append(otio.schema.Gap(duration=RationalTime(at - end, self._rate)))
        if event.kind[0] in "DW" and event.length:
            kind = "SMPTE_Dissolve" if event.kind == "D" else "SMPTE_Wipe"
            offsets = RationalTime(0, self._rate), RationalTime(event.length, self._rate)
            about = {KEY: {"transition": event.kind, "transition_duration": event.length}}
            track.append(otio.schema.Transition(f"{kind} to {clip.name}", kind, *offsets, metadata=about))
        track.append(clip)
        layer[free] = (track, at + int(clip.source_range.duration.value))

    def _clip(self, event: EdlEvent, possible: Sequence[_SourceFrames], length: int, notes: list[str]) -> Any:
        if not possible:
            labels = " or ".join(event.source)
            what = f"{event.label}: {labels} exists neither at {self._rate:.5g} frames/s nor in its media"
            raise SchemaError(what, file=self._path, remedy="Say the edit's own rate with --rate")
        frames, speed, start, more = self._speed(event, possible, length)
        begin = Fraction(start) if event.source_in is None else event.source_in
        clip = otio.schema.Clip(
            event.name or Path(event.media).stem or event.number,
            _reference(event, frames, begin, length),
            TimeRange(RationalTime(float(begin), float(frames.rate)), RationalTime(length, self._rate)),
        )
        clip.effects.extend(speed_effects(speed))
        for label, colour, text in event.locators:
            with suppress(ValueError):  # an invalid locator does not affect the frames
                at = RationalTime(self._chosen.number(label, event), self._rate)
                marker = otio.schema.Marker(text, TimeRange(at, RationalTime(0, self._rate)))
                marker.metadata[KEY] = {"color": colour}
                marker.color = colour.upper() if hasattr(otio.schema.MarkerColor, colour.upper()) else "RED"
                clip.markers.append(marker)
        about: dict[str, Any] = {"comments": event.comments} if event.comments else {}
        if event.reel.upper() not in ("", "AX"):
            about["reel"] = event.reel
        if about:
            clip.metadata[KEY] = about
        if event.kind.startswith("K"):
            notes.append(f"is a key ({event.kind}), which is taken for a cut")
        add_note(clip, *(f"event {event.number}: {note}" for note in (*notes, *more, *event.notes)))
        return clip

    def _speed(
        self, event: EdlEvent, possible: Sequence[_SourceFrames], length: int
    ) -> tuple[_SourceFrames, Fraction, int, list[str]]:
        """Return the likeliest frames of an event's source, by the lengths of source and record, its speed, its first frame, and notes."""
        rate, speed, open_by = self._chosen.rate, Fraction(0 if event.freeze else 1), Fraction(0)
        if event.speed is not None:
            speed, open_by = speed_of_m2(event.speed.text, rate)
        effective = Fraction(0) if event.freeze else speed
        room = 0 if speed == 1 else 1 + open_by * length
        needed = {f: abs(speed) * length * f.rate / rate for f in possible}
        fitting = [f for f in possible if not speed or abs(needed[f] - f.count) <= room + (f.rate != rate)]
        frames = (fitting or possible)[0]
        notes, start = [], frames.first
        if not fitting and (speed == 1 or frames.count != length):
            lengths = f"{frames.count} and {length} frames; {length} are taken"
            notes.append(f"source and record are of different length, {lengths}")
        if speed < 0 and not fitting:
            end = frames.first + frames.count
            if frames.begins in (end, end - 1):
                start = end - math.ceil(needed[frames])
            else:
                what = "plays backwards, and it is not clear from where"
                notes.append(f"{what}: taken to end with the first frame of its source")
        elif speed > 0 and speed != 1 and frames.begins not in (None, frames.first):
            notes.append("M2 begins at another frame than the source; it is followed from the source's first")
        return frames, effective, start, notes


def speed_of_m2(text: str, rate: Fraction) -> tuple[Fraction, Fraction]:
    """Return the speed meant by frames per second, 1 for the edit's own, and its uncertainty from rounding.

    A whole number is exact. Other numbers are rounded, and stand for the percentage with the fewest digits that rounds to
    them. 23.976 in an edit at 24000/1001 is 1, and so is 24.
    """
    sign, digits = (-1 if text.startswith("-") else 1), len(text.partition(".")[2])
    fps, open_by = abs(Fraction(text)), Fraction(1, 2 * 10**digits)
    base = Fraction(nominal(rate))
    candidates = []
    for order, counted in enumerate(dict.fromkeys((base, rate))) if fps.denominator != 1 else ():
        for places in range(12):
            percent = Fraction(round(100 * 10**places * fps / counted), 10**places)
            if abs(percent / 100 * counted - fps) <= open_by:
                candidates.append((places, order, percent / 100))
                break
    return sign * (min(candidates)[2] if candidates else fps / base), open_by / base


def _reference(event: EdlEvent, frames: _SourceFrames, begin: Fraction, length: int) -> Any:
    """Return the media reference of an event. begin: of its source; length: of its record."""
    rate, reel = float(frames.rate), event.reel.upper()
    if reel in (*BLACK, BARS):
        return otio.schema.GeneratorReference(generator_kind="SMPTEBars" if reel == BARS else "black")
    if not event.media:
        return otio.schema.MissingReference()
    numbers = next(filter(None, map(_RANGE.match, event.names)), None)
    if numbers is None or "%" not in event.media:
        return otio.schema.ExternalReference(event.media, _available(event, frames, begin))
    folder, _, prefix = numbers[1].rpartition("/")
    return otio.schema.ImageSequenceReference(
        target_url_base=folder,
        name_prefix=prefix,
        name_suffix=numbers[3],
        rate=rate,
        start_frame=int(numbers[2]),
        frame_zero_padding=len(numbers[2]),
        available_range=TimeRange(RationalTime(float(begin), rate), RationalTime(length, rate)),
    )


def _available(event: EdlEvent, frames: _SourceFrames, used: Fraction) -> TimeRange | None:
    """Return the range of media that the EDL counts at another rate than their own. used: a frame inside it."""
    at, drop, header = frames.rate, frames.drop, event.header
    if header is None or header.still or header.rate == at or not (header.rate or event.source_rate):
        return None
    start, count, own = Fraction(header.start or 0), Fraction(header.frames), at
    if header.rate and nominal(header.rate) != nominal(at) and event.source_rate is None:
        own = header.rate  # the same labels, at another rate
        *clock, frame = re.split("[:;]", timecode_of(header.start or 0, own, drop=header.drop))
        # Drop-frame never skips frame 10 of a second.
        start = Fraction(number_of(":".join((*clock, "10")), at, drop=drop) - 10)
        start += Fraction(int(frame) * nominal(at), nominal(own))
        count = count * at / own
    begin = begin_of(used, start, count, frames_per_day(at, drop=drop))
    return TimeRange(RationalTime(float(begin), float(at)), RationalTime(header.frames, float(own)))


# --- the frames of a source ---


@dataclass(frozen=True, slots=True)
class _SourceFrames:
    """The source of an event in frames at a rate: the first, their count, the frame at which M2 begins. drop: in drop-frame."""

    rate: Fraction
    first: int
    count: int
    begins: int | None
    drop: bool


def _counted_as_media(events: Sequence[EdlEvent], chosen: EdlRate) -> bool:
    """Tell whether sources count at the rate of their media, not the edit's: the length of one of them shows it."""
    for event in events:
        rate = event.rate_beside(chosen.rate)
        if rate == chosen.rate or event.retimed:
            continue
        with suppress(ValueError):
            record, own = chosen.length(event.record, event), EdlRate(rate).length(event.source, event)
            if abs(own - record * rate / chosen.rate) > Fraction(1, 2):
                continue
            try:
                if chosen.length(event.source, event) != record:
                    return True
            except ValueError:  # a timecode that exists only at the rate of the media
                return True
    return False


def _frames_of_source(event: EdlEvent, chosen: EdlRate, *, as_media: bool) -> list[_SourceFrames]:
    """Return the source of an event in frames at each possible rate, the likeliest first; empty if its timecodes exist at none.

    as_media: see `_counted_as_media`.
    """
    rate, own = chosen.rate, event.rate_beside(chosen.rate)
    rates = (event.source_rate,) if event.source_rate else (own, rate) if as_media else (rate, own)
    frames: list[_SourceFrames] = []
    for at in dict.fromkeys(rates):
        with suppress(ValueError):
            frames.append(_frames_at(event, at, chosen))
    return frames


def _frames_at(event: EdlEvent, rate: Fraction, chosen: EdlRate) -> _SourceFrames:
    """Return the source of an event in frames; raises ValueError if its timecodes do not exist."""
    header = event.header
    drops = [True, False] if chosen.by_fcm and event.drop else [is_drop(event.source[0])]
    if header is not None and header.start is not None and header.rate and nominal(header.rate) == nominal(rate):
        drops.insert(0, header.drop)  # labels of the media's own timecode
    for drop in drops:
        with suppress(ValueError):
            first, last = (frame_number(label, rate, drop=drop) for label in event.source)
            break
    else:
        raise ValueError(event.source[0])
    day = frames_per_day(rate, drop=drop)
    backwards = event.speed is not None and event.speed.text.startswith("-")
    if backwards and (last - first) % day > day // 2:  # written from the last frame to the first
        first, last = last, first
    begins = None
    if event.speed is not None and event.speed.at is not None:
        with suppress(ValueError):
            begins = first + (frame_number(event.speed.at, rate, drop=drop) - first) % day
    return _SourceFrames(rate, first, (last - first) % day, begins, drop)
