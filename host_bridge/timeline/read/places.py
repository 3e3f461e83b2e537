"""Media of an edit: the places in its document, the files they refer to, and the headers of these."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from nodes.errors import FaceplateError, SchemaError
from nodes.footage.formats import IMAGES
from nodes.footage.numbering import find_sequence, has_place
from nodes.footage.probe import labels_in, open_container, probe, video_stream
from nodes.footage.rates import is_drop, number_of, snap_rate

_LISTED = 100_000  # most files to search for media
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\]|$)")
_DRIVE_IN_ADDRESS = re.compile(r"/+([A-Za-z])(?::|\||%3A)(?=/|$)", re.IGNORECASE)
_PLACE = re.compile(r"(%0\dd)")
_RANGE = re.compile(r"\[(\d+)-(\d+)\]")
_NUMBER = re.compile(r"(%0?\d*d|#+|\d+)(?=\.[^.]+$)")


# --- places in a document ---


def plain_paths(url: str) -> list[str]:
    r"""Return the possible paths of a place, the likeliest first, with `/` between folders; none for web addresses.

    `C:\a\b.mov` becomes `C:/a/b.mov`, a server's share `//server/share/b.mov`. A bare path is taken as it is, then with its
    percent codes decoded; an address decoded, then as it is, since some writers do not encode. An image
    named name.[0001-0100].exr is a sequence, as Resolve writes it, or a file of that name.
    """
    if not url or "\0" in url:
        return []
    if url[:5].lower() == "file:":
        raw = _path_of_address(url[5:])
        paths = [_decoded(raw), raw]
    elif _SCHEME.match(url) and not _DRIVE.match(url):
        return []
    else:
        raw = url.replace("\\", "/") if is_windows(url) or "/" not in url else url
        paths = [raw, _decoded(raw)]
    paths = [path for path in paths if path and "\0" not in path]
    return list(dict.fromkeys((*map(_as_pattern, paths), *paths)))


def is_windows(path: str) -> bool:
    """Tell whether a path is absolute on Windows: with a drive, or on a server."""
    return bool(_DRIVE.match(path)) or path.startswith(("\\\\", "//"))


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute on any system."""
    return path.startswith("/") or is_windows(path)


def _decoded(path: str) -> str:
    """Decode percent codes, but keep the `%04d` of a sequence."""
    parts = _PLACE.split(path)
    return "".join(p if _PLACE.fullmatch(p) else unquote(p, errors="surrogateescape") for p in parts)


def _path_of_address(rest: str) -> str:
    """Return the path of a `file:` address. rest: the part after the colon."""
    rest = rest.replace("\\", "/")
    if rest.startswith("//"):
        host, _, path = rest[2:].partition("/")
        if _DRIVE.match(host) or host in (".", ".."):
            return f"{host}/{path}"
        if host.lower() not in ("", "localhost", "127.0.0.1"):
            return f"//{host}/{path}"
        rest = f"/{path}"
    drive = _DRIVE_IN_ADDRESS.match(rest)
    return f"{drive[1]}:{rest[drive.end() :]}" if drive else rest


def _as_pattern(path: str) -> str:
    """Turn `name.[0001-0100].exr`, Resolve's name of a sequence, into a pattern."""
    folder, slash, name = path.rpartition("/")
    if PurePosixPath(name).suffix.lower() not in IMAGES:
        return path
    return folder + slash + _RANGE.sub(lambda m: f"%0{len(m[1])}d", name, count=1)


# --- where the files are ---


@dataclass(frozen=True, slots=True)
class MediaRoot:
    """A folder that holds media now. before: former prefix of their paths; None to find them by name."""

    folder: Path
    before: str | None = None


def media_root(text: str) -> MediaRoot:
    r"""Read `FROM=TO`, such as `D:\footage=/mnt/footage`, or a folder alone; raises FaceplateError when it is missing."""
    before, equals, after = text.partition("=")
    if not equals or Path(text).expanduser().is_dir():
        before, after = "", text
    folder = Path(after).expanduser().absolute()
    if not folder.is_dir():
        raise FaceplateError("is no folder", file=folder, remedy="--media-root is FROM=TO, or a folder to search")
    return MediaRoot(folder, before.strip() or None)


