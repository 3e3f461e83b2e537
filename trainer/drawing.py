"""Performance maps and numbers: a network's input, read from a mesh by differentiable, exportable arithmetic.

The maps are Gaussians along lines and over areas, as in the landmark heat maps of Tompson et al. 2014, "Joint training of a convolutional
network and a graphical model for human pose estimation". A Gaussian is separable, so that a map is one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from nodes.subjects.subject import Subject

_WIDTHS = (0.9, 2.5)  # σ of the lines, in pixels of a map of 64
_GRAIN = 0.09  # template units, at most, between two points of a line
_LEVEL = 0.11  # of a line's map where one line runs, before it is bounded
_AREA_WIDTH = 1.6
_AREA_LEVEL = 1.5
_SPREAD = 0.03  # template units: usual variation of an opening
_MOST = 6.0  # spreads, at most
_ACROSS = (0.0, 0.25, 0.5, 0.75, 1.0)  # fractions of the way across an area, for its points


class Points(nn.Module):
    """Points between pairs of landmarks, in groups; draws each group as one map.

    rows: (landmark, landmark, fraction of the way between them, group, weight). groups: their number.
    """

    first: Tensor
    second: Tensor
    between: Tensor
    shares: Tensor
    centres: Tensor

    def __init__(self, rows: Sequence[tuple[int, int, float, int, float]], groups: int, side: int) -> None:
        super().__init__()
        columns = np.array(rows, np.float64).reshape(-1, 5).T
        (first, second, group), (between, weight) = columns[[0, 1, 3]].astype(np.int64), columns[[2, 4]]
        shares = np.zeros((groups, len(rows)), np.float32)
        shares[group, np.arange(len(rows))] = weight
        self.side, self.groups = side, groups
        self.register_buffer("first", torch.from_numpy(first), persistent=False)
        self.register_buffer("second", torch.from_numpy(second), persistent=False)
        self.register_buffer("between", torch.from_numpy(between).float()[:, None], persistent=False)
        self.register_buffer("shares", torch.from_numpy(shares)[..., None], persistent=False)
        self.register_buffer("centres", (torch.arange(side) + 0.5) / side, persistent=False)

    def draw(self, vertices: Tensor, width: float) -> Tensor:
        """Draw sums of Gaussians of σ `width` (0..1 across the map): [N, groups, side, side]; vertices [N, L, 2], 0..1."""
        places = torch.lerp(vertices[:, self.first], vertices[:, self.second], self.between)
        along = torch.exp(-0.5 * ((places[..., None] - self.centres) / width) ** 2)
        x, y = along[:, :, 0], along[:, :, 1]
        return torch.matmul((y[:, None] * self.shares).mT, x[:, None])


class Lines(Points):
    """The lines of a subject at two widths."""

    def __init__(self, subject: Subject, side: int) -> None:
        super().__init__(_line_rows(subject), len(subject.lines), side)
        self.channels = len(subject.lines) * len(_WIDTHS)

    def forward(self, vertices: Tensor) -> Tensor:
        """Draw maps [N, channels, side, side], 0..1; vertices [N, L, 2], 0..1 across the crop."""
        maps = [torch.tanh(self.draw(vertices, w / 64) / (_LEVEL * w)) for w in _WIDTHS]
        return torch.cat(maps, 1)


class Areas(Points):
    """Soft masks of a subject's features: of a face, the eyes and the mouth with its lips."""

    def __init__(self, subject: Subject, side: int) -> None:
        super().__init__(_area_rows(subject), len(subject.features), side)
        self.channels = len(subject.features)

    def forward(self, vertices: Tensor) -> Tensor:
        """Draw masks [N, channels, side, side], 0..1; vertices [N, L, 2], 0..1 across the crop."""
        return (self.draw(vertices, _AREA_WIDTH / 64) * _AREA_LEVEL).clamp(0, 1)


class Openings(nn.Module):
    """Heights and widths of a subject's openings: of a face, each eye and the mouth.

    A network easily misses a line that moves by less than a pixel; a number it does not.
    """

    usual: Tensor

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.sides = [tuple(side.tolist() for side in opening.sides) for opening in subject.openings]
        self.channels, self.scale = 2 * len(self.sides), 2 * subject.half_side
        template = torch.from_numpy(subject.template[None, :, :2])
        self.register_buffer("usual", self._measure(template), persistent=False)

    def forward(self, vertices: Tensor) -> Tensor:
        """Measure [N, channels], in spreads, 0 as in the template; vertices [N, L, 2], 0..1 across the crop."""
        with torch.autocast(vertices.device.type, enabled=False):
            return ((self._measure(vertices.float() * self.scale) - self.usual) / _SPREAD).clamp(-_MOST, _MOST)

    def _measure(self, points: Tensor) -> Tensor:
        """Measure the mean height and width of each opening: [N, channels], template units."""
        numbers = [
            torch.linalg.vector_norm(points[:, a] - points[:, b], dim=-1).mean(-1)
            for low, high in self.sides
            for a, b in ((low[1:-1], high[1:-1]), (low[:1], low[-1:]))
        ]
        return torch.stack(numbers, -1) if numbers else points.new_zeros((len(points), 0))


def _line_rows(subject: Subject) -> list[tuple[int, int, float, int, float]]:
    rows: list[tuple[int, int, float, int, float]] = []
    for group, lines in enumerate(subject.lines):
        for line in lines:
            for a, b in pairwise(line.tolist()):
                length = float(np.linalg.norm(subject.template[a, :2] - subject.template[b, :2]))
                count = max(1, int(np.ceil(length / _GRAIN)))
                weight = length / count or _GRAIN  # a line of no length is a dot
                rows += [(a, b, (k + 0.5) / count, group, weight) for k in range(count)]
    return rows


def _area_rows(subject: Subject) -> list[tuple[int, int, float, int, float]]:
    rows: list[tuple[int, int, float, int, float]] = []
    for group, outlines in enumerate(subject.features):
        for line in outlines:
            for i in range(len(line) // 2 + 1):
                rows += [(int(line[i]), int(line[-i]), t, group, 1.0) for t in _ACROSS]
    return rows
