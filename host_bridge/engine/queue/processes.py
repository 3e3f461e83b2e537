"""Processes as the engine handles them: started in a session of their own, and ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import psutil

MARK = "FACEPLATE_CHILD"


class Process:
    """A child process with pipes to its stdin and from its stdout. mark: distinguishes it, and what it starts, from all others.

    To be started in the engine's main thread: on Linux the child is told to die with the thread that made it.
    """

    def __init__(self, command: Sequence[str], *, mark: str, log: IO[bytes], folder: Path, env: dict[str, str]) -> None:
        self._mark = mark
        self._lock = threading.Lock()
        self._reaped = False
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**os.environ, **env, MARK: mark},
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._popen.stdin and self._popen.stdout
        self.pid, self.stdin, self.stdout = self._popen.pid, self._popen.stdin, self._popen.stdout

    def terminate(self) -> None:
        """Ask it to end; what it has started is its own affair."""
        with self._lock, contextlib.suppress(OSError):
            if not self._reaped:
                os.kill(self.pid, getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        with self._lock:
            if not self._reaped:
                self._kill_group()

    def wait(self) -> int:
        """Wait for its end, however it comes, end what it has left behind, and return its exit status; -N for signal N."""
        if sys.platform != "win32" and hasattr(os, "waitid"):
            # It is looked at before it is reaped: until then nobody else can get its number, and its group is its own.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._popen.wait()
        with self._lock:
            self._kill_group()
            kill_marked(self._mark)
            self._reaped = True
            return self._popen.wait()

    def _kill_group(self) -> None:
        """End the job's process and all that it started: its process group or, on Windows, every process that carries its mark."""
        if sys.platform == "win32":
            kill_marked(self._mark)
            return
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)


def kill_marked(mark: str, seconds: float = 2.0) -> None:
    """Kill all processes of this user that were started with a mark that begins so, and wait until they are gone.

    Also finds those that have left their group for a session of their own.
    """
    end = time.monotonic() + seconds
    while found := list(_marked(mark)):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if time.monotonic() > end:
            return
        time.sleep(0.005)


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # another user's, or gone
            if process.pid != os.getpid() and process.environ().get(MARK, "").startswith(mark):
                yield process
