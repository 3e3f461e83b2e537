"""Marks: detections of a shot as transparent pictures, which a host lays over the plate."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from nodes.footage.info import FootageInfo
from nodes.geometry.homography import apply_homography, corners_of
from nodes.shot.aligned.document import load_transforms
from nodes.shot.aligned.folder import LANDMARKS
from nodes.shot.sheet import write_png
from nodes.types import Faces, Image8

MARKS = "marks"
_COLOURS = ((255, 196, 0), (0, 200, 255), (255, 90, 160), (120, 230, 80), (190, 130, 255))  # of tracks, in turn


class Mark(NamedTuple):
    """One face in a frame: an outline [4, 2] in plate pixels, and its landmarks [N, 2]; without them its track's id is drawn."""

    track: int
    outline: Any
    landmarks: Any = None


def mark_boxes(folder: Path, faces: Faces, info: FootageInfo) -> None:
    """Draw the boxes of faces with the ids of their tracks: `marks/marks.NNNN.png` in `folder`, by the plate's numbers. Raises OutputError."""
    marks: dict[int, list[Mark]] = defaultdict(list)
    for track in faces.tracks:
        for frame, (x0, y0, x1, y1) in zip(track.frames.tolist(), track.boxes, strict=True):
            marks[info.first + frame].append(Mark(track.id, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])))
    first = info.first + faces.first
    _write(folder, info, range(first, first + faces.count), marks)


def mark_landmarks(folder: Path, info: FootageInfo) -> None:
    """Draw the landmarks of the aligned images in `folder`, and the outlines of their crops, as `mark_boxes` does. Raises SchemaError and OutputError."""
    transforms = load_transforms(folder)
    marks: dict[int, list[Mark]] = defaultdict(list)
    for image, points in zip(transforms.images, np.load(folder / LANDMARKS, allow_pickle=False), strict=True):
        outline, landmarks = (apply_homography(image.to_plate, p) for p in (corners_of(*image.size), points[:, :2]))
        marks[image.frame].append(Mark(image.track, outline, landmarks))
    assert transforms.range is not None  # of a clip
    _write(folder, info, range(transforms.range.first, transforms.range.last + 1), marks)


def _write(folder: Path, info: FootageInfo, numbers: range, marks: dict[int, list[Mark]]) -> None:
    for old in (folder / MARKS).glob(f"{MARKS}.*.png"):
        old.unlink()
    for number in numbers:
        picture = np.zeros((info.height, info.width, 4), np.uint8)
        for mark in marks.get(number, ()):
            _draw(picture, mark)
        write_png(folder / MARKS / f"{MARKS}.{number:04d}.png", picture)


def _draw(picture: Image8, mark: Mark) -> None:
    line = max(1, len(picture) // 240)
    colour = (*_COLOURS[mark.track % len(_COLOURS)], 255)
    cv2.polylines(picture, [np.round(mark.outline).astype(np.int32)], True, colour, line)
    if mark.landmarks is None:
        x, y = (round(float(v)) for v in np.maximum(mark.outline[0], 0) + np.array((3, 13)) * line)
        cv2.putText(picture, str(mark.track), (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5 * line, colour, line)
        return
    for x, y in np.round(mark.landmarks - (line - 1) / 2).astype(int).tolist():
        cv2.rectangle(picture, (x, y), (x + line - 1, y + line - 1), colour, -1)
