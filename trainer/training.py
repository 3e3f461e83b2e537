"""One run of a training: network, optimiser, hooks and loop, put together from settings and perhaps a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from nodes.consent.provenance import Provenance
from nodes.errors import FaceplateError, ModelError
from trainer.checkpoint import Checkpoint, Facts, State, load_weights, save_checkpoint
from trainer.device import autocast_for, choose_precision, place
from trainer.distributed import Group, Together
from trainer.faceset import Faceset
from trainer.hooks.monitoring import LossRecord, Metrics, Preview, Tell, recent
from trainer.hooks.safety import Average, Checkpoints, Guard, Snapshot
from trainer.hooks.stopping import Schedule, SmallerBatch, StopAfter, StopAtPlateau, StopAtStep, StopOnSignal
from trainer.loop import BatchSource, Clock, Hook, Loop
from trainer.network import Batches, Network, Share
from trainer.performers import roles
from trainer.settings import TrainSettings, Until
from trainer.watcher import Watcher

_log = logging.getLogger(__name__)
PREVIEW = "preview.png"
PREVIEW_ROWS = 6
_READ_EVERY = {"cpu": 10, "cuda": 40}  # steps: each read makes a GPU wait


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that has ended. network: with its averaged weights, in evaluation mode. reason: why it ended.

    batches: those of the last steps. model: the ONNX file, once it is exported. loss, losses: means over the last steps.
    rank: of this process. provenance: the performers, and the consents for them.
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
    provenance: Provenance = field(default_factory=Provenance)


class Training:
    """Shared state of one run. facesets: one a performer. resumed: the checkpoint to go on from, if any."""

    def __init__(
        self,
        facesets: Sequence[Faceset],
        out: Path,
        settings: TrainSettings,
        watcher: Watcher,
        group: Group,
        kind: type[Network],
        resumed: Checkpoint | None,
        provenance: Provenance,
    ) -> None:
        self.facesets, self.out, self.settings, self.group = facesets, out, settings, group
        self.watcher, self.provenance = watcher, provenance
        device, facts = group.device, resumed.facts if resumed else None
        number = choose_precision(settings.precision, device)
        torch.manual_seed(settings.seed)
        self.network = network = _build(kind, settings, facesets, facts)
        if settings.base is not None and facts is None:
            load_weights(settings.base, network, watcher.message)
        place(network, device)
        batch = facts.batch if facts else settings.batch or kind.batch
        batch = -(-batch // group.world) * group.world
        seed = facts.seed if facts else settings.seed
        share = Share(batch, device, seed, group.rank, group.world)
        self.source = BatchSource(lambda share: network.batches(facesets, share), share)
        optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate or kind.learning_rate, fused=True)
        self.average = Average(network)
        self.state = State(network, optimiser, self.average.tensors)
        self.clock = Clock(facts.seconds if facts else 0.0)
        every = _READ_EVERY.get(device.type, 10)
        self.record = LossRecord(every, group, resumed.tensors["rows"].numpy() if resumed else None)
        # Keeps small gradients from vanishing in fp16; nothing else needs it.
        scaler = torch.amp.GradScaler(device.type, enabled=number is torch.float16)
        if resumed is not None:
            self._restore(resumed, scaler)
        _log.info(
            "trains %s on %s in %s, %d processes, batch %d, seed %d, from step %d; %s",
            *(kind.name, device, number, group.world, batch, seed, facts.step if facts else 0, settings),
        )
        rollbacks = facts.rollbacks if facts else 0
        self.guard = Guard(self.record, self.state, self.source, watcher.message, rollbacks=rollbacks)
        self.checkpoints = Checkpoints(self._save, self.guard, settings.checkpoint_every, watcher.message)
        self.loop = Loop(
            group.wrap(network),
            self.source,
            optimiser,
            self._hooks(every),
            autocast_for(number, device),
            scaler,
            kind.clip,
            facts.step if facts else 0,
        )

    def run(self) -> None:
        """Train. Raises FaceplateError when the device has no memory for even one crop, and what the hooks raise."""
        self.clock.start()
        try:
            self.loop.run()
        except torch.OutOfMemoryError as e:
            raise FaceplateError(
                f"the device has no memory for a batch of {self.source.share.batch}",
                remedy="Choose a smaller --size or --batch, or close other programs that use the GPU",
            ) from e

    def result(self) -> Trained:
        """Return the result; from now on the network has its averaged weights."""
        self.loop.network = self.network  # DDP must be released before its process group
        seconds, losses = self.clock.seconds, recent(self.record)
        self.average.put()
        self.network.eval()
        return Trained(
            network=self.network,
            batches=self.source.batches,
            step=self.loop.step,
            seconds=seconds,
            reason=self.loop.stop,
            loss=losses.pop("all", float("nan")),
            losses=losses,
            checkpoint=self.checkpoints.file,
            rank=self.group.rank,
            provenance=self.provenance,
        )

    def _hooks(self, every: int) -> list[Hook]:
        """List the hooks; their order matters: stopping, reading losses, judging them, then reporting and saving."""
        s, group, tell = self.settings, self.group, self.watcher.message
        rate = s.learning_rate or self.network.learning_rate
        hooks: list[Hook] = [SmallerBatch(self.source, group, tell), self.average, StopOnSignal()]
        hooks += [Schedule(rate, self.clock, s.steps, s.seconds, group, every)]
        hooks += [StopAfter(s.seconds, self.clock)] if s.seconds is not None else []
        hooks += [Together(group, every)] if group.world > 1 else []
        hooks += [StopAtStep(s.steps)] if s.steps is not None else []
        hooks += [self.record]
        hooks += [self.guard]
        hooks += [StopAtPlateau(self.record)] if s.until is Until.PLATEAU else []
        if group.leads:
            hooks += [Tell(self.watcher, self.record, self.clock, s.steps, s.seconds), Metrics(self.out, self.record)]
            if s.preview_every:
                hooks += [Preview(self._preview, self.record, s.preview_every, self.watcher.preview, tell)]
            hooks += [self.checkpoints]
        return hooks

    def _save(self, snapshot: Snapshot) -> Path:
        by_role = dict(zip(roles(len(self.facesets)), self.facesets, strict=True))
        facts = Facts(
            model=self.network.name,
            options=self.network.options.model_dump(mode="json"),
            settings=self.settings.model_dump(mode="json"),
            step=snapshot.step,
            seconds=self.clock.seconds,
            batch=self.source.share.batch,
            seed=self.source.share.seed,
            rollbacks=self.guard.rollbacks,
            scaler=snapshot.scaler,
            facesets={role: s.digest for role, s in by_role.items()},
            performers={role: s.performer for role, s in by_role.items()},
            losses=recent(self.record),
            provenance=self.provenance,
        )
        rows = torch.from_numpy(self.record.rows[: snapshot.step].copy())
        return save_checkpoint(self.out, facts, {**snapshot.tensors, "rows": rows})

    def _preview(self) -> Path:
        from trainer.preview import write_preview

        with self.average.shown(), torch.no_grad():
            views = self.network.views(self.source.batches, PREVIEW_ROWS)
        write_preview(views, self.out / PREVIEW)
        return self.out / PREVIEW

    def _restore(self, resumed: Checkpoint, scaler: torch.amp.GradScaler) -> None:
        try:
            self.state.put(resumed.tensors)
        except (KeyError, RuntimeError, IndexError) as e:
            raise ModelError(
                f"does not fit the network '{self.network.name}' of this Faceplate",
                file=resumed.file,
                remedy="Train anew with --from, which takes the weights that fit",
            ) from e
        if resumed.facts.scaler:
            scaler.load_state_dict(dict(resumed.facts.scaler))


def _build(kind: type[Network], settings: TrainSettings, facesets: Sequence[Faceset], facts: Facts | None) -> Network:
    values: dict[str, Any] = {} if settings.size is None else {"size": settings.size}
    values["subject"] = facesets[0].subject.reference
    if len(facesets) != 2:
        values["performers"] = len(facesets)
    values = facts.options if facts else values
    try:
        options = kind.options_type(**values)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"the model '{kind.name}' cannot be built so: {where}: {first['msg']}",
            remedy="Give fewer facesets" if where == "performers" else "Choose another --size",
        ) from e
    build: Callable[..., Network] = kind
    return build(options)
