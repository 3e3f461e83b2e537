"""Palms: where hands are. The detector looks for palms, which change less than fingers do.

Zhang et al. 2020, "MediaPipe Hands: On-device Real-time Hand Tracking". Key points of a palm: wrist, knuckles of the index,
middle, ring and little finger, base and knuckle of the thumb.
"""

from __future__ import annotations

from nodes.detect.blazeface import Detections, at_any_angle, find
from nodes.types import Image8

WRIST, MIDDLE_KNUCKLE = 0, 2  # among the key points


def find_palms(image: Image8, min_score: float) -> Detections:
    """Find the palms of one image [H, W, 3]; key points [K, 7, 2], coordinates in its pixels."""
    return find(image, "palm", min_score)


def find_palms_at_any_angle(image: Image8, min_score: float) -> Detections:
    """As :func:`find_palms`, over the four quarter turns of the image; the best scoring of overlapping palms wins."""
    return at_any_angle(lambda turned: find_palms(turned, min_score), image)
