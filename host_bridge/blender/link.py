# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine from Blender, which never waits for it.

A job has a thread of its own that asks the engine how it goes; a timer, which lives only while there is something under way, hands what
has changed to Blender's own thread. Callbacks hold names, never Blender's data, which may be gone when they are called.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

import bpy

if TYPE_CHECKING:
    from .client import Client

Job = dict[str, Any]
Told = Callable[[Job], None]
Standing = Literal["unknown", "running", "stopped", "other version", "refused"]

LOST = "lost"  # the state of a job whose engine has gone: it goes on when there is one again
_EVERY, _AT_FIRST = (
    0.1,
    0.02,
)  # seconds between two looks of the timer; in the first second of a job it is a preview that may be done
_AT_ONCE = {"preview": 1.0}  # seconds for which the engine is asked to wait with its answer: those jobs are that short
_START = "Press Start Engine"
ACTIVE = ("queued", "running", LOST)
_lock = threading.Lock()
_threads: set[threading.Thread] = set()
_news: SimpleQueue[Callable[[], None]] = SimpleQueue()
_closing = threading.Event()
_begun = 0.0  # when the latest thread was started


@dataclass(frozen=True, slots=True)
class State:
    """What a panel shows. jobs: those that this Blender asked for, newest first, as the engine describes them."""

    engine: Standing = "unknown"
    version: str = ""
    page: str = ""
    jobs: tuple[Job, ...] = ()
    message: str = ""
    remedy: str = ""


_state = State()


@dataclass(slots=True)
class Ticket:
    """A job that was asked for. id: the engine's, None until it has answered."""

    kind: str
    id: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask for its end; on_end is told when it has come."""
        self.cancelled.set()


_tickets: list[Ticket] = []


def state() -> State:
    """How things stand, as far as is known; asks nobody."""
    return _state


def submit(
    kind: str,
    request: dict[str, Any],
    *,
    on_change: Told | None = None,
    on_end: Told | None = None,
    after: Told | None = None,
) -> Ticket:
    """Ask for a job, and return at once. The engine is started if there is none; while it is gone, the job waits for it.

    on_change, on_end: are given the job in Blender's own thread. after: is given a finished job before that, in a thread; what it raises
    makes the job a failed one. A job that the engine refuses ends as `failed`, its `error` with a message
    and a remedy, without an id.
    """
    ticket = Ticket(kind)
    _tickets.append(ticket)
    python = engine_python()

    def work() -> None:
        job = _after(_follow(ticket, request, python, on_change), after)
        if not _closing.is_set():
            _tell(lambda: _ended(ticket, job, on_end))

    _spawn(work, f"faceplate {kind}")
    return ticket


def tickets() -> tuple[Ticket, ...]:
    """The jobs that are under way, oldest first."""
    return tuple(_tickets)


def start_engine(on_end: Callable[[], None] | None = None) -> None:
    """Start the engine unless it runs; `state()` says what came of it."""
    python = engine_python()

    def work() -> None:
        with suppress(_api().EngineError):
            _engine(python)
        if on_end is not None:
            _tell(on_end)

    _spawn(work, "faceplate start")


def refresh() -> None:
    """Look whether the engine runs; `state()` says what was found."""
    _spawn(look, "faceplate look")


def look() -> Client | None:
    """The engine that runs, or None, and `state()` why. It waits for the engine: for threads, and for scripts."""
    address = None
    try:
        address = _api().read_address(_api().state_folder())
        if address is None:
            raise _api().EngineGone("the engine is not running")
        client = _api().Client(address, seconds=5)
        found = client.status()
    except _api().EngineGone:
        _note(engine="stopped", version="", page="", message="the engine is not running", remedy=_START)
        return None
    except _api().EngineError as e:
        message, remedy = e.message, e.remedy or ""
        if e.status in (401, 403) and address is not None:
            message = "the engine does not know the token that lies in its file"
            remedy = f"End its process, {address.pid}, and press Start Engine"
        _note(engine="refused", version="", page="", message=message, remedy=remedy)
        return None
    told = str(found["version"])
    if told != version():
        _note(
            engine="other version",
            version=told,
            page=client.page,
            message=f"the engine is Faceplate {told}, this extension {version()}",
            remedy="Install the extension again with install/blender.py, or stop the engine and press Start Engine",
        )
        return None
    _note(engine="running", version=told, page=client.page, message="", remedy="")
    return client


def engine_python() -> str | None:
    """The interpreter of Faceplate's environment: the preference, else FACEPLATE_PYTHON; None where neither says."""
    extension = bpy.context.preferences.addons.get(__package__)
    told = getattr(extension.preferences, "python", "") if extension and extension.preferences else ""
    return (bpy.path.abspath(told) if told else "") or os.environ.get("FACEPLATE_PYTHON") or None


@cache
def version() -> str:
    """This extension's own version."""
    import tomllib

    manifest = tomllib.loads((Path(__file__).parent / "blender_manifest.toml").read_text("utf-8"))
    return str(manifest["version"])


