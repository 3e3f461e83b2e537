"""The cache: its folder and size, and the keys of what is kept in it, made of the content of footage, files and code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from nodes.errors import FaceplateError, FootageError, OutputError, writing
from nodes.files import whole_file
from nodes.footage.numbering import find_sequence

_LIMIT = "FACEPLATE_CACHE_LIMIT"
_USUAL = 2.0  # GB


def cache_folder() -> Path:
    """Return the cache's folder: FACEPLATE_CACHE, else the user's cache folder of this system."""
    override = os.environ.get("FACEPLATE_CACHE")
    return Path(override).expanduser() if override else user_cache_path("faceplate")


def limit() -> int:
    """Return the most bytes that it may hold: FACEPLATE_CACHE_LIMIT in GB, else 2 GB; raises FaceplateError for an invalid size."""
    text = os.environ.get(_LIMIT, "")
    try:
        gigabytes = float(text) if text else _USUAL
        if not 0 <= gigabytes < 1e9:
            raise ValueError
    except ValueError as e:
        raise FaceplateError(f"{_LIMIT}={text}: is no size", remedy="Write it in GB, as 2 or 0.5") from e
    return int(gigabytes * 1e9)


def kept() -> list[tuple[Path, int, float]]:
    """List the kept files, the latest used first: path, bytes, seconds since 1970 when it was last used."""
    files = []
    for file in cache_folder().glob("*/*"):
        with suppress(OSError):
            if file.is_file():
                status = file.stat()
                files.append((file, status.st_size, status.st_mtime))
    return sorted(files, key=lambda item: -item[2])


def keep_within(most: int) -> int:
    """Drop the least recently used files until at most `most` bytes are left; returns the bytes freed."""
    total = freed = 0
    for file, size, _ in kept():
        total += size
        if total > most:
            with suppress(OSError):
                file.unlink(missing_ok=True)
                freed += size
    return freed


def clear() -> int:
    """Drop everything; returns the bytes freed. Raises OutputError."""
    freed = sum(size for _, size, _ in kept())
    folder = cache_folder()
    with writing(folder):
        for part in folder.iterdir() if folder.is_dir() else ():
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
    return freed


_BLOCK = 1 << 20
_SETTLED = 2.0  # seconds after a change in which another could have the same time stamp


def digest_footage(path: Path | str) -> str:
    """Digest the content of a movie or an image sequence, regardless of its path and time of change; SHA-256, hex.

    Of a sequence the names of its files count too. Digests are kept in the cache, by each file's path, size, inode and times of
    change. Raises FootageError.
    """
    path = Path(path)
    sequence = find_sequence(path)
    return _digest((path,), b"") if sequence is None else _digest(sequence.files, b"sequence")


def digest_file(path: Path) -> str:
    """Digest one file, as :func:`digest_footage` does a movie."""
    return _digest((path,), b"")


@cache
def digest_code(*packages: str) -> str:
    """Digest the Python sources of packages, so that results of another version of the code are not reused."""
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(str(import_module(package).__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def key_of(**parts: Any) -> str:
    """Make a key of anything that JSON can hold; hex, 40 digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _digest(files: Sequence[Path], head: bytes) -> str:
    states = [(str(file.absolute()), *_state(file)) for file in files]
    kept = cache_folder() / "digests" / key_of(files=states, head=head.decode())
    with suppress(OSError):
        if len(text := kept.read_text("ascii")) == 64:
            return text
    digest = hashlib.sha256(head)
    for file in files:
        if head:
            digest.update(f"{file.name}\0".encode())
        for part in _parts(file):
            digest.update(part)
    if time.time() - max(changed for *_, changed in states) / 1e9 > _SETTLED:
        with suppress(OutputError), whole_file(kept, sync=False) as temporary:
            temporary.write_text(digest.hexdigest(), "ascii")
    return digest.hexdigest()


def _state(file: Path) -> tuple[int, int, int, int]:
    """Return size, inode, and the times in nanoseconds of its last write and last change; no tool can set back the latter."""
    with _reading(file):
        status = file.stat()
    return status.st_size, status.st_ino, status.st_mtime_ns, max(status.st_ctime_ns, status.st_mtime_ns)


def _parts(file: Path) -> Iterator[bytes]:
    with _reading(file):
        yield f"{file.stat().st_size}\0".encode()
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                yield block


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise FootageError(
            f"cannot be read ({e.strerror or e})", file=file, remedy="Check the path and its permissions"
        ) from e
