"""Who owns the state folder, and where that engine is found: a lock, and the file `engine.json`."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from host_bridge.client import Address, read_address, running
from nodes.errors import FaceplateError, writing


class AlreadyRunning(FaceplateError):
    """Another engine owns this state folder."""


def prepare(folder: Path) -> None:
    """Make the state folder, for its owner alone; raises OutputError."""
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


@contextmanager
def owned(folder: Path, seconds: float = 20.0) -> Iterator[None]:
    """Own the queue in `folder`; the lock goes with the process, however it ends.

    Raises AlreadyRunning at once if an engine answers there, and after `seconds` if one is about to start or to end.
    """
    lock = FileLock(folder / "engine.lock")
    end = time.monotonic() + seconds
    while True:
        with writing(folder / "engine.lock"):
            try:
                lock.acquire(timeout=0.1)
                break
            except Timeout:
                pass
        if running(folder) or time.monotonic() >= end:
            raise AlreadyRunning("an engine runs already", file=folder)
    try:
        yield
    finally:
        lock.release()


def publish(folder: Path, address: Address) -> None:
    """Write `engine.json`, whole or not at all, readable by its owner alone from the first byte on; raises OutputError."""
    path = folder / "engine.json"
    temporary = folder / f".engine.{os.getpid()}-{secrets.token_hex(4)}.part"
    with writing(path):
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                if os.name == "nt":
                    _only_mine(temporary)
                file.write(json.dumps(address.as_json()).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def withdraw(folder: Path, address: Address) -> None:
    """Delete `engine.json` if it is still this engine's."""
    if read_address(folder) == address:
        with suppress(OSError):
            (folder / "engine.json").unlink()


def _only_mine(path: Path) -> None:
    """Windows: replace the inherited access list by one that names the user."""
    grant = ["icacls", str(path), "/inheritance:r", "/grant:r", f"{getpass.getuser()}:F"]
    subprocess.run(grant, check=True, capture_output=True)
