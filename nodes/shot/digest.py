"""What makes two inputs the same: digests of footage, files and code, for the keys under which results are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from nodes.errors import FootageError
from nodes.footage.numbering import find_sequence

_WHOLE = 64 << 20  # files up to this size are read whole
_EDGE = 1 << 20
_IMAGE_EDGE = 1 << 16
_PROBES = 64


def digest_footage(path: Path | str) -> str:
    """Digest a movie or an image sequence by what it holds, whatever its name, place and time of change; SHA-256, hex.

    Movies up to 64 MB are read whole; of larger ones the first and the last megabyte and 64 places in between are, with the
    size. Of a sequence each file's number-bearing name, size, head and tail count. Raises FootageError.
    """
    path = Path(path)
    sequence = find_sequence(path)
    if sequence is None:
        return digest_file(path)
    found = hashlib.sha256(b"sequence")
    for file in sequence.files:
        found.update(f"{file.name}\0".encode())
        for part in _parts(file, _IMAGE_EDGE, 2 * _IMAGE_EDGE, 0):
            found.update(part)
    return found.hexdigest()


def digest_file(path: Path) -> str:
    """Digest one file, as :func:`digest_footage` does a movie."""
    found = hashlib.sha256()
    for part in _parts(path, _EDGE, _WHOLE, _PROBES):
        found.update(part)
    return found.hexdigest()


@cache
def digest_code(*packages: str) -> str:
    """Digest the Python sources of packages: results that another version of the code computed are not ours."""
    found = hashlib.sha256()
    for package in packages:
        folder = Path(str(import_module(package).__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            found.update(f"{file.relative_to(folder).as_posix()}\0".encode() + file.read_bytes())
    return found.hexdigest()


def key_of(**parts: Any) -> str:
    """Make a key of anything that JSON can hold; hex, 40 digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _parts(path: Path, edge: int, whole: int, probes: int) -> Iterator[bytes]:
    try:
        size = path.stat().st_size
        yield f"{size}\0".encode()
        with path.open("rb") as file:
            if size <= whole:
                while block := file.read(_EDGE):
                    yield block
                return
            for place in (0, *(size * (i + 1) // (probes + 1) for i in range(probes)), size - edge):
                file.seek(place)
                yield file.read(edge if place in (0, size - edge) else _IMAGE_EDGE)
    except OSError as e:
        raise FootageError(
            f"cannot be read ({e.strerror or e})", file=path, remedy="Check the path and its permissions"
        ) from e
