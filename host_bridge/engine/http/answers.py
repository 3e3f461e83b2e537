"""Answers as bytes: JSON that any job can be told in, and one shape for every error."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from host_bridge.engine.http.roots import OutsideError
from host_bridge.engine.http.security import Refusal, error_body
from host_bridge.engine.queue.errors import Conflict, NotFound
from nodes.errors import FaceplateError, OutputError, UsageError

_STATUS: list[tuple[type[FaceplateError], int]] = [
    (NotFound, 404),
    (Conflict, 409),
    (OutsideError, 403),
    (UsageError, 422),
    (OutputError, 507),  # this machine's disk, not the request
]
_log = logging.getLogger(__name__)


def as_text(value: Any) -> str:
    """JSON in ASCII: what is not a number becomes null, and names that are no UTF-8 stay readable."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def as_json(value: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(as_text(value), status, media_type="application/json")


def handle_errors(app: FastAPI) -> None:
    """Turn whatever goes wrong into `{"error": {"message", "remedy"}}`."""

    def refuse(status: int, message: str, remedy: str | None = None) -> Response:
        return Response(error_body(message, remedy), status, media_type="application/json")

    @app.exception_handler(FaceplateError)
    async def told(_: Request, error: FaceplateError) -> Response:
        return refuse(next((s for kind, s in _STATUS if isinstance(error, kind)), 409), error.plain, error.remedy)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return refuse(error.status, error.message, error.remedy)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return refuse(422, "the request cannot be understood: " + "; ".join(faults))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        answer = refuse(error.status_code, f"{error.detail}".lower(), "See docs/engine.md for what can be asked")
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(sqlite3.Error)
    async def full(_: Request, error: sqlite3.Error) -> Response:
        _log.error("the queue cannot be read or written: %s", error)
        return refuse(507, f"the queue cannot be read or written: {error}", "See whether the disk is full")

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return refuse(500, "the engine has met an error of its own", "Please report what engine.log says")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
