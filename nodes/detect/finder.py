"""The interface of a finder, which finds one kind of subject in a frame.

A subject's document names its finder by `kind`: `face` and `hand` are networks that ship, `keypoints` is any network that gives
the coordinates of landmarks. The tracker, :mod:`nodes.detect.track`, is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect.blazeface import Detections
from nodes.errors import SchemaError
from nodes.footage.frame import Frame
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8

_THUMBNAIL = 256  # long side of the picture that is searched for cuts and subjects


@dataclass(frozen=True, slots=True)
class DetectedLandmarks:
    """Landmarks in B squares of a frame.

    landmarks: [B, L, 3], x, y and z in plate pixels. scores: [B], probability 0..1 of its presence.
    right: [B], probability that it is a right one, 1 for a subject without sides.
    """

    landmarks: Float
    scores: Float
    right: Float


class Finder(Protocol):
    """A finder of one kind of subject.

    sure: the score of `look` below which it is usually something else.
    """

    sure: float

    def searches(
        self, frame: Frame, parameters: DetectParameters, *, turned: bool, small: bool
    ) -> Iterator[Detections]:
        """Search a whole frame in one way after the other, the quickest first; detections in plate pixels.

        turned: also for subjects lying sideways or upside down; small: also for small ones.
        """

    def first_squares(self, detections: Detections) -> Float:
        """Lay squares to search for the landmarks of detections: [B, 2, 3], square pixels → plate pixels."""

    def next_squares(self, landmarks: Float) -> Float:
        """Lay squares to search for them again, around landmarks [B, L, >=2]: [B, 2, 3]."""

    def look(self, image: Image8, squares: Float) -> DetectedLandmarks:
        """Find the landmarks in squares [B, 2, 3] of a frame, in one batch."""


def thumbnail(frame: Frame, interpolation: int = cv2.INTER_LINEAR) -> Image8:
    """Make a small picture of the whole frame: sampled, which is enough to measure change between frames, or filtered."""
    scale = min(_THUMBNAIL / max(frame.width, frame.height), 1.0)
    size = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    picture = frame.rgb8()
    while interpolation == cv2.INTER_AREA and min(picture.shape[:2]) >= 4 * max(size):  # halves are much quicker
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation))


def finder_of(subject: Subject) -> Finder:
    """Make the finder of a subject; raises SchemaError for an invalid description, ModelError for its network."""
    kind = subject.finder.get("kind")
    if kind == "face":
        from nodes.detect.face import FaceFinder

        return FaceFinder()
    if kind == "hand":
        from nodes.detect.hand import HandFinder

        return HandFinder()
    if kind == "keypoints":
        from nodes.detect.keypoints import KeypointFinder

        return KeypointFinder(subject)
    raise SchemaError(
        f"names the finder '{kind}', which is not one of face, hand and keypoints",
        file=subject.file,
        remedy="Correct the document, or update Faceplate",
    )