@dataclass
class Places:
    """Finder of an edit's media. folder: of the document. inside: all media must lie in it, as in a bundle."""

    folder: Path
    roots: tuple[MediaRoot, ...] = ()
    inside: bool = False
    _cache: dict[str, tuple[Path | None, str]] = field(default_factory=dict)

    def find(self, url: str, name: str = "") -> tuple[Path | None, str]:
        """Return the file, or the pattern of the sequence, and a note on it; None and the reason when it is missing.

        name: of the media, for a document without a place. Raises SchemaError for a path that leads out of a bundle.
        """
        key = url or f"\0{name}"
        if key not in self._cache:
            self._cache[key] = self._find(url, name)
        return self._cache[key]

    def _find(self, url: str, name: str) -> tuple[Path | None, str]:
        paths = plain_paths(url)
        if url and not paths:
            return None, "is no file"
        for path in sorted(paths, key=has_place):  # a file of that very name first
            for place in (*self._moved(path), *self._as_written(path)):
                if (file := on_disk(place)) is not None:
                    return file, ""
        by_name = [self._by_name(path) for path in paths or [name]]
        return next((answer for answer in by_name if answer[0] is not None), by_name[0])

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
            what = f"the bundle names a file outside itself: '{path[:120]}'"
            raise SchemaError(what, file=self.folder, remedy="Make it again")
        yield place

    def _by_name(self, path: str) -> tuple[Path | None, str]:
        """Find the file of that name with the most similar folders; None if two are equally similar."""
        *folders, name = re.split(r"[/\\]", path.rstrip("/\\"))
        files = self._index.get(_any_number(name) if has_place(name) else _plain(name)) if name else None
        if not files:
            return None, "is missing"
        tail = [part.lower() for part in reversed(folders)]
        scores = [_common_prefix(tail, [part.lower() for part in file.parts[-2::-1]]) for file in files]
        best = [file for file, count in zip(files, scores, strict=True) if count == max(scores)]
        if len(best) > 1:
            return None, f"is missing, and {len(best)} files are called {name}: {best[0]}, {best[1]}"
        return best[0], f"found by name: {best[0]}"

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """Candidate files by name; a sequence appears once, as its pattern."""
        files_of: dict[str, list[str]] = {}
        left = _LISTED
        for root in self.roots:
            for folder, folders, files in os.walk(root.folder):
                folders.sort()
                left -= len(files)
                if left < 0:
                    break
                files_of[folder] = files
        for folder, _, files in islice(os.walk(self.folder), 1):
            files_of.setdefault(folder, files[:_LISTED])
        index: dict[str, list[Path]] = defaultdict(list)
        for folder, files in files_of.items():
            patterns: dict[str, Path] = {}
            for name in sorted(files):
                index[_plain(name)].append(Path(folder, name))
                number = _NUMBER.search(name)
                if number and Path(name).suffix.lower() in IMAGES:
                    pattern = f"{name[: number.start()]}%0{len(number[0])}d{name[number.end() :]}"
                    patterns.setdefault(_any_number(name), Path(folder, pattern))
            for key, path in patterns.items():
                index[key].append(path)
        return index


def on_disk(path: Path) -> Path | None:
    """Return an existing file or pattern, spelt as on disk; None for missing files and invalid names.

    Accented letters are one character or two (NFC, NFD), depending on the system; both spell the same name.
    """
    try:
        if path.is_file():
            return path
        folder = _folder_on_disk(path.parent)
        normalised = _any_number if has_place(path.name) else _composed
        names = (entry.name for entry in folder.iterdir()) if folder else ()
        spelt = next((name for name in names if normalised(name) == normalised(path.name)), None)
        if folder is None or spelt is None or not has_place(path.name):
            return folder / spelt if folder and spelt else None
        place, number = _NUMBER.search(path.name), _NUMBER.search(spelt)
        return folder / f"{spelt[: number.start()]}{place[0]}{spelt[number.end() :]}" if place and number else None
    except (OSError, ValueError):
        return None


def _folder_on_disk(path: Path) -> Path | None:
    if path.is_dir():
        return path
    above = _folder_on_disk(path.parent) if path != path.parent else None
    if above is None:
        return None
    return next((entry for entry in above.iterdir() if _composed(entry.name) == _composed(path.name)), None)


def _any_number(name: str) -> str:
    return _NUMBER.sub("#", _plain(name))


def _plain(name: str) -> str:
    """Return a name for comparison, without regard to case and to the composition of accented letters."""
    return _composed(name).lower()


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _common_prefix(a: list[str], b: list[str]) -> int:
    """Count the elements that two lists have in common at their beginning."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))))


# --- headers of media files ---


@dataclass(frozen=True, slots=True)
class Header:
    """The rate, length and timecode of a media file. rate: None if not stored. start: timecode in frames. drop: drop-frame timecode."""

    rate: Fraction | None
    frames: int
    start: int | None
    still: bool = False
    drop: bool = False


def read_header(path: Path) -> Header:
    """Read the header of a file, or count the files of a pattern, without decoding; raises FootageError."""
    sequence = find_sequence(path)
    if sequence is not None:
        return Header(None, len(sequence.files), sequence.first)
    stat = path.stat() if path.exists() else None
    return _read_header(path, (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else ())


@lru_cache(maxsize=4096)
def _read_header(path: Path, _state: tuple[int, ...]) -> Header:
    if path.suffix.lower() in IMAGES:
        return Header(None, 1, None, still=True)
    with open_container(path) as container:
        stream = video_stream(container, path)
        declared = stream.average_rate or stream.guessed_rate or stream.base_rate
        labels = list(labels_in(container))
        frames = stream.frames
    if not frames or not declared:  # the container does not count them
        info, _ = probe(path)
        frames, declared = info.frames, info.rate
    rate = snap_rate(declared)
    for label in labels:
        with suppress(ValueError):  # not a timecode at this rate
            return Header(rate, frames, number_of(label, rate), drop=is_drop(label))
    return Header(rate, frames, None)


def begin_of(used: Fraction, start: Fraction, frames: Fraction, day: Fraction | int) -> Fraction:
    """Return a begin of media that puts the frame `used` inside them: their timecode, one day off it, or 0.

    start: their timecode. frames: their number. day: frames of a day of timecode.
    """
    return next((s for s in (start, start - day, start + day, Fraction(0)) if s <= used < s + frames), start)
