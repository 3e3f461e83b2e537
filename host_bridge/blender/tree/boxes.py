# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the boxes of faces with the ids of their tracks, as transparent PNG files."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_COLOURS = ((255, 196, 0), (0, 200, 255), (255, 90, 160), (120, 230, 80), (190, 130, 255))
# Three by five dots a digit, a row in three bits.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


def draw(faces: Path, folder: Path, numbers: dict[str, int]) -> None:
    """Write `boxes.NNNN.png` of the frames first..last, by the plate's own numbers, from a `faceplate.faces/1`."""
    with np.load(faces, allow_pickle=False) as document:
        header = json.loads(document["header"].tobytes())
        frames, found = document["frames"], document["boxes"]
    if header["schema"] != "faceplate.faces/1":
        raise ValueError(f"{faces} is {header['schema']}, which this extension does not know: install it again")
    ids = np.repeat([t["id"] for t in header["tracks"]], [t["length"] for t in header["tracks"]]).astype(int)
    shift = numbers["first"] - header["first"]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("boxes.*.png"):
        old.unlink()
    for number in range(numbers["first"], numbers["last"] + 1):
        here = frames + shift == number
        picture = _picture(header["width"], header["height"], zip(ids[here].tolist(), found[here], strict=True))
        (folder / f"boxes.{number:04d}.png").write_bytes(_png(picture))


def _picture(width: int, height: int, faces: Any) -> Any:
    picture = np.zeros((height, width, 4), np.uint8)
    line = max(1, height // 240)
    for id, box in faces:
        colour = (*_COLOURS[id % len(_COLOURS)], 255)
        x0, y0, x1, y1 = (round(float(v)) for v in box)
        x0, y0 = max(x0, 0), max(y0, 0)
        for part in (
            np.s_[y0 : y0 + line, x0:x1],
            np.s_[max(y1 - line, 0) : y1, x0:x1],
            np.s_[y0:y1, x0 : x0 + line],
            np.s_[y0:y1, max(x1 - line, 0) : x1],
        ):
            picture[part] = colour
        _write(picture, str(id), x0 + 3 * line, y0 + 3 * line, 2 * line, colour)
    return picture


def _write(picture: Any, text: str, x: int, y: int, dot: int, colour: Any) -> None:
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
