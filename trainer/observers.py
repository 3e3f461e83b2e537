"""Perceptual losses by embedded networks: expression and identity of a face in training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import Tensor, nn

from nodes.detect.face import CLOSE_NETWORK, CLOSE_SIZE, squares_from_landmarks
from nodes.recognise import NETWORK, chip_transforms
from nodes.recognise import SIZE as CHIP
from nodes.runtime import read_weights
from nodes.subjects.subject import Subject
from nodes.types import Float

_Operator = Callable[..., Any]


class Embedded(nn.Module):
    """A network of `nodes/weights`, frozen, which gives gradients for its input.

    Input and (first) output are those of the ONNX file. Raises ModelError as :func:`nodes.runtime.load_weights`, KeyError for an
    operator missing here.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        graph = onnx.load_model_from_string(read_weights(network)).graph
        _join_prelu(graph)
        self._input, self._output = graph.input[0].name, [o.name for o in graph.output]
        self._names = {t.name: f"w{i}" for i, t in enumerate(graph.initializer)}
        for tensor in graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            value = value.float() if value.is_floating_point() else value
            self.register_buffer(self._names[tensor.name], value, persistent=False)
        self._steps = [
            (
                _OPERATORS[node.op_type],
                list(node.input),
                node.output[0],
                {a.name: helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in graph.node
        ]
        last_use: dict[str, int] = {name: i for i, (_, inputs, _, _) in enumerate(self._steps) for name in inputs}
        self._last = [
            [name for name in {*inputs} if last_use[name] == i] for i, (_, inputs, _, _) in enumerate(self._steps)
        ]

    def forward(self, values: Tensor) -> Tensor:
        """Compute the first output [N, ...] of input [N, ...]."""
        tensors: dict[str, Any] = {name: getattr(self, buffer) for name, buffer in self._names.items()}
        tensors[self._input] = values
        for (operator, inputs, output, attributes), unused in zip(self._steps, self._last, strict=True):
            tensors[output] = operator(*(tensors.get(name) for name in inputs), **attributes)
            for name in unused:
                if name not in self._output:
                    del tensors[name]
        result: Tensor = tensors[self._output[0]]
        return result


def _join_prelu(graph: onnx.GraphProto) -> None:
    """Rejoin each PReLU that `nodes/weights/convert.py` splits for ONNX Runtime into a·x + b·relu(c·x)."""
    producers = {node.output[0]: node for node in graph.node}
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}

    def slope(name: str, of: str) -> Any:
        """Return the factor between two tensors that a 1×1 convolution of each channel by itself connects, else None."""
        node = producers.get(name)
        if name == of or node is None or node.op_type != "Conv" or node.input[0] != of or len(node.input) > 2:
            return 1.0 if name == of else None
        weight = values[node.input[1]]
        return weight.ravel() if weight.shape[1:] == (1, 1, 1) else None

    for node in [n for n in graph.node if n.op_type == "Add"]:
        straight, bent = (producers.get(name) for name in node.input)
        relu = producers.get(bent.input[0]) if bent and bent.input else None
        if straight is None or bent is None or relu is None or relu.op_type != "Relu" or straight.op_type != "Conv":
            continue
        x = straight.input[0]
        a, b, c = slope(node.input[0], x), slope(node.input[1], relu.output[0]), slope(relu.input[0], x)
        if a is None or b is None or c is None or not np.allclose(a + b * np.maximum(c, 0), 1, atol=1e-6):
            continue
        name = f"{node.output[0]}_slope"
        graph.initializer.append(numpy_helper.from_array(np.asarray(a + b * np.minimum(c, 0), np.float32), name))
        node.op_type, node.input[:] = "PRelu", [x, name]
    used: set[str] = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if node.output[0] in used:
            used.update(node.input)
    nodes = [node for node in graph.node if node.output[0] in used]
    tensors = [t for t in graph.initializer if t.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: list[int] | None = None,
    pads: list[int] | None = None,
    group: int = 1,
    **_: Any,
) -> Tensor:
    top, left, bottom, right = pads or (0, 0, 0, 0)
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, tuple(strides or (1, 1)), (top, left), groups=group)


