"""Augmentation of whole batches on the device: flip, rotation, zoom, shift and warp in one resample, and colour.

Random numbers are drawn on the CPU for the joint batch and then cut to a process's rows, so that training does not
depend on the device nor on how many processes share the batch. Grids are those of `torch.nn.functional.grid_sample`, -1..1
across the picture with `align_corners=False`: the source place of each pixel of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.subjects.subject import Subject

_POINTS = 5  # of the warp, along each side


@dataclass(frozen=True, slots=True)
class Amounts:
    """Strengths of the augmentation.

    flip: probability of a left-right flip. rotation: degrees at most. zoom, shift: fraction of the side at most. warp: σ of the
    displacement of each point of a 5×5 grid, in fractions of the side. gain, gamma, tint, saturation: σ of the logarithm of
    each factor; tint is a gain per channel.
    """

    flip: float = 0.5
    rotation: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05
    warp: float = 5 / 256
    gain: float = 0.1
    gamma: float = 0.1
    tint: float = 0.04
    saturation: float = 0.15


def amounts_for(subject: Subject) -> Amounts:
    """Return the usual amounts; a subject with a left and a right one is never flipped: its crops all show a right one."""
    return Amounts(flip=0.0) if subject.handed else Amounts()


@dataclass(frozen=True, slots=True)
class Draws:
    """Random values for the augmentation of N rows.

    flip: bool [N]. matrix: [N, 2, 3], from places in the result to places in the crop, the flip among it. warp: [N, 2, 5, 5],
    displacement in the result, of points from corner to corner. colour: [N, 5], logarithms of gamma, saturation and the gains
    of R, G and B.
    """

    flip: Tensor
    matrix: Tensor
    warp: Tensor
    colour: Tensor

    def rows(self, selection: slice, device: torch.device | str = "cpu") -> Draws:
        """Select some rows, and move them to a device."""
        parts = (self.flip, self.matrix, self.warp, self.colour)
        return Draws(*(p[selection].to(device, non_blocking=True) for p in parts))


def draw(count: int, generator: torch.Generator, amounts: Amounts | None = None) -> Draws:
    """Draw the augmentation of `count` rows on the CPU."""
    a = amounts or Amounts()

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * 2 - 1

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).clamp(-3, 3)

    flip = torch.rand(count, generator=generator) < a.flip
    angle = uniform() * torch.tensor(a.rotation).deg2rad()
    scale = 1 + uniform() * a.zoom
    shift = uniform(2) * a.shift * 2
    cos, sin = angle.cos() * scale, angle.sin() * scale
    sign = torch.where(flip, -1.0, 1.0)
    linear = torch.stack([torch.stack([cos * sign, -sin], -1), torch.stack([sin * sign, cos], -1)], 1)
    warp = normal(2, _POINTS, _POINTS) * a.warp * 2
    tone = torch.stack([normal() * a.gamma, normal() * a.saturation], -1)
    gains = normal(1) * a.gain + normal(3) * a.tint
    return Draws(flip, torch.cat([linear, shift[..., None]], -1), warp, torch.cat([tone, gains], -1))


def identity(count: int) -> Draws:
    """Return draws that change nothing."""
    matrix = torch.eye(2, 3).repeat(count, 1, 1)
    return Draws(
        torch.zeros(count, dtype=torch.bool), matrix, torch.zeros(count, 2, _POINTS, _POINTS), torch.zeros(count, 5)
    )


def sampling_grid(draws: Draws, size: int, *, warped: bool) -> Tensor:
    """Return the sampling grid of each row, [N, size, size, 2], fp32; with the warp or without.

    The warp follows the book and the field: noise on a coarse grid, resized smoothly (bicubic), moves the input of
    the network and not its target.
    """
    count = len(draws.matrix)
    if not warped:
        return F.affine_grid(draws.matrix, [count, 1, size, size], align_corners=False)
    level = torch.eye(2, 3, device=draws.matrix.device)[None]
    places = F.affine_grid(level, [1, 1, size, size], align_corners=False)
    displacement = F.interpolate(draws.warp, (size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    linear, shift = draws.matrix[..., :2], draws.matrix[..., 2]
    return (places + displacement) @ linear.mT[:, None] + shift[:, None, None]


def planes(pictures: Tensor) -> Tensor:
    """Convert bytes [N, H, W, C], uint8 0..255, to fp32 [N, C, H, W], 0..1, channels last in memory."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)


def sample(pictures: Tensor, grid: Tensor) -> Tensor:
    """Take pictures [N, C, H, W] at the places of a grid [N, S, S, 2], in one resample; the border is repeated."""
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


def colour(pictures: Tensor, draws: Draws) -> Tensor:
    """Change gamma, saturation, gain and tint of each row.

    pictures: [N, 3, H, W], display-referred RGB 0..1. Returns the same shape, 0..1. Saturation about Rec.709 luma.
    """
    factors = draws.colour.exp()[:, :, None, None]
    gamma, saturation, gains = factors[:, :1], factors[:, 1:2], factors[:, 2:]
    # A power of 0 has an infinite slope, which would spoil a derivative.
    graded = pictures.clamp(1 / 1024, 1).pow(gamma) * gains
    weights = torch.tensor([0.2126, 0.7152, 0.0722], device=pictures.device)[None, :, None, None]
    luma = (graded * weights).sum(1, keepdim=True)
    return torch.lerp(luma, graded, saturation).clamp(0, 1)
