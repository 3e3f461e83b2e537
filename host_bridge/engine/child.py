"""The process that runs jobs: `python -m host_bridge.engine.child --kinds MODULE [--stay]`.

A line of stdin is a job {"id", "kind", "request", "folder", "again", "log"}; a line of stdout is an event, as `runner` sends them. What jobs
print goes to stderr, or to the file `log`. SIGTERM ends a job as Ctrl-C would, with everything tidied up. The process never outlives the
engine, and what it started never outlives the process. Nothing heavy is imported before the guard is forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the job that comes, and exit as the command line would; with --stay run the next one as well, until stdin closes."""
    die_with_engine()
    unguard = guard_group()
    # The events' pipe gets a number of its own, which nothing that the job starts will inherit.
    events = os.dup(1)
    os.dup2(2, 1)
    lines: SimpleQueue[bytes] = SimpleQueue()
    read_lines(lines.put)

    from host_bridge.engine.runner import STOPPED, Runner

    try:
        runner = Runner(sys.argv[sys.argv.index("--kinds") + 1], events)
        while True:
            status = runner.run(lines.get())
            if "--stay" not in sys.argv or status == STOPPED:
                return status
    except KeyboardInterrupt:
        return STOPPED
    finally:
        unguard()


def die_with_engine() -> None:
    """On Linux, have the kernel kill this process when the engine is gone, even while it hangs in a library. Elsewhere the end of stdin does."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def guard_group() -> Callable[[], None]:
    """Fork a small process that waits for this one to end, however it does, and then kills its process group. POSIX only.

    Must be called while this process is small and has one thread. Returns a function that ends the guard before its time.
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
        while os.getppid() == watched:
            time.sleep(0.2)
        os.killpg(watched, signal.SIGKILL)
    finally:
        os._exit(0)


def _end(guard: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(guard, signal.SIGKILL)
        os.waitpid(guard, 0)


def read_lines(take: Callable[[bytes], object]) -> None:
    """Pass on the lines of stdin, on a thread; end this process and its group once the engine has closed stdin.

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


if __name__ == "__main__":
    sys.exit(main())
