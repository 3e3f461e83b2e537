"""One training a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nodes.errors import OutputError, writing


@contextmanager
def only_training(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder, which is made; the system lifts the lock when the process ends, however it does.

    Raises OutputError, which names the process, when there is one already.
    """
    owner = folder / ".training.pid"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".training.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as e:
            pid = owner.read_text("utf-8").strip() if owner.exists() else "unknown"
            raise OutputError(
                f"another training runs in this folder (process {pid})",
                file=folder,
                remedy="Wait for it, stop it, or choose another folder with --out",
            ) from e
    try:
        with writing(owner):
            owner.write_text(f"{os.getpid()}\n", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
