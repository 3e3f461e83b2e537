"""Smoothing: zero-phase filters over the frames of a track."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d
from scipy.signal import savgol_filter

from nodes.geometry.similarity import nearest_rotation
from nodes.types import Float

_ORDER = 3
_REACH = 5  # frames, at least, within whose range the smoothed value stays


def window_length(seconds: float, rate: float) -> int:
    """Return the odd number of frames that `seconds` last; 1 means no smoothing."""
    return 2 * round(seconds * rate / 2) + 1


def smooth(values: Float, window: int) -> Float:
    """Smooth [T, ...] over time by local cubics, so that quick motion keeps its extremes and nothing lags.

    window: odd number of frames; up to 3 leaves the values as they are. Savitzky & Golay 1964, "Smoothing and
    differentiation of data by simplified least squares procedures".
    """
    window = min(window, len(values) - (len(values) + 1) % 2)
    if window <= _ORDER:
        return values
    smoothed = savgol_filter(values, window, _ORDER, axis=0, mode="interp")
    # A cubic overshoots beside a sudden change, such as a mouth that snaps shut: stay within the actual values.
    reach = max(_REACH, window // 2 | 1)
    low, high = (f(values, reach, axis=0, mode="nearest") for f in (minimum_filter1d, maximum_filter1d))
    return np.clip(smoothed, low, high).astype(np.float32)


def smooth_rotations(rotations: Float, window: int) -> Float:
    """Smooth rotation matrices [T, D, D]: entry by entry, then back to the nearest rotation."""
    return nearest_rotation(smooth(rotations, window))


def blur(values: Float, sigma: float) -> Float:
    """Blur [T, ...] over time by a Gaussian of `sigma` frames: for values that should drift, not follow."""
    if sigma <= 0 or len(values) < 2:
        return values
    return gaussian_filter1d(values, sigma, axis=0, mode="nearest").astype(np.float32)
