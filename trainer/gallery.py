"""A performer's crops on the device, and warps of one onto the mesh of another, a whole batch at a time.

The same warp as `nodes.swap.reference.warp`, which works on one frame: a network must get the same
input in training and in a shot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.align.pose import Performance, take_performance
from nodes.swap.reference.choice import candidates
from nodes.swap.reference.expression import POSE_UNIT, part_numbers
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.source import Source
from nodes.swap.reference.surface import Surface, surface_of
from nodes.swap.reference.warp import rasterise
from nodes.types import Float, Int
from trainer.faceset import Faceset

MOST = 4000  # crops of a performer that are kept on the device, evenly chosen
_NEIGHBOURS = 56
_RARITY = (0.5, 4.0)  # limits of a crop's sampling weight; the usual is 1
_APART = 0.5  # seconds: nearer frames of the same clip are too much alike to learn from


@dataclass(frozen=True, slots=True)
class Raster:
    """Triangles and weights of pixels on a mesh, N meshes at half the size of their crops, H = S / 2.

    corners: int16 [N, H, H, 3], vertices of the triangle, -1 off the mesh. weights: float16 [N, H, H, 3], of each. extent: int64
    [N, P, 4], always on the CPU: first row and column of each part of the subject, and those behind its last.
    """

    corners: Tensor
    weights: Tensor
    extent: Tensor

    def __getitem__(self, index: Tensor) -> Raster:
        return Raster(self.corners[index], self.weights[index], self.extent[index.cpu()])

    def cut(self) -> tuple[Raster, tuple[int, ...], list[tuple[slice, slice]]]:
        """Cut borders that no mesh covers. Returns the rest, the cut widths (left, right, top, bottom) in pixels of the crops,
        and the rows and columns of each part within the rest."""
        side = self.corners.shape[1]
        # Pixels of a crop are interpolated with their neighbours.
        first = (self.extent[..., :2].amin(0) - 1).clamp(0, side - 1)
        last = torch.maximum((self.extent[..., 2:].amax(0) + 1).clamp(max=side), first + 1)
        top, left = first.amin(0).tolist()
        bottom, right = last.amax(0).tolist()
        part = Raster(self.corners[:, top:bottom, left:right], self.weights[:, top:bottom, left:right], self.extent)
        boxes = [
            (slice(2 * (y0 - top), 2 * (y1 - top)), slice(2 * (x0 - left), 2 * (x1 - left)))
            for (y0, x0), (y1, x1) in zip(first.tolist(), last.tolist(), strict=True)
        ]
        return part, (2 * left, 2 * (side - right), 2 * top, 2 * (side - bottom)), boxes

    def spread(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Interpolate values at the vertices [N, V, C] over crops: [N, C, S, S], and their coverage, [N, 1, S, S]."""
        corners = self.corners.long()
        inside = (corners[..., 0] >= 0)[:, None].float()
        count, height, width, _ = corners.shape
        flat = corners.clamp_min(0).view(count, -1, 1).expand(-1, -1, values.shape[-1])
        corner_values = torch.gather(values, 1, flat).view(count, height, width, 3, -1)
        mixed = (corner_values * self.weights.float()[..., None]).sum(3).permute(0, 3, 1, 2) * inside
        # At the rim a pixel is interpolated between those that the mesh covers.
        large = F.interpolate(torch.cat([mixed, inside], 1), scale_factor=2.0, mode="bilinear", align_corners=False)
        return large[:, :-1] / large[:, -1:].clamp_min(1e-3), F.interpolate(inside, scale_factor=2.0, mode="nearest")


def rasterised(surface: Surface, landmarks: Float, size: int, device: torch.device) -> Raster:
    """Rasterise the surface of landmarks [N, L, 3] in pixels of crops of `size`."""
    vertices, shares = surface.extend(landmarks), surface.shares
    half = size // 2
    corners = np.full((len(vertices), half, half, 3), -1, np.int16)
    weights = np.zeros((len(vertices), half, half, 3), np.float16)
    extent = np.tile(np.array([half, half, 0, 0]), (len(vertices), shares.shape[1], 1))
    for mesh, corner, weight, bounds in zip(vertices * 0.5, corners, weights, extent, strict=True):
        inside, indices, share = rasterise(mesh, surface.triangles, half)
        corner[inside], weight[inside] = indices, share
        y, x = inside.nonzero()
        for part, box in zip(shares.T, bounds, strict=True):
            on_part = (part[indices] > 0).any(1)
            if on_part.any():
                box[:] = y[on_part].min(), x[on_part].min(), y[on_part].max() + 1, x[on_part].max() + 1
    return Raster(torch.from_numpy(corners).to(device), torch.from_numpy(weights).to(device), torch.from_numpy(extent))


def resized(crops: Tensor, size: int) -> Tensor:
    """Resize pictures [n, 3, s, s] to [n, 3, size, size]."""
    if crops.shape[-1] == size:
        return crops
    return F.interpolate(crops, (size, size), mode="bilinear", align_corners=False, antialias=True)


