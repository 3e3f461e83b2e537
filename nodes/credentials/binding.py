"""SHA-256 of the files that a manifest beside them is bound to, of a sequence by a list of all frames; and where the manifest is.

The list has the form of `sha256sum`: hash, two spaces, name, a line each. So the manifest of a sequence is an ordinary one, of that list, and
`sha256sum` and a C2PA reader can check it without Faceplate.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import TypeVar

from nodes.errors import FootageError

SIDECAR = ".c2pa"
P = TypeVar("P", bound=PurePath)
_NUMBERED = re.compile(r"(.*?)(\d+)((?:\.[^.\d]+)*\.[^.]+)")  # name.1001.exr, 1001.patch.png
_THREADS = min(8, os.cpu_count() or 1)


def sha256(path: Path) -> str:
    """SHA-256 of a whole file, hex; raises FootageError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        what = f"cannot be read ({e.strerror or e})"
        raise FootageError(what, file=path, remedy="Check the path and its permissions") from e


def hash_files(files: Sequence[Path], told: Callable[[int], None] = lambda done: None) -> dict[str, str]:
    """Names and hashes of files, in their order, by several threads; told: how many are done. Raises FootageError."""
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (file, digest) in enumerate(zip(files, pool.map(sha256, files), strict=True), 1):
            hashes[file.name] = digest
            told(done)
    return hashes


def listing(hashes: Mapping[str, str]) -> bytes:
    """The list that is bound."""
    return "".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode()


def sidecar_of(made: P | Sequence[P]) -> P:
    """Where C2PA tools look for the manifest of a file, `name.c2pa`; of a sequence's frames, `composite.c2pa` for `composite.0001.exr`."""
    if isinstance(made, PurePath):
        return made.with_suffix(SIDECAR)
    head, _ = around_number(made[0].name) or (made[0].stem, "")
    return made[0].with_name((head.rstrip("._- ") or made[0].parent.name or "frames") + SIDECAR)


def sidecar_beside(made: Path | Sequence[Path]) -> Path | None:
    """The manifest that lies beside a file or a sequence; earlier Faceplates may have called it `name.mkv.c2pa`, `composite.exr.c2pa`."""
    file, place = made if isinstance(made, Path) else made[0], sidecar_of(made)
    tail = file.suffix if isinstance(made, Path) else (around_number(file.name) or ("", file.suffix))[1]
    return next((p for p in (place.with_name(f"{place.stem}{tail}{SIDECAR}"), place) if p.is_file()), None)


def around_number(name: str) -> tuple[str, str] | None:
    """The parts of a frame's name before and behind its number, the same for all of a sequence; None without a number."""
    match = _NUMBERED.fullmatch(name)
    return None if match is None else (match[1], match[3])
