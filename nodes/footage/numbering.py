"""Numbered files: an image sequence found by a pattern or in a folder, without gaps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nodes.errors import FootageError
from nodes.footage.formats import IMAGES

_PLACE = re.compile(r"%0?(\d*)d|(#+)")
# Before a number "-" is a sign at the start of a name and after "." and "_"; elsewhere, as in shot-0010, it separates, unless both
# frames -1 and 0 exist.
_NUMBERED = re.compile(r"(.*?)((?:(?:^|(?<=[._]))-)?\d+)(\.[^.]+)$")
_SIGN = re.compile(r"(?:^|[._])-$")


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Image files by ascending number, without holes. `pattern`: the path given by the user, for messages."""

    pattern: Path
    files: tuple[Path, ...]
    first: int


def has_place(name: str) -> bool:
    """Tell whether a name holds a place for a frame number: %04d, %d or ####."""
    return _PLACE.search(name) is not None


def numbered(pattern: Path, number: int) -> Path:
    """Put a number into a pattern."""

    def fill(m: re.Match[str]) -> str:
        return str(number).zfill(len(m[2]) if m[2] else int(m[1] or 0))

    return pattern.with_name(_PLACE.sub(fill, pattern.name, count=1))


def find_sequence(path: Path) -> ImageSequence | None:
    """Return the sequence that a pattern or a folder names; None for a path that is neither.

    Raises FootageError when there are no files, when a number is missing, and for a folder with more than one sequence.
    """
    if path.is_dir():
        return _whole(path, numbered_files(path))
    if not has_place(path.name) or path.exists():
        return None
    place = _PLACE.search(path.name)
    assert place is not None
    digits = len(place[2]) if place[2] else int(place[1] or 1)
    head, tail = path.name[: place.start()], path.name[place.end() :]
    signed = _SIGN.search(head) is not None  # the pattern itself has the sign
    name = re.compile(re.escape(head) + rf"({'' if signed else '-?'}\d+)" + re.escape(tail) + "$")
    files: dict[int, Path] = {}
    for file in path.parent.iterdir() if path.parent.is_dir() else ():
        if (m := name.match(file.name)) and _padded(m[1], digits):
            _add(files, -int(m[1]) if signed else int(m[1]), file)
    if head and head[-1] not in "._" and not signed and not {-1, 0} <= files.keys():
        files = {number: file for number, file in files.items() if number >= 0}
    return _whole(path, files)


def _padded(number: str, digits: int) -> bool:
    """Tell whether a number is written to a width; a sign counts in it (as printf has it), or not (as Houdini has it)."""
    bare = number.removeprefix("-")
    return digits in (len(number), len(bare)) or (len(bare) > digits and not bare.startswith("0"))


def _add(files: dict[int, Path], number: int, file: Path) -> None:
    if number in files:
        names = " and ".join(sorted((files[number].name, file.name)))
        raise FootageError(
            f"there are two images of one number, {names}", file=file.parent, frame=number, remedy="Remove one of them"
        )
    files[number] = file


def numbered_files(folder: Path) -> dict[int, Path]:
    """Return the images of the one sequence in a folder by their numbers, which may have gaps; raises FootageError for two sequences."""
    groups: dict[tuple[str, str], dict[int, Path]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in IMAGES and not file.name.startswith("."):
            m = _NUMBERED.match(file.name)
            key = (m[1], m[3]) if m else (file.name, "")
            _add(groups.setdefault(key, {}), int(m[2]) if m else 0, file)
    if len(groups) > 1:
        names = ", ".join(sorted(f"{a}#{b}" if b else a for a, b in groups)[:4])
        raise FootageError(
            f"holds {len(groups)} sequences ({names})", file=folder, remedy="Name one of them, as name.%04d.exr"
        )
    return next(iter(groups.values()), {})


def _whole(path: Path, files: dict[int, Path]) -> ImageSequence:
    if not files:
        raise FootageError("has no image files", file=path, remedy="Check the path and the pattern, as name.%04d.exr")
    numbers = sorted(files)
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise FootageError(
            f"is missing from the sequence {numbers[0]}-{numbers[-1]}{more}",
            file=path,
            frame=missing[0],
            remedy="Render it again, or give a folder with an unbroken range",
        )
    return ImageSequence(path, tuple(files[n] for n in numbers), numbers[0])
