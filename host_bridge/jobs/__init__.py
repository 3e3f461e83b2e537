"""The jobs of Faceplate: each is a request, a function and a result. The command line and the engine run the same.

Nothing here knows of terminals, queues or HTTP, and nothing heavy is imported before a job runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from host_bridge.jobs import consent, cut, faces, resolve, swap, timeline, train
from host_bridge.jobs.job import Kind, Request
from nodes.errors import UsageError

__all__ = ["KINDS", "Kind", "Request", "parse"]

_KINDS = (
    Kind("detect", faces.detect, priority=20),
    Kind("align", faces.align, priority=20),
    Kind("mask", faces.mask, priority=20),
    Kind("faceset", train.gather_faceset, priority=10),
    Kind("train", train.train_model, priority=0, again=train.resumed),
    Kind("swap", swap.swap, priority=10),
    Kind("preview", swap.preview, priority=100, warm=True),
    Kind("performers", consent.look_up_performers, priority=100, warm=True),
    Kind("resolve", resolve.decide, priority=100, warm=True),
    Kind("credentials", consent.verify_credentials, priority=100, warm=True, uncacheable=True),
    Kind("timeline", timeline.run, priority=0, uncacheable=True),
    Kind("export_cut", cut.export_cut, priority=100, warm=True),
    Kind("import_cut", cut.import_cut, priority=100, warm=True),
)
KINDS = {kind.name: kind for kind in _KINDS}


def parse(kind: str, data: Any, kinds: Mapping[str, Kind] = KINDS) -> Request:
    """Validate a request from JSON; raises UsageError, which names every invalid field."""
    if kind not in kinds:
        raise UsageError(f"there is no job '{kind}'", remedy=f"Ask for one of {', '.join(kinds)}")
    try:
        return kinds[kind].request.model_validate(data)
    except ValidationError as e:
        faults = (f"{'.'.join(map(str, f['loc'])) or kind}: {f['msg']}" for f in e.errors(include_url=False))
        raise UsageError(f"the request for '{kind}' cannot be understood: {'; '.join(faults)}") from e
