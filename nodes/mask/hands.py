"""Hands before a face, found where the occlusion network suspects one: drawn as filled hands, they say where to look closer."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from nodes.definitions import DetectParameters
from nodes.detect.finder import Finder, finder_of
from nodes.footage.frame import Frame
from nodes.geometry.sampling import invert, transform_points
from nodes.subjects.subject import load_subject
from nodes.types import Float

_FINGERS = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20]]
_PALM = [0, 1, 5, 9, 13, 17]
_WRIST, _KNUCKLE = 0, 9
_THICK = 0.24  # of the way from the wrist to the middle knuckle: thickness of a finger
_SUBPIXEL = 4  # bits
_SOFT = 0.006  # of the crop: σ of the edge
_PALM_SCORE = 0.6


def draw_hands(frame: Frame, to_plate: Float, size: int) -> Float:
    """Draw the hands that are found in a frame, in a crop: coverage [size, size], 0..1. to_plate: [2, 3], crop pixels → plate pixels."""
    finder, drawn = _finder(), np.zeros((size, size), np.uint8)
    parameters = DetectParameters(subject="hand", min_score=_PALM_SCORE)
    palms = next(iter(finder.searches(frame, parameters, turned=False, small=False)))
    if not len(palms.scores):
        return np.zeros((size, size), np.float32)
    found = finder.look(frame.rgb8(), finder.first_squares(palms))
    for points in found.landmarks[found.scores > finder.sure]:
        hand = transform_points(invert(to_plate), points[:, :2])
        fixed = np.round((hand - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
        wide = max(round(_THICK * float(np.linalg.norm(hand[_WRIST] - hand[_KNUCKLE]))), 1)
        cv2.fillConvexPoly(drawn, cv2.convexHull(fixed[_PALM]), 255, cv2.LINE_AA, _SUBPIXEL)
        for finger in _FINGERS:
            cv2.polylines(drawn, [fixed[finger]], False, 255, wide, cv2.LINE_AA, _SUBPIXEL)
        cv2.polylines(drawn, [fixed[_PALM]], True, 255, wide, cv2.LINE_AA, _SUBPIXEL)
    return np.asarray(cv2.GaussianBlur(drawn / np.float32(255), (0, 0), _SOFT * size), np.float32)


@cache
def _finder() -> Finder:
    return finder_of(load_subject("hand"))
