"""The rate of an EDL, which does not say it: from its media, as far as its timecodes allow; else from these alone.

And the frames of an event's source, which may be counted at the rate of the edit or at that of its media.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from host_bridge.timeline.read.edl_text import REMEDY, EdlEvent, EdlText
from host_bridge.timeline.read.places import Header
from nodes.errors import SchemaError
from nodes.footage.rates import frames_per_day, is_drop, nominal, number_of
from nodes.text import command_line

_KNOWN = (
    *map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)),
)


@dataclass(frozen=True, slots=True)
class EventMedia:
    """An event, the name of its media, and the header of their file where it was found."""

    event: EdlEvent
    name: str
    header: Header | None = None

    def rate_beside(self, rate: Fraction) -> Fraction:
        """The rate of the media where their timecode counts otherwise than at `rate`; else `rate`."""
        own = None if self.header is None else self.header.rate
        return rate if own is None or nominal(own) == nominal(rate) else own


@dataclass(frozen=True, slots=True)
class EdlRate:
    """A rate in frames per second, and how timecode is counted at it.

    drop: the record is drop-frame. by_fcm: events below FCM: DROP FRAME are so though they are written with colons.
    """

    rate: Fraction
    drop: bool = False
    by_fcm: bool = False
    notes: tuple[str, ...] = ()

    @property
    def day(self) -> int:
        """Frames of a day of the record's timecode."""
        return frames_per_day(self.rate, drop=self.drop)

    def number(self, label: str, event: EdlEvent) -> int:
        """The number of the frame that a label of the record names, or of the source where nothing better is known; raises ValueError."""
        return _frame_number(label, self.rate, drop=is_drop(label) or (self.by_fcm and event.drop))

    def length(self, labels: tuple[str, str], event: EdlEvent) -> int:
        """Count the frames from one timecode to another, over midnight too. Raises ValueError for a timecode that does not exist at this rate."""
        return (self.number(labels[1], event) - self.number(labels[0], event)) % self.day


def _frame_number(label: str, rate: Fraction, *, drop: bool) -> int:
    """The number of the frame that a timecode names; some EDLs write the number itself. Raises ValueError."""
    return int(label) if label.isdigit() else number_of(label, rate, drop=drop)


# --- the rate of the edit ---


def choose_rate(text: EdlText, sources: Sequence[EventMedia], path: Path, rate: Fraction | None) -> EdlRate:
    """Return the rate at which an EDL is read, with a note that says why unless the user or the EDL says it.

    rate: as the user says it. Raises SchemaError where a timecode does not exist at it, or at any.
    """
    if (rate := rate or text.rate) is not None:
        if (only := _counting(rate, text)) is None:
            raise _no_rate(EdlRate(rate), text, path)
        return only
    media = Counter(source.header.rate for source in sources if source.header is not None and source.header.rate)
    possible = [c for r in dict.fromkeys((*_KNOWN, *sorted(media))) if (c := _counting(r, text)) is not None]
    if not media:
        possible = [c for c in possible if _sources_exist(c, text)] or possible
    marked = any(is_drop(label) for event in text.events for label in event.record)
    if marked:
        possible = [c for c in possible if c.drop]
    if not possible:
        raise _no_rate(EdlRate(_KNOWN[-1] if marked else Fraction(120)), text, path)
    best = _best(possible, lambda c: _agreeing(c, sources))
    best = _best(best, lambda c: _agreeing(c, sources, as_media=True))
    votes = [c for c in best if media[c.rate]]
    chosen = max(votes, key=lambda c: media[c.rate]) if votes else min(best, key=lambda c: (_order(c, media), c.rate))
    return replace(chosen, notes=(_why(chosen, media),))


def _no_rate(chosen: EdlRate, text: EdlText, path: Path) -> SchemaError:
    """The error for the first timecode of the record that does not exist, with a rate at which all do."""
    others = [rate for rate in _KNOWN if _counting(rate, text) is not None]
    fits = f"{float((others or [Fraction(25)])[0]):.5g}"
    again = command_line("faceplate", "timeline", "plan", str(path), "--rate", fits)
    for event in text.events:
        for label in event.record:
            try:
                chosen.number(label, event)
            except ValueError as e:
                remedy = f"Say the edit's own rate: {again}" if others else REMEDY
                return SchemaError(f"{event.label}: {e}", file=path, remedy=remedy)
    return SchemaError("its timecodes exist at no rate", file=path, remedy=REMEDY)


def _counting(rate: Fraction, text: EdlText) -> EdlRate | None:
    """Say whether timecode at a rate is drop-frame. Returns None where the record has a timecode that does not exist at that rate."""
    marked = any(is_drop(label) for event in text.events for label in event.record)
    droppable = frames_per_day(rate, drop=True) != frames_per_day(rate)
    fcm = droppable and not marked and any(event.drop for event in text.events)
    for counting in (EdlRate(rate, True, True), EdlRate(rate)) if fcm else (EdlRate(rate, marked and droppable),):
        with suppress(ValueError):
            for event in text.events:
                counting.length(event.record, event)
            return counting
    return None


