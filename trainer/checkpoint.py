"""Checkpoints: everything needed to resume a training, as safetensors and JSON; a file appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from nodes.consent.provenance import Provenance
from nodes.errors import FootageError, ModelError, OutputError, writing
from nodes.files import check_schema, whole_file
from trainer.network import Network


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> tuple[int, str]:
    """Write tensors from any device; returns the file's size in bytes and its SHA-256. Raises OSError."""
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as e:
        number = re.search(r"os error (\d+)", str(e))
        raise OSError(int(number[1]) if number else 0, str(e)) from e
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


Tensors = dict[str, Tensor]

NETWORK, AVERAGE, OPTIMISER = "network.", "average.", "optimiser."


class State:
    """The tensors of a network, of its averaged weights, and of its optimiser.

    Names: `network.NAME`, `average.NAME`, and `optimiser.N.NAME` of the N-th parameter.
    """

    def __init__(self, network: nn.Module, optimiser: torch.optim.Optimizer, average: Mapping[str, Tensor]) -> None:
        self._network, self._optimiser, self._average = network, optimiser, average

    @torch.no_grad()
    def take(self, into: Tensors | None = None, device: torch.device | None = None) -> Tensors:
        """Copy all of it, over an earlier copy if one is given; to another device if one is named."""
        tensors = {f"{NETWORK}{name}": value for name, value in self._network.state_dict().items()}
        tensors |= {f"{AVERAGE}{name}": value for name, value in self._average.items()}
        for number, values in self._optimiser.state_dict()["state"].items():
            tensors |= {f"{OPTIMISER}{number}.{name}": value for name, value in values.items()}
        old = [name for name in tensors if name in (into or {})]
        copies = {name: (into or {})[name] for name in old}
        if old:
            torch._foreach_copy_(list(copies.values()), [tensors[name].detach() for name in old])
        return {
            name: copies[name] if name in copies else value.detach().to(device, copy=True)
            for name, value in tensors.items()
        }

    @torch.no_grad()
    def put(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all of it from the tensors of `take`, of this or an earlier process. Raises KeyError or RuntimeError if it does not fit."""
        self._network.load_state_dict(part(tensors, NETWORK))
        for name, value in self._average.items():
            value.copy_(tensors[f"{AVERAGE}{name}"])
        parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Any]] = {}
        for key, value in part(tensors, OPTIMISER).items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = _laid_out_as(parameters[int(number)], value)
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": state, "param_groups": groups})


def part(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """Select the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Copy a value with the parameter's strides: a fused update walks both in memory order."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


SCHEMA = "faceplate.training/1"
FOLDER = "checkpoints"
KEPT = 3


class Facts(BaseModel):
    """Contents of a checkpoint beside its tensors.

    seconds: trained so far, over all resumes. batch, seed: those in use now; out-of-memory errors and rollbacks change them. rollbacks: of the guard. facesets: their
    digests by role, in order: source and target, or those of a base. performers: their names by role. losses: mean of each loss over
    the last steps, by name. provenance: the performers and the consents for them.
    """

    model_config = ConfigDict(extra="ignore")

    model: str
    options: dict[str, Any]
    settings: dict[str, Any]
    step: int
    seconds: float
    batch: int
    seed: int
    rollbacks: int = 0
    scaler: dict[str, int | float] = {}
    facesets: dict[str, str] = {}
    performers: dict[str, str] = {}
    losses: dict[str, float] = {}
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in memory: `tensors` are those of `State.take` and the `rows` of a LossRecord, on the CPU."""

    file: Path
    facts: Facts
    tensors: Tensors


def save_checkpoint(folder: Path, facts: Facts, tensors: Tensors) -> Path:
    """Write a checkpoint into the `checkpoints` of a training's folder, whole or not at all, and drop the oldest beyond three.

    Returns the JSON file. Raises OutputError; what was there before stays good.
    """
    file = folder / FOLDER / f"step-{facts.step:09d}.json"
    weights = file.with_suffix(".safetensors")
    try:
        with whole_file(weights) as temporary:
            size, digest = write_tensors(temporary, tensors)
            file.unlink(missing_ok=True)  # of the same step: it does not fit the new tensors
        document = {
            "schema": SCHEMA,
            **facts.model_dump(mode="json"),
            "tensors": {"file": weights.name, "bytes": size, "sha256": digest},
        }
        document["sha256"] = _digest(document)
        with whole_file(file) as temporary:
            temporary.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    except OutputError:
        if not file.exists():
            weights.unlink(missing_ok=True)  # half a checkpoint only takes up disk space
        raise
    _drop(folder, KEPT)
    return file


def checkpoints(folder: Path) -> list[Path]:
    """List the JSON files of a training's checkpoints, the newest first."""
    return sorted((folder / FOLDER).glob("step-*.json"), reverse=True)


def last_checkpoint(folder: Path, tell: Callable[[str], None]) -> Checkpoint:
    """Read the newest valid checkpoint, and report each damaged one through `tell`.

    Raises SchemaError for one of a newer Faceplate, ModelError when all are damaged, FootageError when there is none.
    """
    files = checkpoints(folder)
    for file in files:
        try:
            return read_checkpoint(file)
        except ModelError as e:
            tell(str(e))
    if files:
        raise ModelError("none of its checkpoints is sound", file=folder, remedy="Train anew, into another folder")
    raise FootageError("there is no training here to go on with", file=folder, remedy="Leave out --resume")


def read_checkpoint(file: Path) -> Checkpoint:
    """Read one checkpoint. Raises ModelError for a damaged file, SchemaError for one of a newer Faceplate."""
    try:
        document = json.loads(file.read_bytes())
        data = (file.parent / str(document["tensors"]["file"])).read_bytes()
        weights_digest, document_digest = str(document["tensors"]["sha256"]), str(document.pop("sha256"))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise _damaged(file) from e
    sound = document_digest == _digest(document)
    if sound or document.get("schema") == SCHEMA:
        check_schema(document.get("schema"), SCHEMA, file)
    if not sound or hashlib.sha256(data).hexdigest() != weights_digest:
        raise _damaged(file)
    try:
        return Checkpoint(file, Facts.model_validate(document), load(data))
    except (ValidationError, SafetensorError) as e:
        raise _damaged(file) from e


def learned_by(checkpoint: Checkpoint) -> Provenance:
    """Return the performers and consents that a checkpoint was trained on; `unknown` if it does not name them."""
    provenance = checkpoint.facts.provenance
    if provenance and provenance.is_complete:
        return provenance
    return Provenance(unknown=(hashlib.sha256(checkpoint.file.read_bytes()).hexdigest(),))


def base_checkpoint(path: Path, tell: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """Read the checkpoint of `--from`, a training's folder or a checkpoint in it; raises as :func:`last_checkpoint`."""
    return last_checkpoint(path, tell) if path.is_dir() else read_checkpoint(path.with_suffix(".json"))


def load_weights(path: Path, network: Network, tell: Callable[[str], None]) -> None:
    """Start `network` from the averaged weights of an earlier training: its folder, or a checkpoint in it.

    The network selects the weights that fit (`fit_base`); `tell` gets the number of the others. Raises ModelError when the model is
    another one or nothing fits, and as :func:`last_checkpoint`.
    """
    earlier = base_checkpoint(path, tell)
    if earlier.facts.model != network.name:
        raise ModelError(
            f"holds the model '{earlier.facts.model}', not '{network.name}'",
            file=path,
            remedy=f"Choose --model {earlier.facts.model}, or another base",
        )
    mine, fitting = network.state_dict(), network.fit_base(part(earlier.tensors, AVERAGE))
    if not fitting:
        raise ModelError("nothing of it fits the network", file=path, remedy="Choose the same size, or another base")
    network.load_state_dict(fitting, strict=False)
    message = f"Started from {path} (step {earlier.facts.step})"
    if missing := sorted(set(mine) - set(fitting)):
        message += f"; {len(missing)} of {len(mine)} tensors did not fit and begin anew, such as {missing[0]}"
    tell(message + ".")


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _damaged(file: Path) -> ModelError:
    return ModelError("is damaged and not used", file=file, remedy="The one before it is used, if there is one")


def _drop(folder: Path, count: int) -> None:
    """Drop the oldest, document first, and tensors without a document, left by a killed process."""
    with writing(folder):
        for file in checkpoints(folder)[count:]:
            file.unlink(missing_ok=True)
        for tensors in (folder / FOLDER).glob("step-*.safetensors"):
            if not tensors.with_suffix(".json").exists():
                tensors.unlink(missing_ok=True)
        for half in (folder / FOLDER).glob(".step-*.part.*"):  # the folder is locked: nobody is writing them any more
            half.unlink(missing_ok=True)
