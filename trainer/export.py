"""Export to ONNX after `docs/model-contract.md`, checked against the network."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from nodes.errors import ModelError
from nodes.files import whole_file
from nodes.subjects.subject import load_subject
from nodes.swap.contract import SCHEMA
from nodes.swap.model import load_model
from trainer.faceset import Faceset
from trainer.network import Network

OPSET = 18
TOLERANCE = 1e-3
_LIMIT = 2**31 - 2**20  # bytes of one ONNX file, with some room for the graph
_PREFIX = "faceplate."


def facts_of(source: Faceset, target: Faceset) -> dict[str, str]:
    """Return the metadata of an export about its two facesets: framing and numbers of crops. The provenance names the performers, by ids."""
    return {
        "subject": source.subject.name,
        "template": source.template,
        "coverage": f"{source.coverage:g}",
        "source_crops": str(len(source)),
        "target_crops": str(len(target)),
        "source_digest": source.digest,
        "target_digest": target.digest,
    }


def export(network: Network, path: Path, facts: Mapping[str, str]) -> None:
    """Write `network.swap` as an ONNX file with a dynamic batch, whole or not at all; the network is left as it was.

    facts: metadata beside the network's own; `subject`, `template` and `coverage` must be among them, see
    :func:`facts_of`; `faceplate.` is put before each name. Raises ModelError for a network too large for one file, OutputError.
    """
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > _LIMIT:
        raise ModelError(
            f"its weights of {size / 2**30:.1f} GiB are too large for an ONNX file of 2 GiB",
            file=path,
            remedy="Train a smaller size or smaller dimensions",
        )
    side, points = network.options.size, len(load_subject(network.options.subject).template)
    shapes = {
        "reference": (4, side, side),
        "performance": (4, side, side),
        "landmarks": (points, 2),
        "vertices": (points, 2),
    }
    example = tuple(torch.rand(2, *shapes.get(name, (3, side, side))) for name in network.inputs)
    write_onnx(_Swap(network), example, path, network.inputs, network.outputs, _metadata(network, facts))


def write_onnx(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a module as an ONNX file with a dynamic batch, whole or not at all, without traces of this machine.

    example: inputs of two rows: from a single one, torch concludes that the batch is always one. Raises OutputError.
    """
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    with whole_file(path) as temporary:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                module,
                example,
                temporary,
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                dynamic_shapes={"inputs": tuple({0: batch} for _ in example)},
                verbose=False,
            )
        model = onnx.load(temporary)
        _remove_traces(model)
        onnx.helper.set_model_props(model, dict(metadata or {}))
        onnx.save(model, temporary)


def check_export(network: Network, path: Path, inputs: Mapping[str, Tensor]) -> float:
    """Measure the largest difference between an exported file and its network, on real inputs.

    inputs: by name, NCHW as `network.swap` takes them, on any device. The file is loaded as Swap does it.
    Raises ModelError for a difference above 1e-3, and for a file of a fixed batch.
    """
    model = load_model(path, subject=None, cpu=True)
    if model.batch is not None:
        raise ModelError(
            f"takes batches of {model.batch} alone",
            file=path,
            remedy="The network must not ask how many crops it is given: report this",
        )
    tensors = {name: inputs[name].detach().float().cpu() for name in network.inputs}
    with torch.no_grad():
        expected = [_to_swap_layout(values) for values in _Swap(network)(*tensors.values())]
    outputs = model.infer({name: _to_swap_layout(values) for name, values in tensors.items()})
    difference = max(float(np.abs(a.reshape(b.shape) - b).max()) for a, b in zip(outputs, expected, strict=True))
    if not difference <= TOLERANCE:
        raise ModelError(
            f"differs from the network by {difference:.2g}, more than {TOLERANCE:g}",
            file=path,
            remedy="Export again; if that does not help, report it with the versions of torch and onnxruntime",
        )
    return difference


class _Swap(nn.Module):
    """A copy of a network on the CPU, its inputs by position."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's outputs."""
        outputs: tuple[Tensor, Tensor] = self.network.swap(**dict(zip(self.network.inputs, inputs, strict=True)))
        return outputs


def _remove_traces(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on each node: they hold paths of this machine, with its user's name."""
    graph = model.graph
    for message in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        message.ClearField("metadata_props")
        message.ClearField("doc_string")


def _to_swap_layout(values: Tensor) -> np.ndarray:
    """Convert pictures to [N, H, W, C]; points stay as they are."""
    return np.asarray((values.permute(0, 2, 3, 1) if values.ndim == 4 else values).contiguous().numpy())


def _metadata(network: Network, facts: Mapping[str, str]) -> dict[str, str]:
    entries = {
        "schema": SCHEMA,
        "size": str(network.options.size),
        "colour": "rgb",
        "layout": "nchw",
        "inputs": json.dumps(list(network.inputs)),
        "model": network.name,
        "options": network.options.model_dump_json(),
    }
    return {_PREFIX + name.removeprefix(_PREFIX): value for name, value in {**facts, **entries}.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks about packages that it does not need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
