"""Training of the occlusion network: it stops and resumes at any step, and the average of its weights is what is exported."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from nodes.files import whole_file
from nodes.mask.classes import CLASSES, SIZE
from nodes.mask.regions import draw_regions
from nodes.progress import Progress, quiet, stage
from nodes.subjects.subject import load_subject
from nodes.types import Image8
from trainer.checkpoint import AVERAGE, State, part, write_tensors
from trainer.export import write_onnx
from trainer.occlusion.cutouts import Cutout
from trainer.occlusion.examples import FACE, Examples
from trainer.occlusion.network import OcclusionNetwork
from trainer.occlusion.paste import Composed, centred, composed

_DECAY = 0.998  # of the averaged weights
_EDGE = 4.0  # how much more a pixel counts at the boundary of two classes
_REAL = 0.35  # part of the crops that are of real clips
_SAVED = 250  # steps between checkpoints


@dataclass(frozen=True)
class OcclusionSettings:
    """How long and how fast: steps, examples a step, peak learning rate, and the seed of all that is random."""

    steps: int = 4000
    batch: int = 12
    rate: float = 3e-3
    seed: int = 1


class Composer:
    """Maker of crops to train on: of rendered people, or of real clips, with things laid before their faces."""

    def __init__(self, rendered: Examples, clips: Examples, cutouts: Sequence[Cutout]) -> None:
        self._kinds, self._cutouts = (rendered, clips), cutouts

    def __call__(self, random: np.random.Generator) -> Composed:
        """Make one."""
        kind = self._kinds[int(random.random() < _REAL)]
        row = int(random.integers(len(kind)))
        parts = kind.pictures[row], kind.classes[row], kind.landmarks[row]
        return composed(random, *parts, self._cutouts, SIZE, kind.weights[row])


class _Stream(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless examples, each from a seed of its own: those of step N are the same in every run."""

    def __init__(self, compose: Composer, seed: int, first: int) -> None:
        super().__init__()
        self._compose, self._seed, self._first = compose, seed, first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        at = self._first + number
        while True:
            yield as_tensors(self._compose(np.random.default_rng([self._seed, at])))
            at += count


def as_tensors(crop: Composed) -> tuple[Tensor, Tensor, Tensor]:
    """Return the network's input [4, S, S], the shares of the classes [C, S, S], and how much each pixel counts [S, S]."""
    region = draw_regions(crop.landmarks[None], len(crop.image), load_subject("face"))[0]
    stacked = np.concatenate([crop.image, region[..., None]], 2).transpose(2, 0, 1)
    picture, classes, weights = (
        torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (stacked, crop.classes, crop.weights)
    )
    return picture, classes, weights


