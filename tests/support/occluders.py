"""An occlusion network of one convolution, for which all that is blue is in front of the face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 96
DESCRIPTION: dict[str, Any] = {
    "schema": "faceplate.occluder/1",
    "size": [SIDE, SIDE],
    "classes": {"face": [0], "hand": [1]},
}


def blue_occluder(folder: Path, **changes: Any) -> Path:
    """Write the network and its description, with changes, into a folder: RGB 0..1 [N, 3, 96, 96] → logits [N, 2, 96, 96]."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[1, :, 0, 0] = -60, 0, 60
    graph = helper.make_graph(
        [helper.make_node("Conv", ["rgb", "weights", "biases"], ["logits"])],
        "blue",
        [helper.make_tensor_value_info("rgb", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2, SIDE, SIDE])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([8, -8], np.float32), "biases"),
        ],
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "blue.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    path.with_suffix(".json").write_text(json.dumps({**DESCRIPTION, **changes}), "utf-8")
    return path
