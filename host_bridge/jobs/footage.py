"""Footage, frame ranges and frame rates from user input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nodes.errors import UsageError

if TYPE_CHECKING:
    from nodes.footage.footage import Footage
    from nodes.footage.info import FootageInfo

_RANGE_HELP = "Frames A-B of the clip, both included, by its own numbers (a movie's first frame is 0); by default all."
RATE_HELP = "Frames per second of image sequences that do not say, as 25 or 24000/1001."
FrameRange = Annotated[str | None, Field(description=_RANGE_HELP)]
Rate = Annotated[str | None, Field(description=RATE_HELP)]
_RANGE = re.compile(r"(-?\d+)?-(-?\d+)?|(\d+)")


def positions(text: str | None, info: FootageInfo) -> tuple[int, int]:
    """Turn a range of a clip's own frame numbers (`A-B`, `A-`, `-B` or `A`, inclusive) into its first and last position.

    Raises UsageError. Does not check that the clip has these frames.
    """
    if text is None:
        return 0, info.frames - 1
    match = _RANGE.fullmatch(text.strip())
    if match is None or text.strip() == "-":
        raise UsageError(f"--range {text}: is no range of frames", remedy="Write it as 12-48, both included")
    first, last, only = (None if part is None else int(part) - info.first for part in match.groups())
    if only is not None:
        return only, only
    return first if first is not None else 0, last if last is not None else info.frames - 1


def frame_rate(text: str | None) -> Fraction | None:
    """Read a rate such as 24, 23.976 or 24000/1001; raises UsageError."""
    if text is None:
        return None
    try:
        rate = Fraction(text)
        if not 0 < rate <= 1000:
            raise ValueError
    except (ValueError, ZeroDivisionError) as e:
        raise UsageError(f"--rate {text}: is no frame rate", remedy="Write it as 25 or 24000/1001") from e
    # 23.976 and 29.97 mean the NTSC rates, which have no exact decimal.
    ntsc = Fraction(round(rate) * 1000, 1001)
    return ntsc if rate != ntsc and abs(rate - ntsc) < Fraction(1, 100) and rate.denominator > 1 else rate


@contextmanager
def opened(
    *paths: Path | None, rate: Fraction | None = None, layer: str | None = None
) -> Iterator[list[Footage | None]]:
    """Open clips and close them at the end; None stays None. layer: of the first clip, and of others that have it."""
    from nodes.footage.footage import open_beside, open_footage

    with ExitStack() as stack:
        openers = (open_footage, *(open_beside for _ in paths[1:]))
        yield [
            None if path is None else stack.enter_context(open_clip(path.expanduser(), rate=rate, layer=layer))
            for open_clip, path in zip(openers, paths, strict=True)
        ]
