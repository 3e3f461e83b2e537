"""What a model of the same pair saves: run it as a script.

python tests/benchmarks/bench_second_shot.py [--models shot df] [--steps 300] [--size 64] [--batch 4] [--share 0.3333]

Two shots of one pair are cut out of a sample clip. The first is trained from nothing; the second from nothing too, to know how low its
loss can be brought in as many steps, and from the first one's model in a share of the steps. Printed is after how many steps the
second, so begun, is as low as both of the others came, by the mean loss of 25 steps. The bar: a third. It counts steps, not
time, so other work on the machine does not matter.

`shot` learns from the performer's footage alone; so that there is something new in its second shot, that one has other footage of him.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from install.samples import fetch_samples, samples_folder
from nodes.types import Float
from tests.support.facesets import tiny_faceset
from trainer.checkpoint import last_checkpoint
from trainer.faceset import Faceset
from trainer.settings import TrainSettings
from trainer.train import train

SMOOTH = 25  # steps


def main() -> None:
    """Print a few lines for each model, the ratio last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["shot", "df"])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--share", type=float, default=1 / 3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crops", type=int, default=40)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    samples = fetch_samples(samples_folder(), print)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def shot(clip: str, first: int) -> Faceset:
            return tiny_faceset(samples, f"{clip}.mp4", folder / f"{clip} {first}", told.crops, told.size, first)

        performer, later = shot("franck", 0), shot("franck", 400)
        targets = shot("cap12_edit", 0), shot("cap12_edit", 200)
        for model in told.models:
            sources = (performer, later if model == "shot" else performer)
            settings = TrainSettings(
                model=model, steps=told.steps, size=told.size, batch=told.batch, device="cpu", preview_every=0
            )
            measure(list(zip(sources, targets, strict=True)), settings, told.share, folder / model)


def measure(shots: list[tuple[Faceset, Faceset]], settings: TrainSettings, share: float, folder: Path) -> None:
    """Train both shots of one pair, and print what the first one's model saves the second."""
    steps = settings.steps or 1
    tuned = settings.model_copy(update={"steps": max(round(steps * share), 1), "base": folder / "first"})
    first = trained(shots[0], folder / "first", settings)
    anew = trained(shots[1], folder / "anew", settings)
    second = trained(shots[1], folder / "second", tuned)
    print(f"{settings.model}: {steps} steps, {settings.size} pixels, {settings.batch} crops a side")
    for name, losses in (("first shot", first), ("second, from nothing", anew), ("second, from the first", second)):
        told = ", ".join(f"{losses[at]:.4f}" for at in np.linspace(0, len(losses) - 1, 7).astype(int))
        print(f"  {name:22} {told}")
    for name, bar in (("the first", first[-1]), ("its own from nothing", anew[-1])):
        print(f"  as low as {name} ({bar:.4f}): {reached(second, bar, steps)}")


def trained(pair: tuple[Faceset, Faceset], out: Path, settings: TrainSettings) -> Float:
    """Train, and return the loss of each step as the mean of those up to it."""
    train(pair, out, settings, exported=False)
    losses = last_checkpoint(out, print).tensors["rows"].numpy()[:, 1].astype(np.float64)
    total = np.concatenate([[0.0], np.cumsum(losses)])
    return (total[SMOOTH:] - total[:-SMOOTH]) / SMOOTH


def reached(losses: Float, bar: float, steps: int) -> str:
    """After how many steps the loss is as low, and what part of `steps` that is."""
    low = np.flatnonzero(losses <= bar)
    if not len(low):
        return f"not in {len(losses) + SMOOTH - 1} steps; {losses.min() / bar:.3f} of it at best"
    after = int(low[0]) + SMOOTH
    return f"after {after} steps, {after / steps:.2f} of the steps"


if __name__ == "__main__":
    main()
