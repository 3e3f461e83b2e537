"""A real engine's process for the tests: started, spoken to, killed; and what processes there are."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests import ROOT
from tests.support.waiting import wait_for

MARK = "FACEPLATE_TEST_FOLDER"  # inherited by all that an engine starts


class Refused(Exception):
    """What the engine answers that it cannot do."""


class Engine:
    """`engine_program.py` in a process of its own."""

    def __init__(self, folder: Path, *, prepare: Callable[[], None] | None = None, ready: bool = True) -> None:
        self.folder = folder
        env = {**os.environ, "PYTHONPATH": str(ROOT), MARK: str(folder)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.engine_program", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=prepare,
        )
        self.pid = self._process.pid
        if ready:
            self._answer()

    def ask(self, do: str, **told: Any) -> dict[str, Any]:
        self.tell(do, **told)
        return self._answer()

    def tell(self, do: str, **told: Any) -> None:
        """Ask for something without waiting for the answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do, **told}) + "\n")
        self._process.stdin.flush()

    def submit(self, kind: str, **request: Any) -> dict[str, Any]:
        return self.ask(
            "submit", kind=kind, request={k: str(v) if isinstance(v, Path) else v for k, v in request.items()}
        )

    def ended(self, id: str, seconds: float = 20) -> dict[str, Any]:
        job = self.ask("wait", id=id, seconds=seconds)
        assert job["state"] not in ("queued", "running"), job
        return job

    def until(self, id: str, seen: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        return wait_for(lambda: (job := self.ask("show", id=id)) and seen(job) and job)

    def jobs(self) -> dict[str, dict[str, Any]]:
        return {job["id"]: job for job in self.ask("list")["jobs"]}

    def children(self) -> list[int]:
        """The processes that it has started itself, each of which runs jobs."""
        return [pid for pid in processes(self.folder) if parent(pid) == self.pid]

    def kill(self) -> None:
        """As a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                self.ask("stop")
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe and pipe.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise ConnectionError
        told: dict[str, Any] = json.loads(line)
        if "type" in told:
            raise Refused(told["error"])
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def processes(folder: Path) -> set[int]:
    """All processes that run for the engine in a folder: itself, its children, and theirs."""
    sought, found = f"{MARK}={folder}\0".encode(), set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):
                if sought in (process / "environ").read_bytes() and alive(int(process.name)):
                    found.add(int(process.name))
    return found


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
