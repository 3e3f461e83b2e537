"""What SQLite and the operating system say of the state folder, in words that help."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host_bridge.engine.queue.errors import Conflict
from nodes.errors import FaceplateError, OutputError, SchemaError

_ELSEWHERE = "choose another folder with FACEPLATE_STATE"


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into OutputError."""
    try:
        yield
    except OSError as e:
        full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        what = f"cannot be written: {(e.strerror or str(e)).lower()}"
        remedy = f"{'Free some space' if full else 'Make it writable'}, or {_ELSEWHERE}"
        raise OutputError(what, file=path, remedy=remedy) from e


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into OutputError, SchemaError or Conflict."""
    try:
        yield
    except sqlite3.ProgrammingError:  # ours
        raise
    except sqlite3.DatabaseError as e:
        raise _explain(e, path) from e


def _explain(error: sqlite3.DatabaseError, path: Path) -> FaceplateError:
    name = getattr(error, "sqlite_errorname", None) or ""
    match name.split("_")[1:2]:
        case ["FULL"]:
            return OutputError(
                "cannot be written: the disk is full", file=path, remedy=f"Free some space, or {_ELSEWHERE}"
            )
        case ["READONLY" | "PERM" | "CANTOPEN"]:
            what = "cannot be written: the folder is read-only or not yours"
            return OutputError(what, file=path, remedy=f"Make it writable, or {_ELSEWHERE}")
        case ["BUSY" | "LOCKED"]:
            remedy = "Use that one, or stop it with faceplate engine stop"
            return Conflict("belongs to an engine that runs already", file=path, remedy=remedy)
        case ["NOTADB" | "CORRUPT"]:
            return SchemaError("is damaged", file=path, remedy="Move it away: a new queue is then begun")
        case _:
            what = f"cannot be read or written: {error} ({name})"
            return OutputError(what, file=path, remedy=f"Check the disk, or {_ELSEWHERE}")
