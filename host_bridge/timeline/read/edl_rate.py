"""The rate of an EDL, which does not say it: from its media, as far as its timecodes allow; else from these alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from host_bridge.timeline.read.edl_text import REMEDY, EdlText, Event
from host_bridge.timeline.read.places import Header
from nodes.errors import SchemaError
from nodes.footage.rates import frames_per_day, is_drop, nominal, number_of
from nodes.text import command_line

_KNOWN = (
    *map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)),
)


@dataclass(frozen=True, slots=True)
class Sourced:
    """An event, how its media are called, and what their file says where it was found."""

    event: Event
    name: str
    header: Header | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A rate in frames per second, and how timecode is counted at it.

    drop: the record is drop-frame. by_fcm: events below FCM: DROP FRAME are so though they are written with colons.
    """

    rate: Fraction
    drop: bool = False
    by_fcm: bool = False
    notes: tuple[str, ...] = ()

    def number(self, label: str, event: Event) -> int:
        """The number of the frame that a label of the record names, or of the source where nothing better is known; raises ValueError."""
        return frame_number(label, self.rate, drop=is_drop(label) or (self.by_fcm and event.drop))

    def length(self, labels: tuple[str, str], event: Event) -> int:
        """Count the frames from one timecode to another, over midnight too. Raises ValueError for a timecode that does not exist at this rate."""
        return (self.number(labels[1], event) - self.number(labels[0], event)) % frames_per_day(
            self.rate, drop=self.drop
        )


def frame_number(label: str, rate: Fraction, *, drop: bool) -> int:
    """The number of the frame that a timecode names; some EDLs write the number itself. Raises ValueError."""
    return int(label) if label.isdigit() else number_of(label, rate, drop=drop)


def choose_rate(text: EdlText, sourced: Sequence[Sourced], path: Path, rate: Fraction | None) -> Chosen:
    """Return the rate at which an EDL is read, with a note that says why unless it was told.

    rate: as it was told. Raises SchemaError where a timecode does not exist at it, or at any.
    """
    told = rate or text.rate
    if told is not None:
        return _told(told, text, path)
    media = Counter(one.header.rate for one in sourced if one.header is not None and one.header.rate is not None)
    possible = [found for r in dict.fromkeys((*_KNOWN, *sorted(media))) if (found := _counting(r, text)) is not None]
    possible = [c for c in possible if media or _sources_exist(c, text)] or possible
    if any(is_drop(label) for event in text.events for label in event.record):
        possible = [c for c in possible if c.drop]
        if not possible:
            raise _refusal(Chosen(_KNOWN[-1]), text, path)
    if not possible:
        raise _refusal(Chosen(Fraction(120)), text, path)
    best = _best(possible, lambda c: _agreeing(c, sourced))
    best = _best(best, lambda c: _agreeing(c, sourced, as_media=True))
    votes = [c for c in best if media[c.rate]]
    found = max(votes, key=lambda c: media[c.rate]) if votes else min(best, key=lambda c: (_order(c, media), c.rate))
    return Chosen(found.rate, found.drop, found.by_fcm, (_why(found, media),))


def _told(rate: Fraction, text: EdlText, path: Path) -> Chosen:
    found = _counting(rate, text)
    if found is not None:
        return found
    raise _refusal(Chosen(rate), text, path)


def _refusal(chosen: Chosen, text: EdlText, path: Path) -> SchemaError:
    """The error for the first timecode of the record that does not exist, with a rate at which all do."""
    others = [c.rate for r in _KNOWN if (c := _counting(r, text)) is not None]
    again = command_line(
        "faceplate", "timeline", "plan", str(path), "--rate", f"{float((others or [Fraction(25)])[0]):.5g}"
    )
    for event in text.events:
        for label in event.record:
            try:
                chosen.number(label, event)
            except ValueError as e:
                remedy = f"Say the edit's own rate: {again}" if others else REMEDY
                return SchemaError(f"{event.what}: {e}", file=path, remedy=remedy)
    return SchemaError("its timecodes exist at no rate", file=path, remedy=REMEDY)


def _counting(rate: Fraction, text: EdlText) -> Chosen | None:
    """Say whether timecode at a rate is drop-frame. Returns None where the record has a timecode that does not exist at that rate."""
    marked = any(is_drop(label) for event in text.events for label in event.record)
    droppable = frames_per_day(rate, drop=True) != frames_per_day(rate)
    fcm = droppable and not marked and any(event.drop for event in text.events)
    for found in (Chosen(rate, True, True), Chosen(rate)) if fcm else (Chosen(rate, marked and droppable),):
        try:
            for event in text.events:
                found.length(event.record, event)
        except ValueError:
            continue
        return found
    return None


def _sources_exist(chosen: Chosen, text: EdlText) -> bool:
    try:
        return all(frame_number(label, chosen.rate, drop=False) >= 0 for e in text.events for label in e.source)
    except ValueError:
        return False


def _best(possible: Sequence[Chosen], score: Callable[[Chosen], int]) -> list[Chosen]:
    """Those with the highest score; 24 and 23.976 count alike."""
    scores = {key: score(c) for key, c in {(nominal(c.rate), c.drop): c for c in possible}.items()}
    return [c for c in possible if scores[nominal(c.rate), c.drop] == max(scores.values())]


def _agreeing(chosen: Chosen, sourced: Sequence[Sourced], *, as_media: bool = False) -> int:
    """Count the events that are as long in the source as in the record. At a wrong rate, an event over the end of a second is not; events with a speed are left out.

    as_media: where media have another rate, their source may be counted at that.
    """
    count = 0
    for one in sourced:
        event, at = one.event, chosen.rate
        if as_media and one.header is not None and one.header.rate and nominal(one.header.rate) != nominal(at):
            at = one.header.rate
        if event.speed is None and not event.freeze:
            with suppress(ValueError):
                needed = chosen.length(event.record, event) * at / chosen.rate
                count += abs(Chosen(at, by_fcm=chosen.by_fcm).length(event.source, event) - needed) <= Fraction(1, 2)
    return count


def _order(chosen: Chosen, media: Counter[Fraction]) -> tuple[bool, ...]:
    """Key by which rates are sorted when no media have them. First come drop-frame, where the EDL says so; then rates of which the media's
    rate is a multiple; then usual rates; then whole rates, or those over 1001 where most media have such; then the lowest.
    """
    ntsc = sum(n if rate.denominator == 1001 else -n for rate, n in media.items()) > 0
    multiple = any((rate / chosen.rate).denominator == 1 for rate in media)
    rare = nominal(chosen.rate) in (48, 100, 120)
    return not chosen.drop, not multiple, rare, (chosen.rate.denominator == 1001) != (ntsc or chosen.drop)


def _why(chosen: Chosen, media: Counter[Fraction]) -> str:
    rate, count = f"{float(chosen.rate):.5g}", media[chosen.rate]
    drop = ", drop-frame" if chosen.drop else ""
    others = ", ".join(f"{float(r):.5g}" for r, _ in media.most_common() if r != chosen.rate)
    if count and not others:
        return f"read at {rate} frames/s{drop}, the rate of its media"
    if count:
        return f"read at {rate} frames/s{drop}, the rate of {count} of {media.total()} media that say one (others: {others}); choose another with --rate"
    which = f"none of its media's rates ({others}) fits" if media else "no media were found that say one"
    return (
        f"the rate is open: an EDL does not say it, and {which}. {rate} frames/s{drop} was taken, at which all "
        "timecodes exist and most events are as long in the source as in the record; choose another with --rate"
    )
