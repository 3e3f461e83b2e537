"""Runner of jobs in the child process; it sends the engine their events as JSON lines on a separate pipe."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from host_bridge.client import state_folder
from host_bridge.engine.job import PICTURES, PREVIEW
from host_bridge.engine.roots import Roots
from host_bridge.jobs import Kind, parse
from host_bridge.jobs.job import as_document
from host_bridge.reporting import Watch
from nodes.errors import FaceplateError
from nodes.files import whole_file
from nodes.log import Stderr, log_failure, logging_to
from trainer.watcher import TrainingProgress

STOPPED = 143
_EVERY = 0.05  # seconds between two events about one stage
_log = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """SIGTERM has come; raised after tidying up."""


class Runner:
    """Runner of the kinds that a module lists as KINDS; fd: where events are written."""

    def __init__(self, module: str, fd: int) -> None:
        faulthandler.enable()
        for name in ("SIGTERM", "SIGBREAK"):  # the latter on Windows
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _stop)
        self._fd = fd
        self._kinds: dict[str, Kind] = import_module(module).KINDS

    def run(self, line: bytes) -> int:
        """Run the job of one line, and return the exit status of the command line. Its last event is its outcome."""
        job = json.loads(line)
        watch = EventWatch(self._fd, Path(job["folder"]))
        with _redirected_to(job.get("log")), logging_to(Stderr()), _signals() as came:
            try:
                request = parse(job["kind"], job["request"], self._kinds)
                kind = self._kinds[job["kind"]]
                if job["again"] and kind.again:
                    request = kind.again(request)
                result = kind.perform(request, watch)
                if came(signal.SIGTERM):  # some kinds end in good order on it
                    raise Stopped
                watch.send("finished", result=result)
                return 0
            except BaseException as e:
                if isinstance(e, KeyboardInterrupt) or came(signal.SIGTERM):
                    watch.send("stopped")
                    return STOPPED
                log_failure(_log, e)
                error = _describe(e)
                watch.send("failed", **error)
                return int(error["exit_status"])


class EventWatch(Watch):
    """Sender of a job's progress to the engine. fd: of the pipe to it; folder: the job's own, for copies of its pictures."""

    def __init__(self, fd: int, folder: Path) -> None:
        self._fd, self._folder, self._lock = fd, folder, threading.Lock()
        self._stage: tuple[str, int | None] | None = None
        self._next = 0.0

    def send(self, event: str, **values: Any) -> None:
        """Send one event as a whole line, from any thread; a closed pipe is ignored."""
        document = {"event": event, **{name: as_document(value) for name, value in values.items()}}
        line = json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n"
        with self._lock, suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._fd, line) :]

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Send the start and the end of every stage, and in between at most twenty steps a second."""
        now = time.monotonic()
        if (stage, total) == self._stage and done != total and now < self._next:
            return
        self._stage, self._next = (stage, total), now + _EVERY
        self.send("progress", stage=stage, done=done, total=total)

    def training(self, now: TrainingProgress) -> None:
        """Send the progress of a training."""
        self.send("training", **asdict(now))

    def message(self, line: str) -> None:
        """Send a message."""
        self.send("message", line=line)

    def preview(self, picture: Path) -> None:
        """Keep a copy: the picture may change again, or lie outside the engine's folders."""
        try:
            for copy in (self._folder / PICTURES / picture.name, self._folder / PREVIEW):
                with whole_file(copy, sync=False) as temporary:
                    shutil.copyfile(picture, temporary)
        except Exception as e:  # a full disk, say: the work is worth more than its picture
            _log.exception("no preview: %s", e)
            return
        self.send("preview", name=picture.name)

    def may_read(self, path: Path) -> None:
        """Raise OutsideError if the engine would refuse a path."""
        Roots(state_folder()).check_read(path)


def _describe(error: BaseException) -> dict[str, Any]:
    """Describe an error for the engine: message and remedy in one line each, and the exit status. The traceback is in the log."""
    if isinstance(error, FaceplateError):
        remedy = error.remedy and " ".join(error.remedy.splitlines())  # a command may hold two spaces
        message = " ".join(error.plain.splitlines())
        return {"message": message, "remedy": remedy, "action": error.action, "exit_status": error.exit_status}
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
    """Give a function that tells if a signal has come, whichever handler took it."""
    if sys.platform == "win32":
        yield lambda number: False
        return
    reading, writing = socket.socketpair()
    numbers = bytearray()

    def came(number: int) -> bool:
        with suppress(BlockingIOError):
            numbers.extend(reading.recv(4096))
        return number in numbers

    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield came
        finally:
            signal.set_wakeup_fd(before)


@contextmanager
def _redirected_to(path: str | None) -> Iterator[None]:
    """Redirect printed output to a file, if one is given."""
    with ExitStack() as stack:
        if path is not None:
            file = stack.enter_context(Path(path).open("a", 1, "utf-8", "backslashreplace"))
            stack.enter_context(redirect_stdout(file))
            stack.enter_context(redirect_stderr(file))
            faulthandler.enable(file)
            stack.callback(faulthandler.enable)
        yield
