"""The contact sheet of a faceset: crops from every pose, how many there are of each, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from nodes.text import counted
from nodes.types import Float, Image8, Int

COLUMNS, ROWS = 12, 8
_CELL, _STRIP, _MARGIN = 96, 132, 10
_DARK, _LIGHT, _BAR = 24, (225, 225, 225), (110, 160, 220)
_BIN = 5.0  # degrees


def spread_over_pose(yaw_pitch: Float) -> Int:
    """Choose crops by pose: rows of [N, 2], laid out [rows, columns], yaw from left to right and pitch from top to bottom.

    As many crops are on either side of each shown one; of fewer than the sheet holds, each is shown once at most.
    """
    count = len(yaw_pitch)
    columns = min(COLUMNS, max(int(np.ceil(np.sqrt(count * COLUMNS / ROWS))), 1))
    rows = min(ROWS, max(count // columns, 1))
    columns = min(columns, count)
    parts = np.array_split(np.argsort(yaw_pitch[:, 0], kind="stable"), columns)
    laid = [part[np.argsort(yaw_pitch[part, 1], kind="stable")] for part in parts]
    places = [((np.arange(rows) + 0.5) * len(part) / rows).astype(int) for part in laid]
    return np.stack([part[at] for part, at in zip(laid, places, strict=True)], axis=1)


def draw_sheet(crops: Image8, shown: Int, yaw_pitch: Float, performer: str, left_out: Mapping[str, int]) -> Image8:
    """Draw the sheet, uint8 [H, W, 3].

    crops: [R·C, S, S, 3], those of `shown` [R, C] row by row. yaw_pitch: [N, 2] of all that is kept. left_out: reason → count.
    """
    rows, columns = shown.shape
    cells = np.stack([cv2.resize(c, (_CELL, _CELL), interpolation=cv2.INTER_AREA) for c in crops])
    grid = cells.reshape(rows, columns, _CELL, _CELL, 3).swapaxes(1, 2).reshape(rows * _CELL, columns * _CELL, 3)
    sheet = np.full((rows * _CELL + _STRIP, max(grid.shape[1], COLUMNS * _CELL), 3), _DARK, np.uint8)
    sheet[: grid.shape[0], : grid.shape[1]] = grid
    strip = sheet[rows * _CELL :]
    gone = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "nothing"
    _write(strip, f"{performer}: {counted(len(yaw_pitch), 'crop')}.  Left out: {gone}.", _MARGIN, 20)
    half = strip.shape[1] // 2
    for i, (what, values) in enumerate(zip(("yaw", "pitch"), yaw_pitch.T, strict=True)):
        _histogram(strip[28:, i * half + _MARGIN : (i + 1) * half - _MARGIN], what, values)
    return sheet


def _histogram(canvas: Image8, what: str, values: Float) -> None:
    """Draw how many crops there are of each few degrees, with the counts."""
    first, last = np.floor(values.min() / _BIN), np.floor(values.max() / _BIN) + 1
    while last - first < 6:
        first, last = first - 1, last + 1
    step = _BIN * max(np.ceil((last - first) / 14), 1)
    first = np.floor(first * _BIN / step)
    edges = np.arange(first, np.ceil(values.max() / step + 1e-3) + 1) * step
    if edges[-1] < last * _BIN:
        edges = np.append(edges, np.arange(edges[-1] + step, last * _BIN + step, step))
    counts = np.histogram(values, edges)[0]
    left, width, height = 46, canvas.shape[1] - 46, canvas.shape[0] - 34
    _write(canvas, what, 0, 16 + height // 2)
    each = width // len(counts)
    for i, count in enumerate(counts):
        x, tall = left + i * each, round(height * int(count) / max(int(counts.max()), 1))
        cv2.rectangle(canvas, (x + 2, 16 + height - tall), (x + each - 2, 16 + height), _BAR, -1 if tall else 1)
        _write(canvas, str(count), x + 4, 13 + height - tall, 0.34)
        _write(canvas, f"{edges[i]:.0f}", x - 6, canvas.shape[0] - 4, 0.34)
    _write(canvas, f"{edges[-1]:.0f}", left + len(counts) * each - 18, canvas.shape[0] - 4, 0.34)


def _write(canvas: Image8, text: str, x: int, y: int, size: float = 0.45) -> None:
    plain = text.encode("ascii", "replace").decode()  # what the font has
    cv2.putText(canvas, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, _LIGHT, 1, cv2.LINE_AA)
