"""Checkpoints on disk: tensors as safetensors, all else as JSON beside it, which is written last and holds both digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load

from nodes.consent.provenance import Provenance
from nodes.errors import FootageError, ModelError, OutputError, writing
from nodes.files import check_schema, whole_file
from trainer.network import Network
from trainer.state import AVERAGE, Tensors, part
from trainer.tensors import write_tensors

SCHEMA = "faceplate.training/1"
FOLDER = "checkpoints"
KEPT = 3


class Facts(BaseModel):
    """What a checkpoint says beside its tensors.

    seconds: trained so far, over all resumes. batch, seed: those in use now, which an emergency may have changed. rollbacks: of the guard. facesets: their
    digests by role, in order: source and target, or those of a base. performers: their names so. losses: the names of the columns
    of the tensor `rows`, and of the last ones their medians. provenance: whose faces, by which consents.
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
    """A checkpoint as read: `tensors` are those of `trainer.state`, and `rows` those of a Record, on the CPU."""

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
            file.unlink(missing_ok=True)  # one of the same step, which would not fit the new tensors for a moment
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
            weights.unlink(missing_ok=True)  # half of a checkpoint would only take up the room that is missing
        raise
    _drop(folder, KEPT)
    return file


def checkpoints(folder: Path) -> list[Path]:
    """The JSON files of a training's checkpoints, the newest first."""
    return sorted((folder / FOLDER).glob("step-*.json"), reverse=True)


def last_checkpoint(folder: Path, tell: Callable[[str], None]) -> Checkpoint:
    """Read the newest checkpoint that is sound, telling of each that is not.

    Raises SchemaError for one of a newer Faceplate, ModelError when none is sound, FootageError when there is none.
    """
    found = checkpoints(folder)
    for file in found:
        try:
            return read_checkpoint(file)
        except ModelError as e:
            tell(str(e))
    if found:
        raise ModelError("none of its checkpoints is sound", file=folder, remedy="Train anew, into another folder")
    raise FootageError("there is no training here to go on with", file=folder, remedy="Leave out --resume")


def read_checkpoint(file: Path) -> Checkpoint:
    """Read one checkpoint. Raises ModelError when a byte of it is not as written, SchemaError when it is of a newer Faceplate."""
    try:
        document = json.loads(file.read_bytes())
        data = (file.parent / str(document["tensors"]["file"])).read_bytes()
        known, told = str(document["tensors"]["sha256"]), str(document.pop("sha256"))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise _damaged(file) from e
    sound = told == _digest(document)
    if sound or document.get("schema") == SCHEMA:
        check_schema(document.get("schema"), SCHEMA, file)
    if not sound or hashlib.sha256(data).hexdigest() != known:
        raise _damaged(file)
    try:
        return Checkpoint(file, Facts.model_validate(document), load(data))
    except (ValidationError, SafetensorError) as e:
        raise _damaged(file) from e


def learned_by(found: Checkpoint) -> Provenance:
    """Whose faces a checkpoint has learned, by which consents; one that does not say is `unknown`."""
    told = found.facts.provenance
    return told if told and told.tells else Provenance(unknown=(hashlib.sha256(found.file.read_bytes()).hexdigest(),))


def base_checkpoint(path: Path, tell: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """Read the checkpoint that a training from another one, its folder or a checkpoint in it, starts with; raises what :func:`last_checkpoint` raises."""
    return last_checkpoint(path, tell) if path.is_dir() else read_checkpoint(path.with_suffix(".json"))


def load_weights(path: Path, network: Network, tell: Callable[[str], None]) -> None:
    """Start `network` from the averaged weights of an earlier training: its folder, or a checkpoint in it.

    What fits is the network's to say (`fit_base`); it is told how much does not. Raises ModelError when the earlier model is
    another one or nothing fits, and what :func:`last_checkpoint` raises.
    """
    found = base_checkpoint(path, tell)
    if found.facts.model != network.name:
        raise ModelError(
            f"holds the model '{found.facts.model}', not '{network.name}'",
            file=path,
            remedy=f"Choose --model {found.facts.model}, or another base",
        )
    mine, fitting = network.state_dict(), network.fit_base(part(found.tensors, AVERAGE))
    if not fitting:
        raise ModelError("nothing of it fits the network", file=path, remedy="Choose the same size, or another base")
    network.load_state_dict(fitting, strict=False)
    told = f"Started from {path} (step {found.facts.step})"
    if missing := sorted(set(mine) - set(fitting)):
        told += f"; {len(missing)} of {len(mine)} tensors did not fit and begin anew, such as {missing[0]}"
    tell(told + ".")


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _damaged(file: Path) -> ModelError:
    return ModelError("is damaged and not used", file=file, remedy="The one before it is used, if there is one")


def _drop(folder: Path, kept: int) -> None:
    """Drop the oldest, document first, and tensors that have none: a process was killed between the two."""
    with writing(folder):
        for file in checkpoints(folder)[kept:]:
            file.unlink(missing_ok=True)
        for stray in _strays(folder / FOLDER):
            stray.unlink(missing_ok=True)


def _strays(folder: Path) -> Iterator[Path]:
    yield from (f for f in folder.glob("step-*.safetensors") if not f.with_suffix(".json").exists())
    yield from folder.glob(".step-*.part.*")  # the folder is locked: nobody is writing them any more
