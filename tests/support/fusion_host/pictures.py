"""Fusion's images over numpy: four channels, row 0 at the bottom, in the number types that Fusion has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio

DEPTHS = {5: np.uint8, 6: np.uint16, 7: np.float16, 8: np.float32}
FILTERS = {
    "Nearest": cv2.INTER_NEAREST,
    "Linear": cv2.INTER_LINEAR,
    "BiLinear": cv2.INTER_LINEAR,
    "Cubic": cv2.INTER_CUBIC,
}
_GARBAGE = 0.7  # what an image holds that nobody has cleared


@dataclass
class Picture:
    """pixels: [height, width, 4]. window: left, bottom, right, top of what may be touched. size: as it is without proxy."""

    pixels: np.ndarray
    depth: int
    size: tuple[int, int] = (0, 0)
    proxy: int = 1
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.pixels.dtype == DEPTHS[self.depth] and self.pixels.shape[2] == 4
        self.size = self.size if any(self.size) else (self.width, self.height)
        self.window = self.window if any(self.window) else (0, 0, self.width, self.height)

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def floats(self) -> np.ndarray:
        """A copy as float32, integers as 0..1."""
        top = 1 if self.depth > 6 else np.iinfo(self.pixels.dtype).max
        return np.ascontiguousarray(self.pixels.astype(np.float32) / np.float32(top))

    def store(self, values: np.ndarray) -> None:
        """Take float32 over, rounded and clipped to what integers hold."""
        if self.depth <= 6:
            top = np.iinfo(self.pixels.dtype).max
            values = np.floor(np.clip(values, 0, 1).astype(np.float64) * top + 0.5)
        self.pixels[:] = values

    def like(self, depth: int | None = None, width: int | None = None, height: int | None = None) -> Picture:
        """A new one of the same kind, which holds what happens to be in memory."""
        depth, width, height = depth or self.depth, width or self.width, height or self.height
        made = blank(width, height, depth)
        made.size, made.proxy, made.metadata = self.size, self.proxy, dict(self.metadata)
        return made

    def copy(self) -> Picture:
        return Picture(self.pixels.copy(), self.depth, self.size, self.proxy, self.window, dict(self.metadata))

    def clear(self) -> None:
        self.pixels[:] = 0

    def crop(self, into: Picture, x: int, y: int) -> None:
        """Copy what lies from x, y on into an image, in its own depth; what is outside of this one is empty there."""
        values = np.zeros((into.height, into.width, 4), np.float32)
        left, bottom, right, top = self.window
        x0, y0, x1, y1 = max(x, left), max(y, bottom), min(x + into.width, right), min(y + into.height, top)
        if x1 > x0 and y1 > y0:
            values[y0 - y : y1 - y, x0 - x : x1 - x] = self.floats()[y0:y1, x0:x1]
        into.store(values)

    def resize(self, into: Picture, method: str) -> None:
        small = into.width < self.width
        way = cv2.INTER_AREA if small and method != "Nearest" else FILTERS[method]
        into.store(cv2.resize(self.floats(), (into.width, into.height), interpolation=way))

    def erode_dilate(self, into: Picture, x: float, y: float) -> None:
        radius = round(abs(x) * self.width), round(abs(y) * self.width)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius[0] + 1, 2 * radius[1] + 1))
        into.store((cv2.dilate if x > 0 else cv2.erode)(self.floats(), kernel))

    def blur(self, into: Picture, x: float, y: float) -> None:
        sigma = max(x * self.width / 2, 1e-3), max(y * self.width / 2, 1e-3)
        into.store(cv2.GaussianBlur(self.floats(), (0, 0), sigma[0], sigmaY=sigma[1]))


def blank(width: int, height: int, depth: int) -> Picture:
    made = Picture(np.zeros((height, width, 4), DEPTHS[depth]), depth)
    made.store(np.full((height, width, 4), _GARBAGE, np.float32))
    return made


def from_rgb(rgb: np.ndarray, depth: int) -> Picture:
    """An opaque image of [h, w, 3], top row first: 8 or 16 bits as they are, floats as they are."""
    height, width, _ = rgb.shape
    scaled = rgb / np.float32(np.iinfo(rgb.dtype).max) if rgb.dtype.kind == "u" else rgb
    made = blank(width, height, depth)
    made.store(np.dstack([scaled, np.ones((height, width), np.float32)])[::-1].astype(np.float32))
    return made


def to_rgb(picture: Picture) -> np.ndarray:
    """[h, w, 4] as floats, top row first."""
    return picture.floats()[::-1]


def read_picture(path: Path) -> Picture | None:
    """What Fusion's reader makes of a file. A name that ends in digits is taken for a sequence, and its first file is read."""
    numbered = re.fullmatch(r"(.*?)(\d+)", path.stem)
    if numbered:
        kin = sorted(
            p for p in path.parent.glob(f"*{path.suffix}") if re.fullmatch(re.escape(numbered[1]) + r"\d+", p.stem)
        )
        path = kin[0] if kin else path
    found = oiio.ImageInput.open(str(path)) if path.is_file() else None
    if found is None:
        oiio.geterror()
        return None
    spec = found.spec()
    pixels = found.read_image(0, 0, 0, spec.nchannels, spec.format)
    found.close()
    if pixels is None or spec.format.basetype not in (oiio.UINT8, oiio.UINT16):
        return None
    if pixels.shape[2] < 4:
        top = np.iinfo(pixels.dtype).max
        pixels = np.dstack([pixels[..., :3], np.full(pixels.shape[:2], top, pixels.dtype)])
    return Picture(np.ascontiguousarray(pixels[::-1]), 5 if pixels.dtype == np.uint8 else 6)
