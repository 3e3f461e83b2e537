"""File stamps: size and time of a job's inputs and outputs, to compare requests and validate results."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from glob import escape, iglob
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from host_bridge.jobs import Request

MOST_FILES = 10_000
_PATTERN = re.compile(r"%0?\d*d|#+")


def content_key(kind: str, request: Request) -> str:
    """Compute a key that is equal for two requests of one kind while their inputs have not changed.

    Digests of hours of footage would take too long: files count by path, size and modification time, those of a folder one level down too.
    The state of the consents counts as well.
    """
    from nodes.consent.gate import consents_key

    read = {str(path): _stamps(path, depth=2) for path in sorted(request.reads())}
    consents = consents_key(*request.writes(), *request.reads())
    parts = [version("faceplate"), kind, request.model_dump(mode="json"), read, consents]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stamps(paths: Iterable[Path]) -> dict[str, Any]:
    """Record size and time of each file, to compare later; of a folder, those at its top level."""
    return {str(path): _stamps(path, depth=1) for path in paths}


def untouched(outputs: dict[str, Any]) -> bool:
    """Return True if all files have their stamps of :func:`stamps`."""
    return all(stamp is not None and _stamps(Path(path), depth=1) == stamp for path, stamp in outputs.items())


def _stamps(path: Path, depth: int) -> Any:
    """Return [size, mtime_ns] of a file, {name: ...} of a folder or of a sequence's files, null of a missing file."""
    path = path.expanduser()
    if path.is_dir():
        return _below(path, *("*", "*/*")[:depth])
    if (stamp := _stamp(path)) or not _PATTERN.search(path.name):
        return stamp
    return _below(path.parent, f"*{escape(path.suffix)}") or None


def _below(folder: Path, *patterns: str) -> dict[str, list[int]]:
    """Stamp the matching files, without folders and hidden files, which are temporary or the system's."""
    names = (name for pattern in patterns for name in iglob(pattern, root_dir=folder))  # noqa: PTH207, that yields hidden ones
    pairs = ((name, _stamp(folder / name)) for name in islice(names, MOST_FILES))
    return {name: stamp for name, stamp in pairs if stamp}


def _stamp(file: Path) -> list[int] | None:
    with suppress(OSError):
        info = file.stat()
        return None if stat.S_ISDIR(info.st_mode) else [info.st_size, info.st_mtime_ns]
    return None
