"""What the routes work with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi import Path as PathParameter

from host_bridge.engine.http.roots import Roots
from host_bridge.engine.queue.errors import no_job
from host_bridge.engine.queue.record import Job
from host_bridge.engine.queue.supervisor import Supervisor


@dataclass
class Context:
    """One engine. folder: its state; idle_stop: minutes, 0 for never; stop: ends it; closing: is set when it is about to end."""

    supervisor: Supervisor
    roots: Roots
    folder: Path
    version: str
    idle_stop: float
    stop: Callable[[], None]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = field(default_factory=time.monotonic)
    last_request: float = field(default_factory=time.monotonic)
    streams: int = 0

    def job(self, id: str) -> Job:
        """A job; raises NotFound."""
        job = self.supervisor.store.get(id)
        if job is None:
            raise no_job(id)
        return job

    def touch(self) -> None:
        """Somebody is there."""
        self.last_request = time.monotonic()


def _of(request: Request) -> Context:
    return cast(Context, request.app.state.context)


Here = Annotated[Context, Depends(_of)]
Id = Annotated[str, PathParameter(pattern="^[0-9a-f]{16}$", description="A job's id.")]
