"""Preview of a training: a few crops and the model's output, as a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from nodes.shot.sheet import write_png
from nodes.types import Image8

_LEAST, _GAP, _LABEL = 128, 4, 22
_BACKGROUND, _TEXT = 24, (220, 220, 220)


def write_preview(views: Mapping[str, Tensor], path: Path) -> None:
    """Write views as a PNG, whole or not at all: a column for each picture, its name above, and a row for each crop.

    Pictures smaller than 128 pixels are enlarged by a whole factor, pixel by pixel, so that nothing looks better than it is.
    Raises OutputError.
    """
    columns = {name: _to_bytes(pictures) for name, pictures in views.items()}
    rows = max(len(p) for p in columns.values())
    side = max(p.shape[1] for p in columns.values())
    pitch = side + _GAP
    sheet = np.full((_LABEL + rows * pitch, len(columns) * pitch - _GAP, 3), _BACKGROUND, np.uint8)
    for number, (name, pictures) in enumerate(columns.items()):
        x = number * pitch
        cv2.putText(sheet, name, (x + 4, _LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT, 1, cv2.LINE_AA)
        for row, picture in enumerate(pictures):
            y = _LABEL + row * pitch
            sheet[y : y + len(picture), x : x + picture.shape[1]] = picture
    write_png(path, sheet)


def _to_bytes(pictures: Tensor) -> Image8:
    """Convert [R, 3, S, S], 0..1, to uint8 [R, S', S', 3]; not-a-number shows as black."""
    values = torch.nan_to_num(pictures.detach().float(), nan=0.0).clamp(0, 1)
    small: Image8 = values.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    factor = -(-_LEAST // small.shape[1])
    return small.repeat(factor, 1).repeat(factor, 2)
