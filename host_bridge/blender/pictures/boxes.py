# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the boxes of faces with the ids of their tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import drawing


def draw(faces: Path, folder: Path, first: int, last: int) -> None:
    """Write `boxes.NNNN.png` of the frames first..last, by the plate's own numbers, from a `faceplate.faces/2`."""
    with np.load(faces, allow_pickle=False) as document:
        header = json.loads(document["header"].tobytes())
        frames, found = document["frames"], document["boxes"]
    if header["schema"] not in ("faceplate.faces/1", "faceplate.faces/2"):  # their boxes are the same
        raise ValueError(f"{faces} is {header['schema']}, which this extension does not know: install it again")
    ids = np.repeat([t["id"] for t in header["tracks"]], [t["length"] for t in header["tracks"]]).astype(int)
    own = frames + first - header["first"]

    def pictures() -> Iterator[tuple[int, Any]]:
        for number in range(first, last + 1):
            here = own == number
            faces_here = zip(ids[here].tolist(), found[here], strict=True)
            yield number, _picture(header["width"], header["height"], faces_here)

    drawing.write_sequence(folder, "boxes", pictures())


def _picture(width: int, height: int, faces: Any) -> Any:
    picture = np.zeros((height, width, 4), np.uint8)
    line = drawing.width_of_lines(height)
    for id, (x0, y0, x1, y1) in faces:
        colour = drawing.colour_of(id)
        drawing.outline(picture, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), line, colour)
        drawing.number(picture, str(id), max(round(x0), 0) + 3 * line, max(round(y0), 0) + 3 * line, 2 * line, colour)
    return picture
