"""Samples: single frames of a face, cut out of plate, composite and source, for measures that are too slow for every frame.

Their fine detail is compared region by region, like with like: the energy of a fine band over that of a coarse one at the same
place. Exposure, contrast and slow changes of light do not alter it, grain hardly does, and a blur of 0.7 pixels lowers it by about 0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nodes.align import Alignment, align
from nodes.align.pose import take_performance
from nodes.cache import digest_footage
from nodes.definitions import DetectParameters
from nodes.detect import detect, main_tracks
from nodes.detect.kept import analyse, is_analysed
from nodes.errors import FaceplateError, FootageError, NoFaceError
from nodes.footage.footage import Footage, open_beside
from nodes.geometry.sampling import crop, invert, transform_points
from nodes.mask import draw_regions
from nodes.persons import main_person
from nodes.recognise import describe
from nodes.report.measure import group_of
from nodes.shot_document import ShotDocument
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8

_EVERY = 12  # frames between two samples of a shot
_FEW, _MOST, _MOST_OF_SOURCE = 8, 96, 48  # samples
HALF = 1.5  # template units from the subject's middle to the sides of a sample's crop
_MOST_SCALE = 128.0  # pixels a template unit: finer detail is not compared
_BANDS = (0.7, 1.5, 6.0)  # standard deviations in pixels of the blurs between which the fine and the coarse band lie
_MARGIN = 0.1  # template units around a region, for lashes and the rims of lips
_LEAST = 40.0  # pixels of a region in which detail can be measured
_NEAREST = 3  # source frames that a frame is compared with
_TURN = 20.0  # degrees between two frames that are still alike
_ACTING = 0.45  # root of the summed squares of coefficients' differences that is still alike
# Groups of coefficients that change a region's appearance, and so must be alike.
_ACTED = {"eyes": ("lids",), "brows": ("brows",), "mouth": ("mouth", "jaw")}


@dataclass(frozen=True, slots=True)
class FaceSample:
    """One face in one frame.

    grey: [S, S], its crop, 0..255, at `scale` pixels a template unit. matte: [S, S], 0..1, or None. landmarks: [L, 2] in crop pixels.
    coefficients: [C]. turn: yaw and pitch in degrees, [2]. descriptor: [128], or empty for other subjects.
    """

    grey: Float
    matte: Float | None
    landmarks: Float
    scale: float
    coefficients: Float
    turn: Float
    descriptor: Float


def sampled(count: int) -> range:
    """Choose which of a shot's frames are sampled."""
    return range(0, count, max(min(_EVERY, count // _FEW), -(-count // _MOST), 1))


def take_sample(
    image: Image8, alignment: Alignment, row: int, landmarks: Float, matte: Float | None = None
) -> FaceSample:
    """Cut a face out of a frame, by `alignment` in its frame `row`; landmarks: [L, 3], of the face in this picture."""
    subject, scale = alignment.subject, min(float(alignment.smoothed[row, 0]), _MOST_SCALE)
    size = int(np.ceil(2 * HALF * scale))
    to_plate = alignment.at(size, HALF / subject.half_side).to_plate[row : row + 1]
    performance = take_performance(landmarks[None], subject, mirrored=alignment.track.mirrored)
    return FaceSample(
        cv2.cvtColor(crop(image, to_plate, size)[0], cv2.COLOR_RGB2GRAY).astype(np.float32),
        None if matte is None else crop(matte, to_plate, size)[0],
        transform_points(invert(to_plate), landmarks[None, :, :2])[0],
        size / (2 * HALF),
        performance.coefficients[0],
        performance.yaw_pitch[0],
        describe(image, landmarks[None])[0] if subject.name == "face" else np.zeros(0, np.float32),
    )


def read_sources(
    shot: ShotDocument | None, subject: Subject, progress: Callable[[float], None]
) -> tuple[list[list[FaceSample]], tuple[str, ...]]:
    """Sample the footage of each source that shot.json names; unusable footage is left out and reported in the notes."""
    sources = [source for source, _ in shot.people if source] if shot else []
    if shot is None or not sources:
        return [], ("the source's footage is not known, so likeness and sharpness are not measured",)
    samples, notes = [], []
    for number, source in enumerate(sources, 1):
        try:
            samples.append(_read_source(source.path, source.digest, shot.settings.detect, subject))
        except FaceplateError as e:
            notes.append(f"a source's footage {e.what}, so likeness and sharpness are not measured against it")
        progress(number / len(sources))
    return samples, tuple(notes)


def _read_source(path: Path, digest: str, parameters: DetectParameters, subject: Subject) -> list[FaceSample]:
    with open_beside(path, layer=parameters.layer) as footage:
        if digest_footage(path) != digest:
            raise FootageError("is other footage than the shot was made from", file=path)
        samples = [
            take_sample(footage.frame(int(a.track.frames[row])).rgb8(), a, row, a.track.landmarks[row])
            for a, row in _places(footage, parameters)
        ]
    if not samples:
        raise NoFaceError(f"shows no {subject.name}", file=path)
    return samples


def _places(footage: Footage, parameters: DetectParameters) -> Iterator[tuple[Alignment, int]]:
    """Choose samples of a source: its main face, spread over the footage, as alignments and rows of them.

    Swap has found the faces of all frames. Without that result in the cache, only the sampled frames are searched.
    """
    last = footage.info.frames - 1
    if not is_analysed(footage, 0, last, parameters):
        for frame in _spread(footage.info.frames):
            faces = detect(footage, parameters, frame, frame)
            yield from ((a, 0) for a in align(faces).crops if a.track.id in {t.id for t in main_tracks(faces)})
        return
    faces = analyse(footage, parameters)
    alignments = {a.track.id: a for a in align(faces).crops}
    rows = [(alignments[t.id], int(row)) for t in main_person(footage, faces) for row in np.flatnonzero(t.scores > 0)]
    yield from (rows[i] for i in _spread(len(rows)))


def _spread(count: int) -> list[int]:
    """Choose some of `count` positions, evenly spaced."""
    return sorted({round(i) for i in np.linspace(0, count - 1, _MOST_OF_SOURCE)}) if count else []


def compared_regions(subject: Subject) -> dict[str, str]:
    """Return the regions to compare, by name, and their labels: those inside another, and that other without them.

    Of a subject whose regions lie beside each other, all of them. The rest of a face, its forehead, may be hair.
    """
    outer = {region.of for region in subject.regions if region.of}
    names = [r.name for r in subject.regions if r.of or r.name in outer] or [r.name for r in subject.regions]
    return {name: "skin" if name in outer else name for name in names}


def sharpness(
    composite: Sequence[FaceSample], source: Sequence[FaceSample], subject: Subject, names: Sequence[str]
) -> dict[str, Float]:
    """Compare the detail of N composite samples with that of the most similar source frames: region → [N], NaN without any.

    Two samples are compared at the coarser one's scale. names: of the coefficients.
    """
    details: dict[tuple[int, float], dict[str, float]] = {}

    def detail_of(sample: FaceSample, scale: float) -> dict[str, float]:
        key = id(sample), round(scale, 3)
        if key not in details:
            details[key] = detail(sample, scale, subject)
        return details[key]

    def ratio(a: FaceSample, b: FaceSample, region: str) -> float:
        scale = min(a.scale, b.scale)
        return detail_of(a, scale)[region] / detail_of(b, scale)[region]

    out = {}
    for region in compared_regions(subject):
        acted = [i for i, n in enumerate(names) if group_of(n) in _ACTED.get(region, ())]
        apart = np.array([[_apart(c, s, acted) for s in source] for c in composite])
        ratios = np.full(len(composite), np.nan, np.float32)
        for i, sample in enumerate(composite):
            like = [source[k] for k in np.argsort(apart[i])[:_NEAREST] if apart[i, k] <= 1]
            ratios_of_like = [r for other in like if np.isfinite(r := ratio(sample, other, region))]
            if ratios_of_like:
                ratios[i] = np.median(ratios_of_like)
        out[region] = ratios
    return out


def _apart(a: FaceSample, b: FaceSample, acted: Sequence[int]) -> float:
    """Measure the difference of two samples; above 1 they cannot be compared."""
    turn = float(np.linalg.norm(a.turn - b.turn)) / _TURN
    acting = float(np.linalg.norm(a.coefficients[acted] - b.coefficients[acted])) / _ACTING
    return max(turn, acting)


def detail(sample: FaceSample, scale: float, subject: Subject) -> dict[str, float]:
    """Measure the root mean square of the fine band over that of the coarse one, region by region, at `scale` pixels a template unit."""
    size = round(2 * HALF * scale)
    grey = (
        cv2.resize(sample.grey, (size, size), interpolation=cv2.INTER_AREA) if size < len(sample.grey) else sample.grey
    )
    size = len(grey)
    fine, middle, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in _BANDS)
    masks = _regions(sample.landmarks * (size / len(sample.grey)), size, subject)
    if sample.matte is not None:
        replaced = (cv2.resize(sample.matte, (size, size), interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
        masks = {name: mask * replaced for name, mask in masks.items()}

    def power(band: Float, mask: Float) -> float:
        return float((band**2 * mask).sum())

    return {
        name: float(np.sqrt(power(fine - middle, mask) / max(power(middle - coarse, mask), 1e-6)))
        if mask.sum() >= _LEAST
        else float("nan")
        for name, mask in masks.items()
    }


def _regions(landmarks: Float, size: int, subject: Subject) -> dict[str, Float]:
    """Draw masks of the compared regions, [size, size]: inner ones with a margin, the outer one without them and it."""
    names = compared_regions(subject)
    inner = [r.name for r in subject.regions if r.of]
    reach = 2 * round(_MARGIN * size / (2 * HALF)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    masks = {name: draw_regions(landmarks[None], size, subject, [name])[0] for name in names}
    if not inner:
        return masks
    shape = {name: cv2.MORPH_DILATE if name in inner else cv2.MORPH_ERODE for name in names}
    return {name: np.asarray(cv2.morphologyEx(masks[name], shape[name], around)) for name in names}
