"""What a job leaves, over HTTP: its log and pictures; and the monitor page."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException

from host_bridge.engine import monitor
from host_bridge.engine.http.context import Context, Here, Id
from host_bridge.engine.queue.errors import NotFound

_LOG_BYTES = 1 << 18
router = APIRouter(redirect_slashes=False)


@router.get("/v1/jobs/{id}/log", response_class=PlainTextResponse)
def log(
    here: Here,
    id: Id,
    start: Annotated[int, Query(alias="from", ge=0, le=10**15, description="Start at this byte.")] = 0,
) -> Response:
    """What a job has printed, at most 256 KiB at once; the header X-Next is the byte from which to go on."""
    try:
        with (_folder(here, id) / "log.txt").open("rb") as file:
            file.seek(start)
            part = file.read(_LOG_BYTES)
    except FileNotFoundError:
        part = b""
    whole = _whole_characters(part)
    return PlainTextResponse(part[:whole].decode("utf-8", "replace"), headers={"X-Next": str(start + whole)})


@router.get("/v1/jobs/{id}/preview", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def preview(
    here: Here,
    id: Id,
    v: Annotated[str | None, Query(max_length=20, description="Which one; for caches, the latest is sent.")] = None,
) -> Response:
    """The latest picture of how a job is going."""
    return _picture(here, id, "preview.png")


@router.get("/v1/jobs/{id}/pictures/{name}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def picture(here: Here, id: Id, name: Annotated[str, Path(max_length=255)]) -> Response:
    """One of the pictures that a job names."""
    if name not in here.job(id).pictures or FilePath(name).name != name:
        raise NotFound(f"job {id} has no picture '{name}'")
    return _picture(here, id, f"pictures/{name}")


@router.get("/", include_in_schema=False)
@router.get("/{name}", include_in_schema=False)
def page(name: str = "index.html") -> Response:
    """The monitor page and its parts."""
    file = monitor.FILES.get(name)
    if file is None:
        raise HTTPException(404, "not found")
    return Response(file.read_bytes(), media_type=monitor.TYPES[file.suffix])


def _folder(here: Context, id: str) -> FilePath:
    return here.folder / "jobs" / id


def _picture(here: Context, id: str, name: str) -> Response:
    try:
        return Response((_folder(here, id) / name).read_bytes(), media_type="image/png")
    except OSError as e:
        raise NotFound(f"job {id} has no picture '{name}' yet") from e


def _whole_characters(part: bytes) -> int:
    """How many of these bytes are whole characters of UTF-8: a letter may be half written yet."""
    for back in range(1, min(4, len(part)) + 1):
        lead = part[-back]
        if lead & 0xC0 != 0x80:
            needed = 1 if lead < 0x80 else 2 if lead >> 5 == 0b110 else 3 if lead >> 4 == 0b1110 else 4
            return len(part) - back if needed > back and lead >= 0xC0 else len(part)
    return len(part)
