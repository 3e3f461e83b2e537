"""The engine's HTTP interface: its routes and the OpenAPI document made from them. docs/engine.md lists them."""

from __future__ import annotations

import codecs
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, cast

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from fastapi import Path as PathParameter
from fastapi import Request as HttpRequest
from fastapi.responses import PlainTextResponse, Response
from fastapi.security import HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from host_bridge.client import LARGEST_REQUEST
from host_bridge.engine.guard import RefusalBody, RequestGuard, handle_errors
from host_bridge.engine.job import LOG, PICTURES, PREVIEW, Job, NotFound, State
from host_bridge.engine.roots import Roots
from host_bridge.engine.supervisor import Supervisor
from host_bridge.jobs import KINDS, Request, parse
from nodes import __version__
from nodes.definitions import NODES

_LOG_BYTES = 1 << 18
# The monitor page: the only thing served without a token. It shows nothing until it has one.
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE: Final = {f.name: f for f in (Path(__file__).parent / "monitor").iterdir() if f.suffix in _TYPES}
OPEN_PATHS: Final = frozenset({"/", *(f"/{name}" for name in PAGE)})
REFUSALS: Final = {
    400: "The request is no HTTP or JSON that can be read, or holds a token in its address",
    401: "The token is missing or wrong",
    403: "Host or Origin is not this engine's, or a path lies outside the allowed folders",
    404: "There is no such job, picture or address",
    409: "The job's state does not allow it",
    413: "The request is larger than 1 MiB",
    422: "A field of the request is wrong",
}


@dataclass
class Context:
    """State of one engine. idle_stop: minutes, 0 for never; stop: ends it."""

    supervisor: Supervisor
    roots: Roots
    idle_stop: float
    stop: Callable[[], None]
    started: float = field(default_factory=time.monotonic)


class EngineStatus(BaseModel):
    """The engine and its load. python: its interpreter; uptime: seconds; idle_stop: minutes, 0 for never; trouble: why nothing can start; roots: allowed folders."""

    version: str
    python: str
    pid: int
    uptime: float
    idle_stop: float
    running: int
    queued: int
    trouble: str | None
    devices: list[str]
    roots: list[Path]


class NodeList(BaseModel):
    """The nodes: ports, and parameters as JSON Schema."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_: Literal["faceplate.nodes/1"] = Field(default="faceplate.nodes/1", alias="schema")
    nodes: list[dict[str, Any]]


class KindView(BaseModel):
    """A kind of job, with the JSON Schema of its request."""

    name: str
    help: str
    priority: int
    request: dict[str, Any]


class KindList(BaseModel):
    """The kinds of jobs."""

    kinds: list[KindView]


class JobList(BaseModel):
    """Jobs, newest first; more: there are older ones."""

    jobs: list[Job]
    more: bool


class Stopping(BaseModel):
    """Answer to a stop request."""

    stopping: bool = True


class Submission(BaseModel):
    """A job to submit: its kind, its request, and its priority, by default that of the kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    request: Request
    priority: int | None = Field(None, ge=-1000, le=1000, description="Of the queued jobs the highest goes first.")

    @model_validator(mode="before")
    @classmethod
    def _is_sound(cls, values: Any) -> Any:
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()  # else a ValueError: no Unicode, no number
        return values


if TYPE_CHECKING:
    AnySubmission = Submission
else:  # one model for each kind, told apart by `kind`
    _SUBMISSIONS = [
        create_model(f"submit_{k.name}", __base__=Submission, kind=Literal[k.name], request=k.request)
        for k in KINDS.values()
    ]
    AnySubmission = Annotated[Union[tuple(_SUBMISSIONS)], Field(discriminator="kind")]  # noqa: UP007


def _context(request: HttpRequest) -> Context:
    return cast(Context, request.app.state.context)


Here = Annotated[Context, Depends(_context)]
Id = Annotated[str, PathParameter(pattern="^[0-9a-f]{16}$", description="A job's id.")]
Seconds = Annotated[float, Query(ge=0, le=60, description="Answer when the job has ended, or after these seconds.")]
router = APIRouter(
    prefix="/v1",
    dependencies=[Depends(HTTPBearer(auto_error=False))],  # for the document; the guard has checked it already
    responses={status: {"model": RefusalBody, "description": text} for status, text in REFUSALS.items()},
)


@router.get("/status")
async def status(here: Here) -> EngineStatus:
    """Report version, interpreter, process, uptime in seconds, idle_stop in minutes, running and queued jobs, devices, folders; trouble says why nothing can start."""
    queue = here.supervisor.queue
    return EngineStatus(
        version=__version__,
        python=sys.executable,
        pid=os.getpid(),
        uptime=round(time.monotonic() - here.started, 1),
        idle_stop=here.idle_stop,
        running=queue.count("running"),
        queued=queue.count("queued"),
        trouble=here.supervisor.trouble,
        devices=list(here.supervisor.devices),
        roots=here.roots.folders(),
    )


@router.get("/nodes")
async def nodes() -> NodeList:
    """List the nodes: ports, and parameters as JSON Schema."""
    return NodeList(schema="faceplate.nodes/1", nodes=[node.schema() for node in NODES])


