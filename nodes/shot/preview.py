"""The picture of the preview movie: the plate at the left, the composite at the right, small enough to play anywhere."""

from __future__ import annotations

import numpy as np

from nodes.footage import Frame
from nodes.types import Image8

_WIDTH, _HEIGHT = 960, 1080  # of each half


def side_by_side(plate: Frame, composite: Frame) -> Image8:
    """Return both pictures beside each other, uint8 [h, 2 w, 3], w at most 960 and h at most 1080."""
    scale = min(_WIDTH / plate.width, _HEIGHT / plate.height)
    if scale >= 1:
        return np.hstack([plate.rgb8(), composite.rgb8()])
    size = max(round(plate.width * scale / 2), 1) * 2, max(round(plate.height * scale / 2), 1) * 2
    return np.hstack([plate.thumbnail(*size), composite.thumbnail(*size)])
