"""Fine detail of a new face against that of the source's frames, region by region, like with like.

Detail is what a band of fine structure holds over what a coarse one holds at the same place. Neither exposure, contrast nor a slow
change of light alters that, grain hardly does, and a blur of 0.7 pixels lowers it by about 0.15.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from nodes.mask.regions import draw_regions
from nodes.report.expression import group_of
from nodes.report.samples import HALF, Sample
from nodes.subjects import Subject
from nodes.types import Float

_BANDS = (
    0.7,
    1.5,
    6.0,
)  # standard deviations in pixels of the three blurs between which the fine and the coarse band lie
_MARGIN = 0.1  # template units around a region, for lashes and the rims of lips
_LEAST = 40.0  # pixels of a region in which detail can be measured
_NEAREST = 3  # source frames that a frame is compared with
_TURN = 20.0  # degrees between two frames that are still alike
_ACTING = 0.45  # root of the summed squares of coefficients' differences that is still alike
# Groups of coefficients that change how a region looks, and so must be alike.
_ACTED = {"eyes": ("lids",), "brows": ("brows",), "mouth": ("mouth", "jaw")}


def compared_regions(subject: Subject) -> dict[str, str]:
    """Regions to compare, by name, and what people call them: those that lie in another, and that other without them.

    Of a subject whose regions lie beside each other, all of them. The rest of a face, its forehead, may be hair.
    """
    outer = {region.of for region in subject.regions if region.of}
    names = [r.name for r in subject.regions if r.of or r.name in outer] or [r.name for r in subject.regions]
    return {name: "skin" if name in outer else name for name in names}


def sharpness(
    composite: Sequence[Sample], source: Sequence[Sample], subject: Subject, names: Sequence[str]
) -> dict[str, Float]:
    """Detail of N composite samples over that of the source frames most like each: region → [N], NaN where none is alike.

    Two samples are compared at the coarser one's scale. names: of the coefficients.
    """
    known: dict[tuple[int, float], dict[str, float]] = {}

    def detail_of(sample: Sample, scale: float) -> dict[str, float]:
        key = id(sample), round(scale, 3)
        if key not in known:
            known[key] = detail(sample, scale, subject)
        return known[key]

    def ratio(a: Sample, b: Sample, region: str) -> float:
        scale = min(a.scale, b.scale)
        return detail_of(a, scale)[region] / detail_of(b, scale)[region]

    out = {}
    for region in compared_regions(subject):
        acted = [i for i, n in enumerate(names) if group_of(n) in _ACTED.get(region, ())]
        apart = np.array([[_apart(c, s, acted) for s in source] for c in composite])
        ratios = np.full(len(composite), np.nan, np.float32)
        for i, sample in enumerate(composite):
            like = [source[k] for k in np.argsort(apart[i])[:_NEAREST] if apart[i, k] <= 1]
            found = [r for other in like if np.isfinite(r := ratio(sample, other, region))]
            if found:
                ratios[i] = np.median(found)
        out[region] = ratios
    return out


def _apart(a: Sample, b: Sample, acted: Sequence[int]) -> float:
    """How unlike two samples are; above 1 they cannot be compared."""
    turn = float(np.linalg.norm(a.turn - b.turn)) / _TURN
    acting = float(np.linalg.norm(a.coefficients[acted] - b.coefficients[acted])) / _ACTING
    return max(turn, acting)


def detail(sample: Sample, scale: float, subject: Subject) -> dict[str, float]:
    """Root mean square of the fine band over that of the coarse one, region by region, at `scale` pixels a template unit."""
    size = round(2 * HALF * scale)
    grey = (
        cv2.resize(sample.grey, (size, size), interpolation=cv2.INTER_AREA) if size < len(sample.grey) else sample.grey
    )
    size = len(grey)
    fine, middle, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in _BANDS)
    seen = _regions(sample.landmarks * (size / len(sample.grey)), size, subject)
    if sample.matte is not None:
        replaced = (cv2.resize(sample.matte, (size, size), interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
        seen = {name: mask * replaced for name, mask in seen.items()}

    def power(band: Float, mask: Float) -> float:
        return float((band**2 * mask).sum())

    return {
        name: float(np.sqrt(power(fine - middle, mask) / max(power(middle - coarse, mask), 1e-6)))
        if mask.sum() >= _LEAST
        else float("nan")
        for name, mask in seen.items()
    }


def _regions(landmarks: Float, size: int, subject: Subject) -> dict[str, Float]:
    """Masks of the compared regions, [size, size]: those that lie in another with a margin, that other without them and it."""
    names = compared_regions(subject)
    inner = [r.name for r in subject.regions if r.of]
    reach = 2 * round(_MARGIN * size / (2 * HALF)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    drawn = {name: draw_regions(landmarks[None], size, subject, [name])[0] for name in names}
    if not inner:
        return drawn
    shape = {name: cv2.MORPH_DILATE if name in inner else cv2.MORPH_ERODE for name in names}
    return {name: np.asarray(cv2.morphologyEx(drawn[name], shape[name], around)) for name in names}
