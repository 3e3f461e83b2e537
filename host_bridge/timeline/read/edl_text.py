"""Parser of an EDL's text (CMX 3600) into events whose timecodes stay labels; and the choice of its rate, which EDLs omit.

The rate is that of its media, if the timecodes allow it; else the timecodes alone decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from host_bridge.timeline.read.places import Header
from nodes.errors import SchemaError
from nodes.footage.rates import frames_per_day, is_drop, nominal, number_of
from nodes.text import command_line

# Comments in our own EDLs: the rate, a source's rate if different, and a source's begin between two frames.
RATE, SOURCE_RATE, SOURCE_IN = "FACEPLATE RATE", "FACEPLATE SOURCE RATE", "FACEPLATE SOURCE IN"
REMEDY = "Export the EDL again, or hand over OTIO where the editor can"
_TIME = r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;.,]\d{2,3}|\d+"
_EVENT = re.compile(  # of a line with single blanks
    rf"(\d+[A-Z]?) (?:(.*?) )?(\S+) (C|D|W\d{{1,3}}|K ?[BO]?) (?:(\d{{1,4}}) )?({_TIME}) ({_TIME}) ({_TIME}) ({_TIME})(?: .*)?$",
    re.IGNORECASE,
)
_LIKE_AN_EVENT = re.compile(r"\d+[A-Z]? .*?(?:\d:\d\d[:;]\d\d.* .*\d:\d\d[:;]\d\d| (?:C|D|W\d+|K\w?) )", re.IGNORECASE)
_SPEED = re.compile(rf"(?:\* ?)?M2:? (?:(.*?) )?([+-]? ?\d*[.,]?\d+)(?: ({_TIME}))?$", re.IGNORECASE)
_COMMENT = re.compile(
    r"[*\s]*((?:FROM|TO) (?:CLIP NAME|CLIP|FILE)|OTIO REFERENCE (?:FROM|TO)|SOURCE FILE|LOC|FREEZE FRAME|"
    rf"{RATE}|{SOURCE_RATE}|{SOURCE_IN})\b(?! IS\b)\s*:?\s*(.*)$",
    re.IGNORECASE,
)
_RETIMED = re.compile(r"\b(time[ -]?(warp|remap)|speed|motion effect)", re.IGNORECASE)
_LOCATOR = re.compile(rf"({_TIME})\s+(\w*)\s*(.*)$")
_FILE = re.compile(r"\.\w{2,4}$")
_LONGEST = 2000  # most characters of a line to read
_MOST = Fraction(10**12)  # frames
BLACK, BARS = ("BL", "BLACK"), "BARS"
_KNOWN = (
    *map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)),
)


@dataclass(frozen=True, slots=True)
class EdlSpeed:
    """An M2 line. text: frames per second as written. at: the source timecode at which it begins."""

    reel: str
    text: str
    at: str | None


@dataclass(slots=True)
class EdlEvent:
    """One line of an event, with the data of the comments below it.

    kind: C, D, W001, K, KB or KO. length: of the transition, in frames. source, record: labels of first frame and of the one after the last.
    drop: the FCM line above says so. names: possible names of its media, the likeliest first. media: the name that exists, or the likeliest;
    header: of their file, if it exists.
    """

    number: str
    line: int
    reel: str
    channels: tuple[str, ...]
    kind: str
    length: int
    source: tuple[str, str]
    record: tuple[str, str]
    drop: bool
    name: str = ""
    names: list[str] = field(default_factory=list)
    media: str = ""
    header: Header | None = None
    speed: EdlSpeed | None = None
    freeze: bool = False
    source_rate: Fraction | None = None
    source_in: Fraction | None = None
    locators: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The name in error messages."""
        return f"event {self.number} (line {self.line})"

    @property
    def retimed(self) -> bool:
        """True if the event is a freeze or states a speed (M2)."""
        return self.freeze or self.speed is not None

    def rate_beside(self, rate: Fraction) -> Fraction:
        """Return the rate of its media if their timecode counts differently from `rate`; else `rate`."""
        own = None if self.header is None else self.header.rate
        return rate if own is None or nominal(own) == nominal(rate) else own


