"""A job's process never outlives the engine, and what it started never outlives the job. As seen from within the process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_engine() -> None:
    """See that the kernel kills this process when the engine is gone, even if it hangs in a library. Linux; elsewhere stdin must do."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def read_lines(take: Callable[[bytes], object]) -> None:
    """Hand over the lines of stdin, on a thread; end this process and all that it started once the engine has closed it.

    For everything else stdin is empty from now on.
    """
    fd = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def read() -> None:
        # Not through sys.stdin, whose lock this thread would hold while the interpreter ends.
        rest = b""
        while chunk := os.read(fd, 65536):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                take(line)
        if sys.platform != "win32" and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=read, name="faceplate-stdin", daemon=True).start()


def guard_group() -> Callable[[], None]:
    """Leave a small process that waits for this one to end, however it does, and then kills what it has left running.

    To be called while this process is small and has one thread. POSIX only. Returns what ends the guard before its time.
    """
    if sys.platform == "win32" or os.getpgrp() != os.getpid():
        return lambda: None
    watched = os.getpid()
    guard = os.fork()
    if guard:
        return lambda: _end(guard)
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 256)  # among them the pipe whose end tells the engine that the job is over
        _wait_for(watched)
        os.killpg(watched, signal.SIGKILL)
    finally:
        os._exit(0)


def _end(guard: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(guard, signal.SIGKILL)
        os.waitpid(guard, 0)


def _wait_for(pid: int) -> None:
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):  # a kernel before 5.3
            select.select([os.pidfd_open(pid)], [], [])
            return
    while os.getppid() == pid:
        time.sleep(0.2)
