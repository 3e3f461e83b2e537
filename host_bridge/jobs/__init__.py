"""The jobs of Faceplate: each is a request, a function and a result. The command line and the engine run the same.

Nothing here knows of terminals, queues or HTTP, and nothing heavy is imported before a job runs.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from host_bridge.jobs import consent, cut, faces, resolve, swap, timeline, train
from host_bridge.jobs.job import Kind, Request
from nodes.errors import UsageError

__all__ = ["KINDS", "Kind", "Request", "parse"]

_DETECT = "Find and follow the faces of a clip."
_ALIGN = "Write aligned images of a subject, with masks and transforms, or put edited ones back."
_MASK = "Write the mattes of a shot."
_FACESET = "Gather the crops of one performer from clips, ready to train on."
_TRAIN = "Train a model for a shot on two facesets, or a base for such on more."
_SWAP = "Replace a face in a shot: composite, patch, matte, preview and report."
_PREVIEW = "Show one frame of a swap, at once."
_PERFORMERS = "Say who may be used for what, by the records of consent."
_CREDENTIALS = "Verify that results were not changed since they were signed."

_KINDS = (
    Kind("detect", _DETECT, faces.DetectRequest, faces.detect, 20, faces.DetectResult),
    Kind("align", _ALIGN, faces.AlignRequest, faces.align, 20, faces.AlignResult),
    Kind("mask", _MASK, faces.MaskRequest, faces.mask, 20, faces.MaskResult),
    Kind("faceset", _FACESET, train.FacesetRequest, train.gather_faceset, 10, train.FacesetResult),
    Kind("train", _TRAIN, train.TrainRequest, train.train_model, 0, train.TrainResult, again=train.resumed),
    Kind("swap", _SWAP, swap.SwapRequest, swap.swap, 10, swap.SwapResult),
    Kind("preview", _PREVIEW, swap.PreviewRequest, swap.preview, 100, swap.PreviewResult, warm=True),
    Kind("performers", _PERFORMERS, consent.PerformersRequest, consent.look_up_performers, 100, warm=True),
    resolve.KIND,
    Kind(
        "credentials",
        _CREDENTIALS,
        consent.CredentialsRequest,
        consent.verify_credentials,
        100,
        warm=True,
        uncacheable=True,
    ),
    timeline.KIND,
    cut.EXPORT,
    cut.IMPORT,
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}


def parse(kind: str, data: Any) -> Request:
    """Check a request that came as JSON; raises UsageError, which names every field that is wrong."""
    if kind not in KINDS:
        raise UsageError(f"there is no job '{kind}'", remedy=f"Ask for one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].request.model_validate(data)
    except ValidationError as e:
        faults = (f"{'.'.join(map(str, f['loc'])) or kind}: {f['msg']}" for f in e.errors(include_url=False))
        raise UsageError(f"the request for '{kind}' cannot be understood: {'; '.join(faults)}") from e
