"""Size and time of the files that a job reads and has written: whether two requests are the same, and whether a result still holds."""

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
    """A key that is equal for two requests of one kind as long as nothing that they read has changed.

    Digests of hours of footage would take too long: files count by path, size and modification time, those of a folder one level down too.
    The state of the consents counts as well.
    """
    from nodes.consent.gate import consents_key

    read = {str(path): _stamps(path, depth=2) for path in sorted(request.reads())}
    consents = consents_key(*request.writes(), *request.reads())
    parts = [version("faceplate"), kind, request.model_dump(mode="json"), read, consents]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stamps(paths: Iterable[Path]) -> dict[str, Any]:
    """Size and time of each file now, to compare with later; of a folder, those at its top level."""
    return {str(path): _stamps(path, depth=1) for path in paths}


def untouched(outputs: dict[str, Any]) -> bool:
    """Whether all files are as :func:`stamps` saw them."""
    return all(seen is not None and _stamps(Path(path), depth=1) == seen for path, seen in outputs.items())


def _stamps(path: Path, depth: int) -> Any:
    """[size, mtime_ns] of a file, {name: ...} of a folder or of a sequence's files, null of what is not there."""
    path = path.expanduser()
    if path.is_dir():
        return _below(path, *("*", "*/*")[:depth])
    if (stamp := _stamp(path)) or not _PATTERN.search(path.name):
        return stamp
    return _below(path.parent, f"*{escape(path.suffix)}") or None


def _below(folder: Path, *patterns: str) -> dict[str, list[int]]:
    """The files that match; neither hidden ones, which are temporary or the system's, nor folders."""
    names = (name for pattern in patterns for name in iglob(pattern, root_dir=folder))  # noqa: PTH207, that yields hidden ones
    stamped = ((name, _stamp(folder / name)) for name in islice(names, MOST_FILES))
    return {name: stamp for name, stamp in stamped if stamp}


def _stamp(file: Path) -> list[int] | None:
    with suppress(OSError):
        info = file.stat()
        return None if stat.S_ISDIR(info.st_mode) else [info.st_size, info.st_mtime_ns]
    return None