@dataclass(slots=True)
class EdlText:
    """A parsed EDL. rate: from the comment in EDLs of Faceplate."""

    title: str = ""
    rate: Fraction | None = None
    events: list[EdlEvent] = field(default_factory=list)


def _decoded(data: bytes) -> str:
    """Decode a text in UTF-8 or UTF-16, with or without a byte order mark, else in Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data[1:200:2].count(0) > len(data[1:200:2]) // 2:
        return data.decode("utf-16-le", "replace")
    if data[:200:2].count(0) > len(data[:200:2]) // 2:
        return data.decode("utf-16-be", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse_edl(data: bytes, path: Path) -> EdlText:
    """Return the events of an EDL; raises SchemaError for a malformed event line, and for text without events."""
    edl, drop = EdlText(), False
    groups: list[tuple[list[EdlEvent], list[str]]] = []  # lines of one number, and the comments below them
    for number, raw in enumerate(_decoded(data).splitlines(), 1):
        line = raw[:_LONGEST].strip().strip("\x1a\x00").strip()
        single = " ".join(line.split())
        if line.upper().startswith("TITLE:"):
            edl.title = edl.title or line[6:].strip()
        elif line.upper().startswith("FCM"):
            drop = "NON" not in line.upper()
        elif event := _EVENT.match(single):
            if not groups or groups[-1][0][0].number != event[1] or groups[-1][1]:
                groups.append(([], []))
            groups[-1][0].append(_event(event, number, drop))
        elif _LIKE_AN_EVENT.match(single):
            what = f"could not be read as an EDL (CMX 3600): line {number}, '{line[:80]}', is no event"
            raise SchemaError(what, file=path, remedy=REMEDY)
        elif line and groups:
            groups[-1][1].append(line)
    for events, comments in groups:
        _apply_comments(edl, events, comments, path)
        edl.events += events
    if not edl.events:
        raise SchemaError("could not be read as an EDL (CMX 3600): it has no events", file=path, remedy=REMEDY)
    return edl


def _event(match: re.Match[str], line: int, drop: bool) -> EdlEvent:
    number, reel, channel, kind, length, *times = match.groups()
    kind = kind.upper().replace(" ", "")
    channels = tuple(_channels(channel.upper()))
    return EdlEvent(
        number, line, reel or "", channels, kind, int(length or 0), (times[0], times[1]), (times[2], times[3]), drop
    )


def _channels(text: str) -> Iterator[str]:
    """Yield the tracks of a channel: V, A1 for A, both for B, A1 and A2 for AA, V and A2 for A2/V."""
    if text in ("B", "NONE"):
        yield from ("V", "A1") if text == "B" else ()
        return
    parts = re.findall(r"[VA]\d*", text)
    if "".join(parts) != text.replace("/", "").replace("+", ""):
        yield text
        return
    unnumbered = 0
    for part in sorted(parts, key=lambda p: p[0], reverse=True):  # the picture first
        unnumbered += part == "A"
        yield f"A{unnumbered}" if part == "A" else "V" if part == "V1" else part


def _apply_comments(edl: EdlText, events: list[EdlEvent], lines: list[str], path: Path) -> None:
    """Apply the comments of an event to its lines; in a transition, FROM applies to the first and TO to the last."""
    first, last = events[0], events[-1]
    sides: dict[str, dict[str, str]] = {"FROM": {}, "TO": {}}
    side, retiming = "FROM", ""
    files: list[tuple[str, str]] = []
    speeds: list[EdlSpeed] = []
    for line in lines:
        comment = _COMMENT.match(line)
        key, text = (comment[1].upper(), comment[2].strip()) if comment else ("", "")
        if speed := _SPEED.match(" ".join(line.split())):
            speeds.append(EdlSpeed((speed[1] or "").strip(), speed[2].replace(",", ".").replace(" ", ""), speed[3]))
        elif re.match(r"[*\s]*M2\b", line, re.IGNORECASE):
            last.notes.append(f"its speed is not understood, and 100 % is taken: '{line}'")
        elif key == SOURCE_IN:
            last.source_in = _number(text, line, last, path)
        elif key in (RATE, SOURCE_RATE):
            rate = _number(text, line, last, path, least=Fraction(1), most=Fraction(1000))
            if key == RATE:
                edl.rate = rate
            else:
                last.source_rate = rate
        elif key == "FREEZE FRAME":
            last.freeze = True
        elif key == "LOC":
            last.locators += [(m[1], m[2], m[3]) for m in [_LOCATOR.match(text)] if m]
        elif key == "SOURCE FILE":
            files.append((side, text))
        elif key:
            side = "TO" if "TO" in key.split() else "FROM"
            sides[side]["name" if key.endswith("NAME") else "path"] = text
        else:
            retiming = line if _RETIMED.search(line) else retiming
            last.comments.append(line.lstrip("* "))
    is_transition = last.kind != "C"
    if is_transition and len(files) == 2:
        files = [("FROM", files[0][1]), ("TO", files[1][1])]
    for side, file in files:
        sides[side]["file"] = file
    if is_transition and not sides["TO"] and (len(events) == 1 or first.reel in BLACK):
        sides["TO"] = sides["FROM"]
    for event in events:
        names = sides["TO" if is_transition and event is last else "FROM"]
        event.name = re.sub(r" FF$", "", names.get("name", "")) if event.freeze else names.get("name", "")
        event.names = [n for n in (names.get("path"), names.get("file"), event.name) if n]
        if event.reel.upper() not in ("AX", *BLACK, BARS) and not any(_FILE.search(n) for n in event.names):
            event.names += [event.reel] if event.reel else []
    _assign_speeds(speeds, events)
    if retiming and not last.retimed:
        last.notes.append(f"'{retiming}' is not followed: there is no M2, and 100 % is taken")


def _assign_speeds(speeds: list[EdlSpeed], events: list[EdlEvent]) -> None:
    """Assign each M2 line to the event of its reel or name; if both sides of a transition share it, in order."""
    for number, speed in enumerate(speeds):
        matching = [e for e in events if speed.reel and (e.reel.startswith(speed.reel) or e.name == speed.reel)]
        event = matching[0] if len(matching) == 1 else events[number if len(speeds) == len(events) else -1]
        if len(matching) > 1 and len(speeds) < len(events):
            event.notes.append("it is not clear which side of the transition M2 is about; taken for the second")
        if event.speed is not None and event.speed.text != speed.text:
            event.notes.append(f"has two speeds, M2 {event.speed.text} and {speed.text}; the last is taken")
        event.speed = speed


def _number(
    text: str, line: str, event: EdlEvent, path: Path, *, least: Fraction = -_MOST, most: Fraction = _MOST
) -> Fraction:
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        number = least - 1
    if not least <= number <= most:
        raise SchemaError(f"{event.label}: '{line}' is no such number", file=path, remedy=REMEDY)
    return number


# --- the rate of the edit ---


@dataclass(frozen=True, slots=True)
class EdlRate:
    """A rate in frames per second, with its way of counting timecode.

    drop: the record is drop-frame. by_fcm: events below FCM: DROP FRAME are drop-frame even with colons.
    """

    rate: Fraction
    drop: bool = False
    by_fcm: bool = False
    notes: tuple[str, ...] = ()

    @property
    def day(self) -> int:
        """The number of frames in a day of the record's timecode."""
        return frames_per_day(self.rate, drop=self.drop)

    def number(self, label: str, event: EdlEvent) -> int:
        """Return the frame number of a label of the record, or of the source by default; raises ValueError."""
        return frame_number(label, self.rate, drop=is_drop(label) or (self.by_fcm and event.drop))

    def length(self, labels: tuple[str, str], event: EdlEvent) -> int:
        """Count the frames from one timecode to another, over midnight too. Raises ValueError for a timecode that does not exist at this rate."""
        return (self.number(labels[1], event) - self.number(labels[0], event)) % self.day


