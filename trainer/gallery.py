"""A performer's crops on the device, and warps of one onto the mesh of another, a whole batch at a time.

The same warp as `nodes.swap.reference.warp`, which works on one frame: what a network is given in training must be what it is
given in a shot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.align.pose import Performance, take_performance
from nodes.swap.reference.choice import candidates
from nodes.swap.reference.expression import neutral_shape, read_expression, read_tones
from nodes.swap.reference.plan import POSE_UNIT, Source, upper_weight
from nodes.swap.reference.surface import Surface, surface_of
from nodes.swap.reference.warp import rasterise
from nodes.types import Float, Int
from trainer.faceset import Faceset

MOST = 4000  # crops of a performer that are kept on the device; of more, so many evenly chosen
_NEIGHBOURS = 56
_RARITY = (0.5, 4.0)  # least and most that a crop is drawn against the usual
_APART = 0.5  # seconds: nearer frames of the same clip are too much alike to learn from


@dataclass(frozen=True, slots=True)
class Raster:
    """Where pixels lie on a mesh, N meshes at half the size of their crops, H = S / 2.

    corners: int16 [N, H, H, 3], vertices of the triangle, -1 off the mesh. weights: float16 [N, H, H, 3], of each.
    """

    corners: Tensor
    weights: Tensor

    def __getitem__(self, index: Tensor) -> Raster:
        return Raster(self.corners[index], self.weights[index])

    def spread(self, values: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Interpolate values at the vertices [N, V, C] over crops: [N, C, size, size], and where they are, [N, 1, size, size]."""
        corners = self.corners.long()
        inside = (corners[..., 0] >= 0)[:, None].float()
        count, height, width, _ = corners.shape
        flat = corners.clamp_min(0).view(count, -1, 1).expand(-1, -1, values.shape[-1])
        taken = torch.gather(values, 1, flat).view(count, height, width, 3, -1)
        mixed = (taken * self.weights.float()[..., None]).sum(3).permute(0, 3, 1, 2) * inside
        # At the rim a pixel is interpolated between those that the mesh covers.
        large = F.interpolate(torch.cat([mixed, inside], 1), (size, size), mode="bilinear", align_corners=False)
        return large[:, :-1] / large[:, -1:].clamp_min(1e-3), F.interpolate(inside, (size, size), mode="nearest")


def rasterised(surface: Surface, landmarks: Float, size: int, device: torch.device) -> Raster:
    """Rasterise the surface of landmarks [N, L, 3] in pixels of crops of `size`."""
    vertices = surface.extend(landmarks)
    half = size // 2
    corners = np.full((len(vertices), half, half, 3), -1, np.int16)
    weights = np.zeros((len(vertices), half, half, 3), np.float16)
    for mesh, corner, weight in zip(vertices * 0.5, corners, weights, strict=True):
        inside, found, share = rasterise(mesh, surface.triangles, half)
        corner[inside], weight[inside] = found, share
    return Raster(torch.from_numpy(corners).to(device), torch.from_numpy(weights).to(device))


