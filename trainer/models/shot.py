"""The model for a shot: it is given the reference method's picture, and learns what that lacks.

From other frames of the source, warped onto the mesh of a frame, it rebuilds that frame: closes what the warp tore, draws teeth and
lids that the mesh only hints at, and settles between references. The mesh is drawn for it as lines, and how far eyes and mouth are
open is told as numbers; of the plate's own face it sees the eyes and the mouth alone, in grey and without their contrast, so that
gaze and teeth come through and the target's looks do not.

How a face looks it learns from the source alone. How it acts it learns from the target's frames, as the shot will show them: what the landmarker
sees in the new face must be what it sees in the plate, and the recogniser must know the source in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from nodes.subjects.subject import load_subject
from trainer.drawing import Areas, Lines, Openings
from trainer.faceset import Faceset
from trainer.losses import blur, dssim, weighted_mean
from trainer.network import Network, Options, Share
from trainer.observers import Observers
from trainer.rehearsal import Rehearsal, RehearsalBatch, grey, whole
from trainer.target import TargetFrames

_FLOOR = 4e-4  # variance, of what counts as noise in a grey crop
_FEATURES = 3.0  # what eyes and mouth count beyond the rest of the face
_TEXTURE = 0.04
_COARSE = 2  # pixels of the grid: the finest that is seen of the plate's eyes and mouth
_PERFORMANCE, _LIKENESS, _KEPT, _TINT = 8.0, 0.2, 2.0, 4.0
_LEVEL = 3.0  # of the difference in colour, over that of structure


class ShotOptions(Options):
    """What the model for a shot can be asked for.

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


