"""What can be asked of the engine over HTTP; docs/engine.md is made from it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from host_bridge.engine.http import stream
from host_bridge.engine.http.answers import as_json
from host_bridge.engine.http.context import Context, Here, Id
from host_bridge.engine.http.security import Refusal
from host_bridge.engine.queue.record import Job, State
from host_bridge.jobs import KINDS, parse
from nodes.definitions import NODES
from nodes.errors import UsageError

MOST_STREAMS = 32
router = APIRouter(redirect_slashes=False)

Seconds = Annotated[float, Query(ge=0, le=60, description="Answer when the job has ended, or after these seconds.")]
Priority = Annotated[int | None, Field(ge=-1000, le=1000, description="Of those waiting the highest goes first.")]


class Submission(BaseModel):
    """What is asked for: the kind of job, its request, and its priority, by default that of the kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    request: dict[str, Any]
    priority: Priority = None


@router.get("/v1/status")
async def status(here: Here) -> Response:
    """Version, process, uptime in seconds, idle_stop in minutes, how many jobs run and wait, devices, folders; trouble says why nothing can start."""
    store = here.supervisor.store
    return as_json(
        {
            "version": here.version,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - here.started, 1),
            "idle_stop": here.idle_stop,
            "running": store.count("running"),
            "queued": store.count("queued"),
            "trouble": here.supervisor.trouble,
            "devices": list(here.supervisor.devices),
            "roots": [str(folder) for folder in here.roots.folders()],
        }
    )


@router.get("/v1/nodes")
async def nodes() -> Response:
    """The nodes: ports, and parameters as JSON Schema."""
    return as_json({"schema": "faceplate.nodes/1", "nodes": [node.schema() for node in NODES]})


@router.get("/v1/kinds")
async def kinds() -> Response:
    """The kinds of jobs, each with the JSON Schema of its request."""
    told = [
        {"name": k.name, "help": k.help, "priority": k.priority, "request": k.request.model_json_schema()}
        for k in KINDS.values()
    ]
    return as_json({"kinds": told})


@router.post("/v1/jobs", status_code=201)
async def submit(here: Here, request: Request, wait: Seconds = 0) -> Response:
    """Ask for a job: 201 for a new one, 200 for the same that is under way, or done with its files still as they were."""
    try:
        told = Submission.model_validate(from_json(await request.body(), allow_inf_nan=False))
    except ValidationError as e:
        faults = (f"{'.'.join(map(str, f['loc'])) or 'body'}: {f['msg']}" for f in e.errors(include_url=False))
        raise UsageError(f"the request cannot be understood: {'; '.join(faults)}") from e
    except ValueError as e:
        raise Refusal(400, f"the body is no JSON: {e}", 'Send {"kind": ..., "request": {...}}') from e
    asked = parse(told.kind, told.request)
    await run_in_threadpool(here.roots.check, asked)
    job, created = await here.supervisor.submit(told.kind, asked, told.priority)
    if wait and job.active:
        job = await _ended(here, job, wait)
    return as_json(job.as_json(curve=True), 201 if created else 200)


@router.get("/v1/jobs")
async def jobs(
    here: Here,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    before: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$", description="Only those older than this id.")] = None,
) -> Response:
    """Jobs, newest first, without their curves; `more` if there are older ones."""
    found = here.supervisor.store.list(state, limit + 1, before)
    return as_json({"jobs": [job.as_json() for job in found[:limit]], "more": len(found) > limit})


@router.get("/v1/jobs/{id}")
async def show(here: Here, id: Id) -> Response:
    """One job, with its loss curve."""
    return as_json(here.job(id).as_json(curve=True))


@router.post("/v1/jobs/{id}/cancel")
async def cancel(here: Here, id: Id) -> Response:
    """End a job that waits or runs; 409 for one that has ended."""
    return as_json((await here.supervisor.cancel(id)).as_json(curve=True))


@router.post("/v1/jobs/{id}/retry")
async def retry(here: Here, id: Id) -> Response:
    """Queue a job again that has failed or was cancelled; 409 for others."""
    job = here.job(id)
    await run_in_threadpool(here.roots.check, parse(job.kind, job.request))
    return as_json((await here.supervisor.retry(id)).as_json(curve=True))


def _listener(here: Here) -> Context:
    if here.streams >= MOST_STREAMS:
        raise Refusal(429, "too many listen already", "Close some monitor pages")
    return here


Listener = Annotated[Context, Depends(_listener)]


@router.get("/v1/events", response_class=EventSourceResponse)
async def events(here: Listener) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `hello`, then `job` for each change, at most five a second of each job."""
    here.streams += 1
    try:
        async for event in stream.events(here):
            yield event
    finally:
        here.streams -= 1


@router.post("/v1/stop", status_code=202)
async def stop(here: Here) -> Response:
    """End the engine; jobs that run are queued again at its next start."""
    here.stop()
    return as_json({"stopping": True}, 202)


async def _ended(here: Context, job: Job, seconds: float) -> Job:
    """Wait for a job's end, unless the engine's comes first."""
    waiting = asyncio.ensure_future(here.supervisor.wait(job.id, seconds))
    closing = asyncio.ensure_future(here.closing.wait())
    try:
        await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else here.job(job.id)
    finally:
        waiting.cancel()
        closing.cancel()
