"""What every request has to pass before the engine looks at it, and the headers of every answer.

The engine trusts whoever holds the token, which is whoever can read the user's files. A web page cannot: it does not know the token, its
Origin is another, and a name that is bound to 127.0.0.1 afterwards (DNS rebinding) shows in Host.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host_bridge.client import LARGEST_REQUEST
from host_bridge.engine import monitor

METHODS = frozenset({"GET", "POST"})
OPEN_PATHS = monitor.PATHS  # the page knows nothing until it has the token
BODY_SECONDS = 5.0
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
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """An answer that says no."""

    def __init__(self, status: int, message: str, remedy: str | None = None) -> None:
        self.status, self.message, self.remedy = status, message, remedy


def error_body(message: str, remedy: str | None = None) -> bytes:
    """The JSON of every answer that says no."""
    return json.dumps({"error": {"message": message, "remedy": remedy}}).encode()


class Guard:
    """ASGI middleware: method, Host, Origin, token, and a body that is small and comes in time. touched: called for each that passes."""

    def __init__(
        self, app: ASGIApp, token: str, touched: Callable[[], None], *, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app, self._token, self._touched, self._body_seconds = app, token.encode(), touched, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            body = await self._body(scope, receive)
        except Refusal as refusal:
            # The path might hold anything, the token too; the log's own filter takes that out.
            _log.info("refused %.20s %.200r: %d", scope["method"], scope["path"], refusal.status)
            await _refuse(send, refusal)
            return
        if scope["path"] not in OPEN_PATHS:
            self._touched()
        await self._app(scope, _replayed(body, receive), _with_headers(send))

    def _check(self, scope: Scope) -> None:
        if scope["method"] not in METHODS:
            raise Refusal(405, "the method is not known here", "Use GET or POST")
        host = _only(scope, b"host")
        port = scope["server"][1]
        if host is None or host.lower() not in {f"{name}:{port}".encode() for name in _LOOPBACK}:
            raise Refusal(403, "the Host header does not name this engine", "Use the address in engine.json")
        if _values(scope, b"origin") and _only(scope, b"origin") != b"http://" + host:
            raise Refusal(403, "the request comes from another site", "Open the engine's own page")
        if self._in_query(scope["query_string"]):
            raise Refusal(
                400, "a token has no place in an address", "Send it as the header Authorization: Bearer TOKEN"
            )
        if scope["path"] in OPEN_PATHS and scope["method"] == "GET":
            return
        scheme, _, told = (_only(scope, b"authorization") or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(told.strip(), self._token):
            what = "the token is wrong" if scheme else "the token is missing"
            raise Refusal(401, what, "Send the token of engine.json as the header Authorization: Bearer TOKEN")

    def _in_query(self, query: bytes) -> bool:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
        except ValueError as e:
            raise Refusal(400, "the query cannot be understood") from e
        named = any(name.lower() in (b"token", b"access_token", b"authorization") for name, _ in pairs)
        return named or any(hmac.compare_digest(part, self._token) for pair in pairs for part in pair)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the whole body, and never more than is allowed."""
        length = _only(scope, b"content-length")
        if length is not None and (not length.isdigit() or len(length) > 15 or int(length) > LARGEST_REQUEST):
            raise _too_large()
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the connection was closed")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > LARGEST_REQUEST:
                        raise _too_large()
        except TimeoutError as e:
            raise Refusal(408, "the request does not come to an end", "Send it at once") from e
        return bytes(body)


_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def _too_large() -> Refusal:
    return Refusal(413, "the request is larger than 1 MiB", "Ask for less at once")


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _only(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header that is there once; None if it is missing, or there twice and could mean two things."""
    found = _values(scope, name)
    return found[0] if len(found) == 1 else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, and then what else comes: the end of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in _RAW_HEADERS}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
            message = {**message, "headers": kept + _RAW_HEADERS}
        await send(message)

    return sent


async def _refuse(send: Send, refusal: Refusal) -> None:
    """Answer, and close the connection: what is left of the body is never read."""
    body = error_body(refusal.message, refusal.remedy)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *([(b"www-authenticate", b"Bearer")] if refusal.status == 401 else []),
        *([(b"allow", b", ".join(m.encode() for m in sorted(METHODS)))] if refusal.status == 405 else []),
        *_RAW_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
