"""The pictures of a report: the contact sheet, and the frames to look at first, as JPEGs that stand in the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte
from nodes.report.frames import Look
from nodes.report.gather import Gathered, find_mattes
from nodes.types import Image8, Roi

_SHEET = 8
_LONG = 360  # long side of a picture in the page
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Column:
    """One frame of the contact sheet, as data URIs; `matte` is empty where there is none."""

    number: int
    plate: str
    composite: str
    matte: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame to look at: plate and composite as data URIs."""

    number: int
    plate: str
    composite: str
    reasons: tuple[str, ...]


def pictures(folder: Path, shot: Gathered, looks: Sequence[Look]) -> tuple[list[Column], list[Pair]]:
    """Read the frames that the page shows, in ascending order and each once, and scale them down (small ones up)."""
    count = len(shot.coverage)
    sheet = np.unique(
        np.linspace(0, count - 1, min(_SHEET, count) + 2).round().astype(int)[1:-1] if count > 2 else np.arange(count)
    )
    mattes, _ = find_mattes(folder, count)
    columns: list[Column] = []
    pairs: dict[int, Pair] = {}
    by_frame = {look.frame: look for look in looks}
    with open_footage(folder / "plate.mkv") as plate, open_footage(folder / "composite.mkv") as composite:
        for i in sorted({*sheet.tolist(), *by_frame}):
            images = plate.frame(i).rgb8(), composite.frame(i).rgb8()
            if i in sheet:
                file = mattes[i]
                matte = "" if file is None else _uri((np.clip(read_matte(file), 0, 1) * 255).round().astype(np.uint8))
                columns.append(Column(shot.first + i, _uri(images[0]), _uri(images[1]), matte))
            if i in by_frame:
                look = by_frame[i]
                cut = (slice(None), slice(None)) if look.whole else _around_faces(shot, i).slices
                p, c = (_uri(image[cut]) for image in images)
                pairs[i] = Pair(shot.first + i, p, c, look.reasons)
    return columns, [pairs[look.frame] for look in looks]


def _around_faces(shot: Gathered, frame: int) -> Roi:
    """The part of the picture that holds the replaced faces with some room, 4:3; the whole picture without a face."""
    width, height = shot.faces.width, shot.faces.height
    points = [f.plate[frame - f.frames[0], :, :2] for f in shot.replaced if f.frames[0] <= frame <= f.frames[-1]]
    known = np.concatenate([np.empty((0, 2), np.float32), *points])
    known = known[np.isfinite(known).all(1)]
    if not len(known):
        return Roi(0, 0, width, height)
    low, high = known.min(0), known.max(0)
    centre = (low + high) / 2
    tall = 1.4 * max(float((high - low)[1]), 0.75 * float((high - low)[0]), 16.0)
    w, h = min(round(tall * 4 / 3), width), min(round(tall), height)
    x, y = (int(np.clip(c - s / 2, 0, most - s)) for c, s, most in zip(centre, (w, h), (width, height), strict=True))
    return Roi(x, y, x + w, y + h)


def _uri(image: Image8) -> str:
    """Encode RGB [H, W, 3] or grey [H, W] as a JPEG in a data URI."""
    height, width = image.shape[:2]
    scale = min(_LONG / max(height, width), 8.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    image = np.ascontiguousarray(image)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)  # type: ignore[assignment]
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
