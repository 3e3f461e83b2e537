"""Registration: the place of a rigid object's reference picture in every frame of a clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from nodes.align.registration.ecc import refine
from nodes.align.registration.features import ReferencePicture, prepare
from nodes.align.registration.search import Sighting, plausible, search
from nodes.definitions import RegisterParameters, Registrar, Transform
from nodes.footage.frame import Frame
from nodes.geometry.homography import apply_homography, corners_of, from_corners, nearest_similarity, roi_around
from nodes.geometry.sampling import warp
from nodes.geometry.similarity import Double
from nodes.geometry.smoothing import smooth, window_length
from nodes.types import Bool, Float, Image8, Int, Roi

_CARRIED = (
    0.5  # least correlation where only the frame before locates it: motion blur leaves this, wrong places reach 0.25
)
_LOST = Sighting(np.full((3, 3), np.nan), 0.0)


@dataclass(frozen=True, slots=True)
class Registration:
    """One object in T frames of a clip.

    size: width and height of the reference in pixels. frames: int64 [T], indices into the footage. to_plate: float64
    [T, 3, 3], reference pixels → plate pixels, last entry 1; a similarity has 0 0 1 in its last row; not a number where the
    object was not found. scores: [T], share of the features that agree, or correlation coefficient; 0 where it was not
    found. found: bool [T]. model: what kind of transform they are.
    """

    size: tuple[int, int]
    frames: Int
    to_plate: Double
    scores: Float
    found: Bool
    model: Transform = Transform.HOMOGRAPHY

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def corners(self) -> Double:
        """The reference's corners in plate pixels, [T, 4, 2], clockwise from its top left."""
        return apply_homography(self.to_plate, corners_of(*self.size))

    def smoothed(self, window: int, cuts: Iterable[int] = ()) -> Registration:
        """Return the same with its corners smoothed over `window` frames, odd; never across a cut or a frame without the object.

        cuts: the first frame of each scene but the first. See :func:`nodes.geometry.smoothing.smooth`.
        """
        to_plate = self.to_plate.copy()
        begins = np.flatnonzero(np.diff(self.found) | (np.diff(self.frames) > 1) | np.isin(self.frames[1:], list(cuts)))
        for run in np.split(np.arange(len(self)), begins + 1):
            if len(run) > 1 and self.found[run[0]]:
                corners = smooth(self.corners[run].astype(np.float32), window).astype(np.float64)
                fit_transform = from_corners if self.model is Transform.HOMOGRAPHY else nearest_similarity
                to_plate[run] = fit_transform(corners_of(*self.size), corners)
        return replace(self, to_plate=to_plate)


def register(
    frames: Iterable[Frame],
    reference: Image8,
    mask: Image8 | None = None,
    parameters: RegisterParameters | None = None,
    *,
    rate: float = 25.0,
    cuts: Iterable[int] = (),
    file: Path | str | None = None,
) -> Registration:
    """Find a rigid object in every frame, in one pass.

    reference: RGB picture [H, W, 3], uint8, of the object alone. mask: [H, W],
    not zero where the reference shows it. rate, cuts: for smoothing. file: of the reference, for
    errors. Raises FaceplateError for a reference with too little texture. A frame without the object is not an
    error: it is not `found`.
    """
    parameters = parameters or RegisterParameters()
    prepared = prepare(reference, mask, file=file)
    indices, sightings = [], []
    last: Double | None = None
    for frame in frames:
        grey = np.asarray(cv2.cvtColor(frame.rgb8(), cv2.COLOR_RGB2GRAY), np.uint8)
        sighting = _look(prepared, grey, parameters, last)
        last = None if sighting is None else sighting.to_plate
        indices.append(frame.index)
        sightings.append(sighting or _LOST)
    scores = np.array([s.score for s in sightings], np.float32)
    registration = Registration(
        prepared.size,
        np.array(indices, np.int64),
        np.array([s.to_plate for s in sightings], np.float64).reshape(-1, 3, 3),
        scores,
        np.array([s is not _LOST for s in sightings], bool),
        parameters.model,
    )
    window = window_length(parameters.smoothing, rate)
    return registration.smoothed(window, cuts) if window > 1 else registration


def _look(
    reference: ReferencePicture, grey: Image8, parameters: RegisterParameters, last: Double | None
) -> Sighting | None:
    by_features = parameters.method is Registrar.FEATURES
    # With ecc the correlation decides; the features need only agree more often than by chance.
    least = parameters.min_score if by_features else min(parameters.min_score, RegisterParameters().min_score)
    sighting = search(reference, grey, parameters.model, least, last)
    if by_features or (sighting is None and last is None):
        return sighting
    # A frame too blurred for features may still be aligned by intensity, from the object's last place.
    start, least = (last, max(_CARRIED, least)) if sighting is None else (sighting.to_plate, parameters.min_score)
    if start is None:
        return None
    to_plate, correlation = refine(reference.grey, reference.mask, grey, start, parameters.model)
    valid = correlation >= least and plausible(to_plate, reference.size, (grey.shape[1], grey.shape[0]))
    return Sighting(to_plate, correlation) if valid else None


def at_size(to_plate: Double, size: tuple[int, int], other: tuple[int, int]) -> Double:
    """Restate transforms [..., 3, 3] for crops of another size (width, height) that show the same rectangle."""
    return np.asarray(to_plate @ np.diag([size[0] / other[0], size[1] / other[1], 1.0]), np.float64)


def inverse_warp(
    crop: np.ndarray, to_plate: Double, frame: tuple[int, int], matte: Float | None = None
) -> tuple[Roi, np.ndarray, Float]:
    """Warp a crop back to its place in the plate.

    crop: [h, w] or [h, w, C], uint8 or float32. to_plate: [3, 3]. frame: width and height of the plate. matte: [h, w], 0..1,
    of the crop, by default all of it. Returns the rectangle of the plate that it touches, the crop in it [roi.height,
    roi.width(, C)], not multiplied, and its alpha [roi.height, roi.width], 0..1.
    """
    height, width = crop.shape[:2]
    corners = apply_homography(to_plate, corners_of(width, height))
    roi = roi_around(corners, frame, 1)
    if roi.empty:
        return Roi(0, 0, 0, 0), np.zeros((0, 0, *crop.shape[2:]), crop.dtype), np.zeros((0, 0), np.float32)
    to_crop = np.asarray(np.linalg.inv(to_plate), np.float64)
    matte = np.ones((height, width), np.float32) if matte is None else matte.astype(np.float32)
    alpha = warp(matte, to_crop, roi, cv2.BORDER_CONSTANT, cv2.INTER_LINEAR, corners)
    return roi, warp(crop, to_crop, roi, at=corners), np.clip(alpha, 0, 1)
