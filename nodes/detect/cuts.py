"""Cuts, found while the frames go by, by PySceneDetect's measure of change in hue, saturation and brightness."""

from __future__ import annotations

from scenedetect import FrameTimecode
from scenedetect.detectors import ContentDetector

from nodes.footage.frame import Frame
from nodes.types import Image8

_TIMES = FrameTimecode(0, 25.0), FrameTimecode(1, 25.0)


class CutDetector:
    """Says with which frames, taken in order, a new scene begins.

    A frame unlike the last one is held back until the next has come. When that one is like the last again, the frame
    between was no cut but a flash or a black frame, and it is dropped: it belongs to no scene.
    """

    def __init__(self, threshold: float) -> None:
        # With a minimum length of no frames it only compares, and remembers nothing but the frame before.
        self._measure = ContentDetector(threshold, min_scene_len=0)
        self._last: Image8 | None = None
        self._held: tuple[Frame, Image8] | None = None

    def take(self, frame: Frame, thumbnail: Image8) -> list[tuple[Frame, bool]]:
        """Take the next frame, and a small picture of it [h, w, 3] whose size never changes.

        Returns the frames that are certain now, and whether a new scene begins with each.
        """
        certain = self.rest() if self._held is not None and self._cuts_to(thumbnail) else []
        if self._cuts_to(thumbnail):
            self._held = frame, thumbnail
            return certain
        self._held, self._last = None, thumbnail
        return [*certain, (frame, False)]

    def rest(self) -> list[tuple[Frame, bool]]:
        """Return the frame that is still held back, if there is one: no other came after it."""
        if self._held is None:
            return []
        frame, self._last = self._held
        self._held = None
        return [(frame, True)]

    def _cuts_to(self, thumbnail: Image8) -> bool:
        if self._last is None:
            return False
        self._measure.process_frame(_TIMES[0], self._last)
        return bool(self._measure.process_frame(_TIMES[1], thumbnail))
