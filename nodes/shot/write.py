"""Writing of a shot: from frames and patches to a folder with composite, patches, mattes, pictures and a report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.consent.provenance import Provenance
from nodes.credentials.identity import Identity
from nodes.credentials.sign import sign_added, sign_shot
from nodes.definitions import Settings
from nodes.detect import main_tracks
from nodes.detect.files import save_arrays, save_faces
from nodes.footage.footage import Footage
from nodes.footage.formats import WRITABLE
from nodes.footage.frame import Frame
from nodes.footage.info import FootageInfo
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.numbering import find_sequence
from nodes.footage.patch_files import write_matte, write_patch
from nodes.footage.probe import timecode_at
from nodes.footage.rates import timecode_of
from nodes.footage.sequence import SequenceWriter
from nodes.parts import PartOfShot, frame_file
from nodes.progress import Progress, stage
from nodes.report.document import Report
from nodes.report.write import write_report
from nodes.shot import results
from nodes.shot.sheet import Column, column, contact_sheet, pick, side_by_side, window, write_png
from nodes.shot.worker import Worker
from nodes.shot_document import (
    FootageInput,
    FrameSpan,
    ModelInput,
    ShotDocument,
    ShotResults,
    SwitchedOff,
    TrackSpan,
    load_shot,
)
from nodes.types import Faces, Patch, Track

_TURN = 5e-4  # seconds that a thread may hold the interpreter while another waits


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished shot: its folder, its document `faceplate.shot/1`, and its report."""

    folder: Path
    document: ShotDocument
    report: Report


@dataclass(frozen=True)
class ShotFolder:
    """The shot to write: the plate's frames first..last, by position, and the contents of its document.

    faces: all detected ones; alignments: of the replaced ones. inputs: as the document describes them. began: on the monotonic clock.
    by: the signer of the results, see `nodes.credentials.sign`.
    """

    plate: Footage
    first: int
    last: int
    settings: Settings
    faces: Faces
    alignments: Sequence[Alignment]
    inputs: dict[str, FootageInput | ModelInput]
    provenance: Provenance
    began: float
    by: Identity | SwitchedOff

    @property
    def tracks(self) -> list[Track]:
        """The replaced tracks, in order of time."""
        return sorted((a.track for a in self.alignments), key=lambda track: int(track.frames[0]))

    @property
    def count(self) -> int:
        """Number of frames."""
        return self.last - self.first + 1

    def number(self, index: int) -> int:
        """Return the plate's own number of the frame at a position."""
        return self.plate.info.first + index


@dataclass
class _Tally:
    with_face: int = 0
    rendered: int = 0
    columns: list[Column] = field(default_factory=list)


def write_shot(
    shot: ShotFolder, patches: Iterable[tuple[Frame, Patch, bool]], folder: Path, out: Path, progress: Progress
) -> Rendered:
    """Write the shot into the partial `folder`, then move it to `out`.

    patches: of each frame in order, with whether it is missing in the folder. A failure removes the folder; an interruption keeps it for resuming.
    """
    try:
        tally = _write(shot, patches, folder, progress)
        save_faces(folder / "faces.npz", shot.faces, shot.plate.info.path.absolute())
        save_alignments(folder / "alignment.npz", shot.alignments)
        finished = _describe(shot, tally)
        finished = finished.model_copy(update={"credentials": sign_shot(folder, finished, shot.by)})
        finished.save(folder)
        report = write_report(folder, lambda share: progress("report", round(100 * share), 100), out.name)
        results.publish(folder, out)
    except Exception:
        results.discard(folder)  # an interruption is not an Exception, and keeps it
        raise
    return Rendered(out, finished, report)


def _describe(shot: ShotFolder, tally: _Tally) -> ShotDocument:
    info, replaced = shot.plate.info, {track.id for track in shot.tracks}
    others = [track for track in main_tracks(shot.faces) if track.id not in replaced]
    return ShotDocument(
        inputs=shot.inputs,
        settings=shot.settings,
        provenance=shot.provenance,
        range=FrameSpan(first=shot.number(shot.first), last=shot.number(shot.last)),
        rate=info.rate,
        width=info.width,
        height=info.height,
        tracks=tuple(TrackSpan.of(track, info.first) for track in shot.tracks),
        results=ShotResults(
            frames=shot.count,
            frames_with_face=tally.with_face,
            frames_resumed=shot.count - tally.rendered,
            not_replaced=tuple(TrackSpan.of(track, info.first) for track in others),
            seconds=round(time.monotonic() - shot.began, 1),
        ),
    )


