"""Aligned images of unrelated pictures, of any sizes: each is a scene of its own, looked at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from nodes.align import align
from nodes.align.registration import register
from nodes.definitions import AlignParameters, DetectParameters, RegisterParameters
from nodes.detect.track import Tracker
from nodes.errors import FootageError, NoFaceError
from nodes.footage.footage import Footage, open_footage
from nodes.footage.formats import IMAGES
from nodes.footage.frame import Frame
from nodes.footage.images import open_image
from nodes.footage.numbering import find_sequence
from nodes.progress import Progress, quiet, stage
from nodes.shot.aligned.clip import NOT_FOUND
from nodes.shot.aligned.folder import Written, new_folder
from nodes.shot.aligned.placed import Kind, Placed, by_landmarks, by_reference, place_alignment, place_registration
from nodes.subjects import load_subject
from nodes.text import counted
from nodes.types import Faces

Find = Callable[[Footage], list[Placed]]


def are_pictures(folder: Path) -> bool:
    """Whether a folder holds unrelated pictures: not one numbered sequence, or one of which not all have the same size."""
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
) -> Written:
    """Find the subject in every picture of a folder, the largest first, and write its images into the folder `out`.

    reference, registration: find the object that this picture shows instead. A picture that shows nothing, or cannot be read,
    is left out and listed. Raises NoFaceError where all are; else as :func:`nodes.shot.aligned.write_clip`.
    """
    parameters = parameters or AlignParameters()
    kind, find = (
        _finding(detect or DetectParameters(), parameters, regions)
        if reference is None
        else _registering(reference, registration or RegisterParameters(), parameters.size)
    )
    files = _images(folder)
    tell = stage(progress, "pictures", len(files))
    sources = []
    with new_folder(out, kind) as writer:
        for done, (file, name) in enumerate(zip(files, names_of(files), strict=True), 1):
            try:
                with open_footage(file) as picture:
                    placed = find(picture)
                    writer.cut(picture.frame(0).rgb8(), placed, name, 0, file.name)
                    sources.append({"name": file.name, "width": picture.info.width, "height": picture.info.height})
            except FootageError as e:
                writer.leave_out(0, file.name, str(e))
                continue
            finally:
                tell(done)
            if not placed:
                writer.leave_out(0, file.name, NOT_FOUND)
        if not writer.rows:
            raise NoFaceError(
                f"shows nothing that can be found in {counted(len(files), 'picture')}"
                + (f" ({writer.left_out[0]['reason']})" if not sources else ""),
                file=folder,
                remedy="Try another --subject or a lower --min-score, or with --reference a sharper one",
            )
        return writer.finish({"footage": {"path": str(folder.absolute())}, "range": None, "sources": sources})


def names_of(files: Sequence[Path]) -> list[str]:
    """Names for what is made of pictures: without their kind, but for those that would then share one."""
    stems = Counter(f.stem.casefold() for f in files)
    return [f.stem if stems[f.stem.casefold()] == 1 else f.name for f in files]


def _finding(detect: DetectParameters, parameters: AlignParameters, regions: Sequence[str] | None) -> tuple[Kind, Find]:
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


def _registering(reference: Frame, parameters: RegisterParameters, size: int | None) -> tuple[Kind, Find]:
    kind, side = by_reference(reference, parameters.method, parameters.model, size)
    alpha = reference.alpha()
    mask = None if alpha is None else (alpha > 0.5).astype(np.uint8)

    def find(picture: Footage) -> list[Placed]:
        frames = [picture.frame(0)]
        found = register(frames, reference.rgb8(), mask, parameters, file=reference.info.path)
        return place_registration(found, side)

    return kind, find


def _images(folder: Path) -> list[Path]:
    return [f for f in sorted(folder.iterdir()) if f.suffix.lower() in IMAGES and not f.name.startswith(".")]


def _sizes(files: Sequence[Path]) -> set[tuple[int, int]]:
    """The sizes of images as they are stored; one that cannot be read has none."""
    found = set()
    for file in files:
        with suppress(FootageError):
            image = open_image(file)
            found.add((image.spec().full_width, image.spec().full_height))
            image.close()
    return found