def frame_number(label: str, rate: Fraction, *, drop: bool) -> int:
    """Return the frame number of a timecode; some EDLs write the number itself. Raises ValueError."""
    return int(label) if label.isdigit() else number_of(label, rate, drop=drop)


def choose_rate(text: EdlText, path: Path, rate: Fraction | None) -> EdlRate:
    """Choose the rate of an EDL, with a note on the reason unless the user or the EDL gives it.

    rate: from the user. Raises SchemaError if a timecode does not exist at it, or at any.
    """
    if (rate := rate or text.rate) is not None:
        if (only := _counting(rate, text)) is None:
            raise _no_rate(EdlRate(rate), text, path)
        return only
    media = Counter(e.header.rate for e in text.events if e.header is not None and e.header.rate)
    possible = [c for r in dict.fromkeys((*_KNOWN, *sorted(media))) if (c := _counting(r, text)) is not None]
    if not media:
        possible = [c for c in possible if _sources_exist(c, text)] or possible
    drop = any(is_drop(label) for event in text.events for label in event.record)
    if drop:
        possible = [c for c in possible if c.drop]
    if not possible:
        raise _no_rate(EdlRate(_KNOWN[-1] if drop else Fraction(120)), text, path)
    alike = {(nominal(c.rate), c.drop): c for c in possible}  # 24 and 23.976 count alike
    agreements = {key: (_agreeing(c, text), _agreeing(c, text, as_media=True)) for key, c in alike.items()}

    def rank(c: EdlRate) -> tuple[object, ...]:
        plain, as_media = agreements[nominal(c.rate), c.drop]
        return -plain, -as_media, -media[c.rate], () if media[c.rate] else (*_order(c, media), c.rate)

    chosen = min(possible, key=rank)
    return replace(chosen, notes=(_why(chosen, media),))


