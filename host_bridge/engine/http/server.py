"""The engine's HTTP side: the routes behind the guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp

from host_bridge.engine.http import files, routes
from host_bridge.engine.http.answers import as_json, handle_errors
from host_bridge.engine.http.context import Context
from host_bridge.engine.http.openapi import document
from host_bridge.engine.http.security import BODY_SECONDS, Guard


def make_app(context: Context, token: str, *, body_seconds: float = BODY_SECONDS) -> ASGIApp:
    """The application for one engine. body_seconds: how long the body of a request may take."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Nothing leaves this machine, whatever the environment says.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.context = context
    for part in (routes, files):
        app.include_router(part.router)
    handle_errors(app)

    @app.get("/v1/openapi.json")
    async def openapi() -> Response:
        return as_json(document())

    return Guard(app, token, context.touch, body_seconds=body_seconds)
