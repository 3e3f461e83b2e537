"""Tiny ONNX keypoint networks for the tests, put together by hand: nothing in them is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant_network(
    path: Path, outputs: dict[str, np.ndarray], picture: Sequence[int | str] = ("N", 3, 32, 32), batch: bool = False
) -> Path:
    """A network that gives the same whatever it sees; the arrays are of one sample, with `batch` of all of one batch."""
    nodes, weights, told = [], [], []
    # Zero times the mean of the picture, so that the batch is the input's own.
    nodes.append(helper.make_node("ReduceMean", ["picture", "rest"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "none"], ["zero"]))
    weights.append(numpy_helper.from_array(np.array([1, 2, 3], np.int64), "rest"))
    weights.append(numpy_helper.from_array(np.zeros(1, np.float32), "none"))
    for name, values in outputs.items():
        rank = values.ndim if batch else values.ndim + 1
        shape = np.array([-1, *[1] * (rank - 1)], np.int64)
        weights.append(numpy_helper.from_array(shape, f"{name}_shape"))
        held = values if batch else values[None]
        weights.append(numpy_helper.from_array(held.astype(np.float32), f"{name}_values"))
        nodes.append(helper.make_node("Reshape", ["zero", f"{name}_shape"], [f"{name}_zero"]))
        nodes.append(helper.make_node("Add", [f"{name}_zero", f"{name}_values"], [name]))
        told.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [picture[0], *held.shape[1:]]))
    return save(path, nodes, weights, picture, told)


def dot_network(path: Path, colours: np.ndarray, size: int, reach: float = 0.3, sigma: float = 1.6) -> Path:
    """Finds the centre of a dot of each of `colours` [L, 3], RGB 0..1: heat maps [N, L, size, size] of how much is of its colour.

    reach: distance from a colour, summed over the channels, at which something is no longer of it. sigma: of the Gaussian that
    gathers it, pixels.
    """
    radius = int(np.ceil(3 * sigma))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    gather = np.outer(line, line) / np.outer(line, line).sum()
    count = len(colours)
    weights = {
        "colours": np.reshape(colours, (1, count, 3, 1, 1)),
        "gather": np.tile(gather, (count, 1, 1, 1)),
        "reach": np.full((1,), 1 / reach),
        "one": np.ones(1),
        "gain": np.full((1,), 2.0),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["picture", "axis"], ["each"]),
        helper.make_node("Sub", ["each", "colours"], ["apart"]),
        helper.make_node("Abs", ["apart"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "channel"], ["far"], keepdims=0),
        helper.make_node("Mul", ["far", "reach"], ["share"]),
        helper.make_node("Sub", ["one", "share"], ["near"]),
        helper.make_node("Relu", ["near"], ["like"]),
        helper.make_node("Conv", ["like", "gather"], ["gathered"], group=count, pads=[radius] * 4),
        helper.make_node("Mul", ["gathered", "gain"], ["maps"]),
    ]
    held = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in weights.items()]
    held += [numpy_helper.from_array(np.array([at], np.int64), name) for name, at in (("axis", 1), ("channel", 2))]
    told = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", count, size, size])
    return save(path, nodes, held, ("N", 3, size, size), [told])


def save(path: Path, nodes: list, weights: list, picture: Sequence[int | str], outputs: list) -> Path:
    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, list(picture))
    graph = helper.make_graph(nodes, "keypoints", [taken], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path
