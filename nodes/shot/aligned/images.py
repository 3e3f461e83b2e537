"""Aligned images of a clip, of the tracks of a subject or an object that a reference shows, and of unrelated pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nodes.align import Alignment, align
from nodes.align.registration.register import register
from nodes.cache import digest_footage
from nodes.definitions import AlignParameters, DetectParameters, RegisterParameters
from nodes.detect.cuts import CutDetector
from nodes.detect.finder import thumbnail
from nodes.detect.track import Tracker
from nodes.errors import FootageError, NoFaceError
from nodes.footage.footage import Footage, open_footage
from nodes.footage.formats import IMAGES
from nodes.footage.frame import Frame
from nodes.footage.images import open_image
from nodes.footage.numbering import find_sequence
from nodes.progress import Progress, quiet, stage
from nodes.shot.aligned.document import PictureFolder, SourcePicture
from nodes.shot.aligned.folder import (
    AlignedFolder,
    ImageKind,
    Placed,
    by_landmarks,
    by_reference,
    check_replaceable,
    new_folder,
    place_alignment,
    place_registration,
)
from nodes.shot_document import FootageInput, FrameSpan
from nodes.subjects.subject import load_subject
from nodes.text import counted
from nodes.types import Faces

NOT_FOUND = "not found"


def write_clip(
    footage: Footage,
    alignments: Sequence[Alignment],
    out: Path,
    regions: Sequence[str] | None = None,
    progress: Progress = quiet,
) -> AlignedFolder:
    """Write the images of at least one alignment into the folder `out`, decoding the footage once.

    regions: of the masks, by default all of the subject. Raises OutputError, FootageError, and FaceplateError for an
    unknown region.
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
) -> AlignedFolder:
    """Find an object in the frames first..last (inclusive), and write the reference's part of each into the folder `out`.

    size: of the longer side, by default the reference's. Raises NoFaceError if no frame shows it; else as :func:`write_clip`.
    """
    check_replaceable(out)
    kind, side = by_reference(reference, parameters.method, parameters.model, size)
    report = stage(progress, "register", last - first + 1)
    cuts: list[int] = []  # filled while the frames pass, and read at the end
    alpha = reference.alpha()
    registration = register(
        _watched(footage, first, last, cuts, report),
        reference.rgb8(),
        None if alpha is None else (alpha > 0.5).astype(np.uint8),
        parameters,
        rate=float(footage.info.rate),
        cuts=cuts,
        file=reference.info.path,
    )
    if not registration.found.any():
        raise NoFaceError(
            "shows nowhere what the reference shows",
            file=footage.info.path,
            remedy="Give a sharper or larger reference, or a lower --least-likeness",
        )
    missing = tuple(int(i) for i in registration.frames[~registration.found])
    return _write(footage, place_registration(registration, side), kind, out, missing, progress, (first, last))


def _watched(footage: Footage, first: int, last: int, cuts: list[int], report: Any) -> Iterator[Frame]:
    detector = CutDetector(DetectParameters().cut_threshold)
    for done, frame in enumerate(footage.frames(first, last, prepare=Frame.rgb8), 1):
        cuts += [certain.index for certain, begins in detector.take(frame, thumbnail(frame)) if begins]
        yield frame
        report(done)


def _write(
    footage: Footage,
    placed: Sequence[Placed],
    kind: ImageKind,
    out: Path,
    missing: Sequence[int],
    progress: Progress,
    span: tuple[int, int] | None = None,
) -> AlignedFolder:
    info = footage.info
    here: dict[int, list[Placed]] = {}
    for item in placed:
        here.setdefault(item.index, []).append(item)
    first, last = min(here), max(here)
    report = stage(progress, "crop", last - first + 1)
    with new_folder(out, kind) as writer:
        for done, frame in enumerate(footage.frames(first, last, prepare=Frame.rgb8), 1):
            number = info.first + frame.index
            writer.cut(frame.rgb8(), here.get(frame.index, ()), f"{number:04d}", number)
            report(done)
        for index in missing:
            writer.leave_out(info.first + index, None, NOT_FOUND)
        first, last = span or (first, last)
        looked_at = FrameSpan(first=info.first + first, last=info.first + last)
        return writer.finish(FootageInput.of(info, digest_footage(info.path)), looked_at)


Find = Callable[[Footage], list[Placed]]


