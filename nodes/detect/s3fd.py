"""S3FD through the optional `face-alignment` package: slower, and better on profiles and small faces.

Zhang et al. 2017, "S3FD: Single Shot Scale-invariant Face Detector".
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nodes.detect.blazeface import Detections
from nodes.errors import MissingDependencyError
from nodes.types import Image8

# Where the eyes lie in an upright S3FD box, in fractions of it: the mesh only needs to know that they are level.
_EYES = np.array([[0.3, 0.4], [0.7, 0.4]], np.float32)


@cache
def _detector() -> Any:
    try:
        import torch
        from face_alignment.detection.sfd import FaceDetector
    except ImportError as e:
        raise MissingDependencyError(
            "the detector s3fd needs the package face-alignment",
            remedy="Use the embedded detectors with --detector auto, or install it with: pip install 'faceplate[fan]'",
        ) from e
    return FaceDetector(device="cuda" if torch.cuda.is_available() else "cpu")


def find_faces(image: Image8, min_score: float) -> Detections:
    """Find the faces of one image [H, W, 3]; coordinates in its pixels."""
    found = np.array(_detector().detect_from_image(image), np.float32).reshape(-1, 5)
    found = found[found[:, 4] >= min_score]
    corner, size = found[:, None, :2], found[:, None, 2:4] - found[:, None, :2]
    keypoints = np.repeat(corner + size * _EYES, 3, axis=1)[:, [0, 3, 1, 2, 4, 5]]
    return Detections(found[:, :4], keypoints, found[:, 4])
