"""Files that appear whole or not at all, locks for one process at a time, and documents with a schema."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nodes.errors import OutputError, SchemaError, writing

M = TypeVar("M", bound=BaseModel)
_count = itertools.count()


def beside(path: Path) -> Path:
    """Name a temporary file beside `path`, hidden, of the same kind; makes its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as e:
        raise NotADirectoryError(errno.ENOTDIR, "a file stands there", str(path.parent)) from e
    return path.with_name(f".{path.stem}.{os.getpid()}-{next(_count)}.part{path.suffix}")


@contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield the name of a temporary file that becomes `path` when the block ends, and is deleted when it fails.

    sync: flush the bytes to disk before the file takes its name. Raises OutputError for what the operating system refuses.
    """
    with writing(path):
        temporary = beside(path)
        try:
            yield temporary
            if sync:
                flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file's bytes to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def only_one(lock: Path, work: str, out: Path) -> Iterator[None]:
    """Hold the file `lock` within the block; the system releases it when the process ends in any way. It leaves no trace.

    work: the exclusive work in `out`, as "training". Raises OutputError, which names the process that holds the lock.
    """
    from filelock import FileLock, Timeout

    owner = lock.with_suffix(".pid")
    new_folders = [folder for folder in lock.parents if not folder.exists()]
    held = FileLock(lock)
    with writing(out):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except Timeout as e:
            pid = owner.read_text("utf-8").strip() if owner.exists() else "unknown"
            raise OutputError(
                f"another {work} is at work in this folder (process {pid})",
                file=out,
                remedy="Wait for it, stop it, or choose another folder with --out",
            ) from e
    try:
        with writing(out):
            owner.write_text(f"{os.getpid()}\n", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps an open file
            lock.unlink(missing_ok=True)
        held.release()
        with suppress(OSError):  # not empty: it has results
            for folder in new_folders:
                folder.rmdir()


def load_document(path: Path, model: type[M], schema: str, remedy: str) -> M:
    """Read a JSON document as a model; raises SchemaError when it is missing, damaged, of another kind, or newer than `schema`."""
    try:
        document = json.loads(path.read_bytes())
        schema_found = document["schema"]
    except (FileNotFoundError, NotADirectoryError) as e:
        raise SchemaError("does not exist", file=path, remedy=remedy) from e
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=path, remedy=remedy) from e
    check_schema(schema_found, schema, path)
    try:
        return model.model_validate(document)
    except ValidationError as e:
        fault = e.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        what = f"is damaged, or no document of Faceplate ({where}: {fault['msg']})" if where else "is damaged"
        raise SchemaError(what, file=path, remedy=remedy) from e


def check_schema(schema: object, known: str, file: Path | str) -> int:
    """Return the version of a document whose schema is such as `faceplate.shot/1`; `known` is our newest.

    Raises SchemaError when it is another kind of document, or was written by a newer Faceplate.
    """
    name, _, newest = known.rpartition("/")
    kind, _, version = str(schema).rpartition("/")
    if kind != name or not version.isdecimal():
        raise SchemaError(
            f"is no '{name}' document but '{schema}'", file=file, remedy="Choose another file, or make this one again"
        )
    if int(version) > int(newest):
        raise SchemaError(
            f"was written by a newer Faceplate ({schema}; this one knows up to {known})",
            file=file,
            remedy="Update Faceplate",
        )
    return int(version)
