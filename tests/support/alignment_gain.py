"""The same frames cut twice: aligned, and by the detector's boxes alone, to measure what alignment is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from nodes.align import align
from nodes.definitions import AlignParameters
from nodes.detect import detect
from nodes.detect.blazeface import find_in_image
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop, invert, transform_points
from tests.support.memory import clip_of

_RIM = 0.03  # of the crop's side: how far in from the outline, where hair and background shine through


class Variance(NamedTuple):
    """Mean variance over the frames of a pixel's colour values 0..255, in parts of the crop; see :meth:`Cuts.variance`."""

    whole: float
    face: float
    inner: float


@dataclass(frozen=True)
class Cuts:
    """crops: uint8 [B, S, S, 3]. faces: bool [B, S, S], inside the outline of the face's landmarks."""

    crops: np.ndarray
    faces: np.ndarray

    def variance(self) -> Variance:
        """Of all pixels; of those that are face in at least half of the frames, over those frames; of those not at its rim."""
        reach = 2 * round(_RIM * self.crops.shape[1]) + 1
        inner = np.stack([cv2.erode(f, np.ones((reach, reach)), borderValue=0) for f in self.faces.astype(np.uint8)])
        parts = (np.ones_like(self.faces), self.faces, inner)
        return Variance(*(_variance(self.crops, part > 0) for part in parts))


def _variance(crops: np.ndarray, part: np.ndarray) -> float:
    values, weight = crops.astype(np.float64), part[..., None].astype(np.float64)
    count = np.maximum(weight.sum(0), 1)
    mean = (values * weight).sum(0) / count
    variance = ((values - mean) ** 2 * weight).sum(0) / count
    return float(variance[part.mean(0) >= 0.5].mean())


def cut_twice(clip: Path, every: int, size: int) -> tuple[Cuts, Cuts]:
    """Every n-th frame of a clip, aligned and unaligned; both show the same number of plate pixels, at the median.

    Unaligned: the detector's own box of that frame alone, made square about its centre, upright, enlarged by a factor that is
    the same for the whole clip. Aligned: each frame by itself, as if it were the only one.
    """
    with open_footage(clip) as footage:
        pictures = [frame.rgb8() for frame in footage.frames(0, footage.info.frames - 1) if frame.index % every == 0]
    shown, to_plate, points, boxes = [], [], [], []
    for picture in pictures:
        faces, found = detect(clip_of([picture])), find_in_image(picture, "short", 0.5)
        if faces.tracks and len(found):
            (aligned, *_) = align(faces, AlignParameters(size=size)).crops
            shown.append(picture)
            to_plate.append(aligned.to_plate[0])
            points.append(faces.tracks[0].landmarks[0, :, :2])
            boxes.append(found.boxes[found.scores.argmax()])
    low, high = np.split(np.stack(boxes), 2, axis=1)
    centre, side = (low + high) / 2, (high - low).max(1)
    step = side / size * np.median(np.sqrt(np.linalg.det(np.stack(to_plate)[:, :, :2])) * size / side)
    upright = np.concatenate([np.eye(2) * step[:, None, None], (centre - step[:, None] * size / 2)[..., None]], axis=-1)
    return tuple(_cut(shown, np.asarray(m, np.float32), np.stack(points), size) for m in (to_plate, upright))


def _cut(pictures: list[np.ndarray], to_plate: np.ndarray, points: np.ndarray, size: int) -> Cuts:
    crops = np.concatenate([crop(p, m[None], size) for p, m in zip(pictures, to_plate, strict=True)])
    faces = np.zeros(crops.shape[:3], np.uint8)
    for face, outline in zip(faces, transform_points(invert(to_plate), points), strict=True):
        cv2.fillConvexPoly(face, cv2.convexHull(np.round(outline - 0.5).astype(np.int32)), 1)
    return Cuts(crops, faces > 0)
