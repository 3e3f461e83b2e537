"""The smooth step, apart from smoothing because subjects need it without scipy."""

from __future__ import annotations

import numpy as np

from nodes.types import Float


def smoothstep(x: Float) -> Float:
    """Apply the cubic 3x² - 2x³ to values clipped to 0..1."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)