def loss_of(logits: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy with soft targets, stronger at boundaries, and the soft Dice loss of each class (Milletari et al. 2016)."""
    blurred = nn.functional.avg_pool2d(classes, 7, 1, 3, count_include_pad=False)
    strength = weight * (1 + _EDGE * (blurred - classes).abs().amax(1))
    logarithms = logits.log_softmax(1)
    entropy = (strength * -(classes * logarithms).sum(1)).sum() / strength.sum().clamp(min=1)
    shares, counts = logarithms.exp() * weight[:, None], classes * weight[:, None]
    dice = 1 - (2 * (shares * counts).sum((0, 2, 3)) + 1e3) / ((shares**2 + counts**2).sum((0, 2, 3)) + 1e3)
    return entropy + 0.5 * dice.mean()


def train(
    compose: Composer,
    out: Path,
    settings: OcclusionSettings,
    progress: Progress = quiet,
    tell: Callable[[str], None] = print,
) -> OcclusionNetwork:
    """Train, from where an earlier run stopped, and return the network with averaged weights."""
    torch.manual_seed(settings.seed)
    network = OcclusionNetwork(len(CLASSES))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {
        name: value.detach().clone() for name, value in network.state_dict().items() if value.is_floating_point()
    }
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=1e-2)
    state, file, step = State(network, optimiser, average), out / "training.safetensors", 0
    if file.is_file():
        tensors = load_file(file)
        step = int(tensors.pop("step"))
        state.put(tensors)
    stream = _Stream(compose, settings.seed, step * settings.batch)
    batches = iter(DataLoader(stream, settings.batch, num_workers=1, prefetch_factor=4))
    report, recent = stage(progress, "train", settings.steps), []
    network.train()
    for at in range(step, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * _schedule(at / settings.steps)
        crops, classes, weight = next(batches)
        loss = loss_of(network(crops.to(memory_format=torch.channels_last))[0], classes, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            decay = min(_DECAY, (1 + at) / (10 + at))
            for name, value in network.state_dict().items():
                if name in average:
                    average[name].lerp_(value, 1 - decay)
        recent.append(float(loss.detach()))
        if (at + 1) % _SAVED == 0 or at + 1 == settings.steps:
            tell(f"step {at + 1}: loss {np.mean(recent):.4f}")
            recent.clear()
            with whole_file(file) as temporary:
                write_tensors(temporary, {**state.take(), "step": torch.tensor(at + 1)})
        report(at + 1)
    network.load_state_dict(average, strict=False)
    network.eval()
    return network


def _schedule(done: float) -> float:
    """Rise for the first twentieth, then fall as a cosine does (Loshchilov and Hutter 2017)."""
    return done / 0.05 if done < 0.05 else 0.5 * (1 + math.cos(math.pi * (done - 0.05) / 0.95))


def trained(out: Path) -> OcclusionNetwork:
    """Read the averaged network of a training, finished or not."""
    network = OcclusionNetwork(len(CLASSES))
    network.load_state_dict(part(load_file(out / "training.safetensors"), AVERAGE), strict=False)
    network.eval()
    return network


_COLOURS = np.array([[228, 170, 140], [110, 60, 30], [60, 200, 60], [220, 200, 40], [45, 45, 90]], np.float32)


def measure(network: OcclusionNetwork, held_back: Examples, shown: int = 48) -> tuple[dict[str, float], Image8]:
    """Measure the intersection over union of each class, of what is seen of the face and of what is hidden of it, on examples as they are.

    Returns also a sheet of crops, true classes and found ones, uint8 [H, W, 3].
    """
    crops = [
        centred(held_back.pictures[row], held_back.classes[row], held_back.landmarks[row], SIZE)
        for row in range(len(held_back))
    ]
    batch, true, _ = (torch.stack(parts) for parts in zip(*map(as_tensors, crops), strict=True))
    with torch.no_grad():
        found = torch.cat([network(part)[0].softmax(1) for part in torch.split(batch, 16)])
    figures = {name: _overlap(found[:, k], true[:, k]) for k, name in enumerate(CLASSES)}
    region = batch[:, 3]
    figures["seen"] = _overlap(found[:, FACE] * region, true[:, FACE] * region)
    figures["hidden"] = _overlap((1 - found[:, FACE]) * region, (1 - true[:, FACE]) * region)
    rows = np.linspace(0, len(crops) - 1, min(shown, len(crops))).astype(int)
    cells = [
        np.concatenate(
            [crops[row].image * 255, *(np.tensordot(each[row].numpy(), _COLOURS, (0, 0)) for each in (true, found))], 1
        )
        for row in rows
    ]
    across = 4
    cells += [np.zeros_like(cells[0])] * (-len(cells) % across)
    lines = [np.concatenate(cells[i : i + across], 1) for i in range(0, len(cells), across)]
    return {k: round(v, 3) for k, v in figures.items()}, np.asarray(np.concatenate(lines).clip(0, 255), np.uint8)


def _overlap(one: Tensor, other: Tensor) -> float:
    return float(torch.minimum(one, other).sum() / torch.maximum(one, other).sum().clamp(min=1))


class _Exported(nn.Module):
    """The network as ONNX Runtime is given it: a crop as pictures are kept, and shares instead of logits."""

    def __init__(self, network: OcclusionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return shares of the classes and features of crops [N, S, S, 4], 0..1."""
        logits, features = self.network(inputs[0].permute(0, 3, 1, 2))
        return logits.softmax(1), features


def export(network: OcclusionNetwork, path: Path) -> None:
    """Write the network as ONNX: RGB and region 0..1 [N, 192, 192, 4] → shares of the classes [N, C, 192, 192], features [N, F, 192, 192]."""
    write_onnx(_Exported(network), (torch.rand(2, SIZE, SIZE, 4),), path, ["crop"], ["classes", "features"])
