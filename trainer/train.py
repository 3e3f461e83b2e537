"""Train a model: everything put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.errors import FaceplateError, ModelError, OutputError
from trainer.checkpoint import Checkpoint, Facts, checkpoints, last_checkpoint, load_weights, save_checkpoint
from trainer.clock import Clock
from trainer.device import autocast_for, choose_device, choose_precision, place, scaler_for
from trainer.distributed import Group, Together, joined
from trainer.faceset import Faceset
from trainer.hooks.average import Average
from trainer.hooks.checkpoints import Checkpoints
from trainer.hooks.guard import Guard, Snapshot
from trainer.hooks.memory import SmallerBatch
from trainer.hooks.metrics import Metrics
from trainer.hooks.preview import Preview
from trainer.hooks.progress import Tell, Watcher, recent
from trainer.hooks.record import Record
from trainer.hooks.stops import StopAfter, StopAtPlateau, StopAtStep, StopOnSignal
from trainer.hooks.watch import Watch
from trainer.lock import only_training
from trainer.loop import Hook, Loop
from trainer.models import find_model
from trainer.network import Batches, Network, Share
from trainer.settings import TrainSettings, Until
from trainer.state import State
from trainer.supply import Supply

MODEL, PREVIEW = "model.onnx", "preview.png"
PREVIEW_ROWS = 6
_READ_EVERY = {"cpu": 10, "cuda": 40}  # steps: a GPU is kept busy in between, a CPU has nothing to wait for


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that has ended. network: with its averaged weights, in evaluation mode. reason: why it ended.

    batches: that it learned from last. model: the ONNX file, once it is exported. loss, losses: means over the last steps.
    rank: of this process.
    """

    network: Network
    batches: Batches
    step: int
    seconds: float
    reason: str
    loss: float
    losses: dict[str, float]
    checkpoint: Path | None
    model: Path | None = None
    rank: int = 0


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
            _compare(found.facts, kind.name, {"source": source.digest, "target": target.digest}, out, watcher.message)
        training = _Training(source, target, out, settings, watcher, group, kind, found)
        training.run()
        return training.result()