class Gallery:
    """The crops of one performer that a model learns from, N of them, and which of them resemble each other.

    size: of the crops that are made. vertices: [N, V, 2], of their surfaces, 0..1 across the crop; points: the landmarks among
    them. performance: of the crops. neighbours: [2, N, K], for the upper and for the lower face.
    rarity: [N], how far each crop is from those that resemble it most, against the others; for sampling.
    """

    def __init__(self, faceset: Faceset, size: int, device: torch.device) -> None:
        rows = np.unique(np.linspace(0, len(faceset) - 1, min(len(faceset), MOST)).astype(np.int64))
        self.size, self.device, self.subject = size, device, faceset.subject
        self.surface = surface_of(faceset.subject)
        self.landmarks: Float = faceset.landmarks[rows] * np.float32(size / faceset.size)
        self.tones: Float = np.asarray(faceset.tones[rows])
        self.performance: Performance = take_performance(self.landmarks, self.subject)
        self.neutral: Float = neutral_shape(self.performance.shape, self.subject)
        self.crops = (
            torch.from_numpy(np.ascontiguousarray(faceset.crops[rows])).permute(0, 3, 1, 2).contiguous().to(device)
        )
        vertices = self.surface.extend(self.landmarks)[..., :2] / np.float32(size)
        self.vertices = torch.from_numpy(vertices).to(device)
        self.points = self.vertices[:, : self.landmarks.shape[1]]
        self.raster = rasterised(self.surface, self.landmarks, size, device)
        seconds = faceset.frame[rows] / np.array(faceset.rates)[faceset.clip[rows]]
        neighbours, rarity = self._find_neighbours(faceset.clip[rows], seconds)
        self.neighbours, self.rarity = torch.from_numpy(neighbours), torch.from_numpy(rarity)
        self._upper = torch.from_numpy(self.surface.extend_values(upper_weight(self.subject))).to(device)

    def __len__(self) -> int:
        return len(self.crops)

    def as_source(self) -> Source:
        """The same crops as the reference method knows a source; `frames` are rows of this gallery."""
        return Source(
            self.subject,
            None,
            np.arange(len(self)),
            self.landmarks,
            self.performance,
            self.neutral,
            np.zeros(len(self), np.float32),
            self.tones if self.tones.any() else None,
        )

    def pictures(self, rows: Tensor) -> Tensor:
        """Crops [n, 3, S, S], 0..1."""
        crops = self.crops[rows.to(self.device)].float() / 255
        if crops.shape[-1] == self.size:
            return crops
        return F.interpolate(crops, (self.size,) * 2, mode="bilinear", align_corners=False, antialias=True)

    def reference(self, onto: Raster, chosen: Tensor, share: Tensor) -> Tensor:
        """Warp crops onto meshes and mix them: RGB premultiplied by alpha, [n, 4, S, S], 0..1.

        chosen: [n, 2, R], R rows of this gallery for the upper and for the lower half of each face. share: the same shape, how
        much of each; sums to 1 over R.
        """
        count, halves, each = chosen.shape
        rows = chosen.reshape(-1).to(self.device)
        points = (self.vertices[rows] * 2 - 1).view(count, halves * each, -1, 2)
        upper = self._upper.expand(count, -1)[..., None]
        values = torch.cat([points.permute(0, 2, 1, 3).flatten(2), upper], -1)
        spread, visible = onto.spread(values, self.size)
        grid = spread[:, :-1].reshape(count * halves * each, 2, self.size, self.size).permute(0, 2, 3, 1)
        taken = F.grid_sample(
            self.crops[rows].float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        ).view(count, halves, each, 3, self.size, self.size)
        halved = (taken * share.to(self.device)[..., None, None, None]).sum(2) / 255
        mixed = torch.lerp(halved[:, 1], halved[:, 0], spread[:, -1:])
        return torch.cat([mixed * visible, visible], 1)

    def _find_neighbours(self, clip: Int, seconds: Float) -> tuple[Int, Float]:
        expression = read_expression(self.performance.shape, self.neutral, self.subject)
        view = self.performance.yaw_pitch / POSE_UNIT
        below = (
            np.concatenate([view, read_tones(self.tones, expression, self.subject)], 1) if self.tones.any() else view
        )
        found, apart = np.empty((2, len(clip), _NEIGHBOURS), np.int64), np.zeros(len(clip), np.float32)
        for half, numbers, seen in ((0, expression.upper, view), (1, expression.lower, below)):
            nearest, costs = candidates(numbers, numbers, seen, seen, np.zeros(len(clip), np.float32))
            near = (clip[nearest] == clip[:, None]) & (np.abs(seconds[nearest] - seconds[:, None]) < _APART)
            order = np.argsort(costs + 1e6 * near, axis=1)[:, :_NEIGHBOURS]
            ranked = np.take_along_axis(nearest, order, axis=1)
            found[half] = ranked[:, np.minimum(np.arange(_NEIGHBOURS), ranked.shape[1] - 1)]
            apart += np.median(costs, axis=1)
        usual = max(float(np.median(apart)), 1e-6)
        return found, np.clip(apart / usual, *_RARITY).astype(np.float32)
