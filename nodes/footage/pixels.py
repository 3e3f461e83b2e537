"""OpenCV's channel operations on float32 pictures, with types: several times faster than strided numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from nodes.types import Float


def channel(array: Float, i: int) -> Float:
    """Return channel i of [h, w, C] as contiguous [h, w]."""
    return cast(Float, cv2.extractChannel(array, i))


def merge(parts: Sequence[npt.NDArray[Any]]) -> Float:
    """Stack [h, w] arrays as float32 [h, w, C]."""
    return cast(Float, cv2.merge([p.astype(np.float32, copy=False) for p in parts]))


def transform(array: Float, affine: npt.NDArray[np.float64]) -> Float:
    """Apply an affine map [3, 4] to the channels of [h, w, 3]."""
    return cast(Float, cv2.transform(array, affine))


def pad(array: Float, top: int, bottom: int, left: int, right: int, *, repeat: bool = False) -> Float:
    """Pad with zeros, or by repeating the edge."""
    kind = cv2.BORDER_REPLICATE if repeat else cv2.BORDER_CONSTANT
    return cast(Float, cv2.copyMakeBorder(array, top, bottom, left, right, kind, value=(0, 0, 0, 0)))
