"""What binds a manifest that lies beside its files to them: SHA-256 of the file, or of a list with the SHA-256 of each frame.

The list has the form of `sha256sum`: hash, two spaces, name, a line each. So the manifest of a sequence is an ordinary one, of that list,
and whoever has `sha256sum` and a C2PA reader, and not Faceplate, can check it: `sha256sum composite.*.exr > list`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nodes.errors import FootageError

FRAMES = "org.faceplate.frames"
_NUMBERED = re.compile(r"(.*?)(\d+)((?:\.[^.\d]+)*\.[^.]+)")  # name.1001.exr, 1001.patch.png
_THREADS = min(8, os.cpu_count() or 1)


def sha256(path: Path) -> str:
    """SHA-256 of a whole file, hex; raises FootageError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise FootageError(
            f"cannot be read ({e.strerror or e})", file=path, remedy="Check the path and its permissions"
        ) from e


def hash_files(files: Sequence[Path], told: Callable[[int], None] = lambda done: None) -> dict[str, str]:
    """Names and hashes of files, in their order, by several threads; told: how many are done. Raises FootageError."""
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (file, digest) in enumerate(zip(files, pool.map(sha256, files), strict=True), 1):
            found[file.name] = digest
            told(done)
    return found


def listing(hashes: Mapping[str, str]) -> bytes:
    """The list that is bound."""
    return "".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode()


def bound_to(digest: str, name: str) -> dict[str, Any]:
    """The assertion that binds to bytes of this SHA-256 (hex)."""
    data = {"name": name, "alg": "sha256", "hash": list(bytes.fromhex(digest)), "pad": []}
    return {"label": "c2pa.hash.data", "data": data}


def frames_of(hashes: Mapping[str, str]) -> dict[str, Any]:
    """The assertion that names each frame, so that it can be said which one was changed."""
    files = [{"name": name, "hash": digest} for name, digest in hashes.items()]
    return {"label": FRAMES, "data": {"alg": "sha256", "files": files}}


def sidecars(file: Path, suffix: str) -> tuple[Path, Path]:
    """Where the manifest of a file may lie: `name.mkv.c2pa`, which is its own, and `name.c2pa`, where C2PA tools look."""
    return file.with_name(file.name + suffix), file.with_suffix(suffix)


def sidecars_of_sequence(frame: Path, suffix: str) -> tuple[Path, Path]:
    """The same of a frame's sequence: `composite.exr.c2pa` and `composite.c2pa` for `composite.0001.exr`."""
    found = _NUMBERED.fullmatch(frame.name)
    head, tail = (_head(found), found[3]) if found else (frame.stem, frame.suffix)
    head = head or frame.parent.name or "frames"
    return frame.with_name(head + tail + suffix), frame.with_name(head + suffix)


def is_shared(usual: Path, files: Sequence[Path], carriers: Container[str]) -> bool:
    """Whether other files than `files` would have their manifest at `usual` too: another movie or sequence of the name.

    carriers: suffixes of files that carry their own.
    """
    base, own = usual.stem.casefold(), {file.name for file in files}
    tails = {found[3] for file in files if (found := _NUMBERED.fullmatch(file.name))}

    def is_other(file: Path) -> bool:
        numbered = _NUMBERED.fullmatch(file.name)
        sequence = numbered is not None and _head(numbered).casefold() == base and numbered[3] not in tails
        alone = file.stem.casefold() == base and file.suffix.lower() not in carriers
        return (sequence or alone) and file.suffix != usual.suffix and file.is_file()

    return any(is_other(file) for file in usual.parent.iterdir() if file.name not in own)


def _head(numbered: re.Match[str]) -> str:
    return numbered[1].rstrip("._- ")


def around_number(name: str) -> tuple[str, str] | None:
    """What stands before and behind the number of a frame's file, which is the same for all of a sequence; None without a number."""
    found = _NUMBERED.fullmatch(name)
    return None if found is None else (found[1], found[3])