def _sources_exist(chosen: EdlRate, text: EdlText) -> bool:
    try:
        return all(_frame_number(label, chosen.rate, drop=False) >= 0 for e in text.events for label in e.source)
    except ValueError:
        return False


def _best(possible: Sequence[EdlRate], score: Callable[[EdlRate], int]) -> list[EdlRate]:
    """Those with the highest score; 24 and 23.976 count alike."""
    scores = {key: score(c) for key, c in {(nominal(c.rate), c.drop): c for c in possible}.items()}
    return [c for c in possible if scores[nominal(c.rate), c.drop] == max(scores.values())]


def _agreeing(chosen: EdlRate, sources: Sequence[EventMedia], *, as_media: bool = False) -> int:
    """Count the events that are as long in the source as in the record. At a wrong rate, an event over the end of a second is not; events with a speed are left out.

    as_media: where media have another rate, their source may be counted at that.
    """
    count = 0
    for source in sources:
        event, at = source.event, source.rate_beside(chosen.rate) if as_media else chosen.rate
        with suppress(ValueError):
            needed = chosen.length(event.record, event) * at / chosen.rate
            own = EdlRate(at, by_fcm=chosen.by_fcm).length(event.source, event)
            count += not event.retimed and abs(own - needed) <= Fraction(1, 2)
    return count


def _order(chosen: EdlRate, media: Counter[Fraction]) -> tuple[bool, ...]:
    """Key by which rates are sorted when no media have them. First come drop-frame, where the EDL says so; then rates of which the media's
    rate is a multiple; then usual rates; then whole rates, or those over 1001 where most media have such; then the lowest.
    """
    ntsc = sum(n if rate.denominator == 1001 else -n for rate, n in media.items()) > 0
    multiple = any((rate / chosen.rate).denominator == 1 for rate in media)
    rare = nominal(chosen.rate) in (48, 100, 120)
    return not chosen.drop, not multiple, rare, (chosen.rate.denominator == 1001) != (ntsc or chosen.drop)


def _why(chosen: EdlRate, media: Counter[Fraction]) -> str:
    rate, count = f"{float(chosen.rate):.5g} frames/s{', drop-frame' if chosen.drop else ''}", media[chosen.rate]
    others = ", ".join(f"{float(r):.5g}" for r, _ in media.most_common() if r != chosen.rate)
    if count and not others:
        return f"read at {rate}, the rate of its media"
    if count:
        return f"read at {rate}, the rate of {count} of {media.total()} media that say one (others: {others}); choose another with --rate"
    which = f"none of its media's rates ({others}) fits" if media else "no media were found that say one"
    return (
        f"the rate is open: an EDL does not say it, and {which}. {rate} was taken, at which all "
        "timecodes exist and most events are as long in the source as in the record; choose another with --rate"
    )


# --- the frames of a source ---


@dataclass(frozen=True, slots=True)
class SourceFrames:
    """The source of an event in frames at a rate: its first, how many, the one at which M2 begins. drop: counted as drop-frame."""

    rate: Fraction
    first: int
    count: int
    begins: int | None
    drop: bool


def counted_as_media(sources: Sequence[EventMedia], chosen: EdlRate) -> bool:
    """Whether sources are counted as their media are, whose rate is not the edit's: one of them has a length that says so."""
    for source in sources:
        event, rate = source.event, source.rate_beside(chosen.rate)
        if rate == chosen.rate or event.retimed:
            continue
        with suppress(ValueError):
            record, own = chosen.length(event.record, event), EdlRate(rate).length(event.source, event)
            if abs(own - record * rate / chosen.rate) > Fraction(1, 2):
                continue
            try:
                if chosen.length(event.source, event) != record:
                    return True
            except ValueError:  # a timecode that exists at the rate of the media alone
                return True
    return False


def frames_of_source(source: EventMedia, chosen: EdlRate, *, as_media: bool) -> list[SourceFrames]:
    """Return the source of an event in frames at each rate at which it may be counted, the likeliest first; empty where its timecodes exist at none.

    as_media: see `counted_as_media`.
    """
    event, rate, own = source.event, chosen.rate, source.rate_beside(chosen.rate)
    rates = (event.source_rate,) if event.source_rate else (own, rate) if as_media else (rate, own)
    frames: list[SourceFrames] = []
    for at in dict.fromkeys(rates):
        with suppress(ValueError):
            frames.append(_frames_at(event, source.header, at, chosen))
    return frames


def _frames_at(event: EdlEvent, header: Header | None, rate: Fraction, chosen: EdlRate) -> SourceFrames:
    """The source of an event in frames; raises ValueError where its timecodes do not exist."""
    drops = [True, False] if chosen.by_fcm and event.drop else [is_drop(event.source[0])]
    if header is not None and header.start is not None and header.rate and nominal(header.rate) == nominal(rate):
        drops.insert(0, header.drop)  # they are labels of the media's own timecode
    for drop in drops:
        with suppress(ValueError):
            first, last = (_frame_number(label, rate, drop=drop) for label in event.source)
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
            begins = first + (_frame_number(event.speed.at, rate, drop=drop) - first) % day
    return SourceFrames(rate, first, (last - first) % day, begins, drop)