@router.get("/kinds")
async def kinds() -> KindList:
    """List the kinds of jobs, each with the JSON Schema of its request."""
    views = [
        KindView(name=k.name, help=k.help, priority=k.priority, request=k.request.model_json_schema())
        for k in KINDS.values()
    ]
    return KindList(kinds=views)


@router.post("/jobs", status_code=201, responses={200: {"model": Job, "description": "The same job exists already"}})
async def submit(here: Here, submission: AnySubmission, response: Response, wait: Seconds = 0) -> Job:
    """Submit a job: 201 for a new one, 200 for the same that is queued, running, or finished with its files unchanged."""
    await run_in_threadpool(here.roots.check, submission.request)
    job, created = await here.supervisor.submit(submission.kind, submission.request, submission.priority)
    response.status_code = 201 if created else 200
    return await here.supervisor.wait(job.id, wait) if wait else job


@router.get("/jobs", response_model_exclude={"jobs": {"__all__": {"curve"}}})
async def jobs(
    here: Here,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    before: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$", description="Only those older than this id.")] = None,
) -> JobList:
    """List jobs, newest first, without their curves; `more` if there are older ones."""
    newest = here.supervisor.queue.list(state, limit + 1, before)
    return JobList(jobs=newest[:limit], more=len(newest) > limit)


@router.get("/jobs/{id}")
async def show(here: Here, id: Id) -> Job:
    """Show one job, with its loss curve."""
    return here.supervisor.queue.get(id)


@router.post("/jobs/{id}/cancel")
async def cancel(here: Here, id: Id) -> Job:
    """End a queued or running job; 409 for one that has ended."""
    return await here.supervisor.cancel(id)


@router.post("/jobs/{id}/retry")
async def retry(here: Here, id: Id) -> Job:
    """Queue a failed or cancelled job again; 409 for others."""
    job = here.supervisor.queue.get(id)
    await run_in_threadpool(here.roots.check, parse(job.kind, job.request))
    return await here.supervisor.retry(id)


@router.get("/events", response_class=EventSourceResponse)
async def events(here: Here) -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events: `hello`, then `job` for each change, at most five a second of each job."""
    yield ServerSentEvent(event="hello", data={"version": __version__})
    async for job in here.supervisor.changes():
        yield ServerSentEvent(event="job", raw_data=job.model_dump_json(exclude={"curve"}))


@router.post("/stop", status_code=202)
async def stop(here: Here) -> Stopping:
    """End the engine; running jobs are queued again at its next start."""
    here.stop()
    return Stopping()


@router.get("/jobs/{id}/log", response_class=PlainTextResponse)
def log(
    here: Here,
    id: Id,
    start: Annotated[int, Query(alias="from", ge=0, le=10**15, description="Start at this byte.")] = 0,
) -> Response:
    """Read a job's output, at most 256 KiB at once; the header X-Next is the byte from which to go on."""
    try:
        with (here.supervisor.folder(id) / LOG).open("rb") as file:
            file.seek(start)
            part = file.read(_LOG_BYTES)
    except FileNotFoundError:
        part = b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, (pending, _) = decoder.decode(part), decoder.getstate()  # a character may be half written
    return PlainTextResponse(text, headers={"X-Next": str(start + len(part) - len(pending))})


@router.get("/jobs/{id}/preview", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def preview(
    here: Here,
    id: Id,
    v: Annotated[str | None, Query(max_length=20, description="Which one; for caches, the latest is sent.")] = None,
) -> Response:
    """Return the latest picture of a job."""
    return _picture(here, id, PREVIEW)


@router.get("/jobs/{id}/pictures/{name}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def picture(here: Here, id: Id, name: Annotated[str, PathParameter(max_length=255)]) -> Response:
    """Return one of the pictures that a job lists."""
    if name not in here.supervisor.queue.get(id).pictures or Path(name).name != name:
        raise NotFound(f"job {id} has no picture '{name}'")
    return await run_in_threadpool(_picture, here, id, f"{PICTURES}/{name}")


def _picture(here: Context, id: str, name: str) -> Response:
    try:
        return Response((here.supervisor.folder(id) / name).read_bytes(), media_type="image/png")
    except OSError as e:
        raise NotFound(f"job {id} has no picture '{name}' yet") from e


def _page(name: str = "index.html") -> Response:
    file = PAGE.get(name)
    if file is None:
        raise HTTPException(404, "not found")
    return Response(file.read_bytes(), media_type=_TYPES[file.suffix])


def make_app() -> FastAPI:
    """Make the application without an engine, enough for its OpenAPI document."""
    app = FastAPI(
        title="Faceplate's engine",
        version=__version__,
        description="Jobs of one user on one machine. All but the monitor page needs the token of engine.json.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        max_body_size=LARGEST_REQUEST,
        # Nothing leaves this machine, whatever the environment says.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.include_router(router)
    for path in ("/", "/{name}"):
        app.get(path, include_in_schema=False)(_page)
    handle_errors(app)
    return app


def guarded_app(context: Context, token: str) -> ASGIApp:
    """Make the application of one engine, behind its guard."""
    app = make_app()
    app.state.context = context
    return RequestGuard(app, token, OPEN_PATHS, context.supervisor.touch)
