"""What happens, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent

from host_bridge.engine.http.answers import as_text
from host_bridge.engine.http.context import Context


async def events(here: Context) -> AsyncIterator[ServerSentEvent]:
    """`hello` with the engine's version, then `job` for each change as the supervisor tells it; ends when the engine does."""
    with here.supervisor.subscribe() as changes:
        yield _event("hello", {"version": here.version})
        end = asyncio.ensure_future(here.closing.wait())
        change = asyncio.ensure_future(changes.get())
        try:
            while not end.done():
                await asyncio.wait((end, change), return_when=asyncio.FIRST_COMPLETED)
                if change.done():
                    yield _event("job", change.result().as_json())
                    change = asyncio.ensure_future(changes.get())
        finally:
            end.cancel()
            change.cancel()


def _event(name: str, value: object) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=as_text(value))
