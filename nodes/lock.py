"""One process at a time: a lock beside what is written, which names the process that holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nodes.errors import OutputError, writing


@contextmanager
def only_one(lock: Path, work: str, out: Path) -> Iterator[None]:
    """Hold the file `lock` within the block; the system lifts it when the process ends, however it does. No trace of it stays.

    work: what must not happen twice at once in `out`, as "training". Raises OutputError, which names the process that holds the lock.
    """
    owner = lock.with_suffix(".pid")
    made = [folder for folder in lock.parents if not folder.exists()]
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
        with suppress(OSError):  # not empty: there are results
            for folder in made:
                folder.rmdir()
