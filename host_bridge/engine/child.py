"""The process that runs jobs: `python -m host_bridge.engine.child --kinds MODULE [--stay]`.

A line of stdin is a job {"id", "kind", "request", "folder", "again", "log"}; a line of stdout is an event, as `runner` sends them. What jobs
print goes to stderr, or to the file `log`. SIGTERM ends a job as Ctrl-C would, with everything tidied up. The process never outlives the
engine, and what it started never outlives the process. Nothing heavy is imported before the guard is forked.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def main() -> int:
    """Run a job, and return the exit status of the command line; with --stay run further jobs until stdin closes."""
    unguard = guard_group()
    # Duplicated pipes are not inherited by processes that the job starts.
    jobs, events = os.fdopen(os.dup(0), "rb"), os.dup(1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)

    from host_bridge.engine.runner import STOPPED, Runner

    status = 0
    try:
        runner = Runner(sys.argv[sys.argv.index("--kinds") + 1], events)
        for line in jobs:
            status = runner.run(line)
            if "--stay" not in sys.argv or status == STOPPED:
                break
        return status
    except KeyboardInterrupt:
        return STOPPED
    finally:
        unguard()


def guard_group() -> Callable[[], None]:
    """Fork a small process that kills this one's process group when this one or the engine ends.

    Call it while this process is small and has one thread. Returns a function that ends the guard early. On Windows a
    thread waits for the engine, and ends only this process.
    """
    if sys.platform == "win32":
        threading.Thread(target=_end_with_parent, name="faceplate-engine", daemon=True).start()
        return lambda: None
    job = os.getpid()
    if os.getpgrp() != job:  # not started by an engine
        return lambda: None
    guard = os.fork()
    if guard:
        return lambda: _end(guard)
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(1, 256)  # including the event pipe: its end tells the engine that the job is over
        engine = select.poll()
        engine.register(0, 0)  # reports only that the engine's end of the pipe is closed
        while os.getppid() == job and not engine.poll(200):
            pass
        os.killpg(job, signal.SIGKILL)
    finally:
        os._exit(0)


def _end(guard: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(guard, signal.SIGKILL)
        os.waitpid(guard, 0)


def _end_with_parent() -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        psutil.Process(os.getppid()).wait()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
