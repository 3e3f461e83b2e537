"""Random but plausible acting: moods over seconds, speech, laughter, blinks, glances, and a head that is never still."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from nodes.errors import UsageError
from trainer.synthetic.acting.cues import CAMERA, Blink, Cues, Laugh, keyed
from trainer.synthetic.acting.performance import Acting, ActingOrigin, Curve
from trainer.synthetic.acting.speech import spoken

# Moods and how often they come. Each is a mix of expressions, of which some are left out each time.
_MOODS: dict[str, tuple[float, tuple[str, ...]]] = {
    "calm": (3.0, ("smile", "press")),
    "talk": (4.0, ("raise", "smile")),
    "joy": (1.5, ("smile", "joy", "grin")),
    "laugh": (1.2, ("smile",)),
    "anger": (1.0, ("anger", "scowl", "sneer")),
    "disgust": (0.7, ("disgust", "sneer", "squint")),
    "surprise": (0.8, ("surprise", "raise", "stare")),
    "sadness": (0.7, ("sadness", "pout")),
    "fear": (0.5, ("fear", "stare", "grimace")),
    "wink": (0.6, ("smile",)),
    "skew": (1.0, ("smile", "sneer", "mouthDimple", "mouthStretch", "mouth", "jaw", "raise")),
    "extreme": (0.8, ("scream", "yawn", "pain", "puff", "kiss", "open", "grimace")),
}
_SYLLABLES = re.findall(
    r"\w+", "ba de fi go lu ma ne pi so tu va we ya cha she tho ram lin pet kos buf mol wir fan dem"
)
_BLINK_EVERY, _BLINK_LEAST, _BLINK_MOST = 4.0, 1.4, 7.0  # seconds: 15 to 20 a minute at rest, Bentivoglio et al. 1997
_HEAD_SHARE, _HEAD_FROM = 0.45, 10.0  # of a gaze shift that the head makes, beyond so many degrees
_SWAY = np.geomspace(0.05, 1.5, 14)  # hertz


def moods() -> tuple[str, ...]:
    """Return the names of the moods."""
    return tuple(_MOODS)


def improvise(
    seed: int,
    seconds: float,
    rate: Fraction | int = 25,
    *,
    only: Sequence[str] | None = None,
    strength: float = 1.0,
) -> Acting:
    """Act at random for some seconds; the same numbers give the same performance.

    only: moods to choose from; all by default. strength: gain of expressions and head motion, 0 to 1. Raises UsageError for
    an unknown mood.
    """
    chosen = list(_MOODS if only is None else only)
    if unknown := [mood for mood in chosen if mood not in _MOODS]:
        raise UsageError(f"there is no mood '{unknown[0]}'", remedy=f"Choose of: {', '.join(_MOODS)}")
    rate, cues = Fraction(rate), Cues()
    frames = max(1, round(seconds * rate))
    times = np.arange(frames) / float(rate)
    _act_moods(cues, _random(seed, "moods"), seconds, chosen, strength)
    turns = _look_around(cues, _random(seed, "gaze"), seconds, strength)
    _add_blinks(cues, _random(seed, "blinks"), seconds, turns)
    add_sway(cues, seed, times, 0.4 + 0.6 * strength)
    _follow_head(cues, times)
    return cues.perform(rate, frames, ActingOrigin(kind="random", seed=seed))


def add_idling(cues: Cues, seed: int, times: Curve) -> None:
    """Add what nobody can leave off: blinks and sway."""
    _add_blinks(cues, _random(seed, "blinks"), float(times[-1]), [])
    add_sway(cues, seed, times, 0.5)


def _random(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"acting.{name}".encode())])


def _act_moods(cues: Cues, random: np.random.Generator, seconds: float, names: list[str], strength: float) -> None:
    weights = np.array([_MOODS[name][0] for name in names])
    now, before = float(random.uniform(0.0, 0.4)), set[str]()
    while now < seconds:
        mood = str(random.choice(names, p=weights / weights.sum()))
        length = float(random.uniform(1.8, 5.0))
        expressions = _MOODS[mood][1]
        count = int(random.integers(1, min(2, len(expressions)) + 1))
        played = set(random.choice(expressions, count, replace=False).tolist())
        for name in sorted(before - played):
            cues.express(name, now, float(random.uniform(0.3, 0.9)), 0.0)
        for name in sorted(played):
            _play(cues, random, mood, name, now, length, strength)
        if mood in ("talk", "anger", "joy") and (mood == "talk" or random.random() < 0.4):
            _talk(cues, random, now + 0.2, length, strength)
        if mood == "laugh":
            rest = float(random.uniform(0.1, 0.5))
            cues.laughs.append(
                Laugh(now + rest, max(length - rest - 0.4, 1.0), float(random.uniform(0.5, 1.0)) * strength)
            )
        if mood == "wink":
            side = str(random.choice(["Left", "Right"]))
            cues.blinks.append(Blink(now + length / 2, (side,), float(random.uniform(0.1, 0.4))))
        before, now = played, now + length


def _play(
    cues: Cues, random: np.random.Generator, mood: str, name: str, now: float, length: float, strength: float
) -> None:
    """Move to an expression, unequal on both sides, and let it swell and fade a little while it lasts."""
    quiet = mood in ("calm", "talk", "wink")
    top = strength * float(random.uniform(0.05, 0.35) if quiet else random.uniform(0.45, 1.0))
    lean = float(random.choice([-1, 1]) * random.uniform(0.7, 1.0) if mood == "skew" else random.normal(0, 0.12))
    left, right = (float(np.clip(top * (1 + min(0.0, sign * lean)), 0, 1)) for sign in (1, -1))
    onset = float(random.uniform(0.18, 0.45) if mood in ("surprise", "fear", "extreme") else random.uniform(0.35, 0.9))
    cues.express(name, now, onset, left, right)
    for at in np.arange(now + onset, now + length - 0.7, 0.9):
        swell = float(random.uniform(0.75, 1.0))
        cues.express(name, float(at), 0.7, left * swell, right * swell)


def _talk(cues: Cues, random: np.random.Generator, start: float, length: float, strength: float) -> None:
    """Babble for a while, with brows and head that stress some syllables."""
    words, now = [], 0.0
    while now < length - 0.6:
        syllables = int(random.integers(1, 4))
        words.append("".join(random.choice(_SYLLABLES, syllables)) + ("," if random.random() < 0.12 else ""))
        now += 0.21 * syllables + 0.03
    cues.speech.append(spoken(" ".join(words), start, now))
    for at in np.arange(start + 0.2, start + now - 0.5, 0.55):
        if random.random() < 0.45:
            size = float(random.uniform(1.0, 4.0)) * strength
            cues.move("pitch.stress", float(at), 0.18, -size)
            cues.move("pitch.stress", float(at) + 0.2, 0.3, 0.0)
        if random.random() < 0.25:
            lift = float(random.uniform(0.15, 0.5)) * strength
            cues.express("browInnerUp", float(at), 0.15, lift)
            cues.express("browInnerUp", float(at) + 0.25, 0.3, 0.0)


def _look_around(cues: Cues, random: np.random.Generator, seconds: float, strength: float) -> list[float]:
    """Look at places in the world, with the head's help; returns the times of large shifts."""
    now, yaw, pitch, turns = float(random.uniform(0.2, 1.0)), 0.0, 0.0, []
    while now < seconds:
        kind, distance = random.random(), CAMERA
        if kind < 0.5:  # into the camera's face: its eyes, its mouth
            to = random.normal(0, (2.0, 1.5))
        elif kind < 0.8:
            to = np.array([yaw, pitch]) + random.normal(0, (5.0, 3.0))
        else:
            to = random.normal(0, (20.0, 9.0))
            distance = float(random.uniform(0.4, 4.0))
        new_yaw, new_pitch = np.clip(to, (-45, -22), (45, 16)) * (0.4 + 0.6 * strength)
        size = float(np.hypot(new_yaw - yaw, new_pitch - pitch))
        cues.saccade(now, float(new_yaw), float(new_pitch), size, distance)
        if size > _HEAD_FROM:
            duration = 0.25 + 0.012 * size
            for channel, value in (("yaw", new_yaw), ("pitch", 0.7 * new_pitch)):
                cues.move(channel, now + 0.04, duration, _HEAD_SHARE * float(value))
            cues.move("roll", now + 0.04, duration + 0.2, float(random.normal(0, 3)) * strength)
            turns.append(now)
        yaw, pitch = float(new_yaw), float(new_pitch)
        # Fixations of a talk last from a fifth of a second to some seconds.
        now += 0.25 + float(random.gamma(1.6, 0.5))
    return turns


