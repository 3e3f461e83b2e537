"""Training data of the model `shot`: frames of the source, with references from its other frames.

In a shot the performance is another person's, under another light. So a frame takes its reference's light, and the network
sees only a disguised version of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.drawing import Areas
from trainer.faceset import Faceset
from trainer.gallery import Gallery
from trainer.losses import blur
from trainer.network import Share
from trainer.observers import Observers
from trainer.target import MOST, TargetFrames, show_target

_LUMA = (0.299, 0.587, 0.114)  # Rec.601
_RANKS = 56  # nearest neighbours that a reference is chosen from
_ECHO = 4  # steps that use the same frames
_FRAMES = 1 << 40  # seeds of frames are beyond all steps
_PLAYED = 2  # source frames for each target frame in a batch
_LOOK = 0.02  # of an observer's picture: its largest random shift
_FEW = 32  # target frames prepared when they are only previewed
_LIGHT = 32  # side of the grid on which the light of two pictures is compared
_JITTER = 0.035  # of half the crop: largest movement of features in the disguise

# Random numbers 0..1 of a shape, for each row of a batch.
Uniform = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class RehearsalBatch:
    """n frames of the source with the inputs to rebuild them, and optionally frames of the target as they will be swapped.

    reference: [n, 4, S, S], performance: [n, 4, s, s], see docs/model-contract.md; s is S, or the smaller size that the network sees. vertices: [n, L, 2].
    target: [n, 3, S, S].
    """

    reference: Tensor
    vertices: Tensor
    performance: Tensor
    target: Tensor
    shown: TargetFrames | None = None


class Rehearsal:
    """Batches of source frames with references from other frames, and the target's frames as they will be swapped.

    size: of the crops. seen: pixels across the plate's face that the network sees; all by default. observers: judges of
    the target's frames; without them the target is not trained on.
    """

    def __init__(
        self,
        source: Faceset,
        target: Faceset,
        size: int,
        share: Share,
        seen: int | None = None,
        observers: Observers | None = None,
    ) -> None:
        self.share, self.size = share, size
        self._visible_size = seen or size
        self.source, self._target_set = Gallery(source, size, share.device), target
        self._target_frames: TargetFrames | None = None
        self._observers = observers
        self._areas = Areas(source.subject, _LIGHT).to(share.device)
        self._last: tuple[int, RehearsalBatch] | None = None

    def __call__(self, step: int) -> RehearsalBatch:
        """Return the batch of a step."""
        batch, generator = self._echo(step // _ECHO), self.share.generator(step)

        def uniform(*shape: int) -> Tensor:
            return self._uniform(generator, *shape)

        gain = 0.75 + 0.5 * uniform(1, 1, 1) + 0.15 * (uniform(3, 1, 1) - 0.5)
        return RehearsalBatch(
            (batch.reference * F.pad(gain.expand(-1, 3, -1, -1), (0, 0, 0, 0, 0, 1), value=1.0)).clamp_(0, 1),
            batch.vertices,
            disguised(batch.performance, uniform),
            (batch.target * gain).clamp_(0, 1),
            self._play(generator) if self._observers else None,
        )

    def shown(self) -> TargetFrames:
        """Return all prepared frames of the target, for swapping."""
        if self._target_frames is None:
            most = MOST if self._observers else _FEW
            self._target_frames = show_target(self._target_set, self.source, self._visible_size, self._observers, most)
        return self._target_frames

    def _play(self, generator: torch.Generator) -> TargetFrames:
        """Choose frames of the target at random; each time, the observers look at them a little differently."""
        every = self.shown()
        count = max(self.share.batch // _PLAYED, self.share.world)
        count -= count % self.share.world
        each = count // self.share.world
        own_rows = slice(self.share.rank * each, (self.share.rank + 1) * each)
        rows = torch.randint(len(every), (count,), generator=generator)[own_rows].to(self.share.device)
        played = every[rows]
        shift = _LOOK * (2 * torch.rand(count, 3, generator=generator)[own_rows].to(self.share.device) - 1)

        def elsewhere(look: Tensor) -> Tensor:
            return torch.cat([look[..., :2] * (1 + shift[:, :1, None]), look[..., 2:] + shift[:, 1:, None]], 2)

        return replace(played, squares=elsewhere(played.squares), chips=elsewhere(played.chips))

    def _echo(self, number: int) -> RehearsalBatch:
        """Return frames and references, reused for several steps (data echoing: Choi et al. 2019): warping is slow."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._draw(self.share.generator(_FRAMES + number))
        return self._last[1]

    def _draw(self, generator: torch.Generator) -> RehearsalBatch:
        batch, rows = self.share.batch, self.share.rows
        # Open mouths and closed eyes are rare in most footage: rare frames are drawn more often.
        frame = torch.multinomial(self.source.rarity, batch, replacement=True, generator=generator)[rows]
        # Half of the time a single reference, as in a steady shot.
        count = 1 + int(torch.randint(2, (), generator=generator))
        parts = len(self.source.neighbours)
        rank = self._uniform(generator, parts, count).cpu().square() * min(_RANKS, self.source.neighbours.shape[-1])
        share = self._uniform(generator, parts, count) + 1e-3
        among = self.source.neighbours[:, frame].transpose(0, 1)
        reference = self.source.reference(
            self.source.raster[frame], torch.gather(among, 2, rank.long()), share / share.sum(-1, keepdim=True)
        )
        vertices = self.source.points[frame.to(self.share.device)]
        target = lit_as(self.source.pictures(frame), reference, self._areas(vertices))
        # The plate is disguised at the size that the network sees: a ninth of the work at a third of the size.
        cell, visible = self.size // self._visible_size, reference[:, 3:]
        performance = torch.cat([F.avg_pool2d(target * visible, cell), F.avg_pool2d(visible, cell)], 1)
        return RehearsalBatch(reference, vertices, performance, target)

    def _uniform(self, generator: torch.Generator, *shape: int) -> Tensor:
        """Draw numbers 0..1 for each row of this process's share."""
        return torch.rand(self.share.batch, *shape, generator=generator)[self.share.rows].to(self.share.device)

    def rehearsed(self, rows: int) -> RehearsalBatch:
        """Return `rows` frames of the source, evenly chosen, from the nearest reference, undisguised."""
        frame = torch.linspace(0, len(self.source) - 1, rows).round().long()
        nearest = self.source.neighbours[:, frame, :1].transpose(0, 1)
        reference = self.source.reference(self.source.raster[frame], nearest, torch.ones(nearest.shape))
        target = self.source.pictures(frame)
        performance = torch.cat([target * reference[:, 3:], reference[:, 3:]], 1)
        return RehearsalBatch(reference, self.source.points[frame.to(self.share.device)], performance, target)

    def swapped(self, rows: int) -> TargetFrames:
        """Return `rows` frames of the target as they will be swapped, evenly chosen."""
        every = self.shown()
        return every[torch.linspace(0, len(every) - 1, rows).round().long().to(self.share.device)]


