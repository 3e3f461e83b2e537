"""Common parts of the readers: an edit's document, and exact times, exact time maps and notes in OpenTimelineIO."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError, fromstring

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from host_bridge.timeline.read.places import Places
from nodes.errors import SchemaError
from nodes.footage.rates import snap_rate

TIME, TIME_SCHEMA = "faceplate_time", "faceplate.time/1"
NOTES = "faceplate_read"
SLACK = Fraction(1, 1000)  # of a frame: tolerance for a time just before the beginning of a frame
REMEDY = "Export the edit again"
_SIZE = 256 << 20  # bytes of a document, unpacked: far above any real edit
_MOST = 1e12  # frames


# --- documents ---


@dataclass(frozen=True, slots=True)
class EditDocument:
    """An edit's document. path: of the edit, for messages. places: find its media. rate: of an EDL, in frames per second, if the user gave one."""

    path: Path
    data: bytes
    places: Places
    rate: Fraction | None = None

    def refuse(self, what: str, remedy: str = REMEDY) -> NoReturn:
        """Raise SchemaError about this document."""
        raise SchemaError(what, file=self.path, remedy=remedy)

    def xml(self, root: str) -> Element:
        """Return the root element; raises SchemaError for XML that is damaged or has another root."""
        try:
            element = fromstring(self.data)  # expat refuses entities that expand without limit
        except ParseError as e:
            self.refuse(f"is damaged: {e}")
        if element.tag != root:
            self.refuse(f"is no edit: its root is <{element.tag}>, not <{root}>")
        return element


def check_size(size: int, file: Path | str) -> None:
    """Raise SchemaError for a document that is too large to be an edit."""
    if size > _SIZE:
        what = f"is too large for an edit ({size >> 20} MB; up to {_SIZE >> 20} MB are read)"
        raise SchemaError(what, file=file, remedy=REMEDY)


def block_of(item: Any, key: str) -> Mapping[str, Any]:
    """Return the metadata that an object of OpenTimelineIO has under a key; empty where it has none."""
    block = item.metadata.get(key)
    return block if isinstance(block, Mapping) else {}


# --- exact times ---


def exact(value: float | Fraction) -> Fraction:
    """Return the fraction meant by a decimal: 0.43 is 43/100 and 0.333333333333 is 1/3; raises ValueError if it is not finite."""
    if isinstance(value, Fraction):
        return value
    if not math.isfinite(value) or abs(value) > _MOST:
        raise ValueError(f"{value} is no time")
    if value == int(value):
        return Fraction(int(value))
    rounded = Fraction(value).limit_denominator(10_000)
    close = abs(rounded - Fraction(value)) <= Fraction(1, 10**9) * max(Fraction(1), abs(rounded))
    return rounded if close else Fraction(value)


def seconds(time: RationalTime, what: str) -> Fraction:
    """Return a RationalTime in exact seconds; raises SchemaError, which calls it `what`, for an invalid rate or value."""
    try:
        return exact(time.value) / snap_rate(time.rate)
    except ValueError as e:
        raise SchemaError(f"{what}: {e}", remedy=REMEDY) from e


def start_of(item: Any) -> Fraction:
    """Return the start of an item's source range in seconds, 0 without one; raises SchemaError."""
    if item.source_range is None:
        return Fraction(0)
    return seconds(item.source_range.start_time, f"{type(item).__name__.lower()} '{item.name}'")


def start_of_edit(timeline: Any) -> Fraction:
    """Return the start timecode of an edit in seconds; raises SchemaError."""
    begin = timeline.global_start_time
    return Fraction(0) if begin is None else seconds(begin, "the start of the edit")


def rational_time(time: Fraction, rate: Fraction) -> RationalTime:
    """Return a RationalTime that `seconds` reads as exactly this many seconds, counted in frames of `rate` wherever possible.

    A time with a denominator above a million is exact to 1e-11 of a frame.
    """
    for count_rate in (rate, *(Fraction(time.denominator * n) for n in range(1, 9))):
        value = time * count_rate
        if value.denominator == 1 and 0 < count_rate <= 1_000_000 and snap_rate(float(count_rate)) == count_rate:
            return RationalTime(float(value), float(count_rate))
    return RationalTime(float(time * rate), float(rate))


