"""Runs one job after the other in this process, and tells how each ends."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from host_bridge.engine.child.events import Line, Teller
from host_bridge.jobs import Kind, Request
from nodes.errors import FaceplateError, UsageError
from nodes.log import Stderr, log_failure, logging_to

STOPPED = 143
_log = logging.getLogger(__name__)


class Stopped(KeyboardInterrupt):
    """SIGTERM: to be passed on by whoever tidies up."""


class Runner:
    """Runs jobs of the kinds that a module lists as KINDS; fd: where events are written to."""

    def __init__(self, module: str, fd: int) -> None:
        faulthandler.enable()
        for name in ("SIGTERM", "SIGBREAK"):  # the latter is what Windows has for it
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _stop)
        self._line = Line(fd)
        self._kinds: dict[str, Kind] = import_module(module).KINDS

    def run(self, line: bytes) -> int:
        """Run the job that a line asks for, and return the exit status of the command line. Its last event is how it ended."""
        told = json.loads(line)
        with _printed_to(told.get("log")), logging_to(Stderr()), _signals() as came:
            try:
                request = self._request(told)
                result = self._kinds[told["kind"]].perform(request, Teller(self._line, Path(told["folder"])))
                if came(signal.SIGTERM):  # some end in good order when they are asked to
                    raise Stopped
                self._line.send("finished", result=result)
                return 0
            except BaseException as e:
                if isinstance(e, KeyboardInterrupt) or came(signal.SIGTERM):
                    self._line.send("stopped")
                    return STOPPED
                log_failure(_log, e)
                why = _reason(e)
                self._line.send("failed", **why)
                return int(why["exit_status"])

    def _request(self, told: dict[str, Any]) -> Request:
        kind = self._kinds.get(told["kind"])
        if kind is None:
            raise UsageError(f"there is no job '{told['kind']}'", remedy=f"Ask for one of {', '.join(self._kinds)}")
        try:
            request = kind.request.model_validate(told["request"])
        except ValidationError as e:  # another Faceplate took it into the queue
            faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in e.errors(include_url=False))
            raise UsageError(f"the request cannot be understood: {faults}", remedy="Submit it anew") from e
        return kind.again(request) if told["again"] and kind.again else request


def _reason(error: BaseException) -> dict[str, Any]:
    """An error as the engine keeps it: one line for what happened, one for what to do about it, and the exit status. The traceback is in the log."""
    if isinstance(error, FaceplateError):
        remedy = error.remedy and " ".join(error.remedy.splitlines())  # a command may hold two spaces
        return {"message": " ".join(error.plain.splitlines()), "remedy": remedy, "exit_status": error.exit_status}
    if isinstance(error, MemoryError):
        remedy = "Close other programs, or use a shorter range"
        return {"message": "There is not enough memory.", "remedy": remedy, "exit_status": 1}
    what = next(iter(str(error).splitlines()), "")
    message = f"internal error: {type(error).__name__}: {what}"
    return {"message": message, "remedy": "Look into the log, which says where", "exit_status": 1}


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


@contextmanager
def _signals() -> Iterator[Callable[[int], bool]]:
    """Give a function that tells whether a signal has come, whoever handled it."""
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
