"""The smooth step, apart from smoothing because subjects need it without scipy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodes.types import Float


def smoothstep(x: npt.ArrayLike) -> Float:
    """Apply the cubic 3x² - 2x³ to values clipped to 0..1."""
    clipped = np.clip(x, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), np.float32)
