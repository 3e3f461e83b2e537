"""The model for a shot: a network that moves and shades the reference method's picture until the face acts as the plate's does.

Inputs: the reference; its mesh, drawn as lines; how far eyes and mouth are open, as numbers; and the plate's eyes and mouth in grey, without
their contrast. Output: a flow and a soft shade on a coarse grid. It draws nothing, so that every detail is the performer's own, at whatever resolution Swap renders it.

It learns shade and flow by rebuilding frames of the source from other frames of the source, and the flow also on the target's frames as the
shot will show them: the landmarker must see in the new face what it sees in the plate, and the recogniser must know the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from nodes.subjects.subject import load_subject
from trainer.drawing import Areas, Lines, Openings
from trainer.faceset import Faceset
from trainer.losses import dssim, weighted_mean
from trainer.network import Network, Options, Share
from trainer.observers import Observers
from trainer.rehearsal import Rehearsal, RehearsalBatch, enlarge, grey, whole
from trainer.target import TargetFrames

_FLOOR = 4e-4  # variance, of what counts as noise in a grey crop
_FEATURES = 3.0  # what eyes and mouth count beyond the rest of the face
_COARSE = 2  # pixels of the grid: the finest that is seen of the plate's eyes and mouth
_PERFORMANCE, _LIKENESS, _KEPT, _TINT = 8.0, 0.2, 2.0, 4.0
_REACH = 0.03  # of a crop: how far a pixel is moved at most
_BENT, _SUPPLE = 48.0, 0.5  # cost of a flow that bends, and how much less in eyes and mouth
_LEVEL = 3.0  # of the difference in colour, over that of structure


class ShotOptions(Options):
    """Options of the model for a shot.

    base: side of the finest grid that it computes on; a pixel of it stands for (size / base)² pixels of the crop. widths:
    channels of its three levels.
    """

    size: int = Field(192, ge=64, le=512)
    base: int = Field(64, ge=32, le=256, multiple_of=32)
    widths: tuple[int, int, int] = (32, 64, 96)

    @model_validator(mode="after")
    def _whole(self) -> ShotOptions:
        if self.size % self.base:
            raise ValueError(f"size must be a multiple of {self.base}")
        return self


class Drawn(NamedTuple):
    """A moved and shaded reference.

    face: [N, 3, S, S], about 0..1, the sum of moved, [N, 3, S, S], and the enlarged shade, [N, 3, s, s]. flow: [N, 2, s, s], in crops.
    """

    face: Tensor
    moved: Tensor
    flow: Tensor
    shade: Tensor


class ShotModel(Network):
    """A U-Net (Ronneberger et al. 2015) on a coarse grid of many-channelled pixels, which moves and shades the reference."""

    name: ClassVar[str] = "shot"
    options_type: ClassVar[type[Options]] = ShotOptions
    inputs: ClassVar[tuple[str, ...]] = ("reference", "vertices", "performance")
    outputs: ClassVar[tuple[str, str]] = ("flow", "shade")
    learning_rate: ClassVar[float] = 1e-3
    batch: ClassVar[int] = 8
    clip: ClassVar[float | None] = 0.3

    options: ShotOptions

    def __init__(self, options: ShotOptions) -> None:
        super().__init__()
        self.options = options
        self.factor = options.size // options.base
        fine, middle, coarse = options.widths
        subject = load_subject(options.subject)
        self.lines, self.areas = Lines(subject, options.base), Areas(subject, options.base)
        self.openings = Openings(subject)
        self.observers = Observers(subject) if subject.coefficients else None
        seen = 4 * self.factor**2 + self.lines.channels + 2 * self.areas.channels
        self.enter = nn.Sequential(_convolution(seen, fine), _Residual(fine))
        self.down = _convolution(fine, middle, 2)
        self.level = _Residual(middle)
        self.coarser = _convolution(middle, coarse, 2)
        self.core = nn.Sequential(_Residual(coarse), _Residual(coarse))
        # Numbers join the two coarser levels.
        numbers = self.openings.channels
        self.tell = nn.ModuleList(nn.Linear(numbers, c) for c in (middle, coarse)) if numbers else None
        self.up = nn.Sequential(_convolution(coarse + middle, middle), _Residual(middle))
        self.out = nn.Conv2d(middle, 5, 3, padding=1)
        # It begins as the reference method: nothing moves, no shade changes.
        nn.init.zeros_(self.out.weight)
        self.out.bias = nn.Parameter(torch.zeros(5))

    def batches(self, facesets: Sequence[Faceset], share: Share) -> Rehearsal:
        """Frames of the source to rebuild; those of the target for the preview."""
        source, target = facesets
        return Rehearsal(source, target, self.options.size, share, self.options.base, self.observers)

    def draw(self, reference: Tensor, vertices: Tensor, performance: Tensor) -> Drawn:
        """Move and shade the reference."""
        flow, shade = self.swap(reference=reference, vertices=vertices, performance=performance)
        moved = _moved(reference[:, :3].float(), flow)
        return Drawn(moved + enlarge(shade, moved.shape[-1], "bicubic"), moved, flow, shade)

    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute flow and shade, see `Drawn`."""
        reference, vertices = inputs["reference"].float(), inputs["vertices"]
        lines, areas, features = self._shown(vertices, inputs["performance"])
        pixels = F.pixel_unshuffle(reference - 0.25, self.factor)
        fine = self.enter(
            torch.cat([pixels, lines, areas, _coarse(features)] if areas.shape[1] else [pixels, lines], 1)
        )
        middle, coarse = self._told(vertices)
        middle = self.level(self.down(fine) + middle)
        coarse = self.core(self.coarser(middle) + coarse)
        out = self.out(self.up(torch.cat([_doubled(coarse), middle], 1))).float()
        # Nothing moves at the mesh's edge, and little beside it.
        uncovered = F.max_pool2d(1 - F.avg_pool2d(reference[:, 3:], reference.shape[-1] // out.shape[-1]), 3, 1, 1)
        covered = (uncovered < 1e-3).float()
        covered = covered * F.avg_pool2d(covered, 3, 1, 1)
        return _REACH * torch.tanh(out[:, :2]) * covered, out[:, 2:]

    def forward(self, batch: RehearsalBatch) -> dict[str, Tensor]:
        """Differences in structure and colour from the frame, inside the mesh, where eyes and mouth count more; and those of the performance."""
        inputs, count = _inputs(batch), len(batch.reference)
        if batch.shown:
            inputs = {name: torch.cat([value, getattr(batch.shown, name)]) for name, value in inputs.items()}
        both = self.draw(**inputs)
        drawn, inside = both.face[:count], batch.reference[:, 3:]
        with torch.no_grad():
            features = whole(self.areas(batch.vertices))
            weight = inside * (1 + _FEATURES * F.interpolate(features, inside.shape[-2:], mode="bilinear"))
        with torch.autocast(drawn.device.type, enabled=False):  # differences of squares need all of fp32
            return {
                "structure": dssim(grey(drawn), grey(batch.target), inside, weight).mean(),
                "colour": _LEVEL * weighted_mean((drawn - batch.target).abs(), weight).mean(),
                **(self._played(Drawn(*(part[count:] for part in both)), batch.shown) if batch.shown else {}),
            }

    def _played(self, drawn: Drawn, shown: TargetFrames) -> dict[str, Tensor]:
        """Losses on the target's frames: expression against the plate, identity against the source, strength of shade and flow."""
        assert self.observers is not None
        moved = drawn.moved
        # The observers' gradient reaches the flow alone: a network that they teach to shade paints patterns that no face has.
        face = shown.composite(moved + (drawn.face - moved).detach())
        does, who = self.observers.coefficients(face, shown.squares), self.observers.descriptors(face, shown.chips)
        shade = drawn.shade.mean(1, keepdim=True)
        # Skin bends less than eyes and mouth do.
        areas = F.adaptive_avg_pool2d(whole(self.areas(shown.vertices)), drawn.flow.shape[-1])
        skin = 1 - _SUPPLE * areas
        return {
            "performance": _PERFORMANCE * (does - shown.expression).abs().mean(),
            "likeness": _LIKENESS * torch.linalg.vector_norm(who - shown.who, dim=1).mean(),
            "kept": _KEPT * (shade.abs().mean() + _TINT * (drawn.shade - shade).abs().mean()),
            "bent": _BENT * (skin * (drawn.flow - F.avg_pool2d(drawn.flow, 3, 1, 1)).abs()).mean(),
        }

    @torch.no_grad()
    def views(self, batches: Rehearsal, rows: int) -> dict[str, Tensor]:
        """Show source frames, their references and their rebuilding; target frames, their references and swaps."""
        own, other = batches.rehearsed(rows), batches.swapped(rows)
        return {
            "source": own.target,
            "its reference": own.reference[:, :3],
            "rebuilt": self._over(own.target, own),
            "target": other.crop,
            "its reference ": other.reference[:, :3],
            "swapped, in its own colours": self._over(other.crop, other),
        }

    def examples(self, batches: Rehearsal, rows: int) -> dict[str, Tensor]:
        """The target's frames, as Swap gives them."""
        inputs = _inputs(batches.swapped(rows))
        return {**inputs, "performance": F.interpolate(inputs["performance"], inputs["reference"].shape[-2:])}

    def _over(self, crop: Tensor, batch: RehearsalBatch | TargetFrames) -> Tensor:
        """Put the new face on the mesh, and the crop elsewhere."""
        return torch.lerp(crop, self.draw(**_inputs(batch)).face.clamp(0, 1), batch.reference[:, 3:])

    def _shown(self, vertices: Tensor, performance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Lines and areas of the mesh, and the plate's eyes and mouth in grey at unit contrast, all on the coarse grid."""
        with torch.autocast(vertices.device.type, enabled=False):
            # A batch of training has no more pixels of it than these.
            cell = performance.shape[-1] // self.options.base
            vertices, colour = vertices.float(), F.avg_pool2d(performance[:, :3].float(), cell)
            lines, areas = self.lines(vertices), self.areas(vertices)
            luma = grey(colour)
            level = _mean(luma, areas)
            spread = (_mean((luma - level).square(), areas) + _FLOOR).sqrt()
            return lines, areas, areas * (luma - level) / spread

    def _told(self, vertices: Tensor) -> tuple[Tensor | float, ...]:
        """Project the openings onto the channels of the middle and the coarse level: [N, channels, 1, 1] each; 0 for a subject without openings."""
        if self.tell is None:
            return 0.0, 0.0
        openings = self.openings(vertices)
        return tuple(tell(openings)[:, :, None, None] for tell in self.tell)


def _moved(picture: Tensor, flow: Tensor) -> Tensor:
    """Sample the picture [N, 3, S, S] where the flow points, by cubic interpolation (Keys 1981)."""
    size = picture.shape[-1]
    still = F.affine_grid(torch.eye(2, 3, device=picture.device)[None], [1, 1, size, size], align_corners=False)
    grid = still + 2 * enlarge(flow, size, "bicubic").permute(0, 2, 3, 1)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="border", align_corners=False)


class _Residual(nn.Module):
    """Two convolutions beside an identity, which they begin as (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, values: Tensor) -> Tensor:
        inner: Tensor = self.second(F.leaky_relu(self.first(F.leaky_relu(values, 0.1)), 0.1))
        return values + inner


def _convolution(channels: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, padding=1), nn.LeakyReLU(0.1))


def _inputs(batch: RehearsalBatch | TargetFrames) -> dict[str, Tensor]:
    return {"reference": batch.reference, "vertices": batch.vertices, "performance": batch.performance}


def _coarse(features: Tensor) -> Tensor:
    """Reduce eyes and mouth [N, C, side, side] to the detail that shows their movement and not their owner."""
    small = F.avg_pool2d(0.5 * features, _COARSE)
    return F.interpolate(small, scale_factor=float(_COARSE), mode="bilinear", align_corners=False)


def _doubled(values: Tensor) -> Tensor:
    return F.interpolate(values, scale_factor=2.0, mode="nearest")


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of [N, 1 or C, H, W] under each of the weights [N, C, H, W]: [N, C, 1, 1]."""
    return (values * weight).sum((2, 3), keepdim=True) / (weight.sum((2, 3), keepdim=True) + 1)
