"""Pictures of a shot for people: the contact sheet of a few frames, and the preview movie's plate beside composite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nodes.files import whole_file
from nodes.footage.composite import inside
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.geometry.sampling import crop
from nodes.persons import ShotPerson, looks_of
from nodes.recognise import SIZE, chip_transforms
from nodes.types import Faces, Image8, Patch, Roi, Track

COLUMNS = 10
_CELL = 240  # long side of a picture on the sheet
_LABEL, _GAP = 22, 4
_AROUND = 1.8  # size of the shown region over the faces'
_ROWS = ("plate", "composite", "matte")


@dataclass(frozen=True, slots=True)
class Column:
    """One frame of the sheet: its number, and three small pictures of one size."""

    number: int
    plate: Image8
    composite: Image8
    matte: Image8


def pick(first: int, last: int, count: int = COLUMNS) -> frozenset[int]:
    """Choose frames evenly, the first and the last among them."""
    return frozenset(np.unique(np.linspace(first, last, count).round().astype(int)).tolist())


def window(tracks: Sequence[Track], width: int, height: int) -> Roi:
    """Choose the part of the picture that the sheet shows: around the faces of `tracks`, with the picture's proportions."""
    boxes = np.concatenate([t.boxes for t in tracks])
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    scale = min(float(_AROUND * ((high - low) / (width, height)).max()), 1.0)
    w, h = max(round(width * scale), 1), max(round(height * scale), 1)
    x, y = np.clip(((low + high) / 2 - (w / 2, h / 2)).round(), 0, (width - w, height - h)).astype(int).tolist()
    return Roi(x, y, x + w, y + h)


def column(number: int, plate: Frame, composite: Frame, patch: Patch, part: Roi) -> Column:
    """Scale the region `part` of one frame to the size of the sheet."""
    scale = min(_CELL / max(part.width, part.height), 1.0)
    size = max(round(part.width * scale), 1), max(round(part.height * scale), 1)
    matte = np.zeros((plate.height, plate.width), np.float32)
    if cut := inside(patch, plate.width, plate.height):
        roi, rgba = cut
        matte[roi.slices] = rgba[..., 3]
    grey = (np.clip(matte[part.slices], 0, 1) * 255 + 0.5).astype(np.uint8)
    pictures = (plate.rgb8()[part.slices], composite.rgb8()[part.slices], np.dstack([grey] * 3))
    small = (np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for p in pictures)
    return Column(number, *small)


def contact_sheet(columns: list[Column]) -> Image8:
    """Lay columns out with their frame numbers above and the names of the rows at the left; uint8 [H, W, 3]."""
    height, width = columns[0].plate.shape[:2]
    left = 84
    pitch_x, pitch_y = max(width, 48) + _GAP, height + _GAP
    sheet = np.full((_LABEL + len(_ROWS) * pitch_y, left + len(columns) * pitch_x, 3), 24, np.uint8)
    for row, name in enumerate(_ROWS):
        _write(sheet, name, 6, _LABEL + row * pitch_y + height // 2 + 5)
    for i, entry in enumerate(columns):
        x = left + i * pitch_x
        _write(sheet, str(entry.number), x, _LABEL - 7)
        for row, picture in enumerate((entry.plate, entry.composite, entry.matte)):
            y = _LABEL + row * pitch_y
            sheet[y : y + height, x : x + width] = picture
    return sheet


def persons_sheet(footage: Footage, faces: Faces, persons: Sequence[ShotPerson]) -> Image8:
    """Show the faces of persons, a row each with its number and its tracks at the left; uint8 [H, W, 3]. Raises FootageError."""
    by_id, left = {track.id: track for track in faces.tracks}, 150
    rows = [[(by_id[id], int(row)) for id in person.tracks for row in looks_of(by_id[id])] for person in persons]
    shown = [[row[i] for i in sorted(pick(0, len(row) - 1))] for row in rows]
    places = {
        (int(track.frames[at]), y, x): (track, at) for y, row in enumerate(shown) for x, (track, at) in enumerate(row)
    }
    pitch = SIZE + _GAP
    columns = max(map(len, shown), default=0)
    sheet = np.full((max(len(rows), 1) * pitch, left + columns * pitch, 3), 24, np.uint8)
    for (frame, y, x), (track, at) in sorted(places.items(), key=lambda place: place[0]):
        chip = crop(footage.frame(frame).rgb8(), chip_transforms(track.landmarks[at : at + 1]), SIZE)[0]
        sheet[y * pitch : y * pitch + SIZE, left + x * pitch : left + x * pitch + SIZE] = chip
    for y, person in enumerate(persons):
        tracks = ", ".join(map(str, person.tracks[:4])) + (", ..." if len(person.tracks) > 4 else "")
        for line, text in enumerate((f"person {person.number}", f"tracks {tracks}")):
            _write(sheet, text, 6, y * pitch + 60 + line * _LABEL)
    return sheet


def write_png(path: Path, picture: Image8) -> None:
    """Write display-referred sRGB uint8 or uint16 [H, W, 3], with alpha [H, W, 4], or grey [H, W], as PNG; raises OutputError."""
    channels = [2, 1, 0, 3][: picture.shape[-1]]
    _, data = cv2.imencode(".png", picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., channels]))
    with whole_file(path, sync=False) as temporary:
        temporary.write_bytes(data.tobytes())


def _write(sheet: Image8, text: str, x: int, y: int) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (220, 220, 220), 1, cv2.LINE_AA)


_HALF_WIDTH, _HALF_HEIGHT = 640, 640  # of each half: a preview must not cost more than the shot


def side_by_side(plate: Frame, composite: Frame) -> Image8:
    """Return both pictures beside each other, uint8 [h, 2 w, 3], neither side of one above 640."""
    return np.hstack([_small(plate), _small(composite)])


def _small(frame: Frame) -> Image8:
    # Not the frame's thumbnail: the plate's picture is converted already.
    picture = frame.rgb8()
    scale = min(_HALF_WIDTH / frame.width, _HALF_HEIGHT / frame.height)
    if scale >= 1:
        return picture
    size = max(round(frame.width * scale / 2), 1) * 2, max(round(frame.height * scale / 2), 1) * 2
    # Averaging is quick by whole factors only; the rest is less than a halving, which sampling does without aliasing.
    factor = int(1 / scale)
    if factor > 1:
        whole = frame.width // factor, frame.height // factor
        part = picture[: whole[1] * factor, : whole[0] * factor]
        picture = np.asarray(cv2.resize(part, whole, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
