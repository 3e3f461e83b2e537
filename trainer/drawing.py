"""Maps drawn from a mesh by differentiable, exportable arithmetic: what a network is told about a performance.

Gaussians along lines and over areas, as in the landmark heat maps of Tompson et al. 2014, "Joint training of a convolutional
network and a graphical model for human pose estimation". A Gaussian is separable, so that a map is one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from nodes.subjects import load_subject

# What is drawn as lines, one map a row: the subject's contours, and lines that it has no contour for.
LINES: tuple[tuple[str, ...], ...] = (
    ("lips_inner",),
    ("lips_outer",),
    ("right_eye", "left_eye"),
    ("right_brow", "left_brow"),
    ("oval",),
    ("nose",),
)
# The areas of the plate's own face that say what the mesh cannot.
AREAS: tuple[tuple[str, ...], ...] = (("right_eye", "left_eye"), ("lips_outer",))
_NOSE = ((168, 6, 197, 195, 5, 4, 1), (98, 97, 2, 326, 327), (98, 129), (327, 358))
_WIDTHS = (0.9, 2.5)  # σ of the lines, in pixels of a map of 64
_GRAIN = 0.09  # template units, at most, between two points of a line
_LEVEL = 0.11  # of a line's map where one line runs, before it is bounded
_AREA_WIDTH = 1.6
_AREA_LEVEL = 1.5
_ACROSS = (0.0, 0.25, 0.5, 0.75, 1.0)  # where points lie between one side of an area and the other


class Points(nn.Module):
    """Points between pairs of vertices, in groups; draws each group as one map.

    rows: (vertex, vertex, how far between them, group, weight).
    """

    first: Tensor
    second: Tensor
    between: Tensor
    shares: Tensor
    centres: Tensor

    def __init__(self, rows: Sequence[tuple[int, int, float, int, float]], side: int) -> None:
        super().__init__()
        first, second, between, group, weight = (np.array(column) for column in zip(*rows, strict=True))
        shares = np.zeros((int(group.max()) + 1, len(rows)), np.float32)
        shares[group, np.arange(len(rows))] = weight
        self.side = side
        self.register_buffer("first", torch.from_numpy(first), persistent=False)
        self.register_buffer("second", torch.from_numpy(second), persistent=False)
        self.register_buffer("between", torch.from_numpy(between).float()[:, None], persistent=False)
        self.register_buffer("shares", torch.from_numpy(shares)[..., None], persistent=False)
        self.register_buffer("centres", (torch.arange(side) + 0.5) / side, persistent=False)

    def draw(self, vertices: Tensor, width: float) -> Tensor:
        """Sums of Gaussians of σ `width` (0..1 across the map): [N, groups, side, side]; vertices [N, L, 2], 0..1."""
        places = torch.lerp(vertices[:, self.first], vertices[:, self.second], self.between)
        along = torch.exp(-0.5 * ((places[..., None] - self.centres) / width) ** 2)
        x, y = along[:, :, 0], along[:, :, 1]
        return torch.matmul((y[:, None] * self.shares).mT, x[:, None])


class Lines(Points):
    """The lines of a face at two widths."""

    def __init__(self, side: int) -> None:
        super().__init__(_line_rows(), side)
        self.channels = len(LINES) * len(_WIDTHS)

    def forward(self, vertices: Tensor) -> Tensor:
        """Maps [N, channels, side, side], 0..1; vertices [N, L, 2], 0..1 across the crop."""
        maps = [torch.tanh(self.draw(vertices, w / 64) / (_LEVEL * w)) for w in _WIDTHS]
        return torch.cat(maps, 1)


class Areas(Points):
    """Soft masks of eyes and of the mouth with its lips."""

    def __init__(self, side: int) -> None:
        super().__init__(_area_rows(), side)
        self.channels = len(AREAS)

    def forward(self, vertices: Tensor) -> Tensor:
        """Masks [N, channels, side, side], 0..1; vertices [N, L, 2], 0..1 across the crop."""
        return (self.draw(vertices, _AREA_WIDTH / 64) * _AREA_LEVEL).clamp(0, 1)


def _line_rows() -> list[tuple[int, int, float, int, float]]:
    subject = load_subject()
    rows: list[tuple[int, int, float, int, float]] = []
    for group, names in enumerate(LINES):
        for line in [_closed(subject.contours[n]) for n in names if n != "nose"] or _NOSE:
            for a, b in pairwise(line):
                length = float(np.linalg.norm(subject.template[a, :2] - subject.template[b, :2]))
                count = max(1, int(np.ceil(length / _GRAIN)))
                rows += [(a, b, (k + 0.5) / count, group, length / count) for k in range(count)]
    return rows


def _closed(contour: np.ndarray) -> tuple[int, ...]:
    return (*(int(v) for v in contour), int(contour[0]))


def _area_rows() -> list[tuple[int, int, float, int, float]]:
    contours = load_subject().contours
    rows: list[tuple[int, int, float, int, float]] = []
    for group, names in enumerate(AREAS):
        for line in (contours[name] for name in names):
            for i in range(len(line) // 2 + 1):
                rows += [(int(line[i]), int(line[-i]), t, group, 1.0) for t in _ACROSS]
    return rows
