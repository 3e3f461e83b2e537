"""Cues of a performance: expressions, gaze, blinks, speech, laughter and head motion with their times, and the curves they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from trainer.synthetic.acting.performance import Acting, ActingOrigin, Curve, coefficient_names
from trainer.synthetic.acting.speech import Viseme, mouth_curves
from trainer.synthetic.people.eyes import TURNS

# Units by expression; those with a left and a right side are named without it.
EXPRESSIONS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 1, "cheekSquint": 0.5, "eyeSquint": 0.25, "mouthDimple": 0.1},
    "grin": {"mouthSmile": 0.9, "mouthStretch": 0.3, "mouthUpperUp": 0.5, "mouthLowerDown": 0.4, "cheekSquint": 0.6},
    "joy": {"mouthSmile": 0.95, "cheekSquint": 0.8, "eyeSquint": 0.45, "mouthUpperUp": 0.4, "jawOpen": 0.2},
    "anger": {
        "browDown": 1,
        "eyeSquint": 0.4,
        "noseSneer": 0.4,
        "mouthPress": 0.6,
        "mouthFrown": 0.3,
        "jawForward": 0.2,
    },
    "disgust": {
        "noseSneer": 0.95,
        "mouthUpperUp": 0.6,
        "browDown": 0.5,
        "cheekSquint": 0.5,
        "eyeSquint": 0.3,
        "mouthFrown": 0.35,
        "mouthShrugLower": 0.3,
    },
    "surprise": {"browInnerUp": 0.95, "browOuterUp": 0.9, "eyeWide": 0.8, "jawOpen": 0.45, "mouthFunnel": 0.15},
    "fear": {"browInnerUp": 0.9, "browDown": 0.3, "eyeWide": 0.8, "mouthStretch": 0.7, "jawOpen": 0.2},
    "sadness": {"browInnerUp": 0.9, "mouthFrown": 0.75, "mouthShrugLower": 0.5, "eyeSquint": 0.2, "browDown": 0.15},
    "pain": {
        "browDown": 0.9,
        "eyeSquint": 0.9,
        "cheekSquint": 0.7,
        "mouthStretch": 0.6,
        "noseSneer": 0.5,
        "jawOpen": 0.15,
    },
    "scream": {
        "jawOpen": 1,
        "mouthStretch": 0.5,
        "mouthUpperUp": 0.5,
        "mouthLowerDown": 0.6,
        "browDown": 0.5,
        "eyeSquint": 0.5,
        "noseSneer": 0.3,
    },
    "yawn": {"jawOpen": 1, "eyeSquint": 0.7, "eyeBlink": 0.6, "browInnerUp": 0.3, "mouthFunnel": 0.2},
    "kiss": {"mouthPucker": 0.95, "mouthFunnel": 0.15},
    "puff": {"cheekPuff": 0.9, "mouthPress": 0.4, "mouthPucker": 0.2},
    "pout": {"mouthShrugLower": 0.8, "mouthFrown": 0.4, "mouthPucker": 0.4, "browDown": 0.2},
    "squint": {"eyeSquint": 0.9, "cheekSquint": 0.4, "browDown": 0.3},
    "stare": {"eyeWide": 1, "browOuterUp": 0.4, "browInnerUp": 0.3},
    "raise": {"browInnerUp": 0.8, "browOuterUp": 0.9},
    "scowl": {"browDown": 0.9, "eyeSquint": 0.2},
    "sneer": {"noseSneer": 0.8, "mouthUpperUp": 0.6},
    "grimace": {"mouthStretch": 1, "mouthLowerDown": 0.7, "mouthUpperUp": 0.4},
    "press": {"mouthPress": 0.9, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    "open": {"jawOpen": 1},
}
# Degrees of gaze at which a unit of the eyes is 1.
REACH = {f"eyeLook{way}": degrees for way, degrees in TURNS.items()}
_HALF_DISTANCE = 0.0315  # metres between the middle and an eye's centre (63 mm: Dodgson 2004)
_CLOSING, _SHUT, _OPENING = 0.08, 0.02, 0.16  # seconds of a blink: VanderWerf et al. 2003
_CALL, _CALLS_A_SECOND = 0.11, 4.7  # seconds of a laugh's voiced part, and calls: Bachorowski et al. 2001
_EYES, _HEAD = ("gaze.yaw", "gaze.pitch", "gaze.distance"), ("yaw", "pitch", "roll", "x", "y", "z")
CAMERA = 1.2  # metres to what the eyes look at


class Key(NamedTuple):
    """A move of a channel to a value: seconds at which it starts, and that it lasts."""

    start: float
    duration: float
    value: float


@dataclass(frozen=True, slots=True)
class Blink:
    """A blink. sides: of the eyes. shut: seconds between closing and opening."""

    start: float
    sides: tuple[str, ...] = ("Left", "Right")
    shut: float = _SHUT
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Laugh:
    """A laugh."""

    start: float
    duration: float
    amount: float = 1.0


@dataclass
class Cues:
    """The cues of one performance.

    keys: channel → moves. A channel is an expression or a unit (without its side) with `.left` or `.right` behind it, `gaze.yaw`
    and `gaze.pitch` (degrees from the head's own direction, left and up positive), `gaze.distance` (metres), or of the head `yaw`,
    `pitch`, `roll` (degrees), `x`, `y`, `z` (metres), or such as `pitch.nod` for a gesture on top of it. drift: [T], added to a channel.
    """

    keys: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    blinks: list[Blink] = field(default_factory=list)
    speech: list[list[Viseme]] = field(default_factory=list)
    laughs: list[Laugh] = field(default_factory=list)
    drift: dict[str, Curve] = field(default_factory=dict)

    def move(self, channel: str, start: float, duration: float, value: float) -> None:
        """Move a channel to a value, by the smoothest way."""
        self.keys[channel].append(Key(start, duration, value))

    def express(self, name: str, start: float, duration: float, left: float, right: float | None = None) -> None:
        """Move both sides of an expression or unit to amounts 0..1."""
        self.move(f"{name}.left", start, duration, left)
        self.move(f"{name}.right", start, duration, left if right is None else right)

    def saccade(self, start: float, yaw: float, pitch: float, size: float, distance: float = CAMERA) -> None:
        """Turn both eyes to a direction in degrees, `size` degrees away, as fast as eyes do: Carpenter 1988."""
        duration = 0.021 + 0.0022 * size
        for channel, value in zip(_EYES, (yaw, pitch, distance), strict=True):
            self.move(channel, start, duration if channel != "gaze.distance" else max(duration, 0.2), value)

    def perform(self, rate: Fraction, frames: int, origin: ActingOrigin) -> Acting:
        """Make the curves of `frames` frames."""
        times = np.arange(frames) / float(rate)
        channels = {name: keyed(times, keys) for name, keys in self.keys.items() if name not in _EYES[2:]}
        for name, drift in self.drift.items():
            channels[name] = channels.get(name, 0) + drift
        for name in _HEAD:  # gestures on top of a turn have channels of their own
            parts = [curve for channel, curve in channels.items() if channel.startswith(f"{name}.")]
            channels[name] = sum(parts, channels.get(name, np.zeros(frames)))
        distance = keyed(times, self.keys.get("gaze.distance", []), CAMERA)
        units = _expressed(channels, frames)
        _laugh(self.laughs, times, units, channels)
        _speak(self.speech, times, units)
        nothing = np.zeros(frames)
        look = look_units(channels.get("gaze.yaw", nothing), channels.get("gaze.pitch", nothing), distance)
        for unit, curve in look.items():
            _add(units, unit, curve)
        _blink(self.blinks, times, units)
        coefficients = np.stack([units.get(name, nothing) for name in coefficient_names()], 1)
        head = [np.asarray(channels.get(name, nothing), np.float32) for name in _HEAD]
        clipped = np.clip(coefficients, 0, 1).astype(np.float32)
        return Acting(rate, clipped, head[0], head[1], head[2], np.stack(head[3:], 1), origin)


def smooth_step(phase: Curve) -> Curve:
    """Move from 0 to 1 with least jerk over phases 0..1: Flash & Hogan 1985."""
    p = np.clip(phase, 0, 1)
    return np.asarray(p**3 * (10 - 15 * p + 6 * p**2))


def keyed(times: Curve, keys: Iterable[Key], initial: float = 0.0) -> Curve:
    """Evaluate moves at times [T]: each starts where the channel then is."""
    values, last = np.full(len(times), initial), Key(-1.0, 1.0, initial)
    before = initial
    for key in sorted(keys):
        before += (last.value - before) * float(smooth_step(np.asarray((key.start - last.start) / last.duration)))
        after = times >= key.start
        values[after] = before + (key.value - before) * smooth_step((times[after] - key.start) / key.duration)
        last = key
    return values


def pulse(times: Curve, start: float, rise: float, hold: float, fall: float) -> Curve:
    """Rise from 0 to 1 from `start` on, hold, and fall again; all in seconds."""
    return smooth_step((times - start) / rise) - smooth_step((times - start - rise - hold) / fall)


def sided(unit: str) -> tuple[str, ...]:
    """List the coefficients of a unit that is named without its side."""
    names = coefficient_names()
    return (unit,) if unit in names else tuple(n for s in ("Left", "Right") if (n := unit + s) in names)


def look_units(yaw: Curve, pitch: Curve, distance: Curve) -> dict[str, Curve]:
    """Turn a direction of gaze in degrees [T] (left and up positive) and a distance in metres [T] into the eyes' units."""
    inward = np.degrees(np.arctan(_HALF_DISTANCE / distance))
    units = {}
    for side, out in (("Left", yaw - inward), ("Right", -yaw - inward)):
        for unit, angle in (("eyeLookOut", out), ("eyeLookIn", -out), ("eyeLookUp", pitch), ("eyeLookDown", -pitch)):
            units[unit + side] = np.clip(angle / REACH[unit], 0, 1)
    return units


def _add(units: dict[str, Curve], name: str, amount: Curve) -> None:
    """Add to a unit so that it never passes 1: two half smiles are three quarters of one."""
    units[name] = 1 - (1 - units.get(name, np.zeros(1))) * (1 - np.clip(amount, 0, 1))


def _expressed(channels: Mapping[str, Curve], frames: int) -> dict[str, Curve]:
    units: dict[str, Curve] = {}
    nothing = np.zeros(frames)
    for name in sorted({channel.rpartition(".")[0] for channel in channels} - {"", "gaze"}):
        left, right = (np.clip(channels.get(f"{name}.{side}", nothing), 0, 1) for side in ("left", "right"))
        for unit, weight in EXPRESSIONS.get(name, {name: 1.0}).items():
            for full in sided(unit):
                amount = left if full.endswith("Left") else right if full.endswith("Right") else np.maximum(left, right)
                _add(units, full, weight * amount)
    return units


def _speak(speech: Iterable[list[Viseme]], times: Curve, units: dict[str, Curve]) -> None:
    for visemes in speech:
        curves = mouth_curves(visemes, times)
        closed = curves.pop("closed")
        for unit, curve in curves.items():
            for full in sided(unit):
                _add(units, full, curve)
        for unit in ("mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthStretch", "mouthSmile"):
            for full in sided(unit):
                units[full] = units.get(full, 0) * (1 - (0.4 if unit == "mouthSmile" else 0.9) * closed)
        # The unit closes the lips over the jaw as open as it is.
        units["jawOpen"] = units["jawOpen"] * (1 - 0.6 * closed)
        units["mouthClose"] = np.maximum(units.get("mouthClose", 0), closed * units["jawOpen"])


def _laugh(laughs: Iterable[Laugh], times: Curve, units: dict[str, Curve], channels: dict[str, Curve]) -> None:
    """Add laughs: a wide smile under which the jaw beats, the eyes narrow and the head goes back and shakes."""
    for laugh in laughs:
        rise, fall = min(0.3, laugh.duration / 3), 0.6
        whole = laugh.amount * pulse(times, laugh.start, rise, laugh.duration - rise, fall)
        beats = np.zeros(len(times))
        for call in np.arange(laugh.start + 0.15, laugh.start + laugh.duration - _CALL, 1 / _CALLS_A_SECOND):
            fading = 1 - 0.5 * (call - laugh.start) / laugh.duration
            beats += laugh.amount * fading * pulse(times, call, _CALL, 0.0, _CALL)
        for unit, weight in EXPRESSIONS["joy"].items():
            for full in sided(unit):
                _add(units, full, weight * whole)
        for full in ("jawOpen", *sided("mouthLowerDown"), *sided("cheekSquint")):
            _add(units, full, (0.35 if full == "jawOpen" else 0.2) * beats)
        for channel, change in (("pitch", 7 * whole + 1.5 * beats), ("z", 0.004 * beats)):
            channels[channel] = channels.get(channel, 0) + change


def _blink(blinks: Iterable[Blink], times: Curve, units: dict[str, Curve]) -> None:
    for blink in blinks:
        closure = blink.amount * pulse(times, blink.start, _CLOSING, blink.shut, _OPENING)
        for side in blink.sides:
            # Lids that are shut are neither wide nor narrow.
            for unit, left in (("eyeWide", 1.0), ("eyeSquint", 0.6)):
                units[unit + side] = units.get(unit + side, 0) * (1 - left * closure)
            name = f"eyeBlink{side}"
            units[name] = np.maximum(units.get(name, 0), closure)
            if len(blink.sides) == 1:  # a wink moves the cheek
                for unit, weight in (("cheekSquint", 0.6), ("mouthSmile", 0.3), ("browDown", 0.35)):
                    _add(units, unit + side, weight * closure)