def _follow_head(cues: Cues, times: Curve) -> None:
    """Let the eyes counter the head, so that they stay on what they look at (vestibulo-ocular reflex)."""
    for axis in ("yaw", "pitch"):
        turns = (keyed(times, keys) for channel, keys in cues.keys.items() if channel.split(".")[0] == axis)
        cues.drift[f"gaze.{axis}"] = -sum(turns, cues.drift[axis])


def _add_blinks(cues: Cues, random: np.random.Generator, seconds: float, turns: Sequence[float]) -> None:
    """Blink at irregular times, and rather with a large shift of gaze than a little later: Evinger et al. 1994."""
    now = float(random.uniform(0.3, _BLINK_EVERY))
    while now < seconds:
        if near := [turn for turn in turns if abs(turn - now) < 1.0]:
            now = near[0]
        if all(abs(now - other.start) > 0.6 for other in cues.blinks):
            cues.blinks.append(
                Blink(now, shut=float(random.uniform(0.01, 0.05)), amount=float(random.uniform(0.9, 1.0)))
            )
        now += float(np.clip(random.gamma(3.0, _BLINK_EVERY / 3), _BLINK_LEAST, _BLINK_MOST))


def add_sway(cues: Cues, seed: int, times: Curve, amount: float) -> None:
    """Let the head drift: waves whose power falls with the frequency, 1.5 degrees and 4 mm at amount 1."""
    random = _random(seed, "sway")
    for channel, size in (("yaw", 1.6), ("pitch", 1.2), ("roll", 0.9), ("x", 0.004), ("y", 0.003), ("z", 0.002)):
        phase = random.uniform(0, 2 * np.pi, len(_SWAY))
        height = random.normal(1, 0.3, len(_SWAY)) / np.sqrt(_SWAY)
        height *= np.sqrt(2) * size * amount / np.linalg.norm(height)
        waves = height * np.sin(2 * np.pi * np.outer(times, _SWAY) + phase)
        cues.drift[channel] = cues.drift.get(channel, 0) + waves.sum(1)
