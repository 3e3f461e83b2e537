"""Cached detection: footage is analysed once for the same content and parameters."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nodes.cache import cache_folder, digest_code, digest_footage, keep_within, key_of, limit
from nodes.definitions import DetectParameters
from nodes.detect.files import FACES, load_faces, load_state, save_faces, save_state
from nodes.detect.track import Tracker, TrackerState, detect
from nodes.errors import OutputError, SchemaError
from nodes.footage.footage import Footage
from nodes.progress import Progress, quiet, stage
from nodes.runtime import read_manifest
from nodes.subjects.subject import load_subject
from nodes.types import Faces

_log = logging.getLogger(__name__)
CHECKPOINT_SECONDS = 15.0


def analyse(
    plate: Footage,
    parameters: DetectParameters | None = None,
    first: int = 0,
    last: int | None = None,
    progress: Progress = quiet,
    name: str = "detect",
) -> Faces:
    """Find and follow the faces of frames first..last (inclusive), or return the cached result for the same frames.

    An interrupted analysis resumes from its last checkpoint. An inaccessible cache is not an error.
    Raises FootageError, as `detect` does, and before the work what `limit` does.
    """
    parameters = parameters or DetectParameters()
    last, most = plate.info.frames - 1 if last is None else last, limit()
    kept = _kept(plate, parameters, first, last)
    report = stage(progress, name, last - first + 1)
    with suppress(SchemaError):
        faces = load_faces(kept).faces
        with suppress(OSError):
            kept.touch()  # the oldest are dropped first
        report(last - first + 1)
        _log.info("%s: %d tracks as found before, in %s", name, len(faces.tracks), kept)
        return faces
    checkpoint, saved = kept.with_suffix(".part.npz"), time.monotonic()
    state: TrackerState | None = None
    with suppress(SchemaError):
        state = load_state(checkpoint)

    def save(tracker: Tracker) -> None:
        nonlocal saved
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            with suppress(OutputError):
                save_state(checkpoint, tracker.state())
            saved = time.monotonic()

    _log.info("%s: frames %d-%d of %s by %s", name, first, last, plate.info.path, parameters)
    faces = detect(plate, parameters, first, last, report, state, save)
    _log.info("%s: %d tracks, %d cuts", name, len(faces.tracks), len(faces.cuts))
    with suppress(OutputError):
        save_faces(kept, faces)
    with suppress(OSError):
        checkpoint.unlink(missing_ok=True)
    keep_within(most)
    return faces


def analyse_together(
    footage: Footage,
    spans: Iterable[tuple[int, int]],
    parameters: DetectParameters | None = None,
    progress: Progress = quiet,
    name: str = "detect",
) -> None:
    """Fill the cache of :func:`analyse` for several spans, first..last, analysing each frame only once.

    Spans that overlap or touch are analysed as one, and each is cached as a part of it. Raises FootageError.
    """
    parameters = parameters or DetectParameters()
    for group in _connected(sorted(set(spans))):
        missing = [s for s in group if not _kept(footage, parameters, *s).is_file()] if len(group) > 1 else []
        for part in _connected(missing):
            whole = analyse(footage, parameters, part[0][0], max(last for _, last in part), progress, name)
            for first, last in part:
                with suppress(OutputError):
                    save_faces(_kept(footage, parameters, first, last), _part(whole, first, last))


def is_analysed(footage: Footage, first: int, last: int, parameters: DetectParameters | None = None) -> bool:
    """Tell whether :func:`analyse` has the faces of frames first..last already."""
    return _kept(footage, parameters or DetectParameters(), first, last).is_file()


def _connected(spans: Iterable[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    groups: list[list[tuple[int, int]]] = []
    end = 0
    for first, last in spans:
        if groups and first <= end + 1:
            groups[-1].append((first, last))
        else:
            groups.append([(first, last)])
            end = last
        end = max(end, last)
    return groups


def _part(faces: Faces, first: int, last: int) -> Faces:
    """Cut faces to the frames first..last, the longest track first and numbered from 0, as `detect` does."""
    tracks = []
    for track in faces.tracks:
        inside = (track.frames >= first) & (track.frames <= last)
        if inside.any():
            arrays = ("frames", "boxes", "scores", "landmarks")
            tracks.append(replace(track, **{n: getattr(track, n)[inside] for n in arrays}))
    numbered = tuple(replace(t, id=i) for i, t in enumerate(sorted(tracks, key=lambda t: -len(t))))
    cuts = tuple(c for c in faces.cuts if first < c <= last)
    return replace(faces, first=first, count=last - first + 1, cuts=cuts, tracks=numbered)


def _kept(footage: Footage, parameters: DetectParameters, first: int, last: int) -> Path:
    """Return the file of the faces of frames first..last, existing or not."""
    info = footage.info
    key = key_of(
        footage=digest_footage(info.path),
        rate=info.rate,
        range=(first, last),
        **({} if footage.positions is None else {"sample": footage.positions.tolist()}),
        parameters=parameters.model_dump(mode="json"),
        subject=load_subject(parameters.subject).digest,
        schema=FACES,
        weights={name: model["sha256"] for name, model in read_manifest().items()},
        code=digest_code("nodes.detect", "nodes.geometry", "nodes.footage"),
    )
    return cache_folder() / "faces" / f"{key}.npz"
