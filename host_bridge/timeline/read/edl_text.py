"""The text of an EDL (CMX 3600) as events, before anything is known of its rate: timecodes stay labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from nodes.errors import SchemaError

# Comments that our own EDLs have: their rate, that of a source counted otherwise, and where a source begins between two frames.
RATE, SOURCE_RATE, SOURCE_IN = "FACEPLATE RATE", "FACEPLATE SOURCE RATE", "FACEPLATE SOURCE IN"
REMEDY = "Export the EDL again, or hand over OTIO where the editor can"
_TIME = r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;.,]\d{2,3}|\d+"
_EVENT = re.compile(  # of a line whose blanks are single
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
_LONGEST = 2000  # characters of a line that are read
_MOST = Fraction(10**12)  # frames
BLACK, BARS = ("BL", "BLACK"), "BARS"


@dataclass(frozen=True, slots=True)
class EdlSpeed:
    """A line M2. text: frames per second as written. at: the source timecode at which it begins."""

    reel: str
    text: str
    at: str | None


@dataclass(slots=True)
class EdlEvent:
    """One line of an event, with what the comments below say of it.

    kind: C, D, W001, K, KB or KO. length: of the transition, in frames. source, record: labels of first frame and of the one after the last.
    drop: the FCM line above says so. names: what its media may be called, the likeliest first.
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
    speed: EdlSpeed | None = None
    freeze: bool = False
    source_rate: Fraction | None = None
    source_in: Fraction | None = None
    locators: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Its name in errors."""
        return f"event {self.number} (line {self.line})"

    @property
    def retimed(self) -> bool:
        """Whether it has a speed of its own."""
        return self.freeze or self.speed is not None


@dataclass(slots=True)
class EdlText:
    """An EDL. rate: as one that Faceplate wrote says it."""

    title: str = ""
    rate: Fraction | None = None
    events: list[EdlEvent] = field(default_factory=list)


def _decoded(data: bytes) -> str:
    """Return the text, whatever it is encoded in: UTF-8 or UTF-16, with or without a mark, else Windows-1252."""
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
    """The tracks that a channel stands for: V, A1 for A, both for B, A1 and A2 for AA, V and A2 for A2/V."""
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
    """Give the comments of an event to its lines: of a transition, FROM is about the first and TO about the last."""
    first, last = events[0], events[-1]
    sides: dict[str, dict[str, str]] = {"FROM": {}, "TO": {}}
    side, retimed = "FROM", ""
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
            retimed = line if _RETIMED.search(line) else retimed
            last.comments.append(line.lstrip("* "))
    faded = last.kind != "C"
    if faded and len(files) == 2:
        files = [("FROM", files[0][1]), ("TO", files[1][1])]
    for side, file in files:
        sides[side]["file"] = file
    if faded and not sides["TO"] and (len(events) == 1 or first.reel in BLACK):
        sides["TO"] = sides["FROM"]
    for event in events:
        about = sides["TO" if faded and event is last else "FROM"]
        event.name = re.sub(r" FF$", "", about.get("name", "")) if event.freeze else about.get("name", "")
        event.names = [n for n in (about.get("path"), about.get("file"), event.name) if n]
        if event.reel.upper() not in ("AX", *BLACK, BARS) and not any(_FILE.search(n) for n in event.names):
            event.names += [event.reel] if event.reel else []
    _assign_speeds(speeds, events)
    if retimed and not last.retimed:
        last.notes.append(f"'{retimed}' is not followed: there is no M2, and 100 % is taken")


def _assign_speeds(speeds: list[EdlSpeed], events: list[EdlEvent]) -> None:
    """Give each line M2 to the event whose reel or name it says; of a transition whose sides are called alike, in their order."""
    for number, speed in enumerate(speeds):
        called = [e for e in events if speed.reel and (e.reel.startswith(speed.reel) or e.name == speed.reel)]
        event = called[0] if len(called) == 1 else events[number if len(speeds) == len(events) else -1]
        if len(called) > 1 and len(speeds) < len(events):
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
