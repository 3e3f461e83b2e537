"""Find the files of an image sequence by a pattern or in a folder, and refuse one with holes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nodes.errors import FootageError

IMAGES = frozenset(
    [
        ".exr",
        ".dpx",
        ".cin",
        ".tif",
        ".tiff",
        ".png",
        ".jpg",
        ".jpeg",
        ".jp2",
        ".bmp",
        ".tga",
        ".hdr",
        ".webp",
        ".psd",
        ".sgi",
        ".rgb",
        ".pnm",
        ".ppm",
        ".pgm",
        ".pfm",
    ]
)
_PLACE = re.compile(r"%0?(\d*)d|(#+)")
_NUMBERED = re.compile(r"(.*?)(\d+)(\.[^.]+)$")


@dataclass(frozen=True, slots=True)
class Sequence:
    """Image files by ascending number, without holes. `pattern`: what was asked for, for messages."""

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


def find_sequence(path: Path) -> Sequence | None:
    """Return the sequence that a pattern or a folder names; None for a path that is neither.

    Raises FootageError when there are no files, when a number is missing, and for a folder with more than one sequence.
    """
    if path.is_dir():
        return _in_folder(path)
    if not has_place(path.name) or path.exists():
        return None
    place = _PLACE.search(path.name)
    assert place is not None
    digits = len(place[2]) if place[2] else int(place[1] or 1)
    head, tail = path.name[: place.start()], path.name[place.end() :]
    name = re.compile(re.escape(head) + rf"(\d{{{digits},}})" + re.escape(tail) + "$")
    found: dict[int, Path] = {}
    for file in path.parent.iterdir() if path.parent.is_dir() else ():
        if (m := name.match(file.name)) and (len(m[1]) == digits or not m[1].startswith("0")):
            found[int(m[1])] = file
    return _whole(path, found)


def _in_folder(folder: Path) -> Sequence:
    groups: dict[tuple[str, str], dict[int, Path]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in IMAGES and not file.name.startswith("."):
            m = _NUMBERED.match(file.name)
            key = (m[1], m[3]) if m else (file.name, "")
            groups.setdefault(key, {})[int(m[2]) if m else 0] = file
    if len(groups) > 1:
        names = ", ".join(sorted(f"{a}#{b}" if b else a for a, b in groups)[:4])
        raise FootageError(
            f"holds {len(groups)} sequences ({names})", file=folder, remedy="Name one of them, as name.%04d.exr"
        )
    return _whole(folder, next(iter(groups.values()), {}))


def _whole(path: Path, found: dict[int, Path]) -> Sequence:
    if not found:
        raise FootageError("has no image files", file=path, remedy="Check the path and the pattern, as name.%04d.exr")
    numbers = sorted(found)
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise FootageError(
            f"is missing from the sequence {numbers[0]}-{numbers[-1]}{more}",
            file=path,
            frame=missing[0],
            remedy="Render it again, or give a folder with an unbroken range",
        )
    return Sequence(path, tuple(found[n] for n in numbers), numbers[0])
