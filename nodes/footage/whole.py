"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodes.errors import writing

_count = itertools.count()


def beside(path: Path) -> Path:
    """Name a temporary file beside `path`, hidden, of the same kind; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as e:
        raise NotADirectoryError(errno.ENOTDIR, "a file stands there", str(path.parent)) from e
    return path.with_name(f".{path.stem}.{os.getpid()}-{next(_count)}.part{path.suffix}")


@contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give the name of a temporary file that becomes `path` when the block ends, and is deleted when it fails.

    sync: see the bytes on disk before the file takes its name. Raises OutputError for what the operating system refuses.
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
    """See a file's bytes on disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
