"""Performances as text, one cue a line, such as `0.5s smile 0.8 over 0.3s`.

A line is a time, what happens then, and for how long. `#` starts a comment; empty lines are skipped. Order does not matter.

    0s    idle 7                    natural blinks and a head that is never quite still; 7: any number, for other ones
    0.5s  smile 0.8 over 0.3s       an expression, 0 to 1, reached in 0.3 seconds (0.4 by default), kept from then on
    2s    smile left 0.3            one side of the face only: left and right are the person's own
    2.5s  surprise 1 for 1s         reached, kept for a second, and left again
    3s    browInnerUp 0.6           a unit of the face by its name, with or without Left or Right
    3.5s  blink                     both eyes; also: blink for 0.5s
    4s    wink left
    4s    look left 20 up 5         the eyes, in degrees from straight ahead; also: look ahead
    4.5s  say "hello there"         lips and jaw; also: say "hello" for 2s
    6s    turn right 30 over 1s     the head, in degrees from straight ahead: turn left or right, nod up or down, tilt left or right
    7s    turn ahead over 1s        all of the head's turns back to straight ahead
    7s    move left 3 over 1s       the head, in centimetres: left, right, up, down, forward, back
    8s    nod                       once down and up; also: nod 3, shake 2
    9s    laugh 0.8 for 2s
    11s   relax over 1s             all expressions, eyes and head at rest
    12s   end                       the last frame; by default a second after the last cue
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction

import numpy as np

from nodes.errors import UsageError
from trainer.synthetic.acting.cues import EXPRESSIONS, REACH, Blink, Cues, Laugh
from trainer.synthetic.acting.improvise import add_idling
from trainer.synthetic.acting.performance import Acting, ActingOrigin, coefficient_names
from trainer.synthetic.acting.speech import spoken

_WORD = re.compile(r'"([^"]*)"|([^\s"]+)')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_OVER, _AFTER = 0.4, 1.0  # seconds
_LONGEST = 3600.0  # seconds
_BEAT = 0.3  # seconds of half a nod
_NOD = 9.0  # degrees
_TURNS = {
    ("turn", "left"): ("yaw", 1),
    ("turn", "right"): ("yaw", -1),
    ("nod", "up"): ("pitch", 1),
    ("nod", "down"): ("pitch", -1),
    ("tilt", "left"): ("roll", 1),
    ("tilt", "right"): ("roll", -1),
    ("move", "left"): ("x", 0.01),
    ("move", "right"): ("x", -0.01),
    ("move", "up"): ("z", 0.01),
    ("move", "down"): ("z", -0.01),
    ("move", "forward"): ("y", -0.01),
    ("move", "back"): ("y", 0.01),
}
_LIMITS = {"yaw": 80.0, "pitch": 50.0, "roll": 45.0, "x": 0.5, "y": 0.5, "z": 0.5}


@dataclass
class _Line:
    """One line, whose words are taken from its front."""

    number: int
    text: str
    start: float
    words: list[str]
    over: float | None
    lasting: float | None

    def wrong(self, what: str, remedy: str) -> UsageError:
        return UsageError(f"line {self.number}, '{self.text}': {what}", remedy=remedy)

    def amount(self, default: float | None, low: float, high: float, what: str) -> float:
        """Take the next word as a number within a range."""
        if not self.words and default is not None:
            return default
        if not self.words or not _NUMBER.fullmatch(self.words[0]):
            given = f", not '{self.words[0]}'" if self.words else ""
            raise self.wrong(f"needs {what}{given}", f"Give a number from {low:g} to {high:g}")
        value = float(self.words.pop(0))
        if not low <= value <= high:
            raise self.wrong(f"{what} of {value:g} is out of range", f"Give a number from {low:g} to {high:g}")
        return value

    def side(self) -> str | None:
        """Take the next word if it is a side."""
        return self.words.pop(0) if self.words and self.words[0] in ("left", "right") else None


@dataclass
class _Script:
    cues: Cues = field(default_factory=Cues)
    end: float | None = None
    latest: float = 0.0
    idle: int | None = None
    relaxed: list[tuple[float, float]] = field(default_factory=list)


def read_acting(text: str, rate: Fraction | int = 25) -> Acting:
    """Turn a text into a performance; see the module for the language.

    rate: frames per second. Raises UsageError, which names the line and the remedy.
    """
    rate, script = Fraction(rate), _Script()
    lines = [line for number, raw in enumerate(text.splitlines(), 1) if (line := _split(number, raw))]
    if not lines:
        raise UsageError("the performance has no line", remedy="Write one such as: 1s smile 0.8 over 0.3s")
    for line in sorted(lines, key=lambda line: line.start):
        end = _VERBS.get(line.words[0], _express)(script, line)
        if line.words:
            raise line.wrong(
                f"has a word too many: '{' '.join(line.words)}'", "Take it away, or write it as another line"
            )
        script.latest = max(script.latest, end)
    for start, over in script.relaxed:
        _relax(script.cues, start, over)
    seconds = script.latest + _AFTER if script.end is None else script.end
    frames = max(1, round(seconds * rate))
    if script.idle is not None:
        add_idling(script.cues, script.idle, np.arange(frames) / float(rate))
    return script.cues.perform(rate, frames, ActingOrigin(kind="text", text=text))


def _split(number: int, raw: str) -> _Line | None:
    text = re.sub(r'("[^"]*")|#.*', lambda match: match[1] or "", raw).strip()
    if not text:
        return None
    line = _Line(number, text, 0.0, [], None, None)
    if text.count('"') % 2:
        raise line.wrong("has a quotation mark without its partner", 'Put the words between two: say "hello"')
    first, *words = (match[2] if match[1] is None else f'"{match[1]}' for match in _WORD.finditer(text))
    if (start := _seconds(first)) is None:
        raise line.wrong("does not begin with a time", "Begin with seconds, such as 1.5s")
    line.start = start
    for name, attribute in (("over", "over"), ("for", "lasting")):
        if name in words:
            at = words.index(name)
            length = _seconds(words[at + 1]) if at + 1 < len(words) else None
            if not length:
                raise line.wrong(f"'{name}' needs a duration above 0", f"Write it such as: {name} 0.5s")
            setattr(line, attribute, length)
            del words[at : at + 2]
    if not words:
        raise line.wrong("says no action", "Add one, such as: smile 0.8")
    line.words = words
    return line


def _seconds(word: str) -> float | None:
    number = word.removesuffix("s")
    value = float(number) if _NUMBER.fullmatch(number) else -1.0
    return value if 0 <= value <= _LONGEST else None


def _express(script: _Script, line: _Line) -> float:
    name, side = line.words.pop(0), line.side()
    for suffix in ("Left", "Right"):
        if name.endswith(suffix) and name in coefficient_names():
            name, side = name.removesuffix(suffix), suffix.lower()
            break
    known = sorted({*EXPRESSIONS, *(re.sub("(Left|Right)$", "", n) for n in coefficient_names() if n[0] != "_")})
    if name in ("jaw", "mouth") and side is None:
        raise line.wrong("does not say to which side it goes", f"Write: {name} left 0.5, or: {name} right 0.5")
    if name not in known:
        near = get_close_matches(name, [*known, *_VERBS], 3, 0.5)
        raise line.wrong(
            f"'{name}' is no expression, unit or action",
            f"Did you mean {' or '.join(near)}?" if near else f"Expressions: {', '.join(EXPRESSIONS)}",
        )
    amount, over = line.amount(1.0, 0, 1, "an amount"), line.over or _OVER
    channels = [f"{name}.{s}" for s in (("left", "right") if side is None else (side,))]
    for channel in channels:
        script.cues.move(channel, line.start, over, amount)
        if line.lasting:
            script.cues.move(channel, line.start + over + line.lasting, over, 0.0)
    return line.start + over + (line.lasting + over if line.lasting else 0)


def _say(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    if not line.words or line.words[0][0] != '"' or not re.search(r"\w", line.words[0]):
        raise line.wrong("says no words", 'Put them between quotation marks: say "hello"')
    visemes = spoken(line.words.pop(0)[1:], line.start, line.lasting)
    script.cues.speech.append(visemes)
    return visemes[-1].start + visemes[-1].duration


def _blink(script: _Script, line: _Line) -> float:
    verb, side = line.words.pop(0), line.side()
    if verb == "wink" and side is None:
        raise line.wrong("does not say which eye winks", "Write: wink left, or: wink right")
    shut = (line.lasting or 0.24) if verb == "wink" else line.lasting or 0.02
    sides = ("Left", "Right") if side is None else (side.capitalize(),)
    script.cues.blinks.append(Blink(line.start, sides, shut))
    return line.start + shut + 0.24


def _look(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    yaw, pitch = 0.0, 0.0
    if not line.words:
        raise line.wrong("does not say where to look", "Write: look left 20, look up 10, or: look ahead")
    if line.words[0] == "ahead":
        line.words.pop(0)
    while line.words and (way := line.words.pop(0)):
        if way not in ("left", "right", "up", "down"):
            raise line.wrong(f"'{way}' is no direction", "Use left, right, up, down or ahead")
        most = {"up": REACH["eyeLookUp"], "down": REACH["eyeLookDown"]}.get(way, REACH["eyeLookOut"])
        angle = line.amount(None, 0, most, "an angle in degrees") * (1 if way in ("left", "up") else -1)
        yaw, pitch = (angle, pitch) if way in ("left", "right") else (yaw, angle)
    size = float(np.hypot(yaw, pitch)) or 20.0
    script.cues.saccade(line.start, yaw, pitch, size)
    return line.start + 0.2


def _move_head(script: _Script, line: _Line) -> float:
    verb = line.words.pop(0)
    over = line.over or _OVER * 2
    if verb == "turn" and line.words[:1] == ["ahead"]:
        line.words.pop(0)
        for channel in ("yaw", "pitch", "roll"):
            script.cues.move(channel, line.start, over, 0.0)
        return line.start + over
    if verb in ("nod", "shake") and (not line.words or _NUMBER.fullmatch(line.words[0])):
        return _swing(script, line, "pitch" if verb == "nod" else "yaw")
    way = line.words.pop(0) if line.words else ""
    ways = [w for v, w in _TURNS if v == verb]
    if way not in ways:
        if verb == "shake":
            raise line.wrong("shakes the head some times", "Write: shake, or: shake 3")
        raise line.wrong(f"'{way}' is no direction for '{verb}'", f"Use {', '.join(ways)}")
    channel, unit = _TURNS[verb, way]
    most = _LIMITS[channel] / abs(unit)
    value = line.amount(None, 0, most, "centimetres" if verb == "move" else "an angle in degrees") * unit
    script.cues.move(channel, line.start, over, value)
    if line.lasting:
        script.cues.move(channel, line.start + over + line.lasting, over, 0.0)
    return line.start + over + (line.lasting + over if line.lasting else 0)


def _swing(script: _Script, line: _Line, channel: str) -> float:
    """Swing the head some times around where it is: as drift would, so that it ends there."""
    times, now = int(line.amount(1, 1, 20, "a number of times")), line.start
    key = f"{channel}.swing"
    for _ in range(times):
        for value in (-_NOD, _NOD if channel == "yaw" else 0.0):
            script.cues.move(key, now, _BEAT, value)
            now += _BEAT
    script.cues.move(key, now, _BEAT, 0.0)
    return now + _BEAT


def _laugh(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    lasting = line.lasting or 1.5
    script.cues.laughs.append(Laugh(line.start, lasting, line.amount(0.8, 0, 1, "an amount")))
    return line.start + lasting + 0.6


def _idle(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    script.idle = int(line.amount(0, 0, 2**31, "a number"))
    return line.start


def _end(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    if line.start == 0:
        raise line.wrong("ends before it begins", "Give the time of the last frame, such as: 8s end")
    script.end = line.start
    return line.start


def _relax_later(script: _Script, line: _Line) -> float:
    line.words.pop(0)
    script.relaxed.append((line.start, line.over or _OVER * 2))
    return line.start + (line.over or _OVER * 2)


def _relax(cues: Cues, start: float, over: float) -> None:
    for channel, keys in cues.keys.items():
        if channel != "gaze.distance" and any(key.start < start for key in keys):
            cues.move(channel, start, over, 0.0)


_VERBS: dict[str, Callable[[_Script, _Line], float]] = {
    "say": _say,
    "blink": _blink,
    "wink": _blink,
    "look": _look,
    "turn": _move_head,
    "nod": _move_head,
    "tilt": _move_head,
    "move": _move_head,
    "shake": _move_head,
    "laugh": _laugh,
    "relax": _relax_later,
    "idle": _idle,
    "end": _end,
}
