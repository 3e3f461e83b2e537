"""Where the source of an EDL's event begins, and how fast it plays."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.edl_rate import Chosen, Sourced, frame_number
from host_bridge.timeline.read.edl_text import Event
from host_bridge.timeline.read.places import Header, begin_of
from nodes.errors import SchemaError
from nodes.footage.rates import frames_per_day, is_drop, nominal, number_of, timecode_of


@dataclass(frozen=True, slots=True)
class Source:
    """Where the source of an event begins: in frames at the rate `at`. available: the range of its media, where they do not say it so themselves."""

    start: Fraction
    at: Fraction
    available: TimeRange | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The source of an event in frames: its first, how many, the one at which M2 begins. drop: counted as drop-frame."""

    first: int
    count: int
    begins: int | None
    drop: bool


def counted_as_media(sourced: Sequence[Sourced], chosen: Chosen) -> bool:
    """Whether sources are counted as their media are, whose rate is not the edit's: one of them has a length that says so."""
    for one in sourced:
        event, rate = one.event, None if one.header is None else one.header.rate
        if rate is None or nominal(rate) == nominal(chosen.rate) or event.speed is not None or event.freeze:
            continue
        with suppress(ValueError):
            record, own = chosen.length(event.record, event), Chosen(rate).length(event.source, event)
            if abs(own - record * rate / chosen.rate) > Fraction(1, 2):
                continue
            try:
                if chosen.length(event.source, event) != record:
                    return True
            except ValueError:  # a timecode that exists at the rate of the media alone
                return True
    return False


def counts_of(one: Sourced, chosen: Chosen, *, as_media: bool) -> list[tuple[Fraction, Counted]]:
    """Return the rates at which the source of an event may be counted, with its frames at each, the likeliest first.

    as_media: see `counted_as_media`. Empty where its timecodes exist at none.
    """
    event, header, rate = one.event, one.header, chosen.rate
    own = rate if header is None or header.rate is None or nominal(header.rate) == nominal(rate) else header.rate
    found: list[tuple[Fraction, Counted]] = []
    for at in dict.fromkeys((event.source_rate,) if event.source_rate else (own, rate) if as_media else (rate, own)):
        with suppress(ValueError):
            found.append((at, _counted(event, header, at, chosen)))
    return found


def source_of(
    one: Sourced, length: int, chosen: Chosen, path: Path, *, as_media: bool
) -> tuple[Fraction, Source, list[str]]:
    """Return an event's speed, where its source begins, and what is odd about them.

    length: of its record, in frames. as_media: see `counted_as_media`; where the lengths of source and record allow both, it decides.
    Raises SchemaError for timecode that does not exist.
    """
    event, header, rate = one.event, one.header, chosen.rate
    speed, open_by = Fraction(0 if event.freeze else 1), Fraction(0)
    if event.speed is not None:
        speed, open_by = speed_of_m2(event.speed.text, rate)
    found = [(at, c, abs(speed) * length * at / rate) for at, c in counts_of(one, chosen, as_media=as_media)]
    if not found:
        what = (
            f"{event.what}: {' or '.join(event.source)} exists neither at {float(rate):.5g} frames/s nor in its media"
        )
        raise SchemaError(what, file=path, remedy="Say the edit's own rate with --rate")
    room = 0 if speed == 1 else 1 + open_by * length
    fit = [f for f in found if not speed or abs(f[2] - f[1].count) <= (room if f[0] == rate else room + 1)]
    at, counted, needed = (fit or found)[0]
    notes, start = [], counted.first
    if not fit and (speed == 1 or counted.count != length):
        told = f"{counted.count} and {length} frames; {length} are taken"
        notes.append(f"source and record are of different length, {told}")
    if speed < 0 and not fit:
        end = counted.first + counted.count
        if counted.begins in (end, end - 1):
            start = end - math.ceil(needed)
        else:
            notes.append(
                "plays backwards, and it is not clear from where: taken to end with the first frame of its source"
            )
    elif speed not in (0, 1) and speed > 0 and counted.begins not in (None, counted.first):
        notes.append("M2 begins at another frame than the source; it is followed from the source's first")
    begin = Fraction(start) if event.source_in is None else event.source_in
    source = Source(begin, at, _available(event, header, at, begin, counted.drop))
    return speed, source, [f"event {event.number}: {note}" for note in notes]


def speed_of_m2(text: str, rate: Fraction) -> tuple[Fraction, Fraction]:
    """Return the speed that frames per second stand for, 1 for the edit's own, and by how much its digits leave it open.

    A whole number says it exactly. Other numbers are rounded, and stand for the percentage with the fewest digits among those that are
    written so. 23.976 in an edit at 24000/1001 is 1, and so is 24.
    """
    sign, digits = (-1 if text.startswith("-") else 1), len(text.partition(".")[2])
    fps, open_by = abs(Fraction(text)), Fraction(1, 2 * 10**digits)
    base = Fraction(nominal(rate))
    if fps.denominator == 1:
        return sign * fps / base, open_by / base
    found = []
    for order, counted in enumerate(dict.fromkeys((base, rate))):
        for places in range(12):
            percent = Fraction(round(100 * 10**places * fps / counted), 10**places)
            if abs(percent / 100 * counted - fps) <= open_by:
                found.append((places, order, percent / 100))
                break
    return sign * min(found)[2] if found else sign * fps / base, open_by / base


def _counted(event: Event, header: Header | None, at: Fraction, chosen: Chosen) -> Counted:
    """The source of an event in frames; raises ValueError where its timecodes do not exist."""
    drops = [True, False] if chosen.by_fcm and event.drop else [is_drop(event.source[0])]
    if header is not None and header.start is not None and header.rate and nominal(header.rate) == nominal(at):
        drops.insert(0, header.drop)  # they are labels of the media's own timecode
    for drop in drops:
        with suppress(ValueError):
            first, last = (frame_number(label, at, drop=drop) for label in event.source)
            break
    else:
        raise ValueError(event.source[0])
    day = frames_per_day(at, drop=drop)
    backwards = event.speed is not None and event.speed.text.startswith("-")
    if backwards and (last - first) % day > day // 2:  # written from the last frame to the first
        first, last = last, first
    begins = None
    if event.speed is not None and event.speed.at is not None:
        with suppress(ValueError):
            begins = first + (frame_number(event.speed.at, at, drop=drop) - first) % day
    return Counted(first, (last - first) % day, begins, drop)


def _available(event: Event, header: Header | None, at: Fraction, used: Fraction, drop: bool) -> TimeRange | None:
    """The range of media that are counted otherwise than they say themselves."""
    if header is None or header.still or header.rate == at or not (header.rate or event.source_rate):
        return None
    start, frames, own = Fraction(header.start or 0), Fraction(header.frames), at
    if (
        header.rate and nominal(header.rate) != nominal(at) and event.source_rate is None
    ):  # the same labels, counted at another rate
        own = header.rate
        *clock, frame = re.split("[:;]", timecode_of(header.start or 0, own, drop=header.drop))
        # Frame 10 of a second is one that drop-frame never leaves out.
        start = Fraction(number_of(":".join((*clock, "10")), at, drop=drop) - 10)
        start += Fraction(int(frame) * nominal(at), nominal(own))
        frames = frames * at / own
    begin = begin_of(used, start, frames, frames_per_day(at, drop=drop))
    return TimeRange(RationalTime(float(begin), float(at)), RationalTime(header.frames, float(own)))
