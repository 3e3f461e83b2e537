"""What the model `shot` learns from: frames of the source, each with what other frames of the source offer to rebuild it.

In a shot the performance is another person's, under another light. So a frame takes its reference's light, and is shown to the
network only in disguise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

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
_RANKS = 56  # how far down its neighbours a reference is taken from
_ECHO = 4  # steps that the same frames serve
_FRAMES = 1 << 40  # random numbers of frames are those of steps that are never reached
_PLAYED = 2  # frames of the source that are rebuilt for each of the target that is played
_LOOK = 0.02  # of what an observer looks at: how far it looks elsewhere at most
_FEW = 32  # frames of the target that are made ready where nothing is learned from them
_LIGHT = 32  # side of the grid on which the light of two pictures is compared
_JITTER = 0.035  # of half the crop: how far features of the disguised face move at most

# Random numbers 0..1 of a shape, for each row of a batch.
Uniform = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class RehearsalBatch:
    """n frames of the source and what they are rebuilt from, and perhaps some of the target as they will be swapped.

    reference: [n, 4, S, S], performance: [n, 4, s, s], see docs/model-contract.md; s is S, or no more than the network sees. vertices: [n, L, 2].
    target: [n, 3, S, S].
    """

    reference: Tensor
    vertices: Tensor
    performance: Tensor
    target: Tensor
    shown: TargetFrames | None = None


class Rehearsal:
    """Frames of the source with references from its other frames, and the target's frames as they will be swapped.

    size: of the crops. seen: how many pixels of the plate's own face across the crop the network sees; all by default. observers: by which
    the target's frames are learned from; none without.
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
        self._seen = seen or size
        self.source, self._target_set = Gallery(source, size, share.device), target
        self._shown: TargetFrames | None = None
        self._observers = observers
        self._areas = Areas(source.subject, _LIGHT).to(share.device)
        self._last: tuple[int, RehearsalBatch] | None = None

    def __call__(self, step: int) -> RehearsalBatch:
        """The batch of a step."""
        drawn, generator = self._drawn(step // _ECHO), self.share.generator(step)

        def uniform(*shape: int) -> Tensor:
            return self._uniform(generator, *shape)

        gain = 0.75 + 0.5 * uniform(1, 1, 1) + 0.15 * (uniform(3, 1, 1) - 0.5)
        return RehearsalBatch(
            (drawn.reference * F.pad(gain.expand(-1, 3, -1, -1), (0, 0, 0, 0, 0, 1), value=1.0)).clamp_(0, 1),
            drawn.vertices,
            disguised(drawn.performance, uniform),
            (drawn.target * gain).clamp_(0, 1),
            self._play(generator) if self._observers else None,
        )

    def shown(self) -> TargetFrames:
        """All frames of the target that are ready to be swapped."""
        if self._shown is None:
            most = MOST if self._observers else _FEW
            self._shown = show_target(self._target_set, self.source, self._seen, self._observers, most)
        return self._shown

    def _play(self, generator: torch.Generator) -> TargetFrames:
        """Frames of the target, at random; the observers look at each a little differently every time."""
        every = self.shown()
        count = max(self.share.batch // _PLAYED, self.share.world)
        count -= count % self.share.world
        each = count // self.share.world
        own = slice(self.share.rank * each, (self.share.rank + 1) * each)
        rows = torch.randint(len(every), (count,), generator=generator)[own].to(self.share.device)
        played = every[rows]
        moved = _LOOK * (2 * torch.rand(count, 3, generator=generator)[own].to(self.share.device) - 1)

        def elsewhere(look: Tensor) -> Tensor:
            return torch.cat([look[..., :2] * (1 + moved[:, :1, None]), look[..., 2:] + moved[:, 1:, None]], 2)

        return replace(played, squares=elsewhere(played.squares), chips=elsewhere(played.chips))

    def _drawn(self, number: int) -> RehearsalBatch:
        """Frames and their references, which serve several steps in a row (data echoing: Choi et al. 2019): warping is the work."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._draw(self.share.generator(_FRAMES + number))
        return self._last[1]

    def _draw(self, generator: torch.Generator) -> RehearsalBatch:
        batch, rows = self.share.batch, self.share.rows
        # Open mouths and closed eyes are rare in most footage: what is seldom seen is drawn more often.
        frame = torch.multinomial(self.source.rarity, batch, replacement=True, generator=generator)[rows]
        # Half of the time one reference alone, as it is where the choice is steady.
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
        # Of the plate no more is disguised than will be seen: a ninth of the work at a third of the size.
        cell, visible = self.size // self._seen, reference[:, 3:]
        performance = torch.cat([F.avg_pool2d(target * visible, cell), F.avg_pool2d(visible, cell)], 1)
        return RehearsalBatch(reference, vertices, performance, target)

    def _uniform(self, generator: torch.Generator, *shape: int) -> Tensor:
        """Numbers 0..1 for each row of this process's share."""
        return torch.rand(self.share.batch, *shape, generator=generator)[self.share.rows].to(self.share.device)

    def rehearsed(self, rows: int) -> RehearsalBatch:
        """`rows` frames of the source, evenly chosen, from the nearest reference, undisguised."""
        frame = torch.linspace(0, len(self.source) - 1, rows).round().long()
        chosen = self.source.neighbours[:, frame, :1].transpose(0, 1)
        reference = self.source.reference(self.source.raster[frame], chosen, torch.ones(chosen.shape))
        target = self.source.pictures(frame)
        performance = torch.cat([target * reference[:, 3:], reference[:, 3:]], 1)
        return RehearsalBatch(reference, self.source.points[frame.to(self.share.device)], performance, target)

    def swapped(self, rows: int) -> TargetFrames:
        """`rows` frames of the target as they will be swapped, evenly chosen."""
        every = self.shown()
        return every[torch.linspace(0, len(every) - 1, rows).round().long().to(self.share.device)]


def grey(picture: Tensor) -> Tensor:
    """Luma of pictures [N, 3, H, W]: [N, 1, H, W]."""
    return (picture * picture.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def lit_as(target: Tensor, reference: Tensor, areas: Tensor) -> Tensor:
    """The target under the reference's light: the low band of the skin's difference taken over, eyes and mouth left out of it.

    Light is Swap's matter, and the plate's. A network that may learn the source's paints its highlights into every shot.
    """
    cell = target.shape[-1] // _LIGHT
    skin = F.avg_pool2d(reference[:, 3:], cell) * (1 - whole(areas))
    change = F.avg_pool2d((reference[:, :3] - target).mul_(reference[:, 3:]), cell) * skin
    low = blur(change) / (blur(skin) + 1e-2)
    return _enlarged(low, target.shape[-1], "bilinear").add_(target).clamp_(0, 1)


def disguised(performance: Tensor, uniform: Uniform) -> Tensor:
    """A face [n, 4, s, s] as another person's would look in grey, under another light: gamma, shade, blur, features elsewhere."""
    size, inside = performance.shape[-1], performance[:, 3:]
    luma = grey(performance[:, :3]).clamp_min(1e-3) ** torch.exp(1.2 * (uniform(1, 1, 1) - 0.5))
    luma = luma * _enlarged(1 + 0.6 * (uniform(1, 3, 3) - 0.5), size, "bicubic")
    moved = _enlarged(_JITTER * (2 * uniform(2, 5, 5) - 1), size, "bicubic").permute(0, 2, 3, 1)
    level = F.affine_grid(torch.eye(2, 3, device=performance.device)[None], [1, 1, size, size], align_corners=False)
    luma = F.grid_sample(luma, level + moved, mode="bilinear", padding_mode="border", align_corners=False)
    luma = torch.lerp(luma, F.avg_pool2d(luma, 3, 1, 1), uniform(1, 1, 1)).clamp(0, 1)
    return torch.cat([(luma * inside).expand(-1, 3, -1, -1), inside], 1)


def whole(areas: Tensor) -> Tensor:
    """Masks [N, C, side, side] as one [N, 1, side, side]; a subject may have none."""
    return areas.amax(1, keepdim=True) if areas.shape[1] else areas.new_zeros((len(areas), 1, *areas.shape[2:]))


def _enlarged(grid: Tensor, size: int, mode: str) -> Tensor:
    """Interpolate [N, C, s, s] to [N, C, size, size]: two matrix products, which are faster than torch's own way from so few pixels."""
    rows = _weights(grid.shape[-1], size, mode, grid.device)
    return rows @ grid @ rows.mT


@cache
def _weights(of: int, size: int, mode: str, device: torch.device) -> Tensor:
    """What each of `of` pixels in a row counts in each of `size`: [size, of]."""
    return F.interpolate(torch.eye(of, device=device)[None, None], (size, of), mode=mode, align_corners=False)[0, 0]
