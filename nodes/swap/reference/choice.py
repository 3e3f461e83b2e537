"""Choice of source frames for each plate frame: nearest in expression and pose, without jumps.

Dynamic programming over the track (Viterbi) between the nearest candidates of each frame; then each choice is spread over
its neighbours in time, so that one reference fades into the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.swap.reference.expression import squared_distances
from nodes.types import Float, Int

_CANDIDATES = 80
_BLOCK = 256  # plate frames whose distances to the whole source are held at once
# Extra cost of a source frame with more expression than the plate: its wrinkles cannot be removed.
_OVERSHOOT = 2.0
_NEAR_IN_TIME = 2  # frames of the source that count as continuing, not as a jump
_FAINTEST = 0.08  # share of the picture below which a reference is not worth its warp
_FADE = 3.0  # frames over which references fade at full steadiness


@dataclass(frozen=True, slots=True)
class Choice:
    """For each of T plate frames, up to K source frames. index: [T, K] into the source; weight: [T, K], rows sum to 1."""

    index: Int
    weight: Float


def overshoot(plate: Float, source: Float) -> Float:
    """Measure how far source frames [B, D] exceed plate frames [A, D] in expression, squared and summed: [A, B]."""
    total = np.zeros((len(plate), len(source)), np.float32)
    for p, s in zip(plate.T, source.T, strict=True):
        along = s[None] * np.where(p < 0, -1, 1)[:, None]
        total += np.where(along > 0, np.maximum(along - np.abs(p)[:, None], 0), -along) ** 2
    return total


def choose(
    plate: Float, source: Float, plate_view: Float, source_view: Float, penalty: Float, steadiness: float
) -> Choice:
    """Choose source frames for every plate frame.

    plate: [T, D] and source: [N, D], expressions in spreads. plate_view: [T, E] and source_view: [N, E], other numbers that
    should be alike, such as pose, in units that weigh as much as one spread. penalty: [N], extra cost of a source frame.
    steadiness: 0..1.
    """
    nearest, costs = candidates(plate, source, plate_view, source_view, penalty)
    path = _steadiest_path(nearest, costs, np.concatenate([source, source_view], 1), steadiness)
    return _fade(path, _FADE * steadiness)


def candidates(plate: Float, source: Float, plate_view: Float, source_view: Float, penalty: Float) -> tuple[Int, Float]:
    """Find the source frames nearest to each plate frame, unordered, and their costs: both [T, up to 80]; arguments as of `choose`."""
    count = min(_CANDIDATES, len(source))
    nearest = np.empty((len(plate), count), np.int64)
    costs = np.empty((len(plate), count), np.float32)
    for start in range(0, len(plate), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cost = squared_distances(plate[rows], source) + squared_distances(plate_view[rows], source_view)
        cost += _OVERSHOOT * overshoot(plate[rows], source) + penalty
        nearest[rows] = np.argpartition(cost, count - 1, axis=1)[:, :count]
        costs[rows] = np.take_along_axis(cost, nearest[rows], axis=1)
    return nearest, costs


def _steadiest_path(nearest: Int, costs: Float, descriptors: Float, steadiness: float) -> Int:
    """Find the sequence of candidates with the least cost plus change, [T] (Viterbi)."""
    total = costs[0].copy()
    came_from = np.zeros(nearest.shape, np.int64)
    columns = np.arange(nearest.shape[1])
    for t in range(1, len(nearest)):
        before, now = nearest[t - 1], nearest[t]
        change = squared_distances(descriptors[before], descriptors[now])
        change += np.abs(now[None] - before[:, None]) > _NEAR_IN_TIME
        reached = total[:, None] + steadiness * change
        came_from[t] = reached.argmin(0)
        total = reached[came_from[t], columns] + costs[t]
    path = np.empty(len(nearest), np.int64)
    best = int(total.argmin())
    for t in range(len(nearest) - 1, -1, -1):
        path[t] = nearest[t, best]
        best = int(came_from[t, best])
    return path


def _fade(path: Int, sigma: float, most: int = 3) -> Choice:
    """Spread a path [T] over time by a Gaussian; of each frame's references the `most` heaviest are kept."""
    radius = round(3 * sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2).astype(np.float32)
    neighbours = path[np.clip(np.arange(len(path))[:, None] + offsets, 0, len(path) - 1)]
    # Sum the kernel over equal references: each keeps its sum at its first place in the row, 0 at the others.
    same = neighbours[:, :, None] == neighbours[:, None, :]
    summed = (same * kernel).sum(-1)
    summed[np.tril(same, -1).any(-1)] = 0
    order = np.argsort(-summed, axis=1)[:, :most]
    weight = np.take_along_axis(summed, order, axis=1)
    weight[weight < _FAINTEST * weight.sum(1, keepdims=True)] = 0
    return Choice(
        np.take_along_axis(neighbours, order, axis=1), (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    )
