# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the engine for a job, and stay with it to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .apart import in_process
from .engine import api, engine_python, looked, started
from .standing import Job, note, note_job
from .steps import Steps, pause, redraw, walk

if TYPE_CHECKING:
    from ..client import Client

Told = Callable[[Job], None]
After = Callable[[Job], Sequence[Any]]

LOST = "lost"  # the state of a job whose engine has gone: it goes on when there is one again
ACTIVE = ("queued", "running", LOST)
_AT_ONCE = {"preview": 1.0}  # seconds for which the engine is asked to wait with its answer: those jobs are that short


@dataclass(slots=True)
class Ticket:
    """A job that was asked for. id: the engine's, None until it has answered."""

    kind: str
    id: str | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        """Ask for its end; on_end is told when it has come."""
        self.cancelled = True


_tickets: list[Ticket] = []


def submit(
    kind: str,
    asked: dict[str, Any],
    *,
    on_change: Told | None = None,
    on_end: Told | None = None,
    after: After | None = None,
) -> Ticket:
    """Ask for a job, and return at once. The engine is started if there is none; while it is gone, the job waits for it.

    on_change, on_end: are given the job. A job that the engine refuses ends as `failed`, its `error` with a message and a remedy, without an id.
    after: is given a finished job before that, and says what to do with its results: a word of `pictures.__main__` with its arguments; what came of
    it is in the job under `made`. Where that goes wrong the job is a failed one.
    """
    ticket = Ticket(kind)
    _tickets.append(ticket)

    def steps() -> Steps[Job]:
        job = yield from _follow(ticket, asked, on_change)
        return (yield from _after(job, after))

    walk(steps(), lambda job: _ended(ticket, job, on_end))
    return ticket


def tickets() -> tuple[Ticket, ...]:
    """The jobs that are under way, oldest first."""
    return tuple(_tickets)


def forget() -> None:
    """Nothing is under way any more."""
    _tickets.clear()


def _follow(ticket: Ticket, asked: dict[str, Any], on_change: Told | None) -> Steps[Job]:
    """Ask for a job, and stay with it to its end, through the engine's too."""
    job: Job | None = None
    client: Client | None = None
    asked_to_end, rest = False, 0.02
    while True:
        try:
            if client is None:  # the first time it is started; what was lost later is the user's to start
                client = (yield from started(engine_python())) if job is None else (yield from looked())
            if client is None:
                if job is not None and ticket.cancelled:
                    return {**job, "state": "cancelled"}
                yield from pause(0.5, lambda: ticket.cancelled)
                continue
            last = job
            if job is None:
                wait = _AT_ONCE.get(ticket.kind, 0)
                body = {"kind": ticket.kind, "request": asked}
                job = yield from client.steps("POST", f"/v1/jobs?wait={wait:g}", body)
            else:
                job = yield from client.steps("GET", f"/v1/jobs/{job['id']}")
            ticket.id = job["id"]
            if ticket.cancelled and not asked_to_end and job["state"] not in api().ENDED:
                job, asked_to_end = (yield from client.steps("POST", f"/v1/jobs/{job['id']}/cancel")), True
        except api().EngineGone:
            client = None
            if job is not None:
                job = {**job, "state": LOST}
                _changed(job, on_change)
            yield
            continue
        except api().EngineError as e:
            if e.status in (401, 403) and job is not None:
                client = None
                continue
            return failed(ticket.kind, e)
        if job != last:
            rest = 0.02
            _changed(job, on_change)
        if job["state"] in api().ENDED:
            return job
        yield from pause(rest, (lambda: False) if asked_to_end else (lambda: ticket.cancelled))
        rest = min(rest * 1.5, 0.2)


def _after(job: Job, after: After | None) -> Steps[Job]:
    if after is None or job.get("state") != "finished":
        return job
    try:
        return {**job, "made": (yield from in_process(after(job)))}
    except OSError as e:
        return {**job, "state": "failed", "error": {"message": str(e), "remedy": "Check the disk, then run it again"}}


def failed(kind: str, error: Any) -> Job:
    """A job that the engine has refused, or was not there to take."""
    told = {"message": error.message, "remedy": error.remedy or ""}
    return {"id": None, "kind": kind, "title": "", "state": "failed", "error": told, "result": None}


def _changed(job: Job, on_change: Told | None) -> None:
    note_job(job)
    if on_change is not None:
        on_change(job)
    redraw()


def _ended(ticket: Ticket, job: Job, on_end: Told | None) -> None:
    if ticket in _tickets:
        _tickets.remove(ticket)
    if error := job.get("error"):
        note(message=error["message"], remedy=error.get("remedy") or "")
    if on_end is not None:
        on_end(job)
