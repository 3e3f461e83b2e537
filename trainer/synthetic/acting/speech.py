"""Speech as mouth shapes: letters become visemes with times, and visemes become curves that blend into each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.synthetic.acting.performance import Curve

# Units by viseme. `closed` is no unit: it is the share by which the lips close over the open jaw.
VISEMES: dict[str, dict[str, float]] = {
    "rest": {},
    "M": {"closed": 1.0, "jawOpen": 0.12, "mouthPress": 0.35, "mouthRollLower": 0.2, "mouthRollUpper": 0.15},
    "F": {"jawOpen": 0.1, "mouthRollLower": 0.55, "mouthUpperUp": 0.25},
    "TH": {"jawOpen": 0.2, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1},
    "T": {"jawOpen": 0.14, "mouthLowerDown": 0.2, "mouthUpperUp": 0.08, "mouthStretch": 0.05},
    "S": {"jawOpen": 0.06, "mouthLowerDown": 0.35, "mouthUpperUp": 0.12, "mouthStretch": 0.18},
    "SH": {"jawOpen": 0.1, "mouthFunnel": 0.55, "mouthPucker": 0.15, "mouthLowerDown": 0.15},
    "K": {"jawOpen": 0.2, "mouthLowerDown": 0.15, "mouthUpperUp": 0.06},
    "R": {"jawOpen": 0.16, "mouthFunnel": 0.3, "mouthPucker": 0.15},
    "W": {"jawOpen": 0.1, "mouthPucker": 0.7, "mouthFunnel": 0.2},
    "A": {"jawOpen": 0.5, "mouthLowerDown": 0.35, "mouthUpperUp": 0.15},
    "E": {"jawOpen": 0.3, "mouthLowerDown": 0.3, "mouthUpperUp": 0.12, "mouthStretch": 0.2, "mouthSmile": 0.12},
    "I": {"jawOpen": 0.14, "mouthLowerDown": 0.25, "mouthStretch": 0.25, "mouthSmile": 0.28},
    "O": {"jawOpen": 0.36, "mouthFunnel": 0.5, "mouthPucker": 0.2},
    "U": {"jawOpen": 0.14, "mouthPucker": 0.65, "mouthFunnel": 0.3},
}
_VOWELS = "AEIOU"
# How firmly a viseme holds its shape against its neighbours: lips that touch win over a vowel's.
_FIRMNESS = {"M": 6.0, "F": 4.0, "SH": 2.5, "W": 3.0, "U": 2.0, "O": 1.6, "A": 1.5, "rest": 1.2}
# Spelling of English by simple rules, the longest first; other letters are silent.
_SPELLING: list[tuple[str, str]] = re.findall(
    r"(\w+)=([\w ]+)",
    "tion=SH T;sion=SH T;ough=O;augh=O;eigh=E I;igh=A I;tch=SH;sch=SH;ght=T;ch=SH;sh=SH;th=TH;ph=F;wh=W;kn=T;gn=T;wr=R;"
    "qu=K W;ck=K;ng=K;oo=U;ou=A U;ow=A U;oi=O I;oy=O I;ee=I;ea=I;ie=I;ai=E I;ay=E I;ei=E I;ey=I;au=O;aw=O;oa=O;ew=U;ue=U;"
    "a=A;e=E;i=I;o=O;u=A;y=I;b=M;m=M;p=M;f=F;v=F;t=T;d=T;n=T;l=T;s=S;z=S;c=K;x=K S;j=SH;g=K;k=K;q=K;h=K;r=R;w=W",
)
_DIGITS = dict(enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")))
_PAUSES = {" ": 0.03, ",": 0.2, ";": 0.25, ":": 0.25, "-": 0.12, ".": 0.4, "!": 0.4, "?": 0.4}
_SECONDS = {"vowel": 0.125, "consonant": 0.075}
_SILENCE = 0.05  # dominance of the mouth at rest, always
_REACH = 0.045  # seconds over which a viseme's hold on the mouth falls to 1/e outside its own time


@dataclass(frozen=True, slots=True)
class Viseme:
    """One mouth shape. name: of VISEMES. start, duration: seconds."""

    name: str
    start: float
    duration: float


def spoken(text: str, start: float = 0.0, duration: float | None = None) -> list[Viseme]:
    """Turn text into visemes from `start` on, in the tempo of calm speech, or so that they last `duration` seconds."""
    visemes, now = [Viseme("rest", start, 0.06)], start + 0.06
    for word in re.findall(r"[^\W\d_]+|\d|[^\w]", text.lower()):
        names = _word(word)
        for name in names:
            length = _SECONDS["vowel" if name in _VOWELS else "consonant"]
            visemes.append(Viseme(name, now, length))
            now += length
        if not names and (pause := _PAUSES.get(word, 0.0)):
            if pause >= 0.1:
                visemes.append(Viseme("rest", now, pause))
            now += pause
    visemes.append(Viseme("rest", now, 0.15))
    scale = 1.0 if duration is None else duration / (visemes[-1].start + visemes[-1].duration - start)
    return [Viseme(v.name, start + (v.start - start) * scale, v.duration * scale) for v in visemes]


def _word(word: str) -> list[str]:
    word = _DIGITS[int(word)] if word.isdecimal() else word
    if len(word) > 3 and word.endswith("e") and word[-2] not in "aeiou":
        word = word[:-1]
    names: list[str] = []
    while word:
        letters, visemes = next(((a, b) for a, b in _SPELLING if word.startswith(a)), (word[0], ""))
        names += [name for name in visemes.split() if not names or name != names[-1]]
        word = word[len(letters) :]
    return names


def mouth_curves(visemes: Sequence[Viseme], times: Curve, amount: float = 1.0) -> dict[str, Curve]:
    """Blend visemes into curves [T] of units at `times`: seconds. Units without a side mean both; `closed`: see VISEMES.

    Each unit is the mean of all visemes' targets, weighted by dominance that falls off around each viseme's time: Cohen &
    Massaro 1993, "Modeling coarticulation in synthetic visual speech".
    """
    units = sorted({unit for shape in VISEMES.values() for unit in shape})
    if not visemes:
        return {}
    start = np.array([v.start for v in visemes])
    end = start + [v.duration for v in visemes]
    firm = np.array([_FIRMNESS.get(v.name, 1.0) for v in visemes])
    targets = np.array([[VISEMES[v.name].get(unit, 0.0) for unit in units] for v in visemes])
    now = np.asarray(times, np.float64)[:, None]
    outside = np.maximum(np.maximum(start - now, now - end), 0)
    # Within its own time a viseme is strongest in the middle.
    inside = np.abs(now - (start + end) / 2) / (end - start)
    dominance = firm * np.exp(-outside / _REACH - np.minimum(inside, 0.5) ** 2 * 2)
    curves = dominance @ targets / (dominance.sum(1) + _SILENCE)[:, None]
    gains = np.array([1.0 if unit == "closed" else amount for unit in units])
    return dict(zip(units, (curves * gains).astype(np.float32).T, strict=True))
