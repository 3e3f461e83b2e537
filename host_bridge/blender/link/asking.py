# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the engine something short, unseen by panels, while the user works."""

from __future__ import annotations

from typing import Any

from .engine import api, find
from .jobs import Told, failed
from .standing import Job
from .steps import Steps, walk


def ask(kind: str, asked: dict[str, Any], told: Told) -> None:
    """Ask an engine that runs. told: is given the job when it has ended; without an engine a failed one, whose `error` says so."""
    walk(_answered(kind, asked), told)


def _answered(kind: str, asked: dict[str, Any]) -> Steps[Job]:
    try:
        client, found = yield from find()
        if client is None:
            return failed(kind, api().EngineError(found["message"], remedy=found["remedy"]))
        job: Job = yield from client.steps("POST", "/v1/jobs?wait=5", {"kind": kind, "request": asked})
        while job["state"] not in api().ENDED:
            yield
            job = yield from client.steps("GET", f"/v1/jobs/{job['id']}")
        return job
    except api().EngineError as e:
        return failed(kind, e)
