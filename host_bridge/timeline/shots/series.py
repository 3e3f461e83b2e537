"""Image sequences that an edit names by one of their files, as Final Cut Pro 7 XML, AAF and older writers of OTIO do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nodes.footage.formats import IMAGES

_NUMBER = re.compile(r"(\d+)(?=\.[^.]+$)")
_NO_STILLS = (".exr", ".dpx", ".cin")


def series_behind(path: Path, available: Any, used: Any) -> tuple[Path, int, str]:
    """Return the pattern of the sequence that a file stands for, how many of its files lie before it, and what is to be said.

    A file that is meant alone comes back as it is: a still is held as well. It stands for a sequence where the document says as many frames
    as there are files, or counts them by the numbers of the files; available, used: ranges of the media and of the clip, or None.
    """
    match = _NUMBER.search(path.name) if path.suffix.lower() in IMAGES else None
    if match is None:
        return path, 0, ""
    head, tail, digits = path.name[: match.start()], path.name[match.end() :], len(match[1])
    numbers = _numbers(path.parent, head, tail, digits)
    number, last = int(match[1]), max(numbers, default=0)
    count = last - number + 1
    if count < 2:
        return path, 0, ""
    told = round(available.duration.value) if available is not None else None
    first = available.start_time.value if available is not None else None
    if told is None:
        meant = used is not None and number > 0 and number <= used.start_time.value <= last
    else:
        by_number = number > 0 and first == number
        meant = told == count or (1 < told <= count and (by_number or path.suffix.lower() in _NO_STILLS))
    if not meant:
        name = f"{head}%0{digits}d{tail}"
        held = told is not None and told > 1
        return (
            path,
            0,
            f"media is one image, held; {count - 1} more follow it: the sequence would be {name}" if held else "",
        )
    ahead = sum(n < number for n in numbers)
    return (
        path.with_name(f"{head}%0{digits}d{tail}"),
        ahead,
        f"media is named by one image; its sequence of {count} is taken",
    )


def _numbers(folder: Path, head: str, tail: str, digits: int) -> list[int]:
    name = re.compile(re.escape(head) + rf"(\d{{{digits},}})" + re.escape(tail) + "$")
    found = [m[1] for entry in folder.iterdir() if (m := name.match(entry.name))]
    return [int(text) for text in found if len(text) == digits or not text.startswith("0")]
