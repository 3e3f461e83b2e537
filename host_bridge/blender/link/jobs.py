# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the engine for a job, and stay with it to its end, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .engine import api, engine, engine_python, look
from .news import closing, spawn, tell
from .standing import Job, note, note_job

if TYPE_CHECKING:
    from ..client import Client

Told = Callable[[Job], None]

LOST = "lost"  # the state of a job whose engine has gone: it goes on when there is one again
ACTIVE = ("queued", "running", LOST)
_AT_ONCE = {"preview": 1.0}  # seconds for which the engine is asked to wait with its answer: those jobs are that short


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
    api()

    def work() -> None:
        job = _after(_follow(ticket, request, python, on_change), after)
        if not closing.is_set():
            tell(lambda: _ended(ticket, job, on_end))

    spawn(work, f"faceplate {kind}")
    return ticket


def tickets() -> tuple[Ticket, ...]:
    """The jobs that are under way, oldest first."""
    return tuple(_tickets)


def forget() -> None:
    """Nothing is under way any more."""
    _tickets.clear()


def _follow(ticket: Ticket, request: dict[str, Any], python: str | None, on_change: Told | None) -> Job:
    """Ask for a job, and stay with it to its end, through the engine's too."""
    job: Job | None = None
    client: Client | None = None
    asked_to_end, pause = False, 0.02
    while not closing.is_set():
        try:
            if client is None:  # the first time it is started; what was lost later is the user's to start
                client = engine(python) if job is None else look()
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
            if ticket.cancelled.is_set() and not asked_to_end and job["state"] not in api().ENDED:
                job, asked_to_end = client.cancel(job["id"]), True
        except api().EngineGone:
            client = None
            if job is not None:
                job = {**job, "state": LOST}
                tell(lambda job=job: _changed(job, on_change))  # type: ignore[misc]
            continue
        except api().EngineError as e:
            if e.status in (401, 403) and job is not None:
                client = None
                continue
            return failed(ticket.kind, e)
        if job != last:
            pause = 0.02
            tell(lambda job=job: _changed(job, on_change))  # type: ignore[misc]
        if job["state"] in api().ENDED:
            return job
        ticket.cancelled.wait(pause) if not asked_to_end else closing.wait(pause)
        pause = min(pause * 1.5, 0.2)
    return job or {}


def _after(job: Job, after: Told | None) -> Job:
    if after is None or job.get("state") != "finished" or closing.is_set():
        return job
    try:
        after(job)
    except Exception as e:
        return {**job, "state": "failed", "error": {"message": str(e), "remedy": "Check the disk, then run it again"}}
    return job


def failed(kind: str, error: Any) -> Job:
    """A job that the engine has refused, or was not there to take."""
    told = {"message": error.message, "remedy": error.remedy or ""}
    return {"id": None, "kind": kind, "title": "", "state": "failed", "error": told, "result": None}


def _changed(job: Job, on_change: Told | None) -> None:
    note_job(job)
    if on_change is not None:
        on_change(job)


def _ended(ticket: Ticket, job: Job, on_end: Told | None) -> None:
    if ticket in _tickets:
        _tickets.remove(ticket)
    if error := job.get("error"):
        note(message=error["message"], remedy=error.get("remedy") or "")
    if on_end is not None:
        on_end(job)