def grey(picture: Tensor) -> Tensor:
    """Compute the luma of pictures [N, 3, H, W]: [N, 1, H, W]."""
    return (picture * picture.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def lit_as(target: Tensor, reference: Tensor, areas: Tensor) -> Tensor:
    """Light the target as the reference: add the low band of the skin's difference, without eyes and mouth.

    Swap takes the light from the plate. A network that learns the source's light paints its highlights into every shot.
    """
    cell = target.shape[-1] // _LIGHT
    skin = F.avg_pool2d(reference[:, 3:], cell) * (1 - whole(areas))
    change = F.avg_pool2d((reference[:, :3] - target).mul_(reference[:, 3:]), cell) * skin
    low = blur(change) / (blur(skin) + 1e-2)
    return enlarge(low, target.shape[-1], "bilinear").add_(target).clamp_(0, 1)


def disguised(performance: Tensor, uniform: Uniform) -> Tensor:
    """Disguise a face [n, 4, s, s] as another person's, in grey and other light: gamma, shade, blur, moved features."""
    size, inside = performance.shape[-1], performance[:, 3:]
    luma = grey(performance[:, :3]).clamp_min(1e-3) ** torch.exp(1.2 * (uniform(1, 1, 1) - 0.5))
    luma = luma * enlarge(1 + 0.6 * (uniform(1, 3, 3) - 0.5), size, "bicubic")
    displacement = enlarge(_JITTER * (2 * uniform(2, 5, 5) - 1), size, "bicubic").permute(0, 2, 3, 1)
    level = F.affine_grid(torch.eye(2, 3, device=performance.device)[None], [1, 1, size, size], align_corners=False)
    luma = F.grid_sample(luma, level + displacement, mode="bilinear", padding_mode="border", align_corners=False)
    luma = torch.lerp(luma, F.avg_pool2d(luma, 3, 1, 1), uniform(1, 1, 1)).clamp(0, 1)
    return torch.cat([(luma * inside).expand(-1, 3, -1, -1), inside], 1)


def whole(areas: Tensor) -> Tensor:
    """Merge masks [N, C, side, side] into one [N, 1, side, side]; zeros without channels."""
    return areas.amax(1, keepdim=True) if areas.shape[1] else areas.new_zeros((len(areas), 1, *areas.shape[2:]))


def enlarge(grid: Tensor, size: int, mode: str) -> Tensor:
    """Interpolate [N, C, s, s] to [N, C, size, size]: two matrix products, faster than a resize in torch and in ONNX Runtime."""
    line = torch.eye(grid.shape[-1], device=grid.device)[None, None]
    rows = F.interpolate(line, (size, grid.shape[-1]), mode=mode, align_corners=False)[0, 0]
    return rows @ grid @ rows.mT