def _no_rate(chosen: EdlRate, text: EdlText, path: Path) -> SchemaError:
    """Return the error for the first non-existent timecode of the record, with a rate at which all exist."""
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
    """Decide whether timecode at a rate is drop-frame; None if the record has a timecode that does not exist at it."""
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
        return all(frame_number(label, chosen.rate, drop=False) >= 0 for e in text.events for label in e.source)
    except ValueError:
        return False


def _agreeing(chosen: EdlRate, text: EdlText, *, as_media: bool = False) -> int:
    """Count the events of equal length in source and record, without those with a speed. At a wrong rate, an event across a second's end differs.

    as_media: count sources at the rate of their media.
    """
    count = 0
    for event in text.events:
        at = event.rate_beside(chosen.rate) if as_media else chosen.rate
        with suppress(ValueError):
            needed = chosen.length(event.record, event) * at / chosen.rate
            own = EdlRate(at, by_fcm=chosen.by_fcm).length(event.source, event)
            count += not event.retimed and abs(own - needed) <= Fraction(1, 2)
    return count


def _order(chosen: EdlRate, media: Counter[Fraction]) -> tuple[bool, ...]:
    """Sort key of candidate rates that no media file has.

    In order: drop-frame, if the EDL uses it; divisors of a media rate; common rates; NTSC or whole rates, as most media have; the lowest.
    """
    ntsc = sum(n if rate.denominator == 1001 else -n for rate, n in media.items()) > 0
    multiple = any((rate / chosen.rate).denominator == 1 for rate in media)
    unusual = nominal(chosen.rate) in (48, 100, 120)
    return not chosen.drop, not multiple, unusual, (chosen.rate.denominator == 1001) != (ntsc or chosen.drop)


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
