"""Timecode: the label of a frame's number, and back, by SMPTE ST 12-1, drop-frame too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer

from nodes.errors import FootageError
from nodes.footage.probe import open_container

_LABEL = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})([:;.,])(\d{2,3})$")


def timecode_of(number: int, rate: Fraction, *, drop: bool = False) -> str:
    """Label of frame `number`, as 01:00:00:00; after a day it begins anew. drop: leave out labels (at 29.97 and 59.94) so that it follows the clock."""
    count = nominal(rate)
    dropped = _dropped(rate) if drop else 0
    if dropped:
        minute, ten = 60 * count - dropped, 600 * count - 9 * dropped
        tens, rest = divmod(number % (144 * ten), ten)
        minutes = 0 if rest < 60 * count else 1 + (rest - 60 * count) // minute
        number = number % (144 * ten) + dropped * (9 * tens + minutes)
    number %= 24 * 3600 * count
    seconds, frame = divmod(number, count)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{';' if dropped else ':'}{frame:02}"


def number_of(label: str, rate: Fraction, *, drop: bool | None = None) -> int:
    """Number of the frame that a label names.

    drop: whether labels are left out, as 29.97 and 59.94 can; by default those with ';' or ',' are drop-frame. Raises ValueError
    for text that is no timecode, and for a label that does not exist at this rate.
    """
    found = _LABEL.match(label.strip())
    count = nominal(rate)
    if found is None or int(found[5]) >= count or int(found[2]) > 59 or int(found[3]) > 59:
        raise ValueError(f"'{label}' is no timecode at {float(rate):.5g} frames/s")
    minutes = 60 * int(found[1]) + int(found[2])
    number = (60 * minutes + int(found[3])) * count + int(found[5])
    dropped = _dropped(rate) if (is_drop(label) if drop is None else drop) else 0
    if minutes % 10 and not int(found[3]) and int(found[5]) < dropped:
        raise ValueError(f"'{label}' does not exist in drop-frame timecode")
    return number - dropped * (minutes - minutes // 10)


def is_drop(label: str) -> bool:
    """Tell whether a label is drop-frame."""
    found = _LABEL.match(label.strip())
    return found is not None and found[4] in ";,"


def frames_per_day(rate: Fraction, *, drop: bool = False) -> int:
    """How many frames there are until timecode begins anew at 00:00:00:00."""
    return 144 * (600 * nominal(rate) - 9 * (_dropped(rate) if drop else 0))


def nominal(rate: Fraction) -> int:
    """How many frames a second of timecode counts: 24 at 23.976."""
    return max(1, (2 * rate.numerator + rate.denominator) // (2 * rate.denominator))


def timecode_in(path: Path) -> str | None:
    """The timecode of a movie's first frame as the file has it, None where it has none or cannot be read."""
    with suppress(FootageError), open_container(path) as container:
        return next(labels_in(container), None)
    return None


def labels_in(container: InputContainer) -> Iterator[str]:
    """The timecodes that a container and its streams say, as they are written."""
    for tags in (*(s.metadata for s in container.streams), container.metadata):
        for key, label in tags.items():
            if key.lower() == "timecode" and _LABEL.match(label.strip()):  # TIMECODE in Matroska
                yield label.strip()


def timecode_at(path: Path, index: int, rate: Fraction) -> str | None:
    """The label of the frame at a position in a movie, by its file's own timecode; None where that has none that fits the rate."""
    label = timecode_in(path)
    with suppress(ValueError):
        if label is not None:
            return timecode_of(number_of(label, rate) + index, rate, drop=is_drop(label))
    return None


def _dropped(rate: Fraction) -> int:
    """Labels that a minute leaves out, each tenth excepted."""
    return nominal(rate) // 15 if rate.denominator == 1001 and nominal(rate) % 30 == 0 else 0
