"""Train a model in a folder, from the start or from its last checkpoint, to the exported file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from nodes.consent.gate import Earlier, of_training, permit
from nodes.consent.provenance import KEY
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import ModelError, OutputError
from nodes.files import only_one
from nodes.text import counted
from trainer.checkpoint import Facts, base_checkpoint, checkpoints, last_checkpoint, learned_by
from trainer.device import choose_device
from trainer.distributed import joined
from trainer.faceset import Faceset
from trainer.models import find_model, model_names
from trainer.network import Network
from trainer.performers import check_together, roles
from trainer.settings import TrainSettings
from trainer.training import Trained, Training
from trainer.watcher import Watcher

__all__ = ["MODEL", "Trained", "train"]

MODEL = "model.onnx"
_EXAMPLES = 8  # rows that an export is checked on


def train(
    facesets: Sequence[Faceset],
    out: Path,
    settings: TrainSettings,
    watcher: Watcher | None = None,
    *,
    resume: bool = False,
    kind: type[Network] | None = None,
    consent: ConsentParameters = DEFAULT_CONSENT,
    exported: bool = True,
) -> Trained:
    """Train a network in the folder `out`, from the start or from the last sound checkpoint there, and export it.

    facesets: the source's and the target's; or those of more performers, which makes a base to start pairs from (`settings.base`)
    and exports nothing. resume: model, its options, batch and seed are then the checkpoint's; the other settings are those given.
    kind: the network's class, if it is not in `trainer.models`. consent: records that allow training on the performers.
    exported: whether to write the ONNX file. Raises ConsentError, OutputError when the folder is taken or cannot be written,
    ModelError for unusable checkpoints, FaceplateError for facesets that do not go together and when training keeps failing.
    """
    check_together(facesets)
    with ExitStack() as lock:
        with joined(choose_device(settings.device)) as group:
            watcher = watcher if watcher and group.leads else Watcher()
            kind = kind or find_model(settings.model)
            _check_number(kind, len(facesets))
            provenance = permit(of_training([(s.performer, s.provenance) for s in facesets]), consent, out)
            if group.leads:
                lock.enter_context(only_one(out / ".training.lock", "training", out))
            resumed = last_checkpoint(out, watcher.message) if resume else None
            if resumed is None and checkpoints(out):
                raise OutputError(
                    "a training is already there",
                    file=out,
                    remedy="Go on with it by --resume, or choose another folder",
                )
            if resumed is not None:
                _compare(resumed.facts, kind.name, facesets, out, watcher.message)
            earlier = resumed or (base_checkpoint(settings.base) if settings.base else None)
            if earlier is not None:
                file = settings.base or earlier.file
                provenance = provenance.joined(provenance, permit([Earlier(learned_by(earlier), file)], consent, out))
            training = Training(facesets, out, settings, watcher, group, kind, resumed, provenance)
            training.run()
            trained = training.result()
        return _export(trained, facesets, out, watcher) if exported and group.leads else trained


def _export(trained: Trained, facesets: Sequence[Faceset], out: Path, watcher: Watcher) -> Trained:
    reason = f"{trained.reason[:1].upper()}{trained.reason[1:]}"
    if len(facesets) != 2:
        watcher.message(f"{reason}; a base puts nobody on anybody yet, so no {MODEL} is written.")
        return trained
    from trainer.export import check_export, export, facts_of

    watcher.message(f"{reason}; writing {MODEL}.")
    metadata = {"steps": str(trained.step), "minutes": f"{trained.seconds / 60:.1f}", "loss": f"{trained.loss:.4g}"}
    metadata[KEY] = trained.provenance.model_dump_json()
    export(trained.network, out / MODEL, {**facts_of(*facesets), **metadata})
    if examples := trained.network.examples(trained.batches, _EXAMPLES):
        check_export(trained.network, out / MODEL, examples)
    return replace(trained, model=out / MODEL)


def finished_model(folder: Path, settings: TrainSettings, facesets: Sequence[Faceset]) -> Path | None:
    """Return the ONNX file of a finished training on these facesets, with the requested steps or time, and exported.

    None when there is still something to do, and for a training until a plateau, which only its losses show.
    """
    model, files = folder / MODEL, checkpoints(folder)
    try:
        facts = Facts.model_validate(json.loads(files[0].read_bytes()))
        exported = model.stat().st_mtime_ns >= files[0].stat().st_mtime_ns
    except (OSError, ValueError, IndexError, ValidationError):
        return None
    digests = dict(zip(roles(len(facesets)), (s.digest for s in facesets), strict=True))
    matches = facts.model == settings.model and facts.facesets == digests
    enough = settings.steps is not None and facts.step >= settings.steps
    enough |= settings.seconds is not None and facts.seconds >= settings.seconds
    return model if matches and exported and enough else None


def _check_number(kind: type[Network], performers: int) -> None:
    """Raise ModelError for more than two performers unless the model has parts for each performer."""
    if performers != 2 and "performers" not in kind.options_type.model_fields:
        able = [name for name in model_names() if "performers" in find_model(name).options_type.model_fields]
        raise ModelError(
            f"the model '{kind.name}' learns from a source and a target, it cannot be a base over {performers} performers",
            remedy=f"Give two facesets, or choose --model {' or '.join(able)}",
        )


def _compare(facts: Facts, model: str, facesets: Sequence[Faceset], out: Path, tell: Callable[[str], None]) -> None:
    """Raise ModelError unless model and performers are the same as before; changed facesets are only reported through `tell`."""
    if facts.model != model:
        raise ModelError(f"is a training of '{facts.model}'", file=out, remedy=f"Choose --model {facts.model}")
    before, names = list(facts.performers.values()), [s.performer for s in facesets]
    if len(before) != len(names):
        raise ModelError(
            f"is a training on {counted(len(before), 'faceset')}, not {len(names)}",
            file=out,
            remedy=f"Give those of {', '.join(before)}; or train into another folder, --from this one",
        )
    if before != names and sorted(before) == sorted(names):
        pair = f"that puts {before[0]} on {before[1]}, not the other way round"
        base = f"of {', '.join(before)}, in this order"
        raise ModelError(
            f"is a training {pair if len(before) == 2 else base}",
            file=out,
            remedy="Give the facesets in the same order as before",
        )
    sets = dict(zip(roles(len(facesets)), facesets, strict=True))
    changed = [name for name, s in sets.items() if facts.facesets.get(name) != s.digest]
    if changed:
        tell(f"The faceset of the {' and the '.join(changed)} is another than before; training goes on with it.")
