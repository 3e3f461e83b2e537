"""The process of a job, seen from the engine: start, send jobs, read events, and end it with its children."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

MARK = "FACEPLATE_CHILD"  # in the environment of a job's process, and of all that it starts
_DRAIN = 2.0
_log = logging.getLogger(__name__)

Event = dict[str, Any]


class JobProcess:
    """A process of `host_bridge.engine.child`. module: where it finds its KINDS. log: file for its output. stay: for more than one job.

    on_event is called with each event; on_exit once, after all of them, with the exit status, -N for signal N. Raises OSError when it cannot start.
    """

    def __init__(
        self,
        module: str,
        *,
        mark: str,
        log: Path,
        env: dict[str, str],
        stay: bool,
        on_event: Callable[[Event], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._mark, self._on_event, self._on_exit = mark, on_event, on_exit
        self.leaving = False  # was asked to end
        command = [sys.executable, "-m", "host_bridge.engine.child", "--kinds", module, *(["--stay"] if stay else [])]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=log.parent,
                env={**os.environ, **env, MARK: mark},
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name=f"faceplate-events-{self.pid}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"faceplate-wait-{self.pid}", daemon=True).start()

    def send(self, job: dict[str, Any]) -> None:
        """Send it a job; if it has died, on_exit is called."""
        assert self._process.stdin
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self, grace: float) -> None:
        """Ask it to end, and kill it after `grace` seconds."""
        self.leaving = True
        with contextlib.suppress(OSError):
            self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
        self._loop.call_later(grace, self.kill)

    def kill(self) -> None:
        """Kill it at once; its children are killed before on_exit is called."""
        self._process.kill()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                _log.warning("child %s wrote a line that is not an event: %.200r", self.pid, line)
                continue
            self._call(self._on_event, event)

    def _wait(self) -> None:
        status = self._process.wait()
        kill_marked(self._mark)
        # No process can write to the pipe any more, unless the system hides it.
        self._reader.join(_DRAIN)
        with contextlib.suppress(OSError):
            self._process.stdin and self._process.stdin.close()
        self._call(self._on_exit, status)

    def _call(self, function: Callable[..., None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the engine
            self._loop.call_soon_threadsafe(function, value)


def kill_marked(mark: str, seconds: float = 2.0) -> None:
    """Kill all processes of this user whose mark begins with `mark`, in whatever session, and wait until they are gone."""
    end = time.monotonic() + seconds
    while marked := [
        process
        for process in psutil.process_iter(["environ"])
        if process.pid != os.getpid() and (process.info["environ"] or {}).get(MARK, "").startswith(mark)
    ]:
        for process in marked:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if time.monotonic() > end:
            return
        psutil.wait_procs(marked, timeout=0.05)