def _write(shot: ShotFolder, patches: Iterable[tuple[Frame, Patch, bool]], folder: Path, progress: Progress) -> _Tally:
    """Write patches, mattes, movies and the sheet; every writer has a thread of its own, and frames are decoded once."""
    info, tally = shot.plate.info, _Tally()
    report = stage(progress, "swap", shot.count)
    sheet_frames, part = pick(shot.first, shot.last), window(shot.tracks, info.width, info.height)
    sound = info.path if info.has_audio else None

    label = timecode_at(info.path, shot.first, info.rate) or timecode_of(shot.number(shot.first), info.rate)

    def movie(name: str, codec: Any) -> MovieWriter:
        return MovieWriter(folder / name, info, codec, sound, shot.first, shot.last, label if codec == "ffv1" else None)

    with ExitStack() as open_files, ExitStack() as workers:
        # The other cores are for the writers: OpenCV's own threads would only wait for each other.
        open_files.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)
        # A thread returning from a codec waits this long for the interpreter, with its core idle: a tenth of the stage.
        open_files.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_TURN)

        def worker(work: Any) -> Worker[Any]:
            return workers.enter_context(Worker(work))

        plates = worker(open_files.enter_context(movie("plate.mkv", "ffv1")).write)
        composites = worker(open_files.enter_context(movie("composite.mkv", "ffv1")).write)
        preview = open_files.enter_context(movie("preview.mp4", "h264"))
        previews = worker(lambda pair: preview.write(side_by_side(*pair)))
        files = worker(lambda item: _write_patch(shot, folder, *item))
        suffix = _image_suffix(info)
        images = None
        if suffix in WRITABLE:
            pattern = folder / "composite" / f"composite.%04d{suffix}"
            images = worker(open_files.enter_context(SequenceWriter(pattern, info, shot.number(shot.first))).write)

        def finish(item: tuple[Frame, Patch]) -> None:
            frame, patch = item
            composite = frame.over(patch)
            composites.put(composite)
            previews.put((frame, composite))
            if images is not None:
                images.put(composite)
            if frame.index in sheet_frames:
                tally.columns.append(column(shot.number(frame.index), frame, composite, patch, part))

        finished = worker(finish)  # created last, so ended first: it feeds the others
        for done, (frame, patch, fresh) in enumerate(patches, 1):
            if fresh:
                files.put((frame.index, patch))
            plates.put(frame)
            finished.put((frame, patch))
            tally.with_face += not patch.roi.empty
            tally.rendered += fresh
            report(done)
    write_png(folder / "sheet.png", contact_sheet(tally.columns))
    return tally


def _image_suffix(info: FootageInfo) -> str:
    if not info.channels:
        return ""
    sequence = find_sequence(info.path)
    return (sequence.files[0] if sequence else info.path).suffix.lower()


def _write_patch(shot: ShotFolder, folder: Path, index: int, patch: Patch) -> None:
    width, height = shot.plate.info.width, shot.plate.info.height
    number = shot.number(index)
    # The matte first, so that a patch implies its matte.
    write_matte(frame_file(folder, "matte", number), patch.rgba[..., 3], patch.roi, width, height)
    write_patch(frame_file(folder, "patch", number), patch, width, height)


ALIGNMENT = "faceplate.alignment/1"


def save_alignments(path: Path, alignments: Sequence[Alignment]) -> None:
    """Write at least one alignment to `path`; raises OutputError."""
    header = {
        "schema": ALIGNMENT,
        "subject": alignments[0].subject.name,
        "template": alignments[0].subject.template_id,
        "size": alignments[0].size,
        "coverage": alignments[0].coverage,
        "tracks": [{"id": a.track.id, "length": len(a.track)} for a in alignments],
    }
    arrays = {name: np.concatenate([getattr(a, name) for a in alignments]) for name in ("raw", "smoothed", "to_plate")}
    arrays |= {name: np.concatenate([getattr(a.track, name) for a in alignments]) for name in ("frames", "landmarks")}
    save_arrays(path, header, arrays)


def sign_parts(folder: Path, parts: Sequence[PartOfShot]) -> ShotDocument:
    """Sign sequences that were added to a shot's folder; returns the shot's document with them.

    A shot without Content Credentials stays so. Raises SchemaError, CredentialsError, FootageError, OutputError.
    """
    before = shot = load_shot(folder)
    for part in parts:
        shot = sign_added(folder, part, shot)
    if shot is not before:
        shot.save(folder)
    return shot