def time_range(start: Fraction, length: Fraction, rate: Fraction, start_rate: Fraction | None = None) -> TimeRange:
    """Return a TimeRange of exact seconds, counted in frames of `rate`. start_rate: of the start, if different."""
    return TimeRange(rational_time(start, start_rate or rate), rational_time(length, rate))


def from_whole_hour(start: Fraction, whole: Fraction, rate: Fraction) -> Fraction:
    """Return the start of a nested clip `whole` seconds long; a start past its end counts from a whole hour of timecode."""
    return start % (3600 * Fraction(nearest(rate)) / rate) if start >= whole > 0 else start


def nearest(x: Fraction) -> int:
    """Round to the nearest whole number; a half goes down, so that each frame of a clip at half speed is shown twice."""
    return -((x.denominator - 2 * x.numerator) // (2 * x.denominator))


# --- speeds ---


@dataclass(frozen=True, slots=True)
class MapKey:
    """A key of a time map: at `record` seconds since an item's first frame, `source` seconds of its source are shown.

    before, after: seconds on either side of the key over which one speed eases into the next. Between keys, lines are straight.
    """

    record: Fraction
    source: Fraction
    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)


def value_at(keys: Sequence[MapKey], time: Fraction) -> Fraction:
    """Return the source second of a time map at a record second; beyond its ends the first and last speed continue."""
    a, b = next(((a, b) for a, b in pairwise(keys) if time <= b.record), (keys[-2], keys[-1]))
    return a.source + (b.source - a.source) / (b.record - a.record) * (time - a.record)


def speed_effects(speed: Fraction) -> list[Any]:
    """Return the time effects of a constant speed: none for 1, FreezeFrame for 0."""
    if speed == 1:
        return []
    return [otio.schema.LinearTimeWarp(time_scalar=float(speed)) if speed else otio.schema.FreezeFrame()]


def time_effect(keys: Sequence[MapKey]) -> Any:
    """Return a time effect that holds keys exactly; two or more, whose record times rise."""
    rows = [[str(k.record), str(k.source), str(k.before), str(k.after)] for k in keys]
    return otio.schema.TimeEffect("Time map", "TimeMap", {TIME: {"schema": TIME_SCHEMA, "keys": rows}})


def keys_in(effect: Any) -> list[MapKey]:
    """Return the keys in a time effect; empty for a foreign or damaged one."""
    block = block_of(effect, TIME)
    if block.get("schema") != TIME_SCHEMA:
        return []
    try:
        keys = [MapKey(*(Fraction(str(value)) for value in row)) for row in block.get("keys", ())]
    except (TypeError, ValueError, ZeroDivisionError):
        return []
    return keys if len(keys) > 1 and all(a.record < b.record for a, b in pairwise(keys)) else []


def sample_down(clip: Any) -> None:
    """Mark a clip to show the earlier of two frames of its media; by default it shows the nearer."""
    clip.metadata[TIME] = {"schema": TIME_SCHEMA, "sampling": "floor"}


def samples_down(clip: Any) -> bool:
    """Tell whether a clip shows the earlier of two frames."""
    return block_of(clip, TIME).get("sampling") == "floor"


# --- notes ---


def add_note(item: Any, *notes: str) -> None:
    """Add notes to a timeline or one of its items; notes of items appear with their shots."""
    if notes:
        item.metadata[NOTES] = {"notes": list(dict.fromkeys((*notes_of(item), *notes)))}


def notes_of(item: Any) -> tuple[str, ...]:
    """Return a reader's notes on a timeline or one of its items."""
    return tuple(map(str, block_of(item, NOTES).get("notes", ())))


def without_notes(node: Any) -> Any:
    """Return a document without its reader's notes, which concern one reading only."""
    if isinstance(node, dict):
        return {key: without_notes(value) for key, value in node.items() if key != NOTES}
    return [without_notes(value) for value in node] if isinstance(node, list) else node
