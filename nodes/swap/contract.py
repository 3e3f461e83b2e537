"""Reader of models that follow our contract, `docs/model-contract.md`; it refuses violations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nodes.errors import ModelError
from nodes.files import check_schema
from nodes.swap.runner import (
    DOCS,
    INPUTS,
    POINTS,
    Feed,
    SwapModel,
    check_result,
    check_tensor,
    fixed_batch,
    run_session,
)
from nodes.types import Float

SCHEMA = "faceplate.model/1"
OUTPUTS = {"face": 3, "mask": 1}
MOVES = {"flow": 2, "shade": 3}  # in place of these


def load_contract(
    file: Path, session: Any, metadata: Mapping[str, str], subject: str | None, template: str | None
) -> SwapModel:
    """Read a model's metadata, and check it against its session and against the requested subject and template.

    Raises ModelError where they differ, and SchemaError for a model made for a newer Faceplate.
    """
    check_schema(metadata["faceplate.schema"], SCHEMA, file)
    contract = _ContractMetadata.read(metadata, file)
    for what, wanted, has in (("subject", subject, contract.subject), ("crop template", template, contract.template)):
        if wanted is not None and wanted != has:
            raise ModelError(
                f"is made for the {what} '{has}', not '{wanted}'", file=file, remedy="Choose another model"
            )
    inputs = {i.name: i for i in session.get_inputs()}
    outputs = {o.name: o for o in session.get_outputs()}
    moves = MOVES.keys() <= outputs.keys()
    promised = MOVES if moves else OUTPUTS
    if set(inputs) != set(contract.inputs) or not promised.keys() <= outputs.keys():
        raise ModelError(
            f"has inputs {sorted(inputs)} and outputs {sorted(outputs)}; its metadata promises inputs {sorted(contract.inputs)} "
            f"and outputs {sorted(promised)}",
            file=file,
            remedy=DOCS,
        )
    for name in contract.inputs:
        check_tensor(inputs[name], INPUTS[name], contract.size, contract.layout, file)
    for name, channels in promised.items():
        check_tensor(outputs[name], channels, None if moves else contract.size, contract.layout, file)
    if ("reference" if moves else "crop") not in contract.inputs:
        raise ModelError("lacks the picture that it changes among its inputs", file=file, remedy=DOCS)
    return SwapModel(
        file=file,
        subject=contract.subject,
        template=contract.template,
        size=contract.size,
        coverage=contract.coverage,
        inputs=contract.inputs,
        batch=fixed_batch(session, file),
        metadata=metadata,
        infer=_inference(session, contract, promised, file),
        moves=moves,
    )


@dataclass(frozen=True, slots=True)
class _ContractMetadata:
    """The parsed metadata of a model."""

    subject: str
    template: str
    size: int
    coverage: float
    colour: Literal["rgb", "bgr"]
    layout: Literal["nchw", "nhwc"]
    inputs: tuple[str, ...]

    @classmethod
    def read(cls, metadata: Mapping[str, str], file: Path) -> _ContractMetadata:
        def one(key: str, parse: Callable[[str], Any], right: Callable[[Any], bool]) -> Any:
            text = metadata.get(f"faceplate.{key}")
            try:
                if text is not None and right(value := parse(text)):
                    return value
            except (ValueError, TypeError):
                pass
            raise ModelError(f"has no usable 'faceplate.{key}' in its metadata ({text!r})", file=file, remedy=DOCS)

        return cls(
            subject=one("subject", str, bool),
            template=one("template", str, bool),
            size=one("size", int, lambda v: 16 <= v <= 4096),
            coverage=one("coverage", float, lambda v: 0.05 <= v <= 20),
            colour=one("colour", str, {"rgb", "bgr"}.__contains__),
            layout=one("layout", str, {"nchw", "nhwc"}.__contains__),
            inputs=one(
                "inputs",
                lambda text: tuple(json.loads(text)),
                lambda v: len(set(v)) == len(v) and set(v) <= set(INPUTS),
            ),
        )


def _inference(
    session: Any, contract: _ContractMetadata, outputs: Mapping[str, int], file: Path
) -> Callable[[Feed], tuple[Float, Float]]:
    flip = [2, 1, 0] if contract.colour == "bgr" else [0, 1, 2]
    planar = contract.layout == "nchw"

    def encoded(name: str, values: Float) -> Float:
        if name in POINTS:
            return values
        colours = values[..., flip + list(range(3, values.shape[-1]))]
        return colours.transpose(0, 3, 1, 2) if planar else colours

    def infer(feed: Feed) -> tuple[Float, Float]:
        first, second = run_session(session, list(outputs), {n: encoded(n, v) for n, v in feed.items()}, file)
        if planar and first.ndim == second.ndim == 4:
            first, second = first.transpose(0, 2, 3, 1), second.transpose(0, 2, 3, 1)
        sides = first.shape[1:3] if outputs is MOVES else (contract.size, contract.size)
        count = len(next(iter(feed.values())))
        check_result((first, second), (count, *sides), list(outputs.values()), file)
        return (first, second[..., flip]) if outputs is MOVES else (first[..., flip], second[..., 0])

    return infer