class ShotModel(Network):
    """A U-Net (Ronneberger et al. 2015) on a coarse grid of many-channelled pixels, which corrects the warped reference."""

    name: ClassVar[str] = "shot"
    options_type: ClassVar[type[Options]] = ShotOptions
    inputs: ClassVar[tuple[str, ...]] = ("crop", "reference", "vertices", "performance")
    learning_rate: ClassVar[float] = 1e-3
    batch: ClassVar[int] = 8
    clip: ClassVar[float | None] = 0.3

    options: ShotOptions

    def __init__(self, options: ShotOptions) -> None:
        super().__init__()
        self.options = options
        self.factor = options.size // options.base
        fine, middle, coarse = options.widths
        pixels = self.factor**2
        subject = load_subject(options.subject)
        self.lines, self.areas = Lines(subject, options.base), Areas(subject, options.base)
        self.openings = Openings(subject)
        self.observers = Observers(subject) if subject.coefficients else None
        told = 4 * pixels + self.lines.channels + 2 * self.areas.channels
        self.enter = nn.Sequential(_convolution(told, fine), _Residual(fine))
        self.down = _convolution(fine, middle, 2)
        self.level = _Residual(middle)
        self.coarser = _convolution(middle, coarse, 2)
        self.core = nn.Sequential(_Residual(coarse), _Residual(coarse))
        # What is told as numbers joins the two coarser levels.
        numbers = self.openings.channels
        self.tell = nn.ModuleList(nn.Linear(numbers, c) for c in (middle, coarse)) if numbers else None
        self.up = nn.Sequential(_convolution(coarse + middle, middle), _Residual(middle))
        self.leave = nn.Sequential(_convolution(middle + fine, fine), _Residual(fine))
        self.out = nn.Conv2d(fine, 4 * pixels, 3, padding=1)
        # It begins as the reference method: no change, and a gate that is nearly shut.
        nn.init.zeros_(self.out.weight)
        self.out.bias = nn.Parameter(torch.cat([torch.zeros(3 * pixels), torch.full((pixels,), -1.0)]))

    def batches(self, facesets: Sequence[Faceset], share: Share) -> Rehearsal:
        """Frames of the source to rebuild; those of the target for the preview."""
        source, target = facesets
        return Rehearsal(source, target, self.options.size, share, self.options.base, self.observers)

    def draw(self, reference: Tensor, vertices: Tensor, performance: Tensor) -> Tensor:
        """The new face [N, 3, S, S], about 0..1, wherever the reference covers the crop."""
        lines, areas, features = self._shown(vertices, performance)
        pixels = F.pixel_unshuffle(reference.float() - 0.25, self.factor)
        fine = self.enter(
            torch.cat([pixels, lines, areas, _coarse(features)] if areas.shape[1] else [pixels, lines], 1)
        )
        middle, coarse = self._told(vertices)
        middle = self.level(self.down(fine) + middle)
        coarse = self.core(self.coarser(middle) + coarse)
        middle = self.up(torch.cat([_doubled(coarse), middle], 1))
        fine = self.leave(torch.cat([_doubled(middle), fine], 1))
        out = F.pixel_shuffle(self.out(fine).float(), self.factor)
        return self._corrected(reference.float(), out, areas)

    def forward(self, batch: RehearsalBatch) -> dict[str, Tensor]:
        """How far structure, colour and texture are from the frame, inside the mesh; eyes and mouth count more."""
        inputs, count = _inputs(batch), len(batch.reference)
        if batch.shown:
            inputs = {name: torch.cat([value, getattr(batch.shown, name)]) for name, value in inputs.items()}
        both = self.draw(**inputs)
        drawn, inside = both[:count], batch.reference[:, 3:]
        with torch.no_grad():
            features = whole(self.areas(batch.vertices))
            weight = inside * (1 + _FEATURES * F.interpolate(features, inside.shape[-2:], mode="bilinear"))
        with torch.autocast(drawn.device.type, enabled=False):  # differences of squares need all of fp32
            return {
                "structure": dssim(grey(drawn), grey(batch.target), inside, weight).mean(),
                "colour": _LEVEL * weighted_mean((drawn - batch.target).abs(), weight).mean(),
                "texture": _TEXTURE * _texture_loss(drawn, batch.target, inside).mean(),
                **(self._played(both[count:].float(), batch.shown) if batch.shown else {}),
            }

    def _played(self, drawn: Tensor, shown: TargetFrames) -> dict[str, Tensor]:
        """How far what the new face does is from what the plate does, and whose it is from whose it should be; and how far it left its reference."""
        assert self.observers is not None
        inside, before = shown.reference[:, 3:], shown.reference[:, :3]
        # They look at its soft shades alone: left to them, colours and patterns that no face has would do.
        change = drawn - before
        shade = change.mean(1, keepdim=True)
        face = shown.composite(before + blur(shade * inside))
        does, who = self.observers.coefficients(face, shown.squares), self.observers.descriptors(face, shown.chips)
        return {
            "performance": _PERFORMANCE * (does - shown.expression).abs().mean(),
            "likeness": _LIKENESS * torch.linalg.vector_norm(who - shown.who, dim=1).mean(),
            "kept": _KEPT * weighted_mean(shade.abs() + _TINT * (change - shade).abs(), inside).mean()
            + 3 * _TEXTURE * _texture_loss(drawn, before, inside).mean(),
        }

    def swap(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The new face where the mesh is, the plate's crop where it is not; the mask is the mesh."""
        visible = inputs["reference"][:, 3:]
        drawn = self.draw(inputs["reference"], inputs["vertices"], inputs["performance"])
        return torch.lerp(inputs["crop"], drawn.clamp(0, 1), visible), visible

    @torch.no_grad()
    def views(self, batches: Rehearsal, rows: int) -> dict[str, Tensor]:
        """Source frames, their references, and rebuilt; target frames, and swapped."""
        own, other = batches.rehearsed(rows), batches.swapped(rows)
        swapped, _ = self.swap(crop=other.crop, **_inputs(other))
        return {
            "source": own.target,
            "its reference": own.reference[:, :3],
            "drawn": self._over(own),
            "target": other.crop,
            "its reference ": other.reference[:, :3],
            "swapped, in its own colours": swapped,
        }

    def examples(self, batches: Rehearsal, rows: int) -> dict[str, Tensor]:
        """The target's crops with all that goes with them."""
        batch = batches.swapped(rows)
        seen = F.interpolate(batch.performance, batch.crop.shape[-2:])  # it comes in no more pixels than are seen
        return {"crop": batch.crop, **_inputs(batch), "performance": seen}

    def _over(self, batch: RehearsalBatch) -> Tensor:
        drawn = self.draw(batch.reference, batch.vertices, batch.performance).clamp(0, 1)
        return torch.lerp(batch.target, drawn, batch.reference[:, 3:])

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
        """What the openings add to every pixel of the middle and of the coarse level: [N, channels, 1, 1] of each, or nothing."""
        if self.tell is None:
            return 0.0, 0.0
        openings = self.openings(vertices)
        return tuple(tell(openings)[:, :, None, None] for tell in self.tell)

    def _corrected(self, reference: Tensor, out: Tensor, areas: Tensor) -> Tensor:
        """Eyes and mouth may be drawn anew: where the gate opens, the reference's own detail gives way. Elsewhere its detail stays, and shades alone change."""
        picture, change = reference[:, :3], out[:, :3]
        free: Tensor | float = 1.0
        if areas.shape[1]:
            free = F.interpolate(whole(areas), picture.shape[-2:], mode="bilinear", align_corners=False)
            change = torch.lerp(self._soft(change), change, free)
        return torch.lerp(picture, self._soft(picture), free * torch.sigmoid(out[:, 3:])) + change

    def _soft(self, picture: Tensor) -> Tensor:
        cell = 2 * self.factor
        small = F.avg_pool2d(picture, cell)
        return F.interpolate(small, scale_factor=float(cell), mode="bilinear", align_corners=False)


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
    """Eyes and mouth [N, C, side, side] no finer than what they do: whose they are is in the detail."""
    small = F.avg_pool2d(0.5 * features, _COARSE)
    return F.interpolate(small, scale_factor=float(_COARSE), mode="bilinear", align_corners=False)


def _doubled(values: Tensor) -> Tensor:
    return F.interpolate(values, scale_factor=2.0, mode="nearest")


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of [N, 1 or C, H, W] under each of the weights [N, C, H, W]: [N, C, 1, 1]."""
    return (values * weight).sum((2, 3), keepdim=True) / (weight.sum((2, 3), keepdim=True) + 1)


def _texture_loss(drawn: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Difference of local contrast at the finest scale, [N], as a logarithm.

    Detail that cannot be known pixel by pixel is to be as strong as in the target nevertheless; L1 and SSIM prefer it soft.
    """

    def strength(picture: Tensor) -> Tensor:
        luma = grey(picture)
        return torch.log(F.avg_pool2d((luma - blur(luma)).square(), 9, 3) + 2e-5)

    return weighted_mean((strength(drawn) - strength(target)).abs(), F.avg_pool2d(inside, 9, 3))
