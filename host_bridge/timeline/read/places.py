"""Find the files that an edit names: where it says, where they were moved to, or by their names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from host_bridge.timeline.read import limits
from host_bridge.timeline.read.urls import is_absolute, is_windows, name_of, plain_paths
from nodes.errors import FaceplateError, SchemaError
from nodes.footage.formats import IMAGES
from nodes.footage.numbering import has_place

_NUMBER = re.compile(r"(%0?\d*d|#+|\d+)(?=\.[^.]+$)")


@dataclass(frozen=True, slots=True)
class MediaRoot:
    """A folder in which media are now. before: what their paths began with; None: they are found in it by name."""

    folder: Path
    before: str | None = None


def media_root(text: str) -> MediaRoot:
    r"""Read `FROM=TO`, such as `D:\footage=/mnt/footage`, or a folder alone; raises FaceplateError when it is not there."""
    before, equals, after = text.partition("=")
    if not equals or Path(text).expanduser().is_dir():
        before, after = "", text
    folder = Path(after).expanduser().absolute()
    if not folder.is_dir():
        raise FaceplateError("is no folder", file=folder, remedy="--media-root is FROM=TO, or a folder to search")
    return MediaRoot(folder, before.strip() or None)


@dataclass
class Places:
    """Where the media of an edit may be. folder: of the document. inside: nothing may lie outside it, as in a bundle."""

    folder: Path
    roots: tuple[MediaRoot, ...] = ()
    inside: bool = False
    _found: dict[str, tuple[Path | None, str]] = field(default_factory=dict)

    def find(self, url: str, name: str = "") -> tuple[Path | None, str]:
        """Return the file, or the pattern of the sequence, and what is to be said of it; None and why when there is none.

        name: what it is called where the document says no place. Raises SchemaError for a path that climbs out of a bundle.
        """
        key = url or f"\0{name}"
        if key not in self._found:
            self._found[key] = self._find(url, name)
        return self._found[key]

    def _find(self, url: str, name: str) -> tuple[Path | None, str]:
        paths = plain_paths(url)
        if url and not paths:
            return None, "is no file"
        for path in sorted(paths, key=has_place):  # a file of that very name first
            for place in (*self._moved(path), *self._as_written(path)):
                if (found := on_disk(place)) is not None:
                    return found, ""
        named = [self._by_name(path) for path in paths or [name]]
        return next((found for found in named if found[0] is not None), named[0])

    def _moved(self, path: str) -> Iterator[Path]:
        for root in self.roots:
            if root.before is None:
                continue
            before = (plain_paths(root.before) or [root.before])[0].rstrip("/") + "/"
            same = path.lower().startswith(before.lower()) if is_windows(path) else path.startswith(before)
            if same and ".." not in (rest := PurePosixPath(path[len(before) :])).parts:
                yield root.folder / rest

    def _as_written(self, path: str) -> Iterator[Path]:
        if is_absolute(path):
            if os.name == "nt" or path.startswith("/"):
                yield Path(path)
            return
        place = self.folder / path
        if self.inside and not place.resolve().is_relative_to(self.folder.resolve()):
            raise SchemaError(
                f"the bundle names a file outside itself: '{path[:120]}'", file=self.folder, remedy="Make it again"
            )
        yield place

    def _by_name(self, path: str) -> tuple[Path | None, str]:
        name = name_of(path)
        found = self._index.get(_any_number(name) if has_place(name) else _plain(name), []) if name else []
        tail = [part.lower() for part in PurePosixPath(path).parts[-2::-1]]
        close = [_shared(tail, [part.lower() for part in place.parts[-2::-1]]) for place in found]
        best = [place for place, n in zip(found, close, strict=True) if n == max(close)]
        if len(best) > 1:
            return None, f"is missing, and {len(best)} files are called {name}: {best[0]}, {best[1]}"
        if not best:
            return None, "is missing"
        return best[0], f"found by name: {best[0]}"

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """The files that may be meant, by name; a sequence is there once, as its pattern."""
        index: dict[str, list[Path]] = {}
        left = limits.LISTED
        for root in dict.fromkeys(r.folder for r in self.roots):
            for folder, folders, files in os.walk(root):
                folders.sort()
                left -= len(files)
                if left < 0:
                    break
                _add(index, Path(folder), files)
        known = {place for places in index.values() for place in places}
        beside: dict[str, list[Path]] = {}
        if not self.folder.is_dir():  # a bundle without media is not unpacked
            return index
        with os.scandir(self.folder) as entries:
            _add(
                beside,
                self.folder,
                [e.name for e, _ in zip(entries, range(limits.LISTED), strict=False) if e.is_file()],
            )
        for key, places in beside.items():
            index.setdefault(key, []).extend(p for p in places if p not in known)
        return index


def on_disk(path: Path) -> Path | None:
    """Return the file, or the pattern whose files are there, as the disk spells it; None for what is not there, or what no system can name.

    Letters with accents are one character or two (NFC, NFD), by the system that wrote the name: both are the same name.
    """
    try:
        if path.is_file():
            return path
        folder = _folder(path.parent)
        alike = _any_number if has_place(path.name) else _composed
        names = (entry.name for entry in folder.iterdir()) if folder else ()
        spelt = next((n for n in names if alike(n) == alike(path.name)), None)
        if folder is None or spelt is None or not has_place(path.name):
            return folder / spelt if folder and spelt else None
        place, number = _NUMBER.search(path.name), _NUMBER.search(spelt)
        return folder / f"{spelt[: number.start()]}{place[0]}{spelt[number.end() :]}" if place and number else None
    except (OSError, ValueError):
        return None


def _folder(path: Path) -> Path | None:
    """A folder as the disk spells it."""
    if path.is_dir():
        return path
    above = _folder(path.parent) if path != path.parent else None
    if above is None:
        return None
    return next((e for e in above.iterdir() if _composed(e.name) == _composed(path.name)), None)


def _add(index: dict[str, list[Path]], folder: Path, files: list[str]) -> None:
    patterns: dict[str, Path] = {}
    for name in sorted(files):
        index.setdefault(_plain(name), []).append(folder / name)
        number = _NUMBER.search(name)
        if number and Path(name).suffix.lower() in IMAGES:
            pattern = folder / f"{name[: number.start()]}%0{len(number[0])}d{name[number.end() :]}"
            patterns.setdefault(_any_number(name), pattern)
    for key, pattern in patterns.items():
        index.setdefault(key, []).append(pattern)


def _any_number(name: str) -> str:
    return _NUMBER.sub("#", _plain(name))


def _plain(name: str) -> str:
    """A name to compare by: upper and lower case, and letters with accents of one character or two, are the same."""
    return _composed(name).lower()


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _shared(a: list[str], b: list[str]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
