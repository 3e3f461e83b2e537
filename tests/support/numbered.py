"""Movies and image sequences whose pictures say their own number, as black and white blocks that any codec keeps.

A band at the top holds 24 bits, and below each its opposite, so that a damaged number is an error and no other number.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from nodes.footage.footage import open_footage

BITS = 24
SIZE = (192, 64)


def stamp(picture: np.ndarray, number: int) -> np.ndarray:
    """Burn a number, 0 to 2^24 - 1, into the top quarter of a picture [H, W, 3] uint8, W at least 96; returns a copy."""
    out = picture.copy()
    height, width = out.shape[0] // 8, out.shape[1] // BITS
    for bit in range(BITS):
        on = bool(number >> (BITS - 1 - bit) & 1)
        x = slice(bit * width, (bit + 1) * width)
        out[:height, x] = 235 if on else 16
        out[height : 2 * height, x] = 16 if on else 235
    return out


def number_of(picture: np.ndarray) -> int:
    """Read the number that `stamp` burnt in, from the picture at any size; raises ValueError where there is none."""
    grey = picture[..., :3].mean(2)
    rows, columns = grey.shape
    height, width = rows / 8, columns // BITS if columns % BITS else columns / BITS
    number = 0
    for bit in range(BITS):
        x = int((bit + 0.5) * width)
        near = slice(max(x - 1, 0), x + 2)
        above = grey[int(0.5 * height) - 1 : int(0.5 * height) + 2, near].mean()
        below = grey[int(1.5 * height) - 1 : int(1.5 * height) + 2, near].mean()
        if abs(above - below) < 60:
            raise ValueError("there is no number in the picture")
        number = number << 1 | int(above > below)
    return number


def numbered_pictures(count: int, first: int = 0, size: tuple[int, int] = SIZE) -> Iterable[np.ndarray]:
    """Yield grey pictures [H, W, 3] with the numbers first, first + 1, …; size: (width, height)."""
    for number in range(first, first + count):
        yield stamp(np.full((size[1], size[0], 3), 90 + number % 64, np.uint8), number)


def timecode(number: int, rate: Fraction | int, *, drop: bool = False) -> str:
    """Write a frame number as SMPTE timecode; drop: as drop-frame, at 29.97 and 59.94."""
    base = round(rate)
    if drop:
        skipped, ten = base // 15, base * 600 - base // 15 * 9
        tens, rest = divmod(number, ten)
        number += 9 * skipped * tens + skipped * max(0, (rest - skipped) // (base * 60 - skipped))
    seconds, frames = divmod(number, base)
    end = f"{';' if drop else ':'}{frames:02}"
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{end}"


def numbered_movie(
    path: Path,
    count: int,
    rate: Fraction | int = 25,
    *,
    start: int | str | None = None,
    first: int = 0,
    size: tuple[int, int] = SIZE,
    codec: str = "libx264",
) -> Path:
    """Write a movie whose picture i says `first + i`. start: its timecode, as a frame number or as it is written; none: no timecode.

    Only .mov and .mxf keep a timecode (.mp4 does too, as a track).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=Fraction(rate), options={"crf": "8"} if codec == "libx264" else {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p" if codec != "prores_ks" else "yuv422p10le"
        if start is not None:
            stream.metadata["timecode"] = start if isinstance(start, str) else timecode(start, rate)
        for picture in numbered_pictures(count, first, size):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
    return path


def numbered_images(folder: Path, count: int, first: int = 1001, *, name: str = "plate.{:04d}.png") -> Path:
    """Write an image sequence, each picture with its file's number; returns the pattern, as name.%04d.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(numbered_pictures(count, first), first):
        assert cv2.imwrite(str(folder / name.format(number)), picture)
    return folder / name.replace("{:", "%").replace("d}", "d")


def numbers_in(path: Path, positions: Iterable[int] | None = None) -> list[int]:
    """The numbers burnt into the frames of footage at these positions, by default all."""
    with open_footage(path) as footage:
        if positions is None:
            return [number_of(frame.rgb8()) for frame in footage.frames()]
        seen: dict[int, int] = {}
        return [seen[p] if p in seen else seen.setdefault(p, number_of(footage.frame(p).rgb8())) for p in positions]
