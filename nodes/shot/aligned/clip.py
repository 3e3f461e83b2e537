"""Aligned images of a clip: the tracks of a subject, or one object that a reference picture shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nodes.align import Alignment
from nodes.align.registration import register
from nodes.cache import digest_footage
from nodes.definitions import DetectParameters, RegisterParameters
from nodes.detect.cuts import CutDetector
from nodes.detect.finder import thumbnail
from nodes.errors import NoFaceError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.progress import Progress, quiet, stage
from nodes.shot.aligned.folder import Written, check_replaceable, new_folder
from nodes.shot.aligned.placed import Kind, Placed, by_landmarks, by_reference, place_alignment, place_registration
from nodes.shot.document import describe_input

NOT_FOUND = "not found"


def write_clip(
    footage: Footage,
    alignments: Sequence[Alignment],
    out: Path,
    regions: Sequence[str] | None = None,
    progress: Progress = quiet,
) -> Written:
    """Write the images of at least one alignment into the folder `out`, decoding the footage once.

    regions: what the masks show, by default all of the subject. Raises OutputError, FootageError, and FaceplateError for a
    region that the subject has not.
    """
    kind = by_landmarks(alignments[0].subject, alignments[0].coverage, regions)
    return _write(footage, [one for a in alignments for one in place_alignment(a)], kind, out, (), progress)


def register_clip(
    footage: Footage,
    reference: Frame,
    out: Path,
    parameters: RegisterParameters,
    first: int,
    last: int,
    size: int | None = None,
    progress: Progress = quiet,
) -> Written:
    """Find an object in the frames first..last (inclusive), and write what the reference shows of each into the folder `out`.

    size: of the longer side, by default the reference's. Raises NoFaceError where it is in no frame; else as :func:`write_clip`.
    """
    check_replaceable(out)
    kind, side = by_reference(reference, parameters.method, parameters.model, size)
    tell = stage(progress, "register", last - first + 1)
    cuts: list[int] = []  # filled while the frames go by, and read when they are through
    alpha = reference.alpha()
    found = register(
        _watched(footage, first, last, cuts, tell),
        reference.rgb8(),
        None if alpha is None else (alpha > 0.5).astype(np.uint8),
        parameters,
        rate=float(footage.info.rate),
        cuts=cuts,
        file=reference.info.path,
    )
    if not found.found.any():
        raise NoFaceError(
            "shows nowhere what the reference shows",
            file=footage.info.path,
            remedy="Give a sharper or larger reference, or a lower --least-likeness",
        )
    missing = tuple(int(i) for i in found.frames[~found.found])
    return _write(footage, place_registration(found, side), kind, out, missing, progress, (first, last))


def _watched(footage: Footage, first: int, last: int, cuts: list[int], tell: Any) -> Iterator[Frame]:
    detector = CutDetector(DetectParameters().cut_threshold)
    for done, frame in enumerate(footage.frames(first, last, prepare=Frame.rgb8), 1):
        cuts += [certain.index for certain, begins in detector.take(frame, thumbnail(frame)) if begins]
        yield frame
        tell(done)


def _write(
    footage: Footage,
    placed: Sequence[Placed],
    kind: Kind,
    out: Path,
    missing: Sequence[int],
    progress: Progress,
    span: tuple[int, int] | None = None,
) -> Written:
    info = footage.info
    here: dict[int, list[Placed]] = {}
    for one in placed:
        here.setdefault(one.index, []).append(one)
    first, last = min(here), max(here)
    tell = stage(progress, "crop", last - first + 1)
    with new_folder(out, kind) as writer:
        for done, frame in enumerate(footage.frames(first, last, prepare=Frame.rgb8), 1):
            number = info.first + frame.index
            writer.cut(frame.rgb8(), here.get(frame.index, ()), f"{number:04d}", number)
            tell(done)
        for index in missing:
            writer.leave_out(info.first + index, None, NOT_FOUND)
        first, last = span or (first, last)
        about = {
            "footage": describe_input(info, digest_footage(info.path)),
            "range": {"first": info.first + first, "last": info.first + last},
            "sources": [],
        }
        return writer.finish(about)
