"""A network small enough to train for hundreds of steps in a test, and a training of it as a process of its own.

As a program: `python -m tests.support.tiny_training FOLDER SETTINGS.json`, where FOLDER holds source.npy and target.npy, and gets `out`.
"""

from __future__ import annotations

import csv
import math
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkServerProcess as Process
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.subjects.subject import load_subject
from tests import ROOT
from trainer import loop
from trainer.faceset import Faceset
from trainer.network import Network, Options, Share
from trainer.settings import TrainSettings
from trainer.train import train
from trainer.watcher import TrainingProgress, Watcher

fit = partial(train, exported=False)
loop.SHARE = math.inf  # the checkpoints of a tiny network come as often as a test asks for them


class TinyOptions(Options):
    size: int = 32
    width: int = 8


class Tiny(Network):
    """One encoder, a decoder for each performer, and dropout, so that the network's own random numbers count as well."""

    name = "tiny"
    options_type = TinyOptions
    learning_rate = 2e-3
    batch = 8
    dropout = 0.1
    compare = staticmethod(F.l1_loss)

    def __init__(self, options: TinyOptions) -> None:
        super().__init__()
        self.options = options
        w = options.width
        self.encoder = nn.Sequential(nn.Conv2d(3, w, 5, 2, 2), nn.LeakyReLU(0.1), nn.Conv2d(w, w, 5, 2, 2))
        self.decoders = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, 48, 3, 1, 1), nn.PixelShuffle(4), nn.Sigmoid()) for _ in range(2)
        )

    def batches(self, facesets: Sequence[Faceset], share: Share) -> TinyBatches:
        return TinyBatches([shrunk(s, self.options.size) for s in facesets], share)

    def forward(self, batch: list[Tensor]) -> dict[str, Tensor]:
        codes = [F.dropout(self.encoder(b), self.dropout, self.training) for b in batch]
        pairs = zip(("source", "target"), batch, codes, self.decoders, strict=True)
        return {name: self.compare(decode(code), b) for name, b, code, decode in pairs}

    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        face = self.decoders[0](self.encoder(inputs["crop"]))
        return face, torch.ones_like(face[:, :1])

    def views(self, batches: Any, rows: int) -> dict[str, Tensor]:
        crops = batches.pictures[1][:rows]
        return {"target": crops, "swap": self.swap(crop=crops)[0]}


class Steady(Tiny):
    """What it learns does not depend on how many processes it learns in: no dropout, and no loss whose gradient jumps."""

    name = "steady"
    dropout = 0.0
    compare = staticmethod(F.mse_loss)


class Shaky(Steady):
    """Steady, but for one batch of the first stream of random numbers, of which one row is not a number."""

    name = "shaky"

    def batches(self, facesets: Sequence[Faceset], share: Share) -> Any:
        made = super().batches(facesets, share)

        def batch(step: int) -> list[Tensor]:
            found = made(step)
            if step == 25 and share.seed == 0 and share.rows.stop == share.batch:
                found[0][-1] = torch.nan
            return found

        return batch


def shrunk(faceset: Faceset, size: int) -> Tensor:
    pictures = torch.from_numpy(np.array(faceset.crops)).permute(0, 3, 1, 2).float() / 255
    return F.adaptive_avg_pool2d(pictures, size)


@dataclass
class TinyBatches:
    """Rows drawn at random."""

    pictures: list[Tensor]
    share: Share

    def __call__(self, step: int) -> list[Tensor]:
        draw = self.share.generator(step)
        chosen = [torch.randint(len(p), (self.share.batch,), generator=draw)[self.share.rows] for p in self.pictures]
        return [p[c] for p, c in zip(self.pictures, chosen, strict=True)]


KINDS = {kind.name: kind for kind in (Tiny, Steady, Shaky)}


@dataclass
class Listener(Watcher):
    """Keeps what it is told."""

    lines: list[str] = field(default_factory=list)
    told: list[TrainingProgress] = field(default_factory=list)
    previews: list[Path] = field(default_factory=list)

    def training(self, now: TrainingProgress) -> None:
        self.told.append(now)

    def message(self, line: str) -> None:
        self.lines.append(line)

    def preview(self, picture: Path) -> None:
        self.previews.append(picture)


def settings(**told: Any) -> TrainSettings:
    """Settings for a test: on the CPU, in numbers that every CPU has, no previews."""
    return TrainSettings(**{"model": "tiny", "device": "cpu", "precision": "fp32", "preview_every": 0, **told})


def plain_faceset(folder: Path, name: str) -> Faceset:
    """A faceset of the crops in `folder/NAME.npy`, with nothing beside them that the tiny network would use."""
    crops = np.load(folder / f"{name}.npy", mmap_mode="r")
    count, size = crops.shape[:2]
    zeros = np.zeros(count, np.float32)
    return Faceset(
        folder=folder,
        performer=name,
        subject=load_subject(),
        template=load_subject().template_id,
        coverage=1.0,
        size=size,
        clips=(name,),
        rates=(25.0,),
        crops=crops,
        masks=np.full((count, size, size), 255, np.uint8),
        landmarks=np.zeros((count, 478, 3), np.float32),
        clip=np.zeros(count, np.int64),
        frame=np.arange(count),
        track=np.zeros(count, np.int64),
        to_plate=np.zeros((count, 2, 3), np.float32),
        yaw_pitch=np.zeros((count, 2), np.float32),
        sharpness=zeros,
        score=zeros,
        digest=f"{name} {count}",
    )


def torchrun(folder: Path, told: TrainSettings, processes: int) -> subprocess.CompletedProcess[str]:
    """Train in several processes that torchrun starts."""
    file = folder / "settings.json"
    file.write_text(told.model_dump_json(), "utf-8")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": str(ROOT),
    }
    told_ = [*launcher, "--module", "tests.support.tiny_training", str(folder), str(file)]
    return subprocess.run(told_, env=environment, stdout=-1, stderr=-2, text=True, timeout=120, check=False)


def process(folder: Path, told: TrainSettings, *more: str, environment: dict[str, str] | None = None) -> Process:
    """Start a training in a process of its own, forked from one that has torch loaded and has done nothing with it yet."""
    os.environ["PYTHONPATH"] = str(ROOT)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.tiny_training"])
    started = context.Process(target=main, args=(folder, told, *more), kwargs={"environment": environment})
    started.start()
    return started


def main(folder: Path, told: TrainSettings, *more: str, environment: dict[str, str] | None = None) -> None:
    os.environ.update(environment or {})
    torch.set_num_threads(1)
    pair = plain_faceset(folder, "source"), plain_faceset(folder, "target")
    fit(pair, folder / "out", told, resume="resume" in more, kind=KINDS[told.model])


if __name__ == "__main__":
    main(Path(sys.argv[1]), TrainSettings.model_validate_json(Path(sys.argv[2]).read_text("utf-8")))


def read_table(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a `losses.csv`: the names of its columns, and float32 [steps, columns] of which the first is the step."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return tuple(head), np.array(rows, np.float32)
