"""Request guard of the engine: access checks, refusals and response headers.

The engine trusts holders of the token, that is, programs that can read the user's files. A web page lacks the token, its
Origin differs, and a name rebound to 127.0.0.1 (DNS rebinding) shows in Host.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Collection
from urllib.parse import parse_qsl

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host_bridge.client import LARGEST_REQUEST
from host_bridge.engine.job import Conflict, NotFound
from host_bridge.engine.roots import OutsideError
from nodes.errors import Action, FaceplateError, OutputError, UsageError

METHODS = ("GET", "POST")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATUS: list[tuple[type[FaceplateError], int]] = [
    (NotFound, 404),
    (Conflict, 409),
    (OutsideError, 403),
    (UsageError, 422),
    (OutputError, 507),  # this machine's disk, not the request
]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_log = logging.getLogger(__name__)


class Refusal(BaseModel):
    """Reason and remedy of a refused request. action: the remedy as a button."""

    message: str
    remedy: str | None = None
    action: Action | None = None


class RefusalBody(BaseModel):
    """The JSON of every refusal."""

    error: Refusal


def refusal(
    status: int, message: str, remedy: str | None = None, action: Action | None = None, **headers: str
) -> Response:
    """Make a response that refuses a request."""
    body = RefusalBody(error=Refusal(message=message, remedy=remedy, action=action)).model_dump()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body), status, fields, "application/json")  # in ASCII, whatever was requested


class RequestGuard:
    """ASGI middleware: method, Host, Origin, token and announced size of a request; the headers of every answer.

    open_paths: answered without the token. touched: called for each other request that passes.
    """

    def __init__(self, app: ASGIApp, token: str, open_paths: Collection[str], touched: Callable[[], None]) -> None:
        self._app, self._token, self._open, self._touched = app, token.encode(), open_paths, touched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        assert scope["type"] == "http", "the server speaks nothing else"
        request = Request(scope)
        reply = self._check(request)
        if reply:
            # The path might hold the token; the log's filter removes it.
            _log.info("refused %.20s %.200r: %d", request.method, scope["path"], reply.status_code)
            reply.headers["connection"] = "close"  # the rest of the body is never read
        elif scope["path"] not in self._open:
            self._touched()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (reply or self._app)(scope, receive, send_with_headers)

    def _check(self, request: Request) -> Response | None:
        scope = request.scope
        if request.method not in METHODS:
            return refusal(405, "the method is not known here", "Use GET or POST", allow=", ".join(METHODS))
        host, port = _only(request, "host"), scope["server"][1]
        if host is None or host.lower() not in {f"{name}:{port}" for name in _LOOPBACK}:
            return refusal(403, "the Host header does not name this engine", "Use the address in engine.json")
        if "origin" in request.headers and _only(request, "origin") != f"http://{host}":
            return refusal(403, "the request comes from another site", "Open the engine's own page")
        if self._in_query(scope["query_string"]):
            remedy = "Send it as the header Authorization: Bearer TOKEN"
            return refusal(400, "a token has no place in an address", remedy)
        if not (scope["path"] in self._open and request.method == "GET"):
            scheme, _, value = (_only(request, "authorization") or "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(value.strip().encode("latin-1"), self._token):
                message = "the token is wrong" if scheme else "the token is missing"
                remedy = "Send the token of engine.json as the header Authorization: Bearer TOKEN"
                return refusal(401, message, remedy, www_authenticate="Bearer")
        length = request.headers.get("content-length", "0")  # Starlette counts a body without an announced size
        if len(length) > 15 or int(length) > LARGEST_REQUEST:
            return _too_large()
        return None

    def _in_query(self, query: bytes) -> bool:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        has_token_name = any(name.lower() in ("token", "access_token", "authorization") for name, _ in pairs)
        return has_token_name or any(hmac.compare_digest(part.encode(), self._token) for pair in pairs for part in pair)


def handle_errors(app: FastAPI) -> None:
    """Turn every error into a refusal."""

    @app.exception_handler(FaceplateError)
    async def of_ours(_: Request, error: FaceplateError) -> Response:
        status = next((s for kind, s in _STATUS if isinstance(error, kind)), 409)
        return refusal(status, error.plain, error.remedy, error.action)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(
            f"there is no job '{fault['ctx']['tag']}'"
            if fault["type"] == "union_tag_invalid"
            else f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors()
        )
        return refusal(422, f"the request cannot be understood: {faults}", "See docs/engine.md for what can be asked")

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code == 413:
            return _too_large()
        headers = {name.replace("-", "_"): value for name, value in (error.headers or {}).items()}
        message, remedy = str(error.detail).lower(), "See docs/engine.md for what can be asked"
        return refusal(error.status_code, message, remedy, None, **headers)

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return refusal(500, "the engine has met an error of its own", "Please report what engine.log says")


def _too_large() -> Response:
    return refusal(413, "the request is larger than 1 MiB", "Ask for less at once", connection="close")


def _only(request: Request, name: str) -> str | None:
    """Return the value of a header; None if it is missing or ambiguous, since there are two."""
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else None
