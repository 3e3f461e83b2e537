"""The engine as a process: it owns its state folder, publishes its address, and ends on request or when idle."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType

import uvicorn
from filelock import FileLock, Timeout

from host_bridge.client import SCHEMA, Address, read_address, running
from host_bridge.engine.api import Context, guarded_app
from host_bridge.engine.queue import Queue
from host_bridge.engine.roots import Roots
from host_bridge.engine.supervisor import Supervisor
from nodes import __version__
from nodes.errors import FaceplateError, writing
from nodes.files import whole_file
from nodes.log import FORMAT, LONGEST, logging_to

_GRACE = 3  # seconds that open requests have when the engine ends
_START = 20  # seconds that another engine may take to start or to end
_MOST_AT_ONCE = 500  # connections, before uvicorn answers 503
_log = logging.getLogger(__name__)


class AlreadyRunning(FaceplateError):
    """Another engine owns this state folder."""


def serve(
    folder: Path, idle_stop: float, devices: Sequence[str], ready: Callable[[], object], *, log_to_file: bool
) -> None:
    """Run the engine of this state folder until it ends. idle_stop: minutes, 0 for never; ready: called when it answers.

    Raises AlreadyRunning, SchemaError for a queue of a newer Faceplate, OutputError if the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        try:
            # The lock is released when the process ends, however it ends.
            lock = FileLock(folder / "engine.lock").acquire(_START, cancel_check=lambda: running(folder) is not None)
        except Timeout as e:
            raise AlreadyRunning("an engine runs already", file=folder) from e
    token = secrets.token_urlsafe(32)
    with lock, logging_to(_log_handler(folder / "engine.log" if log_to_file else None, token)):
        try:
            asyncio.run(_serve(folder, token, idle_stop, devices, ready))
        except Exception:
            _log.exception("the engine ends with an error")
            raise
        _log.info("the engine has ended")


async def _serve(
    folder: Path, token: str, idle_stop: float, devices: Sequence[str], ready: Callable[[], object]
) -> None:
    # With the protocol named, asyncio sends answers at once; else their second part waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    queue = Queue(folder / "jobs.sqlite")
    supervisor = Supervisor(queue, folder, devices)

    def stop() -> None:
        server.should_exit = True
        supervisor.release()

    context = Context(supervisor, Roots(folder), idle_stop, stop)
    server = uvicorn.Server(
        uvicorn.Config(
            guarded_app(context, token),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    loop = asyncio.get_running_loop()

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    server.handle_exit = end  # type: ignore[assignment]
    for number in (signal.SIGINT, signal.SIGTERM):  # also before it serves
        signal.signal(number, end)
    address = Address(f"http://127.0.0.1:{listener.getsockname()[1]}", token, os.getpid(), __version__)
    await supervisor.start()
    idle = asyncio.create_task(_stop_when_idle(context))
    try:
        publish(folder, address)
        _log.info("engine %s, process %d, listens at %s", __version__, os.getpid(), address.url)
        ready()
        await server.serve(sockets=[listener])
    finally:
        idle.cancel()
        if read_address(folder) == address:
            with suppress(OSError):
                (folder / "engine.json").unlink()
        await supervisor.stop()
        queue.close()


async def _stop_when_idle(context: Context) -> None:
    """End the engine after `idle_stop` minutes without jobs or requests. Event listeners do not count."""
    limit = context.idle_stop * 60
    while limit > 0:
        await asyncio.sleep(min(limit / 4, 15.0))
        if context.supervisor.busy:
            context.supervisor.touch()
        elif time.monotonic() - context.supervisor.last_activity >= limit:
            _log.info("nothing to do for %g minutes", context.idle_stop)
            context.stop()
            return


def publish(folder: Path, address: Address) -> None:
    """Write `engine.json`, whole or not at all, readable by its owner alone from the first byte on; raises OutputError."""
    with whole_file(folder / "engine.json") as temporary:
        temporary.touch(0o600, exist_ok=False)
        if os.name == "nt":  # replace the inherited access list by one that names the user
            grant = ["icacls", str(temporary), "/inheritance:r", "/grant:r", f"{getpass.getuser()}:F"]
            subprocess.run(grant, check=True, capture_output=True)
        temporary.write_text(json.dumps({"schema": SCHEMA, **asdict(address)}), "utf-8")


class _WithoutToken(logging.Formatter):
    """Log formatter that replaces the token in requested paths and tracebacks."""

    def __init__(self, token: str) -> None:
        super().__init__(FORMAT)
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self._token, "...")


def _log_handler(file: Path | None, token: str) -> logging.Handler:
    """Log to a file of at most 1 MiB, with the one before it kept beside it; without a file, to stderr."""
    handler = RotatingFileHandler(file, maxBytes=LONGEST, backupCount=1) if file else logging.StreamHandler()
    handler.setFormatter(_WithoutToken(token))
    return handler