def are_pictures(folder: Path) -> bool:
    """Tell whether a folder holds unrelated pictures: not a numbered sequence, or one of several sizes."""
    if not folder.is_dir() or not (files := _images(folder)):
        return False
    try:
        sequence = find_sequence(folder)
    except FootageError:
        return len({(f.suffix, f.stem.rstrip("0123456789")) for f in files}) > 1 or len(_sizes(files)) > 1
    return sequence is None or len(_sizes(files)) > 1


def write_pictures(
    folder: Path,
    out: Path,
    detect: DetectParameters | None = None,
    parameters: AlignParameters | None = None,
    regions: Sequence[str] | None = None,
    progress: Progress = quiet,
    reference: Frame | None = None,
    registration: RegisterParameters | None = None,
) -> AlignedFolder:
    """Find the subject in every picture of a folder, the largest first, and write its images into the folder `out`.

    reference, registration: find the object in this picture instead. A picture without it, or an unreadable one,
    is left out and listed. Raises NoFaceError if all are; else as :func:`nodes.shot.aligned.write_clip`.
    """
    parameters = parameters or AlignParameters()
    kind, find = (
        _finding(detect or DetectParameters(), parameters, regions)
        if reference is None
        else _registering(reference, registration or RegisterParameters(), parameters.size)
    )
    files = _images(folder)
    report = stage(progress, "pictures", len(files))
    sources = []
    with new_folder(out, kind) as writer:
        for done, (file, name) in enumerate(zip(files, names_of(files), strict=True), 1):
            try:
                with open_footage(file) as picture:
                    placed = find(picture)
                    writer.cut(picture.frame(0).rgb8(), placed, name, 0, file.name)
                    size = {"width": picture.info.width, "height": picture.info.height}
                    sources.append(SourcePicture(name=file.name, **size))
            except FootageError as e:
                writer.leave_out(0, file.name, str(e))
                continue
            finally:
                report(done)
            if not placed:
                writer.leave_out(0, file.name, NOT_FOUND)
        if not writer.rows:
            raise NoFaceError(
                f"shows nothing that can be found in {counted(len(files), 'picture')}"
                + (f" ({writer.left_out[0].reason})" if not sources else ""),
                file=folder,
                remedy="Try another --subject or a lower --min-score, or with --reference a sharper one",
            )
        return writer.finish(PictureFolder(path=folder.absolute()), None, sources)


def names_of(files: Sequence[Path]) -> list[str]:
    """Name the results of pictures: without a suffix, except where two would share a name."""
    stems = Counter(f.stem.casefold() for f in files)
    return [f.stem if stems[f.stem.casefold()] == 1 else f.name for f in files]


def _finding(
    detect: DetectParameters, parameters: AlignParameters, regions: Sequence[str] | None
) -> tuple[ImageKind, Find]:
    subject = load_subject(detect.subject)

    def find(picture: Footage) -> list[Placed]:
        info, tracker = picture.info, Tracker(detect, float(picture.info.rate))
        tracker.take(picture.frame(0))
        tracks = sorted(tracker.finish(), key=lambda t: -float(np.ptp(t.boxes[0, [1, 3]])))
        faces = Faces(info.width, info.height, info.rate, 0, 1, (), tuple(tracks), detect.subject)
        alignments = align(faces, parameters, picture).crops
        placed = [place_alignment(a)[0] for a in alignments]
        return [replace(one, track=number) for number, one in enumerate(placed)]

    return by_landmarks(subject, parameters.coverage, regions), find


def _registering(reference: Frame, parameters: RegisterParameters, size: int | None) -> tuple[ImageKind, Find]:
    kind, side = by_reference(reference, parameters.method, parameters.model, size)
    alpha = reference.alpha()
    mask = None if alpha is None else (alpha > 0.5).astype(np.uint8)

    def find(picture: Footage) -> list[Placed]:
        frames = [picture.frame(0)]
        registered = register(frames, reference.rgb8(), mask, parameters, file=reference.info.path)
        return place_registration(registered, side)

    return kind, find


def _images(folder: Path) -> list[Path]:
    return [f for f in sorted(folder.iterdir()) if f.suffix.lower() in IMAGES and not f.name.startswith(".")]


def _sizes(files: Sequence[Path]) -> set[tuple[int, int]]:
    """Collect the stored sizes of images; unreadable ones are skipped."""
    sizes = set()
    for file in files:
        with suppress(FootageError):
            image = open_image(file)
            sizes.add((image.spec().full_width, image.spec().full_height))
            image.close()
    return sizes
