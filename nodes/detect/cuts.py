"""Cut detection on the frames as they pass, in order."""

from __future__ import annotations

import cv2

from nodes.footage.frame import Frame
from nodes.types import Image8


def scene_change(before: Image8, after: Image8) -> float:
    """Return the mean absolute difference in hue (0..179), saturation and value (0..255) of two pictures [h, w, 3] of one size.

    This is the content value of PySceneDetect's ContentDetector (Castellano), with its default weights.
    """
    return float(cv2.absdiff(*(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV) for picture in (before, after))).mean())


class CutDetector:
    """A detector of the frames that begin a new scene, fed in order.

    A frame unlike the last one is held back until the next arrives. If that is like the last again, the frame between
    was a flash or a black frame, not a cut, and is dropped: it belongs to no scene.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
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
        return self._last is not None and scene_change(self._last, thumbnail) >= self._threshold
