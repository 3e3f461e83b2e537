"""S3FD through the optional `face-alignment` package, and the download of that package's weights.

Slower than the embedded detectors, and better on profiles and small faces. Zhang et al. 2017, "S3FD: Single Shot
Scale-invariant Face Detector".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from nodes.detect.blazeface import Detections
from nodes.errors import MissingDependencyError, ModelError
from nodes.types import Image8

_log = logging.getLogger(__name__)


def library_weights(url: str, instead: str) -> Path:
    """Return the file of the weights at `url`, in `checkpoints` below torch's hub folder; download it if missing.

    instead: a remedy without it. Raises ModelError, which names the file.
    """
    from torch.hub import HASH_REGEX, download_url_to_file, get_dir

    file = Path(get_dir(), "checkpoints", Path(urlsplit(url).path).name)
    if not file.is_file():
        digest = HASH_REGEX.search(file.name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            download_url_to_file(url, str(file), digest and digest[1], progress=False)
        except (OSError, RuntimeError) as e:  # RuntimeError: the hash of the download does not match its name
            raise ModelError(
                f"is missing, and cannot be downloaded from {url} ({e})",
                file=file,
                remedy=f"Put it there from a machine that can, or {instead}",
            ) from e
    return file


@contextmanager
def loading(file: Path) -> Iterator[None]:
    """Turn the library's errors for a file of weights that is damaged, or of another network, into ModelError."""
    try:
        yield
    except Exception as e:  # the errors of torch's loader share no base class
        _log.debug("%s cannot be loaded", file, exc_info=True)
        reason = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
        raise ModelError(
            f"does not hold the weights that its name says ({reason})",
            file=file,
            remedy="Delete it: it is downloaded again",
        ) from e


# Where the eyes lie in an upright S3FD box, in fractions of it: the mesh only needs to know that they are level.
_EYES = np.array([[0.3, 0.4], [0.7, 0.4]], np.float32)


_LEAST = 64  # pixels a side: least input of the network's last layers


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
        # Given by path, the file is read without pickles; the default threshold would hide scores below 0.5.
        return sfd_detector.SFDDetector(device, path_to_detector=str(file), filter_threshold=0.0)


def find_faces(image: Image8, min_score: float) -> Detections:
    """Find the faces of one RGB image [H, W, 3]; coordinates in its pixels, scores from 0.05 on.

    Raises MissingDependencyError without the package, ModelError without its weights.
    """
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, max(_LEAST - height, 0)), (0, max(_LEAST - width, 0)), (0, 0)))
    boxes = np.array(_detector().detect_from_image(padded), np.float32).reshape(-1, 5)
    boxes = boxes[boxes[:, 4] >= min_score]
    corner, size = boxes[:, None, :2], boxes[:, None, 2:4] - boxes[:, None, :2]
    keypoints = np.repeat(corner + size * _EYES, 3, axis=1)[:, [0, 3, 1, 2, 4, 5]]
    return Detections(boxes[:, :4], keypoints, boxes[:, 4])
