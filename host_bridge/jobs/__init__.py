"""What Faceplate can be asked to do, one file a kind: a request, the work, a result. The command line and the engine run the same.

Nothing here knows of terminals, queues or HTTP, and nothing heavy is imported before a job runs.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from host_bridge.jobs import (
    align,
    credentials,
    cut,
    detect,
    faceset,
    mask,
    performers,
    preview,
    resolve,
    swap,
    timeline,
    train,
)
from host_bridge.jobs.job import Kind, Request
from nodes.errors import UsageError

__all__ = ["KINDS", "Kind", "Request", "parse"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        detect.KIND,
        align.KIND,
        mask.KIND,
        faceset.KIND,
        train.KIND,
        swap.KIND,
        preview.KIND,
        performers.KIND,
        resolve.KIND,
        credentials.KIND,
        timeline.KIND,
        cut.EXPORT,
        cut.IMPORT,
    )
}


def parse(kind: str, data: Any) -> Request:
    """Check a request that came as JSON; raises UsageError, which names every field that is wrong."""
    if kind not in KINDS:
        raise UsageError(f"there is no job '{kind}'", remedy=f"Ask for one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].request.model_validate(data)
    except ValidationError as e:
        faults = (f"{'.'.join(map(str, f['loc'])) or kind}: {f['msg']}" for f in e.errors(include_url=False))
        raise UsageError(f"the request for '{kind}' cannot be understood: {'; '.join(faults)}") from e
