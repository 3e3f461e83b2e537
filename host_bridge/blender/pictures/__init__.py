# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender reads, made of what the engine wrote: boxes and landmarks drawn here, whole frames in `whole`. numpy and zlib are all there is.

`__main__` runs it in a process of its own.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

_COLOURS = ((255, 196, 0), (0, 200, 255), (255, 90, 160), (120, 230, 80), (190, 130, 255))
# Three by five dots a digit, a row in three bits.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


def draw_boxes(faces: Path, folder: Path, first: int, last: int) -> None:
    """Draw the boxes of faces with the ids of their tracks: write `boxes.NNNN.png` of the frames first..last, by the plate's own numbers, from a `faceplate.faces/2`."""
    with np.load(faces, allow_pickle=False) as document:
        header = json.loads(document["header"].tobytes())
        frames, boxes = document["frames"], document["boxes"]
    if header["schema"] not in ("faceplate.faces/1", "faceplate.faces/2"):  # their boxes are the same
        raise ValueError(f"{faces} is {header['schema']}, which this extension does not know: install it again")
    ids = np.repeat([t["id"] for t in header["tracks"]], [t["length"] for t in header["tracks"]]).astype(int)
    own = frames + first - header["first"]

    def pictures() -> Iterator[tuple[int, Any]]:
        for number in range(first, last + 1):
            here = own == number
            faces_here = zip(ids[here].tolist(), boxes[here], strict=True)
            yield number, _boxes(header["width"], header["height"], faces_here)

    _write_sequence(folder, "boxes", pictures())


def _boxes(width: int, height: int, faces: Any) -> Any:
    picture = np.zeros((height, width, 4), np.uint8)
    line = _width_of_lines(height)
    for id, (x0, y0, x1, y1) in faces:
        colour = _colour_of(id)
        _outline(picture, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), line, colour)
        _number(picture, str(id), max(round(x0), 0) + 3 * line, max(round(y0), 0) + 3 * line, 2 * line, colour)
    return picture


def draw_landmarks(aligned: Path, folder: Path, numbers: range) -> None:
    """Draw the landmarks of faces, and around each the outline of its crop: write `landmarks.NNNN.png` of these frames, by the plate's own numbers, from a folder of `faceplate.transforms/1`."""
    document = json.loads((aligned / "transforms.json").read_text("utf-8"))
    if document["schema"] != "faceplate.transforms/1":
        raise ValueError(f"{aligned} is {document['schema']}, which this extension does not know: install it again")
    points = np.load(aligned / "landmarks.npy", allow_pickle=False)
    shape = document["footage"]["height"], document["footage"]["width"]
    faces: dict[int, list[tuple[Any, Any]]] = {}
    for image, xyz in zip(document["images"], points, strict=True):
        faces.setdefault(image["frame"], []).append((image, xyz))

    def pictures() -> Iterator[tuple[int, Any]]:
        for number in numbers:
            yield number, _landmarks(shape, faces.get(number, []))

    _write_sequence(folder, "landmarks", pictures())


def _landmarks(shape: tuple[int, int], faces: list[tuple[Any, Any]]) -> Any:
    picture = np.zeros((*shape, 4), np.uint8)
    line = _width_of_lines(shape[0])
    for image, xyz in faces:
        to_plate = np.array(image["to_plate"])
        colour = _colour_of(image["track"])
        width, height = image["size"]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)])
        _outline(picture, corners @ to_plate[:, :2].T + to_plate[:, 2], line, colour)
        _dots(picture, xyz[:, :2] @ to_plate[:, :2].T + to_plate[:, 2], line, colour)
    return picture


def _write_sequence(folder: Path, stem: str, pictures: Iterable[tuple[int, Any]]) -> None:
    """Write numbered pictures, uint8 [H, W, 4], as `stem.NNNN.png`, in place of all that were there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{stem}.*.png"):
        old.unlink()
    for number, picture in pictures:
        (folder / f"{stem}.{number:04d}.png").write_bytes(_png(picture))


def _colour_of(track: int) -> tuple[int, ...]:
    """The colour of a track, opaque."""
    return (*_COLOURS[track % len(_COLOURS)], 255)


def _width_of_lines(height: int) -> int:
    """Pixels, in a picture of this height."""
    return max(1, height // 240)


def _dots(picture: Any, xy: Any, size: int, colour: tuple[int, ...]) -> None:
    """Draw squares of `size` pixels around points [N, 2]; those outside of the picture are left out."""
    height, width = picture.shape[:2]
    corner = np.round(xy - (size - 1) / 2).astype(int)
    for dy in range(size):
        for dx in range(size):
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[there], x[there]] = colour


def _outline(picture: Any, corners: Any, size: int, colour: tuple[int, ...]) -> None:
    """Draw the closed line through corners [N, 2]."""
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        steps = int(np.abs(end - start).max()) + 2
        _dots(picture, start + np.linspace(0, 1, steps)[:, None] * (end - start), size, colour)


def _number(picture: Any, text: str, x: int, y: int, dot: int, colour: tuple[int, ...]) -> None:
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
