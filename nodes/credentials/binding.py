"""Binding of a manifest to the files beside it: their SHA-256, of a sequence a list of all frames, and the manifest's path.

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
from nodes.footage.formats import EMBEDS

SIDECAR = ".c2pa"
P = TypeVar("P", bound=PurePath)
_NUMBERED = re.compile(r"(.*?)(\d+)((?:\.[^.\d]+)*\.[^.]+)")  # name.1001.exr, 1001.patch.png
_THREADS = min(8, os.cpu_count() or 1)


def sha256(path: Path) -> str:
    """Hash a whole file with SHA-256, hex; raises FootageError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        what = f"cannot be read ({e.strerror or e})"
        raise FootageError(what, file=path, remedy="Check the path and its permissions") from e


def hash_files(files: Sequence[Path], report: Callable[[int], None] = lambda done: None) -> dict[str, str]:
    """Hash files in several threads; returns names and hashes in their order. report: is given how many are done. Raises FootageError."""
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (file, digest) in enumerate(zip(files, pool.map(sha256, files), strict=True), 1):
            hashes[file.name] = digest
            report(done)
    return hashes


def listing(hashes: Mapping[str, str]) -> bytes:
    """Return the list that is bound."""
    return "".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode()


def sidecars(result: P | Sequence[P]) -> tuple[P, P]:
    """Return both possible paths of the manifest of a file, or of a sequence: its own, and the one where C2PA tools look.

    `name.mkv.c2pa` and `name.c2pa`; `composite.exr.c2pa` and `composite.c2pa` for `composite.0001.exr`.
    """
    if isinstance(result, PurePath):
        return result.with_name(result.name + SIDECAR), result.with_suffix(SIDECAR)
    frame = result[0]
    head, tail = around_number(frame.name) or (frame.stem, frame.suffix)
    head = head.rstrip("._- ") or frame.parent.name or "frames"
    return frame.with_name(head + tail + SIDECAR), frame.with_name(head + SIDECAR)


def sidecar_for(result: Path | Sequence[Path]) -> Path:
    """Choose the path of a manifest: where C2PA tools look, unless another movie or sequence of the name would use it too."""
    exact, usual = sidecars(result)
    own, kind = (
        ({result.name}, None) if isinstance(result, Path) else ({f.name for f in result}, around_number(result[0].name))
    )

    def is_other(file: Path) -> bool:
        parts = around_number(file.name)
        sequence = parts is not None and parts[0].rstrip("._- ").casefold() == usual.stem.casefold() and parts != kind
        alone = file.stem.casefold() == usual.stem.casefold() and file.suffix.lower() not in (*EMBEDS, SIDECAR)
        return file.name not in own and (sequence or alone) and file.suffix != SIDECAR and file.is_file()

    beside = usual.parent.iterdir() if usual.parent.is_dir() else ()
    return exact if exact.exists() or any(map(is_other, beside)) else usual


def around_number(name: str) -> tuple[str, str] | None:
    """Split a frame's name around its number into two parts, the same for all of a sequence; None without a number."""
    match = _NUMBERED.fullmatch(name)
    return None if match is None else (match[1], match[3])
