"""One child process as the supervisor sees it: it is given jobs, one at a time, and reports on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.engine.queue.processes import Process

_DRAIN = 2.0
_log = logging.getLogger(__name__)

Event = dict[str, Any]


class Worker:
    """Runs `host_bridge.engine.child`. module: lists the KINDS it knows. log: the file for what it prints. stay: for more than one job.

    on_event is called with each event, on_exit once, after all of them, with the exit status, -N for signal N.
    Raises OSError when no process can be started.
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
        self._on_event, self._on_exit = on_event, on_exit
        self.leaving = False  # was asked to end
        command = [sys.executable, "-m", "host_bridge.engine.child", "--kinds", module, *(["--stay"] if stay else [])]
        with log.open("ab") as file:
            self._process = Process(command, mark=mark, log=file, folder=log.parent, env=env)
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name=f"faceplate-events-{self.pid}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"faceplate-wait-{self.pid}", daemon=True).start()

    def send(self, job: dict[str, Any]) -> None:
        """Give it a job; one that has died meanwhile says so by its exit."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self, grace: float) -> None:
        """Ask it to end, and after `grace` seconds see that it does, with all that it has started."""
        self.leaving = True
        self._process.terminate()
        self._loop.call_later(grace, self.kill)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        self._process.kill()

    def _read(self) -> None:
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                _log.warning("child %s said something that is no event: %.200r", self.pid, line)
                continue
            self._call(self._on_event, event)

    def _wait(self) -> None:
        status = self._process.wait()
        # Nothing is left that could write to the pipe, but for what the system does not let us find.
        self._reader.join(_DRAIN)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._call(self._on_exit, status)

    def _call(self, function: Callable[..., None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the engine
            self._loop.call_soon_threadsafe(function, value)
