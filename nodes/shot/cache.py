"""The folder where what was computed once is kept: how large it may grow, what is dropped first, and how it is emptied."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from nodes.errors import FaceplateError, writing

_LIMIT = "FACEPLATE_CACHE_LIMIT"
_USUAL = 2.0  # GB


def cache_folder() -> Path:
    """Where it is: FACEPLATE_CACHE, else the user's cache folder of this system."""
    override = os.environ.get("FACEPLATE_CACHE")
    return Path(override).expanduser() if override else user_cache_path("faceplate")


def limit() -> int:
    """How many bytes it may hold: FACEPLATE_CACHE_LIMIT in GB, else 2 GB; raises FaceplateError for what is no number."""
    told = os.environ.get(_LIMIT, "")
    try:
        found = float(told) if told else _USUAL
        if not 0 <= found < 1e9:
            raise ValueError
    except ValueError as e:
        raise FaceplateError(f"{_LIMIT}={told}: is no size", remedy="Write it in GB, as 2 or 0.5") from e
    return int(found * 1e9)


def kept() -> list[tuple[Path, int, float]]:
    """Every kept file, the latest used first: path, bytes, seconds since 1970 when it was last used."""
    found = []
    for file in cache_folder().glob("*/*"):
        with suppress(OSError):
            if file.is_file():
                told = file.stat()
                found.append((file, told.st_size, told.st_mtime))
    return sorted(found, key=lambda item: -item[2])


def keep_within(most: int) -> int:
    """Drop what was not used for longest until no more than `most` bytes are left; returns how many bytes went."""
    total = gone = 0
    for file, size, _ in kept():
        total += size
        if total > most:
            with suppress(OSError):
                file.unlink(missing_ok=True)
                gone += size
    return gone


def clear() -> int:
    """Drop everything; returns how many bytes went. Raises OutputError."""
    gone = sum(size for _, size, _ in kept())
    folder = cache_folder()
    with writing(folder):
        for part in folder.iterdir() if folder.is_dir() else ():
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
    return gone
