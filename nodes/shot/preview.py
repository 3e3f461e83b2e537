"""The picture of the preview movie: the plate at the left, the composite at the right, small enough to play anywhere."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.footage.frame import Frame
from nodes.types import Image8

_WIDTH, _HEIGHT = 640, 640  # of each half: a preview shall not cost more than the shot


def side_by_side(plate: Frame, composite: Frame) -> Image8:
    """Return both pictures beside each other, uint8 [h, 2 w, 3], neither side of one above 640."""
    return np.hstack([_small(plate), _small(composite)])


def _small(frame: Frame) -> Image8:
    # Not the frame's thumbnail: the plate's picture is converted already.
    picture = frame.rgb8()
    scale = min(_WIDTH / frame.width, _HEIGHT / frame.height)
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
