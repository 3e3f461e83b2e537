"""Samples: single frames of a face, cut out of plate, composite and source, for what is too slow to measure on every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.align import Alignment, align
from nodes.align.pose import take_performance
from nodes.definitions import DetectParameters
from nodes.detect import detect, main_tracks
from nodes.errors import FaceplateError, FootageError, NoFaceError
from nodes.footage.footage import Footage, open_beside
from nodes.geometry.sampling import crop, invert, transform_points
from nodes.recognise import describe, of_one_person
from nodes.shot.analysis import analyse, is_analysed
from nodes.shot.digest import digest_footage
from nodes.subjects import Subject
from nodes.types import Float, Image8

_EVERY = 12  # frames between two samples of a shot
_FEW, _MOST, _MOST_OF_SOURCE = 8, 96, 48  # samples
HALF = 1.5  # template units from the subject's middle to the sides of a sample's crop
_MOST_SCALE = 128.0  # pixels a template unit: finer detail is not compared


@dataclass(frozen=True, slots=True)
class Sample:
    """One face in one frame.

    grey: [S, S], its crop, 0..255, at `scale` pixels a template unit. matte: [S, S], 0..1, or None. landmarks: [L, 2] in crop pixels.
    coefficients: [C]. turn: yaw and pitch in degrees, [2]. descriptor: [128], or empty for what is no face.
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


def take_sample(image: Image8, alignment: Alignment, row: int, landmarks: Float, matte: Float | None = None) -> Sample:
    """Cut a face out of a frame, at the place that `alignment` has it at in its frame `row`; landmarks: [L, 3], of the face in this picture."""
    subject, scale = alignment.subject, min(float(alignment.smoothed[row, 0]), _MOST_SCALE)
    size = int(np.ceil(2 * HALF * scale))
    to_plate = alignment.at(size, HALF / subject.half_side).to_plate[row : row + 1]
    acted = take_performance(landmarks[None], subject, mirrored=alignment.track.mirrored)
    return Sample(
        cv2.cvtColor(crop(image, to_plate, size)[0], cv2.COLOR_RGB2GRAY).astype(np.float32),
        None if matte is None else crop(matte, to_plate, size)[0],
        transform_points(invert(to_plate), landmarks[None, :, :2])[0],
        size / (2 * HALF),
        acted.coefficients[0],
        acted.yaw_pitch[0],
        describe(image, landmarks[None])[0] if subject.name == "face" else np.zeros(0, np.float32),
    )


def read_sources(
    document: dict[str, Any], subject: Subject, progress: Callable[[float], None]
) -> tuple[list[list[Sample]], tuple[str, ...]]:
    """Sample the footage of each source that shot.json names; what cannot be used is left out, and said in the notes."""
    told = document.get("inputs")
    inputs = [v for k, v in told.items() if k.startswith("source")] if isinstance(told, dict) else []
    if not inputs:
        return [], ("the source's footage is not known, so likeness and sharpness are not measured",)
    found, notes = [], []
    for number, one in enumerate(inputs, 1):
        try:
            parameters = DetectParameters.model_validate(document["settings"]["detect"])
            found.append(_read_source(Path(one["path"]), one["digest"], parameters, subject))
        except (FaceplateError, KeyError, TypeError, ValueError) as e:
            why = e.what if isinstance(e, FaceplateError) else "is not named as it should be"
            notes.append(f"a source's footage {why}, so likeness and sharpness are not measured against it")
        progress(number / len(inputs))
    return found, tuple(notes)


def _read_source(path: Path, digest: str, parameters: DetectParameters, subject: Subject) -> list[Sample]:
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
    """Where to sample a source: its main face, spread over the footage, as alignments and rows of them.

    Swap has found the faces of all frames. Where that is not kept, they are looked for in the sampled frames alone.
    """
    last = footage.info.frames - 1
    if not is_analysed(footage, 0, last, parameters):
        for frame in _spread(footage.info.frames):
            faces = detect(footage, parameters, frame, frame)
            yield from ((a, 0) for a in align(faces) if a.track.id in {t.id for t in main_tracks(faces)})
        return
    faces = analyse(footage, parameters)
    alignments = {a.track.id: a for a in align(faces)}
    main = of_one_person(footage, main_tracks(faces)) if faces.subject == "face" else main_tracks(faces)
    seen = [(alignments[t.id], int(row)) for t in main for row in np.flatnonzero(t.scores > 0)]
    yield from (seen[i] for i in _spread(len(seen)))


def _spread(count: int) -> list[int]:
    """At most so many of `count` positions, evenly."""
    return sorted({round(i) for i in np.linspace(0, count - 1, _MOST_OF_SOURCE)}) if count else []
