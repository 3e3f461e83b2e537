"""Runs jobs in the child process, and sends the engine their events: JSON, one line each, on a pipe of its own."""

from __future__ import annotations

import faulthandler
import json
import logging
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from host_bridge.client import state_folder
from host_bridge.engine.job import PICTURES, PREVIEW
from host_bridge.engine.roots import Roots
from host_bridge.jobs import Kind, Request
from host_bridge.jobs.job import as_document
from host_bridge.reporting import Watch
from nodes.errors import FaceplateError, UsageError
from nodes.files import whole_file
from nodes.log import Stderr, log_failure, logging_to
from trainer.watcher import TrainingProgress

STOPPED = 143
_EVERY = 0.05  # seconds between two events about one stage
_log = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """SIGTERM has come: to be passed on after tidying up."""


class Runner:
    """Runs jobs of the kinds that a module lists as KINDS; fd: where events are written."""

    def __init__(self, module: str, fd: int) -> None:
        faulthandler.enable()
        for name in ("SIGTERM", "SIGBREAK"):  # the latter on Windows
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _stop)
        self._pipe = EventPipe(fd)
        self._kinds: dict[str, Kind] = import_module(module).KINDS

    def run(self, line: bytes) -> int:
        """Run the job of one line, and return the exit status of the command line. Its last event is how it ended."""
        job = json.loads(line)
        with _printed_to(job.get("log")), logging_to(Stderr()), _signals() as came:
            try:
                request = self._request(job)
                result = self._kinds[job["kind"]].perform(request, EventWatch(self._pipe, Path(job["folder"])))
                if came(signal.SIGTERM):  # some kinds end in good order when they are asked to
                    raise Stopped
                self._pipe.send("finished", result=as_document(result))
                return 0
            except BaseException as e:
                if isinstance(e, KeyboardInterrupt) or came(signal.SIGTERM):
                    self._pipe.send("stopped")
                    return STOPPED
                log_failure(_log, e)
                error = _described(e)
                self._pipe.send("failed", **error)
                return int(error["exit_status"])

    def _request(self, job: dict[str, Any]) -> Request:
        kind = self._kinds.get(job["kind"])
        if kind is None:
            raise UsageError(f"there is no job '{job['kind']}'", remedy=f"Ask for one of {', '.join(self._kinds)}")
        try:
            request = kind.request.model_validate(job["request"])
        except ValidationError as e:  # another Faceplate took it into the queue
            faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in e.errors(include_url=False))
            raise UsageError(f"the request cannot be understood: {faults}", remedy="Submit it anew") from e
        return kind.again(request) if job["again"] and kind.again else request


class EventPipe:
    """The pipe to the engine. Events are whole lines, whichever thread sends them."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()

    def send(self, event: str, **values: Any) -> None:
        """Send one event; an engine that is gone is ignored."""
        line = json.dumps(_plain({"event": event, **values}), default=str).encode() + b"\n"
        with self._lock, suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._fd, line) :]


class EventWatch(Watch):
    """Sends what a job reports. folder: the job's own, where copies of its pictures are kept."""

    def __init__(self, pipe: EventPipe, folder: Path) -> None:
        self._pipe, self._folder = pipe, folder
        self._stage: tuple[str, int | None] | None = None
        self._next = 0.0

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Send the start and the end of every stage, and in between at most twenty steps a second."""
        now = time.monotonic()
        if (stage, total) == self._stage and done != total and now < self._next:
            return
        self._stage, self._next = (stage, total), now + _EVERY
        self._pipe.send("progress", stage=stage, done=done, total=total)

    def training(self, now: TrainingProgress) -> None:
        """Send how the training stands."""
        self._pipe.send("training", **asdict(now))

    def message(self, line: str) -> None:
        """Send it."""
        self._pipe.send("message", line=line)

    def preview(self, picture: Path) -> None:
        """Keep a copy: the picture may change again, or lie where the engine must not look."""
        try:
            for copy in (self._folder / PICTURES / picture.name, self._folder / PREVIEW):
                with whole_file(copy, sync=False) as temporary:
                    shutil.copyfile(picture, temporary)
        except Exception as e:  # a full disk, say: the work is worth more than its picture
            _log.exception("no preview: %s", e)
            return
        self._pipe.send("preview", name=picture.name)

    def may_read(self, path: Path) -> None:
        """Check a path as the engine checks those of a request."""
        Roots(state_folder()).check_read(path)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: a number that is not finite is null, and text is valid UTF-8."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        value = str(value)
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _described(error: BaseException) -> dict[str, Any]:
    """An error as the engine keeps it: its message and its remedy in one line each, and the exit status. The traceback is in the log."""
    if isinstance(error, FaceplateError):
        remedy = error.remedy and " ".join(error.remedy.splitlines())  # a command may hold two spaces
        return {"message": " ".join(error.plain.splitlines()), "remedy": remedy, "exit_status": error.exit_status}
    if isinstance(error, MemoryError):
        remedy = "Close other programs, or use a shorter range"
        return {"message": "There is not enough memory.", "remedy": remedy, "exit_status": 1}
    first = next(iter(str(error).splitlines()), "")
    message = f"internal error: {type(error).__name__}: {first}"
    return {"message": message, "remedy": "Look into the log, which says where", "exit_status": 1}


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


@contextmanager
def _signals() -> Iterator[Callable[[int], bool]]:
    """Give a function that says whether a signal has come, whoever handled it."""
    if sys.platform == "win32":
        yield lambda number: False
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    seen = bytearray()

    def came(number: int) -> bool:
        with suppress(BlockingIOError):
            seen.extend(os.read(reading, 4096))
        return number in seen

    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield came
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


@contextmanager
def _printed_to(path: str | None) -> Iterator[None]:
    """Send what is printed to a file, where one is named."""
    if path is None:
        yield
        return
    before = os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(before, 1)
        os.dup2(before, 2)
        os.close(before)
