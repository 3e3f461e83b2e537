"""The classes of pixels that occlusion networks tell apart, in the order of their outputs."""

from __future__ import annotations

CLASSES = ("face", "hair", "hand", "glasses", "other")
SIZE = 160  # pixels a side of the crop that the embedded network takes
