# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the engine something short while the user works, without a thread: one that runs while Blender undoes, or notes a step to undo, can end it."""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from typing import Any

from .engine import START, api, version
from .jobs import Told, failed
from .news import poll
from .standing import Job

_LONGEST = 20.0  # seconds


def ask(kind: str, request: dict[str, Any], told: Told) -> None:
    """Ask an engine that runs, unseen by panels. told: is given the job when it has ended; without an engine a failed one, whose `error` says so."""
    steps = _steps(kind, request)

    def look() -> bool:
        try:
            next(steps)
        except StopIteration as end:
            told(end.value)
            return True
        return False

    poll(look)


def _steps(kind: str, request: dict[str, Any]) -> Generator[None, None, Job]:
    """What there is to do at each look of the timer, each a matter of a millisecond; returns the job."""
    try:
        address = api().read_address(api().state_folder())
        if address is None:
            raise api().EngineGone("the engine is not running")
        if address.version != version():
            raise api().EngineError(f"the engine is Faceplate {address.version}, this extension {version()}")
        client, end = api().Client(address, seconds=1), time.monotonic() + _LONGEST
        connection = client.begin("POST", "/v1/jobs?wait=5", {"kind": kind, "request": request})
        while True:
            while not select.select([connection.sock], [], [], 0)[0]:
                if time.monotonic() > end:
                    raise api().EngineError("the engine does not answer", remedy="Look at its monitor")
                yield
            job: Job = client.finish(connection)
            if job["state"] in api().ENDED:
                return job
            yield
            connection = client.begin("GET", f"/v1/jobs/{job['id']}")
    except api().EngineGone:
        return failed(kind, api().EngineGone("the engine is not running", remedy=START))
    except api().EngineError as e:
        return failed(kind, e)
