"""Find the object in one frame by its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.align.registration.features import Features, match, match_near
from nodes.align.registration.fit import fit, plausible, polish, spread
from nodes.align.registration.parameters import Transform
from nodes.align.registration.reference import SIDE, Reference, features_of
from nodes.geometry.homography import apply_homography, corners_of
from nodes.geometry.similarity import Double
from nodes.types import Image8, Roi

_WHOLE = 1600  # pixels of the longer side of what is searched at once
_POINTS = 5000
_REACH = 0.4  # of the object's size, how far it may move from one frame to the next and still be looked for there first
_AGREE, _AGREE_FINELY = 3.0, 1.5  # pixels of the picture that is searched
_NEAR = 4.0
_KEPT = 0.7  # of the points that agreed at first


@dataclass(frozen=True, slots=True)
class Sighting:
    """The object in one frame. to_plate: [3, 3]. score: share of the matched features that agree with it."""

    to_plate: Double
    score: float


def search(
    reference: Reference, grey: Image8, model: Transform, min_score: float, last: Double | None = None
) -> Sighting | None:
    """Find the object in a frame [H, W]; None where it is not to be seen.

    last: where it was in the frame before, [3, 3]: it is looked for there first, which is quicker and less easily misled.
    """
    if last is not None:
        found = _search_near(reference, grey, model, min_score, last)
        if found is not None:
            return found
    whole = Roi(0, 0, grey.shape[1], grey.shape[0])
    shrink = min(1.0, _WHOLE / max(grey.shape))
    found = _search_in(reference, grey, whole, shrink, model, min_score)
    if found is None or shrink == 1:
        return found
    return _search_near(reference, grey, model, min_score, found.to_plate) or found


def _search_near(
    reference: Reference, grey: Image8, model: Transform, min_score: float, last: Double
) -> Sighting | None:
    there = apply_homography(last, corners_of(*reference.size))
    reach = np.ptp(there, axis=0) * _REACH + 16
    low = np.clip(np.floor(there.min(0) - reach), 0, None).astype(int)
    high = np.minimum(np.ceil(there.max(0) + reach), grey.shape[::-1]).astype(int)
    near = Roi(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    if near.empty or min(near.width, near.height) < 16:
        return None
    shrink = min(1.0, SIDE / float(np.ptp(there, axis=0).max()))
    return _search_in(reference, grey, near, shrink, model, min_score)


def _search_in(
    reference: Reference, grey: Image8, roi: Roi, shrink: float, model: Transform, min_score: float
) -> Sighting | None:
    seen = features_of(grey[roi.slices], shrink, _POINTS)
    seen = Features(seen.points + np.array([roi.x0, roi.y0]), seen.descriptors)
    pairs = match(reference.features, seen)
    one, other = reference.features.points, seen.points
    frame = grey.shape[1], grey.shape[0]
    found = fit(one[pairs[:, 0]], other[pairs[:, 1]], model, _AGREE / shrink)
    if found is None or not plausible(found[0], reference.size, frame):
        return None
    matrix, agree = found
    score = float(agree.mean())
    if score < min_score or not spread(one[pairs[agree, 0]], reference.size):
        return None
    # Knowing roughly where it is, more of its points are recognised, and it is known better.
    more = match_near(reference.features, seen, apply_homography(matrix, one), _NEAR / shrink)
    again = fit(one[more[:, 0]], other[more[:, 1]], model, _AGREE_FINELY / shrink)
    if again is not None and again[1].sum() >= agree.sum() * _KEPT:
        chosen = more[again[1]]
        better = polish(again[0], one[chosen[:, 0]], other[chosen[:, 1]], model)
        if plausible(better, reference.size, frame):
            matrix = better
    return Sighting(matrix, score)
