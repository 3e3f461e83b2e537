"""Train a model in a folder: from the start, or on from where an earlier run stopped, to the exported file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.errors import ModelError, OutputError
from trainer.checkpoint import Facts, checkpoints, last_checkpoint
from trainer.device import choose_device
from trainer.distributed import joined
from trainer.faceset import Faceset
from trainer.hooks.progress import Watcher
from trainer.lock import only_training
from trainer.models import find_model
from trainer.network import Network
from trainer.settings import TrainSettings
from trainer.training import Trained, Training

__all__ = ["MODEL", "Trained", "fit", "train"]

MODEL = "model.onnx"


def train(
    source: Faceset,
    target: Faceset,
    out: Path,
    settings: TrainSettings,
    watcher: Watcher | None = None,
    *,
    resume: bool = False,
    kind: type[Network] | None = None,
) -> Trained:
    """Train a model in the folder `out` and export it there; arguments and errors as of :func:`fit`."""
    with ExitStack() as group:
        trained = fit(source, target, out, settings, watcher, resume=resume, kind=kind, stay=group)
        if trained.rank:
            return trained
        from trainer.export import check_export, export, facts_of

        if watcher:
            watcher.message(f"{trained.reason[:1].upper()}{trained.reason[1:]}; writing {MODEL}.")
        told = {"steps": str(trained.step), "minutes": f"{trained.seconds / 60:.1f}", "loss": f"{trained.loss:.4g}"}
        export(trained.network, out / MODEL, {**facts_of(source, target), **told})
        if examples := _examples(trained, target):
            check_export(trained.network, out / MODEL, examples)
        return replace(trained, model=out / MODEL)


def fit(
    source: Faceset,
    target: Faceset,
    out: Path,
    settings: TrainSettings,
    watcher: Watcher | None = None,
    *,
    resume: bool = False,
    kind: type[Network] | None = None,
    stay: ExitStack | None = None,
) -> Trained:
    """Train a network, from the start or from the last sound checkpoint in `out`, and leave its checkpoints there.

    resume: model, its options, batch and seed are then the checkpoint's; the other settings are those given. kind: the network's
    class, where it is none of `trainer.models`. stay: keeps the folder's lock beyond the end. Raises OutputError when the folder
    is taken or cannot be written, ModelError for checkpoints that cannot be used, FaceplateError when training keeps failing.
    """
    with ExitStack() as own:
        group = own.enter_context(joined(choose_device(settings.device)))
        watcher = watcher if watcher and group.leads else Watcher()
        if group.leads:
            (stay or own).enter_context(only_training(out))
        kind = kind or find_model(settings.model)
        found = last_checkpoint(out, watcher.message) if resume else None
        if found is None and checkpoints(out):
            raise OutputError(
                "a training is already there", file=out, remedy="Go on with it by --resume, or choose another folder"
            )
        if found is not None:
            _compare(found.facts, kind.name, {"source": source, "target": target}, out, watcher.message)
        training = Training(source, target, out, settings, watcher, group, kind, found)
        training.run()
        return training.result()


def _examples(trained: Trained, target: Faceset, rows: int = 8) -> dict[str, Tensor]:
    """Real inputs of the network, as many as there are up to `rows`."""
    network = trained.network
    if network.inputs != ("crop",):
        return network.examples(trained.batches, rows)
    chosen = np.linspace(0, len(target) - 1, min(rows, len(target))).astype(int)
    crops = torch.from_numpy(np.array(target.crops[chosen])).permute(0, 3, 1, 2).float() / 255
    return {"crop": interpolate(crops, size=(network.options.size,) * 2, mode="area")}


def _compare(facts: Facts, model: str, sets: dict[str, Faceset], out: Path, tell: Callable[[str], None]) -> None:
    """A training goes on with its own model; other crops are allowed, since footage is added for a reason."""
    if facts.model != model:
        raise ModelError(f"is a training of '{facts.model}'", file=out, remedy=f"Choose --model {facts.model}")
    before, now = facts.performers, {name: s.performer for name, s in sets.items()}
    if before != now and before == {"source": now["target"], "target": now["source"]}:
        raise ModelError(
            f"is a training that puts {before['source']} on {before['target']}, not the other way round",
            file=out,
            remedy="Give the facesets in the order SOURCE_SET TARGET_SET, as before",
        )
    changed = [name for name, s in sets.items() if facts.facesets.get(name) != s.digest]
    if changed:
        tell(f"The faceset of the {' and the '.join(changed)} is another than before; training goes on with it.")
