"""Decoders of keypoint networks: from regression, heat maps and SimCC to coordinates, in whole batches.

All coordinates are continuous pixels of the network's input. Scores are as the network gives them, not yet 0..1.
"""

from __future__ import annotations

import numpy as np

from nodes.types import Float, Int

_FLOOR = 1e-3  # of a map's peak: lower values count as zero, before the logarithm
_REACH = 1.5  # cells from the middle of a neighbourhood within which the true maximum is
_ROUND = 1e-2  # least ratio of a peak's curvature to that of one aligned with the axes
_AROUND = np.arange(-1, 2)
_NEAR = len(_AROUND)


def from_regression(values: Float, columns: str, units: str, size: tuple[int, int]) -> tuple[Float, Float | None]:
    """Decode values [N, L, len(columns)] to landmarks [N, L, 3] and, with a column for them, scores [N, L].

    columns: a letter for each, out of `xyzs`. units: `pixels`, `unit` (0..1) or `signed` (-1..1 across the input). size: width and
    height of the input. z has the scale of x, and is 0 where there is none.
    """
    scale, origin = {"pixels": ((1, 1), 0.0), "unit": (size, 0.0), "signed": (np.divide(size, 2), 1.0)}[units]
    points = np.zeros((*values.shape[:2], 3), np.float32)
    for axis, letter in enumerate("xyz"):
        if letter in columns:
            own = values[..., columns.index(letter)]
            points[..., axis] = (own + (origin if axis < 2 else 0)) * scale[axis % 2]
    return points, values[..., columns.index("s")] if "s" in columns else None


def from_heatmaps(maps: Float, size: tuple[int, int], *, logits: bool = False) -> tuple[Float, Float]:
    """Decode heat maps [N, L, H, W] to their maxima: landmarks [N, L, 2] and the peaks [N, L].

    A cell's centre is at its half, and the map covers the whole input. Refined by a second-order Taylor expansion of the map's
    logarithm, which is exact for a Gaussian: Zhang et al. 2020, "Distribution-aware coordinate representation for human pose
    estimation". logits: the maps are logarithms already.
    """
    count, landmarks, height, width = maps.shape
    row, column = np.divmod(maps.reshape(count, landmarks, -1).argmax(-1), width)
    one, each = np.arange(count)[:, None], np.arange(landmarks)
    peaks = maps[one, each, row, column]
    if min(height, width) >= _NEAR:
        # At the rim the neighbourhood is moved inside, so the peak is beside its middle.
        row, column = np.clip(row, 1, height - 2), np.clip(column, 1, width - 2)
        rows, columns = row[..., None, None] + _AROUND[:, None], column[..., None, None] + _AROUND
        near = maps[one[..., None, None], each[:, None, None], rows, columns]
        shift = _taylor(near if logits else _logarithm(near, peaks[..., None, None]))
    else:
        shift = np.zeros(2, np.float32)
    points = np.stack([column, row], -1) + 0.5 + shift
    return (points * np.divide(size, (width, height))).astype(np.float32), peaks


def from_simcc(along: Float, down: Float, split_ratio: float, *, logits: bool = False) -> tuple[Float, Float]:
    """Decode SimCC's two distributions, along x [N, L, W·k] and y [N, L, H·k], to landmarks [N, L, 2] and peaks [N, L].

    Li et al. 2022, "SimCC: a simple coordinate classification perspective for human pose estimation". Bin i of k = split_ratio a
    pixel stands for i / k, counted from the centre of the first pixel, as its authors do. Refined as heat maps are.
    """
    maxima = [_peak(values, logits) for values in (along, down)]
    points = np.stack([at for at, _ in maxima], -1) / split_ratio + 0.5
    return points.astype(np.float32), np.minimum(maxima[0][1], maxima[1][1])


def _peak(values: Float, logits: bool) -> tuple[Float, Float]:
    """Find the maxima of rows [N, L, B]: their places in bins and their values, [N, L] each."""
    at = values.argmax(-1)
    peaks = np.take_along_axis(values, at[..., None], -1)
    if values.shape[-1] < _NEAR:
        return at.astype(np.float32), peaks[..., 0]
    at = np.clip(at, 1, values.shape[-1] - 2)
    near = np.take_along_axis(values, at[..., None] + _AROUND, -1)
    level = near if logits else _logarithm(near, peaks)
    return np.asarray(at + _parabola(level[..., 0], level[..., 1], level[..., 2]), np.float32), peaks[..., 0]


def _logarithm(values: Float, peaks: Float) -> Float:
    top = np.maximum(peaks, np.finfo(np.float32).tiny / _FLOOR)
    return np.log(np.maximum(values, _FLOOR * top))


def _parabola(before: Float, here: Float, after: Float) -> Float:
    """Find the top of the parabola through three neighbours, in steps from the middle one; the largest of them without a top."""
    bend = before + after - 2 * here
    top = (before - after) / (2 * np.where(bend < 0, bend, -1))
    largest = np.stack([before, here, after], -1).argmax(-1) - 1
    flat = (before == here) & (here == after)
    return np.asarray(np.where(bend < 0, np.clip(top, -_REACH, _REACH), np.where(flat, 0, largest)), np.float32)


def _taylor(level: Float) -> Float:
    """Find the peaks of neighbourhoods [..., 3, 3], in cells from the middle: [..., 2] as x, y."""
    middle = level[..., 1, 1]
    x = level[..., 1, 0], middle, level[..., 1, 2]
    y = level[..., 0, 1], middle, level[..., 2, 1]
    alone = np.stack([_parabola(*x), _parabola(*y)], -1)
    slope_x, slope_y = (x[2] - x[0]) / 2, (y[2] - y[0]) / 2
    bend_x, bend_y = x[0] + x[2] - 2 * middle, y[0] + y[2] - 2 * middle
    twist = (level[..., 2, 2] - level[..., 2, 0] - level[..., 0, 2] + level[..., 0, 0]) / 4
    bowl = bend_x * bend_y - twist**2
    usable = (bend_x < 0) & (bowl > _ROUND * bend_x * bend_y)  # else it has no top of its own
    safe = np.where(usable, bowl, 1)
    both = np.stack([twist * slope_y - bend_y * slope_x, twist * slope_x - bend_x * slope_y], -1) / safe[..., None]
    return np.asarray(np.where(usable[..., None], np.clip(both, -_REACH, _REACH), alone), np.float32)


def arranged(values: Float, landmarks: int, columns: str | None) -> tuple[Float, str] | None:
    """Reshape values [N, ...] of a regression to [N, L, C]; returns its columns too, by default xy or xyz. None if they do not fit."""
    each = values.size // max(len(values), 1)
    columns = columns or {2: "xy", 3: "xyz"}.get(each // landmarks, "")
    if not columns or each != landmarks * len(columns):
        return None
    return values.reshape(-1, landmarks, len(columns)), columns


def channels_first(maps: Float, landmarks: int, layout: str) -> Float | None:
    """Reorder maps to [N, L, H, W], from either layout; None if they do not have this number of landmarks."""
    if maps.ndim != 4:
        return None
    axes: Int = np.flatnonzero(np.array(maps.shape)[[1, 3]] == landmarks)
    if not len(axes):
        return None
    last = axes[0] == 1 or (len(axes) == 2 and layout == "nhwc")
    return np.moveaxis(maps, 3, 1) if last else maps
