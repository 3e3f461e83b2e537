# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the landmarks of faces on the plate, and around each the outline of its crop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import drawing


def draw(aligned: Path, folder: Path, numbers: range) -> None:
    """Write `landmarks.NNNN.png` of these frames, by the plate's own numbers, from a folder of `faceplate.transforms/1`."""
    document = json.loads((aligned / "transforms.json").read_text("utf-8"))
    if document["schema"] != "faceplate.transforms/1":
        raise ValueError(f"{aligned} is {document['schema']}, which this extension does not know: install it again")
    points = np.load(aligned / "landmarks.npy", allow_pickle=False)
    shape = document["footage"]["height"], document["footage"]["width"]
    faces: dict[int, list[tuple[Any, Any]]] = {}
    for image, found in zip(document["images"], points, strict=True):
        faces.setdefault(image["frame"], []).append((image, found))

    def pictures() -> Iterator[tuple[int, Any]]:
        for number in numbers:
            yield number, _picture(shape, faces.get(number, []))

    drawing.write_sequence(folder, "landmarks", pictures())


def _picture(shape: tuple[int, int], faces: list[tuple[Any, Any]]) -> Any:
    picture = np.zeros((*shape, 4), np.uint8)
    line = drawing.width_of_lines(shape[0])
    for image, found in faces:
        to_plate = np.array(image["to_plate"])
        colour = drawing.colour_of(image["track"])
        width, height = image["size"]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)])
        drawing.outline(picture, corners @ to_plate[:, :2].T + to_plate[:, 2], line, colour)
        drawing.dots(picture, found[:, :2] @ to_plate[:, :2].T + to_plate[:, 2], line, colour)
    return picture