class Gallery:
    """The N crops of one performer that a model learns from, and the nearest neighbours of each.

    size: of the crops that are made. vertices: [N, V, 2], of their surfaces, 0..1 across the crop; points: the landmarks among
    them. performance: of the crops. neighbours: [P, N, K], for each part of the subject.
    rarity: [N], sampling weight of each crop: its distance from its neighbours, against the median.
    """

    def __init__(self, faceset: Faceset, size: int, device: torch.device) -> None:
        rows = np.unique(np.linspace(0, len(faceset) - 1, min(len(faceset), MOST)).astype(np.int64))
        self.size, self.device, self.subject = size, device, faceset.subject
        self.surface = surface_of(faceset.subject)
        self.landmarks: Float = faceset.landmarks[rows] * np.float32(size / faceset.size)
        self.performance: Performance = take_performance(self.landmarks, self.subject)
        self.crops = (
            torch.from_numpy(np.ascontiguousarray(faceset.crops[rows])).permute(0, 3, 1, 2).contiguous().to(device)
        )
        vertices = self.surface.extend(self.landmarks, picture=True)[..., :2] / np.float32(size)
        self.vertices = torch.from_numpy(vertices).to(device)
        self.points = self.vertices[:, : self.landmarks.shape[1]]
        self.raster = rasterised(self.surface, self.landmarks, size, device)
        seconds = faceset.frame[rows] / np.array(faceset.rates)[faceset.clip[rows]]
        neighbours, rarity = self._find_neighbours(faceset.clip[rows], seconds)
        self.neighbours, self.rarity = torch.from_numpy(neighbours), torch.from_numpy(rarity)
        self._shares = torch.from_numpy(self.surface.shares).to(device)

    def __len__(self) -> int:
        return len(self.crops)

    def as_source(self) -> Source:
        """Return the same crops as a source of the reference method; `frames` are rows of this gallery."""
        return Source(
            self.subject,
            None,
            np.arange(len(self)),
            self.landmarks,
            self.performance,
            np.zeros(len(self), np.float32),
        )

    def pictures(self, rows: Tensor) -> Tensor:
        """Return crops [n, 3, S, S], 0..1."""
        return resized(self.crops[rows.to(self.device)].float() / 255, self.size)

    def picture(self, row: int) -> Reference:
        """Return one crop as a picture of its surface, for the reference method."""
        crop = self.crops[row].permute(1, 2, 0).cpu().numpy()
        return Reference(np.ascontiguousarray(crop), self.vertices[row].cpu().numpy() * np.float32(len(crop)))

    def reference(self, onto: Raster, chosen: Tensor, share: Tensor) -> Tensor:
        """Warp crops onto meshes and mix them: RGB premultiplied by alpha, [n, 4, S, S], 0..1.

        chosen: [n, P, R], R rows of this gallery for each part of each face. share: the same shape, weight of each; sums to 1 over R.
        """
        count, parts, each = chosen.shape
        rows = chosen.to(self.device)
        points = (self.vertices[rows.flatten()] * 2 - 1).view(count, parts * each, -1, 2)
        box, cut, boxes = onto.cut()
        values = torch.cat([points.permute(0, 2, 1, 3).flatten(2), self._shares.expand(count, -1, -1)], -1)
        spread, visible = box.spread(values)
        shares = share.to(self.device) / 255
        mixed = spread.new_zeros((count, 3, *spread.shape[-2:]))
        for part, (y, x) in enumerate(boxes):  # each part only within its own box
            places = spread[:, 2 * each * part : 2 * each * (part + 1), y, x]
            warped = self._mix(rows[:, part], shares[:, part], places)
            mixed[:, :, y, x] += warped * spread[:, part - parts, None, y, x]
        return F.pad(torch.cat([mixed * visible, visible], 1), cut)

    def _mix(self, rows: Tensor, share: Tensor, places: Tensor) -> Tensor:
        """Mix R crops of each face, [n, R], by shares, from places -1..1 in them, [n, 2 R, h, w]: [n, 3, h, w]."""
        count, each = rows.shape
        crops = self.crops[rows.flatten()] * share.reshape(-1, 1, 1, 1)
        grid = places.reshape(count * each, 2, *places.shape[-2:]).permute(0, 2, 3, 1)
        samples = F.grid_sample(crops, grid, mode="bicubic", padding_mode="border", align_corners=False)
        return reduce(torch.add, samples.view(count, each, 3, *places.shape[-2:]).unbind(1))

    def _find_neighbours(self, clip: Int, seconds: Float) -> tuple[Int, Float]:
        view = self.performance.yaw_pitch / POSE_UNIT
        parts = self.subject.parts
        neighbours, apart = np.empty((len(parts), len(clip), _NEIGHBOURS), np.int64), np.zeros(len(clip), np.float32)
        for part, into in zip(parts, neighbours, strict=True):
            numbers, views = part_numbers(self.performance, part, self.subject), part.view * view
            nearest, costs = candidates(numbers, numbers, views, views, np.zeros(len(clip), np.float32))
            near = (clip[nearest] == clip[:, None]) & (np.abs(seconds[nearest] - seconds[:, None]) < _APART)
            order = np.argsort(costs + 1e6 * near, axis=1)[:, :_NEIGHBOURS]
            ranked = np.take_along_axis(nearest, order, axis=1)
            into[:] = ranked[:, np.minimum(np.arange(_NEIGHBOURS), ranked.shape[1] - 1)]
            apart += np.median(costs, axis=1)
        usual = max(float(np.median(apart)), 1e-6)
        return neighbours, np.clip(apart / usual, *_RARITY).astype(np.float32)
