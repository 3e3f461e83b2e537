"""S3FD through the optional `face-alignment` package: slower, and better on profiles and small faces.

Zhang et al. 2017, "S3FD: Single Shot Scale-invariant Face Detector".
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nodes.detect.blazeface import Detections
from nodes.detect.library_weights import library_weights, loading
from nodes.errors import MissingDependencyError
from nodes.types import Image8

# Where the eyes lie in an upright S3FD box, in fractions of it: the mesh only needs to know that they are level.
_EYES = np.array([[0.3, 0.4], [0.7, 0.4]], np.float32)


_LEAST = 64  # pixels a side: of smaller images the network's last layers see nothing


@cache
def _detector() -> Any:
    try:
        import torch
        from face_alignment.detection.sfd import sfd_detector
    except ImportError as e:
        raise MissingDependencyError(
            "the detector s3fd needs the package face-alignment",
            remedy="Use the embedded detectors with --detector auto, or install it with: pip install 'faceplate[fan]'",
        ) from e
    file = library_weights(sfd_detector.models_urls["s3fd"], "use the embedded detectors with --detector auto")
    with loading(file):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        # Named, the file is read without pickles; its own threshold would hide what is below 0.5.
        return sfd_detector.SFDDetector(device, path_to_detector=str(file), filter_threshold=0.0)


def find_faces(image: Image8, min_score: float) -> Detections:
    """Find the faces of one RGB image [H, W, 3]; coordinates in its pixels, scores from 0.05 on.

    Raises MissingDependencyError without the package, ModelError without its weights.
    """
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, max(_LEAST - height, 0)), (0, max(_LEAST - width, 0)), (0, 0)))
    found = np.array(_detector().detect_from_image(padded), np.float32).reshape(-1, 5)
    found = found[found[:, 4] >= min_score]
    corner, size = found[:, None, :2], found[:, None, 2:4] - found[:, None, :2]
    keypoints = np.repeat(corner + size * _EYES, 3, axis=1)[:, [0, 3, 1, 2, 4, 5]]
    return Detections(found[:, :4], keypoints, found[:, 4])