def pump() -> float | None:
    """Hand what has changed to whoever asked: the timer's work, for scripts too. Returns when to look again, None for never."""
    while True:
        try:
            news = _news.get_nowait()
        except Empty:
            break
        news()
        _redraw()
    with _lock:
        if not _threads and _news.empty():
            return None
    return _AT_FIRST if time.monotonic() < _begun + 1 else _EVERY


def shutdown() -> None:
    """Forget all that is under way, and leave no thread and no timer; the engine and its jobs go on."""
    global _state
    _closing.set()
    with _lock:
        left = list(_threads)
    for thread in left:
        thread.join(timeout=10)
    if bpy.app.timers.is_registered(pump):
        bpy.app.timers.unregister(pump)
    with suppress(Empty):
        while True:
            _news.get_nowait()
    _tickets.clear()
    _state = State()
    _closing.clear()


@cache
def _api() -> Any:
    """The client, loaded when it is first needed: with HTTP it takes a twentieth of a second, which Blender's start must not wait for."""
    from . import client

    return client


def _follow(ticket: Ticket, request: dict[str, Any], python: str | None, on_change: Told | None) -> Job:
    """Ask for a job, and stay with it to its end, through the engine's too."""
    job: Job | None = None
    client: Client | None = None
    asked_to_end, pause = False, 0.02
    while not _closing.is_set():
        try:
            if client is None:  # the first time it is started; what was lost later is the user's to start
                client = _engine(python) if job is None else look()
            if client is None:
                if job is not None and ticket.cancelled.is_set():
                    return {**job, "state": "cancelled"}
                ticket.cancelled.wait(0.5)
                continue
            last = job
            if job is None:
                job = client.submit(ticket.kind, request, wait=_AT_ONCE.get(ticket.kind, 0))
            else:
                job = client.show(job["id"])
            ticket.id = job["id"]
            if ticket.cancelled.is_set() and not asked_to_end and job["state"] not in _api().ENDED:
                job, asked_to_end = client.cancel(job["id"]), True
        except _api().EngineGone:
            client = None
            if job is not None:
                job = {**job, "state": LOST}
                _tell(lambda job=job: _changed(job, on_change))  # type: ignore[misc]
            continue
        except _api().EngineError as e:
            if e.status in (401, 403) and job is not None:
                client = None
                continue
            return _failed(ticket, e)
        if job != last:
            pause = 0.02
            _tell(lambda job=job: _changed(job, on_change))  # type: ignore[misc]
        if job["state"] in _api().ENDED:
            return job
        ticket.cancelled.wait(pause) if not asked_to_end else _closing.wait(pause)
        pause = min(pause * 1.5, 0.2)
    return job or {}


def _after(job: Job, after: Told | None) -> Job:
    if after is None or job.get("state") != "finished" or _closing.is_set():
        return job
    try:
        after(job)
    except Exception as e:
        return {**job, "state": "failed", "error": {"message": str(e), "remedy": "Check the disk, then run it again"}}
    return job


def _failed(ticket: Ticket, error: Any) -> Job:
    told = {"message": error.message, "remedy": error.remedy or ""}
    return {"id": None, "kind": ticket.kind, "title": "", "state": "failed", "error": told, "result": None}


def _engine(python: str | None) -> Client:
    """The engine, started if there is none. Raises EngineError, which `state()` holds too."""
    if client := look():
        return client
    try:
        if _state.engine != "stopped":
            raise _api().EngineError(_state.message, remedy=_state.remedy)
        if python is None:
            raise _api().EngineError(
                "the engine is not running, and where Faceplate is installed is not known",
                remedy="Name its Python in the extension's preferences, or set FACEPLATE_PYTHON",
            )
        _api().connect(python=python)
        if client := look():
            return client
        raise _api().EngineError(_state.message, remedy=_state.remedy)
    except _api().EngineError as e:
        _note(message=e.message, remedy=e.remedy or "")
        raise


def _changed(job: Job, on_change: Told | None) -> None:
    global _state
    kept = (j for j in _state.jobs if j["id"] != job["id"])
    _state = replace(_state, jobs=(job, *kept)[:20])
    if on_change is not None:
        on_change(job)


def _ended(ticket: Ticket, job: Job, on_end: Told | None) -> None:
    if ticket in _tickets:
        _tickets.remove(ticket)
    if error := job.get("error"):
        _note(message=error["message"], remedy=error.get("remedy") or "")
    if on_end is not None:
        on_end(job)


def _note(**what: Any) -> None:
    global _state
    with _lock:
        _state = replace(_state, **what)


def _tell(news: Callable[[], None]) -> None:
    _news.put(news)


def _spawn(work: Callable[[], object], name: str) -> None:
    global _begun
    _begun = time.monotonic()

    def run() -> None:
        try:
            work()
        finally:
            with _lock:
                _threads.discard(threading.current_thread())

    thread = threading.Thread(target=run, name=name, daemon=True)
    with _lock:
        _threads.add(thread)
    thread.start()
    if not bpy.app.timers.is_registered(pump):
        bpy.app.timers.register(pump, first_interval=_AT_FIRST, persistent=True)


def _redraw() -> None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type in ("NODE_EDITOR", "SEQUENCE_EDITOR"):
                area.tag_redraw()
