"""Boxes of faces and crops of aligned images, as corners in plate pixels."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from nodes.footage.info import FootageInfo
from nodes.geometry.homography import apply_homography, corners_of
from nodes.shot.aligned.document import load_transforms
from nodes.shot.fuse.index import FOLDER, Corners, write_index
from nodes.types import Faces


def write_boxes(folder: Path, faces: Faces, info: FootageInfo) -> Path:
    """Write the index of what was detected into `folder/fusion`; returns it. Raises OutputError."""
    found: dict[int, list[tuple[int, Corners]]] = defaultdict(list)
    for track in faces.tracks:
        for frame, (x0, y0, x1, y1) in zip(track.frames.tolist(), track.boxes.tolist(), strict=True):
            found[info.first + frame].append((track.id, ((x0, y0), (x1, y0), (x1, y1), (x0, y1))))
    first = info.first + faces.first
    return write_index(folder / FOLDER, "detect", info, first, outlines=found, count=faces.count)


def write_crops(folder: Path, info: FootageInfo) -> Path:
    """Write the index of the aligned images in `folder` into `folder/fusion`; returns it. Raises SchemaError and OutputError."""
    transforms = load_transforms(folder)
    found: dict[int, list[tuple[int, Corners]]] = defaultdict(list)
    for entry in transforms.entries:
        corners = tuple((float(x), float(y)) for x, y in apply_homography(entry.to_plate, corners_of(*entry.size)))
        track = entry.file.split("/")[1]
        found[entry.frame].append((int(track) if track.isdecimal() else 0, corners))
    first, last = transforms.span
    return write_index(folder / FOLDER, "align", info, first, outlines=found, count=last - first + 1)
