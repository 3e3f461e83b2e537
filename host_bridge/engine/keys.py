"""Size and time of the files that a job reads and has written: whether two requests are the same, and whether a result still holds."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
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
    try:
        info = path.stat()
        if not path.is_dir():
            return [info.st_size, info.st_mtime_ns]
        return dict(islice(_below(path, depth, ""), MOST_FILES))
    except OSError:
        pass
    if not _PATTERN.search(path.name):
        return None
    try:
        return dict(islice(_below(path.parent, 1, path.suffix), MOST_FILES)) or None
    except OSError:
        return None


def _below(folder: Path, depth: int, suffix: str) -> Iterator[tuple[str, list[int]]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith("."):  # temporary files, and those of the system
                continue
            if entry.is_dir():
                if depth > 1:
                    yield from ((f"{entry.name}/{name}", seen) for name, seen in _below(Path(entry), depth - 1, suffix))
            elif entry.name.endswith(suffix):
                info = entry.stat()
                yield entry.name, [info.st_size, info.st_mtime_ns]
