"""The engine as a process: it owns its folder, listens, tells where, and ends when it is told to or has nothing to do."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn

from host_bridge.client import Address
from host_bridge.engine import address
from host_bridge.engine.http.context import Context
from host_bridge.engine.http.protocol import GuardedProtocol
from host_bridge.engine.http.roots import Roots
from host_bridge.engine.http.server import make_app
from host_bridge.engine.queue.store import Store
from host_bridge.engine.queue.supervisor import Supervisor
from nodes import __version__
from nodes.log import FORMAT, LONGEST, logging_to

IDLE_MINUTES = 30.0
_GRACE = 3  # seconds that open requests have when the engine ends
_log = logging.getLogger(__name__)


def serve(
    folder: Path,
    *,
    idle_stop: float = IDLE_MINUTES,
    devices: Sequence[str] = ("cpu",),
    ready: Callable[[], None] = lambda: None,
    log_to_file: bool = True,
) -> None:
    """Be the engine of this state folder until it ends. ready: called when it answers.

    Raises AlreadyRunning if there is one, SchemaError for a queue of a newer Faceplate, OutputError if the folder cannot be written.
    """
    address.prepare(folder)
    with address.owned(folder):
        token = secrets.token_urlsafe(32)
        with logging_to(_log_file(folder / "engine.log" if log_to_file else None, token)):
            try:
                asyncio.run(_serve(folder, token, idle_stop, devices, ready))
            except Exception:
                _log.exception("the engine ends by an error")
                raise
            _log.info("the engine has ended")


async def _serve(folder: Path, token: str, idle_stop: float, devices: Sequence[str], ready: Callable[[], None]) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    store = Store(folder / "jobs.sqlite")
    supervisor = Supervisor(store, folder, devices)

    def stop() -> None:
        context.closing.set()
        server.should_exit = True

    context = Context(supervisor, Roots(folder), folder, __version__, idle_stop, stop)
    config = uvicorn.Config(
        make_app(context, token),
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config, context.closing)
    # uvicorn raises the signal once more when all is closed: by then it says nothing new.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    mine = Address(f"http://127.0.0.1:{port}", token, os.getpid(), __version__)
    await supervisor.start()
    idle = asyncio.create_task(_stop_when_idle(context))
    try:
        address.publish(folder, mine)
        _log.info("engine %s, process %d, listens at %s", __version__, os.getpid(), mine.url)
        ready()
        await server.serve(sockets=[listener])
    finally:
        idle.cancel()
        address.withdraw(folder, mine)
        await supervisor.stop()
        store.close()


class _Server(uvicorn.Server):
    """Tells the open streams when a signal ends it."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open."""
        self._closing.set()
        await super().shutdown(sockets)


async def _stop_when_idle(context: Context) -> None:
    """End the engine when nothing has run, waited or been asked for `idle_stop` minutes. Who only listens does not count."""
    limit = context.idle_stop * 60
    while limit > 0:
        await asyncio.sleep(min(limit / 4, 15.0))
        supervisor = context.supervisor
        if supervisor.busy:
            context.touch()
        elif time.monotonic() - max(context.last_request, supervisor.last_activity) >= limit:
            _log.info("nothing to do for %g minutes", context.idle_stop)
            context.stop()
            return


class _WithoutToken(logging.Formatter):
    """Whatever is logged, the token is not: not in a path that someone asked for, and not in a traceback."""

    def __init__(self, token: str) -> None:
        super().__init__(FORMAT)
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self._token, "...")


def _log_file(file: Path | None, token: str) -> logging.Handler:
    """Where the engine logs: a file of at most 1 MiB, with the file before it kept beside it; without a file, stderr."""
    handler = RotatingFileHandler(file, maxBytes=LONGEST, backupCount=1) if file else logging.StreamHandler()
    handler.setFormatter(_WithoutToken(token))
    return handler
