# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, dots and numbers on transparent pictures, as PNG files: numpy and zlib are all there is inside Blender."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

_COLOURS = ((255, 196, 0), (0, 200, 255), (255, 90, 160), (120, 230, 80), (190, 130, 255))
# Three by five dots a digit, a row in three bits.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


def write_sequence(folder: Path, stem: str, pictures: Iterable[tuple[int, Any]]) -> None:
    """Write numbered pictures, uint8 [H, W, 4], as `stem.NNNN.png`, in place of all that were there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{stem}.*.png"):
        old.unlink()
    for number, picture in pictures:
        (folder / f"{stem}.{number:04d}.png").write_bytes(_png(picture))


def colour_of(track: int) -> tuple[int, ...]:
    """The colour of a track, opaque."""
    return (*_COLOURS[track % len(_COLOURS)], 255)


def width_of_lines(height: int) -> int:
    """Pixels, in a picture of this height."""
    return max(1, height // 240)


def dots(picture: Any, xy: Any, size: int, colour: tuple[int, ...]) -> None:
    """Draw squares of `size` pixels around points [N, 2]; those outside of the picture are left out."""
    height, width = picture.shape[:2]
    corner = np.round(xy - (size - 1) / 2).astype(int)
    for dy in range(size):
        for dx in range(size):
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[there], x[there]] = colour


def outline(picture: Any, corners: Any, size: int, colour: tuple[int, ...]) -> None:
    """Draw the closed line through corners [N, 2]."""
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        steps = int(np.abs(end - start).max()) + 2
        dots(picture, start + np.linspace(0, 1, steps)[:, None] * (end - start), size, colour)


def number(picture: Any, text: str, x: int, y: int, dot: int, colour: tuple[int, ...]) -> None:
    """Write digits, `dot` pixels a dot."""
    for digit in text:
        rows = [[int(row) >> 2 - i & 1 for i in range(3)] for row in _DIGITS[int(digit)]]
        shape = np.kron(np.array(rows, bool), np.ones((dot, dot), bool))
        part = picture[y : y + shape.shape[0], x : x + shape.shape[1]]
        part[shape[: part.shape[0], : part.shape[1]]] = colour
        x += 4 * dot


def _png(picture: Any) -> bytes:
    height, width = picture.shape[:2]
    rows = np.zeros((height, 1 + width * 4), np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)
    parts = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
