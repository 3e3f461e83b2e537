"""Cuts, found while the frames go by, by PySceneDetect's measure of change in hue, saturation and brightness."""

from __future__ import annotations

from scenedetect import FrameTimecode
from scenedetect.detectors import ContentDetector
from scenedetect.detectors.content_detector import FlashFilter

from nodes.types import Image8


class CutDetector:
    """Says of each frame, in order, whether a new scene begins with it."""

    def __init__(self, threshold: float) -> None:
        # With a minimum length of one frame nothing is held back, so that the answer comes with the frame itself.
        self._measure = ContentDetector(threshold, min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)
        self._index = 0

    def begins_scene(self, thumbnail: Image8) -> bool:
        """Take the next frame, as a small picture [h, w, 3] whose size never changes."""
        found = self._measure.process_frame(FrameTimecode(self._index, 25.0), thumbnail)
        self._index += 1
        return bool(found)
