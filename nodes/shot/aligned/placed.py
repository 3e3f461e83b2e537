"""Where one aligned image lies in its frame, whether landmarks or a reference picture placed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.align.pose import take_performance
from nodes.align.registration import Registration, at_size
from nodes.errors import FaceplateError
from nodes.footage.frame import Frame
from nodes.geometry.homography import apply_homography, stretch
from nodes.geometry.similarity import Double
from nodes.mask import check_regions, draw_regions
from nodes.subjects import Subject
from nodes.types import Float, Image8


@dataclass(frozen=True, slots=True)
class Placed:
    """One image: index: position of its frame. size: width and height. to_plate: float64 [3, 3], image pixels → plate pixels.

    box: [4], x0, y0, x1, y1 of the subject in plate pixels. yaw_pitch: [2], degrees. landmarks: [L, 3] in image pixels.
    """

    track: int
    index: int
    size: tuple[int, int]
    to_plate: Double
    score: float
    box: Float
    mirrored: bool = False
    yaw_pitch: Float | None = None
    landmarks: Float | None = None

    @property
    def to_crop(self) -> Double:
        """Plate pixels → image pixels, [3, 3]."""
        return np.asarray(np.linalg.inv(self.to_plate), np.float64)

    def figures(self) -> dict[str, float]:
        """Scale (plate pixels an image pixel), angle (degrees, clockwise) and position x, y (plate pixels) of the image's centre."""
        centre = np.array([self.size], np.float64) / 2
        across, down = stretch(self.to_plate, centre)[0].T
        x, y = apply_homography(self.to_plate, centre)[0]
        # The axis that points down is the same in a mirror.
        angle = np.degrees(np.arctan2(-down[0], down[1]))
        return {"scale": float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0]))), "angle": angle, "x": x, "y": y}


@dataclass(frozen=True, slots=True)
class Kind:
    """What all images of a folder have in common. about: as `transforms.json` tells it. mask: draws the mask [h, w] of one, 0..255."""

    about: dict[str, Any]
    mask: Callable[[Placed], Image8]


def by_landmarks(subject: Subject, coverage: float, regions: Sequence[str] | None) -> Kind:
    """Images of a subject; regions: what their masks show, by default all of it. Raises FaceplateError for one it has not."""
    check_regions(subject, regions)

    def draw(placed: Placed) -> Image8:
        assert placed.landmarks is not None
        mask = draw_regions(placed.landmarks[None], placed.size[0], subject, regions)[0]
        return np.asarray(np.rint(mask * 255), np.uint8)

    about = {
        "method": "landmarks",
        "subject": subject.name,
        "template": subject.template_id,
        "coverage": coverage,
        "transform": "similarity",
    }
    return Kind(about, draw)


def by_reference(reference: Frame, method: str, transform: str, size: int | None) -> tuple[Kind, tuple[int, int]]:
    """Images of an object, and their size: the reference's own, or `size` pixels on the longer side.

    Where the reference is transparent it does not show the object, nor do the masks.
    """
    scale = 1.0 if size is None else size / max(reference.width, reference.height)
    width, height = max(round(reference.width * scale), 1), max(round(reference.height * scale), 1)
    alpha = reference.alpha()
    if alpha is not None and not alpha.any():
        raise FaceplateError("is all transparent", file=reference.info.path, remedy="Give a picture of the object")
    whole = np.ones((reference.height, reference.width), np.float32) if alpha is None else alpha
    mask = np.rint(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
    about = {"method": method, "subject": None, "template": None, "coverage": None, "transform": transform}
    return Kind(about | {"reference": str(reference.info.path.absolute())}, lambda placed: mask), (width, height)


def place_alignment(alignment: Alignment) -> list[Placed]:
    """The images of one track, frame by frame."""
    track, side = alignment.track, (alignment.size, alignment.size)
    landmarks = alignment.landmarks
    pose = take_performance(track.landmarks, alignment.subject, mirrored=track.mirrored).yaw_pitch
    return [
        Placed(track.id, int(index), side, matrix, float(score), box, track.mirrored, turn, points)
        for index, matrix, score, box, turn, points in zip(
            track.frames, widened(alignment.to_plate), track.scores, track.boxes, pose, landmarks, strict=True
        )
    ]


def place_registration(registration: Registration, size: tuple[int, int]) -> list[Placed]:
    """The images of a registered object where it was found; one track, whose number is 0."""
    found = registration.found
    corners = registration.corners[found]
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)
    return [
        Placed(0, int(index), size, matrix, float(score), box)
        for index, matrix, score, box in zip(
            registration.frames[found],
            at_size(registration.to_plate[found], registration.size, size),
            registration.scores[found],
            boxes,
            strict=True,
        )
    ]


def widened(matrices: Float) -> Double:
    """Affine transforms [..., 2, 3] of any precision as [..., 3, 3] in float64, whose inverses are exact."""
    last = np.broadcast_to(np.array([0, 0, 1], np.float64), (*matrices.shape[:-2], 1, 3))
    return np.concatenate([np.asarray(matrices, np.float64), last], axis=-2)
