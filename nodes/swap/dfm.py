"""DeepFaceLab's `.dfm` models: ONNX, NHWC, float BGR 0..1, as its exporter writes them.

A `.dfm` records neither its performer nor the framing of its crops: it is taken to be of the face type `whole_face`, whose
crops are about those of a coverage of 1. Ours were not compared against DeepFaceLab's own alignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nodes.errors import ModelError
from nodes.swap.runner import Feed, SwapModel, check_result, check_tensor, fixed_batch, run_session
from nodes.types import Float

TEMPLATE = "dfm"
_MORPHED = 0.75  # of AMP models: 0 is the target's face, 1 the source's
_FACE, _MORPH = "in_face:0", "morph_value:0"
_OUTPUTS = ["out_celeb_face:0", "out_celeb_face_mask:0", "out_face_mask:0"]


def is_dfm(session: Any) -> bool:
    """Tell whether a session has the input and outputs of a `.dfm`, whatever its file name."""
    return _FACE in {i.name for i in session.get_inputs()} and set(_OUTPUTS) <= {o.name for o in session.get_outputs()}


def load_dfm(file: Path, session: Any, metadata: Mapping[str, str]) -> SwapModel:
    """Read a `.dfm` as a swap model; its mask is the product of the two that it gives. Raises ModelError when it leaves its size open."""
    inputs = {i.name: i for i in session.get_inputs()}
    shape = inputs[_FACE].shape
    size = shape[1] if len(shape) == 4 else None
    remedy = "Export it from DeepFaceLab again"
    if not isinstance(size, int):
        raise ModelError(f"its crop has no fixed size ({shape})", file=file, remedy=remedy)
    if unknown := set(inputs) - {_FACE, _MORPH}:
        raise ModelError(f"has inputs that no .dfm has: {sorted(unknown)}", file=file, remedy=remedy)
    check_tensor(inputs[_FACE], 3, size, "nhwc", file)
    for output in session.get_outputs():
        if output.name in _OUTPUTS:
            check_tensor(output, 3 if output.name == _OUTPUTS[0] else 1, size, "nhwc", file)

    def infer(feed: Feed) -> tuple[Float, Float]:
        crops = feed["crop"]
        values = {_FACE: crops[..., ::-1]}
        if _MORPH in inputs:
            values[_MORPH] = np.full([1] * len(inputs[_MORPH].shape), _MORPHED, np.float32)
        face, source_mask, target_mask = run_session(session, _OUTPUTS, values, file)
        for mask in (source_mask, target_mask):
            check_result((face, mask), crops.shape[:3], (3, 1), file)
        return face[..., ::-1], np.clip(source_mask[..., 0], 0, 1) * np.clip(target_mask[..., 0], 0, 1)

    return SwapModel(
        file=file,
        subject="face",
        template=TEMPLATE,
        size=size,
        coverage=1.0,
        inputs=("crop",),
        batch=fixed_batch(session, file),
        metadata=metadata,
        infer=infer,
    )
