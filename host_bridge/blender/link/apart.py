# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be cut into steps: a process of its own for pictures; a thread for the engine's start alone, since it can end Blender (see `steps`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from .steps import Steps

T = TypeVar("T")
_threads: set[threading.Thread] = set()


def in_thread(work: Callable[[], T], name: str) -> Steps[T]:
    """Do in a thread what cannot be cut into steps, and return what it does, or raise what it raises. It must not import anything."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as e:
            done.set_exception(e)

    thread = threading.Thread(target=run, name=f"faceplate {name}", daemon=True)
    _threads.add(thread)
    thread.start()
    while not done.done():
        yield
    thread.join()
    _threads.discard(thread)
    return done.result()


def in_process(arguments: Sequence[Any]) -> Steps[Any]:
    """Do a word of `pictures.__main__` in a process of its own, and return what came of it. Raises OSError."""
    quiet: dict[str, Any] = {}
    if sys.platform == "win32":
        quiet = {"creationflags": subprocess.CREATE_NO_WINDOW}
    own = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as wrong:
        child = subprocess.Popen(
            [sys.executable, "-m", "pictures", *map(str, arguments)],
            cwd=Path(__file__).parent.parent,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=wrong,
            **quiet,
        )
        try:
            while child.poll() is None:
                yield
        finally:
            child.kill()
            child.wait()
        if child.returncode:
            wrong.seek(0)
            lines = wrong.read().decode(errors="replace").splitlines()
            raise OSError(lines[-1] if lines else f"a process ended with status {child.returncode}")
        said.seek(0)
        return json.loads(said.read())


def join() -> None:
    """Wait for what is left of threads whose steps were forgotten."""
    for thread in _threads:
        thread.join(timeout=10)
    _threads.clear()