def _pad(x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    low, high = pads.view(2, -1).tolist()
    sides = [side for pair in zip(reversed(low), reversed(high), strict=True) for side in pair]
    return F.pad(x, sides, value=0.0 if value is None else float(value))


def _reshape(x: Tensor, shape: Tensor, **_: Any) -> Tensor:
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape.tolist())])


def _slice(x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, steps: Tensor | None = None) -> Tensor:
    cut = [slice(None)] * x.ndim
    for axis, start, end in zip(axes.tolist(), starts.tolist(), ends.tolist(), strict=True):
        cut[axis] = slice(start, min(end, x.shape[axis]))
    return x[tuple(cut)]


def _sum(x: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, **_: Any) -> Tensor:
    return x.sum(dim=None if axes is None else axes.tolist(), keepdim=bool(keepdims))


_OPERATORS: dict[str, _Operator] = {
    "Add": torch.add,
    "AveragePool": lambda x, *, kernel_shape, strides, **_: F.avg_pool2d(x, kernel_shape, strides),
    "Cast": lambda x, *, to: x,  # weights are halves on disk, floats here
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": _convolve,
    "Div": torch.div,
    "Expand": lambda x, shape: x.expand(shape.tolist()),
    "Flatten": lambda x, *, axis=1: x.reshape(math.prod(x.shape[:axis]), -1),
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "Identity": lambda x: x,
    "MatMul": torch.matmul,
    "MaxPool": lambda x, *, kernel_shape, strides, **_: F.max_pool2d(x, kernel_shape, strides),
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pad": _pad,
    "PRelu": F.prelu,
    "ReduceMean": lambda x, *, axes, keepdims=1: x.mean(axes, keepdim=bool(keepdims)),
    "ReduceSum": _sum,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Reshape": _reshape,
    "Shape": lambda x, *, start=0, end=None: torch.tensor(x.shape[start:end]),
    "Sigmoid": torch.sigmoid,
    "Slice": _slice,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Transpose": lambda x, *, perm: x.permute(perm),
}


class Observers(nn.Module):
    """The networks that look at faces of a subject with coefficients."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        assert subject.coefficients is not None
        self._points = subject.coefficients.points
        self.mesh, self.blend = Embedded(CLOSE_NETWORK), Embedded(subject.coefficients.network)
        self.recogniser = Embedded(NETWORK)
        self.requires_grad_(False)

    def coefficients(self, pictures: Tensor, squares: Tensor) -> Tensor:
        """Compute expression coefficients [n, C] of faces in pictures [n, 3, S, S], 0..1; squares [n, 2, 3] come from :func:`looks`."""
        crops = _cut(pictures, squares, CLOSE_SIZE).permute(0, 2, 3, 1)
        points = self.mesh(crops).reshape(len(crops), -1, 3)[:, self._points, :2]
        coefficients: Tensor = self.blend(points)
        return coefficients

    def descriptors(self, pictures: Tensor, chips: Tensor) -> Tensor:
        """Compute descriptors [n, 128] of faces; arguments as of :meth:`coefficients`."""
        descriptors: Tensor = self.recogniser(_cut(pictures, chips, CHIP).permute(0, 2, 3, 1))
        return descriptors


def looks(landmarks: Float, size: int) -> tuple[Tensor, Tensor]:
    """Compute where landmarker and recogniser look, from landmarks [n, L, >=2] in pixels of crops of `size`: [n, 2, 3] each, for :class:`Observers`."""
    transforms = []
    for squares, side in (
        (squares_from_landmarks(landmarks, CLOSE_SIZE), CLOSE_SIZE),
        (chip_transforms(landmarks), CHIP),
    ):
        # From places -1..1 in the network's picture to places -1..1 in the crop.
        matrix = squares[:, :, :2] * np.float32(side / size)
        middle = matrix.sum(2) + squares[:, :, 2] * np.float32(2 / size) - 1
        transforms.append(torch.from_numpy(np.concatenate([matrix, middle[..., None]], 2).astype(np.float32)))
    return transforms[0], transforms[1]


def _cut(pictures: Tensor, squares: Tensor, side: int) -> Tensor:
    grid = F.affine_grid(squares, [len(pictures), 3, side, side], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