class _Training:
    """What the parts of one run have in common."""

    def __init__(
        self,
        source: Faceset,
        target: Faceset,
        out: Path,
        settings: TrainSettings,
        watcher: Watcher,
        group: Group,
        kind: type[Network],
        found: Checkpoint | None,
    ) -> None:
        self.source, self.target, self.out, self.settings, self.group = source, target, out, settings, group
        self.watcher = watcher
        device, facts = group.device, found.facts if found else None
        number = choose_precision(settings.precision, device)
        torch.manual_seed(settings.seed)
        self.network = network = _build(kind, settings, facts)
        if settings.base is not None and facts is None:
            load_weights(settings.base, network, watcher.message)
        place(network, device)
        batch = facts.batch if facts else settings.batch or kind.batch
        batch = -(-batch // group.world) * group.world
        seed = facts.seed if facts else settings.seed
        share = Share(batch, device, seed, group.rank, group.world)
        self.supply = Supply(lambda share: network.batches(source, target, share), share)
        optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate or kind.learning_rate, fused=True)
        self.average = Average(network)
        self.state = State(network, optimiser, self.average.tensors)
        self.clock = Clock(facts.seconds if facts else 0.0)
        every = _READ_EVERY.get(device.type, 10)
        self.record = Record(every, group, found.tensors["rows"].numpy() if found else None)
        scaler = scaler_for(number, device)
        if found is not None:
            self._restore(found, scaler)
        self.guard = Guard(self.record, self.state, self.supply, watcher.message)
        self.saved = Checkpoints(self._save, self.guard, settings.checkpoint_every, watcher.message)
        self.loop = Loop(
            group.wrap(network),
            self.supply,
            optimiser,
            self._hooks(every),
            autocast_for(number, device),
            scaler,
            facts.step if facts else 0,
        )

    def run(self) -> None:
        self.clock.start()
        try:
            self.loop.run()
        except torch.OutOfMemoryError as e:
            raise FaceplateError(
                f"the device has no memory for a batch of {self.supply.share.batch}",
                remedy="Choose a smaller --size or --batch, or close other programs that use the GPU",
            ) from e

    def result(self) -> Trained:
        seconds, losses = self.clock.seconds, recent(self.record)
        self.average.put()
        self.network.eval()
        return Trained(
            network=self.network,
            batches=self.supply.batches,
            step=self.loop.step,
            seconds=seconds,
            reason=self.loop.stop,
            loss=losses.pop("all", float("nan")),
            losses=losses,
            checkpoint=self.saved.file,
            rank=self.group.rank,
        )

    def _hooks(self, every: int) -> list[Hook]:
        """Their order matters: first who wishes to stop, then who reads, then who judges, and last who shows and keeps."""
        s, group, tell = self.settings, self.group, self.watcher.message
        hooks: list[Hook] = [SmallerBatch(self.supply, group, tell), self.average, StopOnSignal()]
        hooks += [StopAfter(s.seconds, self.clock)] if s.seconds is not None else []
        hooks += [Watch((self.source, self.target))] if group.leads else []
        hooks += [Together(group, every)] if group.world > 1 else []
        hooks += [StopAtStep(s.steps)] if s.steps is not None else []
        hooks += [self.record]
        hooks += [StopAtPlateau(self.record)] if s.until is Until.PLATEAU else []
        hooks += [self.guard]
        if group.leads:
            hooks += [Tell(self.watcher, self.record, self.clock, s.steps, s.seconds), Metrics(self.out, self.record)]
            if s.preview_every:
                hooks += [Preview(self._preview, self.record, s.preview_every, self.watcher.preview, tell)]
            hooks += [self.saved]
        return hooks

    def _save(self, snapshot: Snapshot) -> Path:
        facts = Facts(
            model=self.network.name,
            options=self.network.options.model_dump(mode="json"),
            settings=self.settings.model_dump(mode="json"),
            step=snapshot.step,
            seconds=self.clock.seconds,
            batch=self.supply.share.batch,
            seed=self.supply.share.seed,
            scaler=snapshot.scaler,
            facesets={"source": self.source.digest, "target": self.target.digest},
            performers={"source": self.source.performer, "target": self.target.performer},
            losses=recent(self.record),
        )
        rows = torch.from_numpy(self.record.rows[: snapshot.step].copy())
        return save_checkpoint(self.out, facts, {**snapshot.tensors, "rows": rows})

    def _preview(self) -> Path:
        from trainer.preview import write_preview

        with self.average.shown(), torch.no_grad():
            views = self.network.views(self.supply.batches, PREVIEW_ROWS)
        write_preview(views, self.out / PREVIEW)
        return self.out / PREVIEW

    def _restore(self, found: Checkpoint, scaler: torch.amp.GradScaler | None) -> None:
        try:
            self.state.put(found.tensors)
        except (KeyError, RuntimeError, IndexError) as e:
            raise ModelError(
                f"does not fit the network '{self.network.name}' of this Faceplate",
                file=found.file,
                remedy="Train anew with --from, which takes the weights that fit",
            ) from e
        if scaler is not None and found.facts.scaler:
            scaler.load_state_dict(dict(found.facts.scaler))


def _examples(trained: Trained, target: Faceset, rows: int = 8) -> dict[str, Tensor]:
    """Real inputs of the network, as many as there are up to `rows`."""
    network = trained.network
    if network.inputs != ("crop",):
        return network.examples(trained.batches, rows)
    chosen = np.linspace(0, len(target) - 1, min(rows, len(target))).astype(int)
    crops = torch.from_numpy(np.array(target.crops[chosen])).permute(0, 3, 1, 2).float() / 255
    return {"crop": interpolate(crops, size=(network.options.size,) * 2, mode="area")}


def _build(kind: type[Network], settings: TrainSettings, facts: Facts | None) -> Network:
    asked = facts.options if facts else {} if settings.size is None else {"size": settings.size}
    try:
        options = kind.options_type(**asked)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"the model '{kind.name}' cannot be built so: {where}: {first['msg']}", remedy="Choose another --size"
        ) from e
    build: Callable[..., Network] = kind
    return build(options)


def _compare(facts: Facts, model: str, digests: dict[str, str], out: Path, tell: Callable[[str], None]) -> None:
    """A training goes on with its own model; other crops are allowed, since footage is added for a reason."""
    if facts.model != model:
        raise ModelError(f"is a training of '{facts.model}'", file=out, remedy=f"Choose --model {facts.model}")
    changed = [name for name, digest in digests.items() if facts.facesets.get(name) != digest]
    if changed:
        tell(f"The faceset of the {' and the '.join(changed)} is another than before; training goes on with it.")
