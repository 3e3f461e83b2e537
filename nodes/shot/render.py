"""Render a shot: plate and source in, a folder with composite, patches, mattes, pictures and a report out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.align import align
from nodes.definitions import Method
from nodes.errors import FaceplateError, FootageError
from nodes.footage import Footage, FootageInfo, Frame, MovieWriter, SequenceWriter, read_patch, write_matte, write_patch
from nodes.footage.numbering import find_sequence
from nodes.report import write_report
from nodes.shot import document, results
from nodes.shot.alignment_files import save_alignments
from nodes.shot.analysis import analyse
from nodes.shot.choice import check_range, choose_tracks
from nodes.shot.digest import digest_code, digest_file, digest_footage, key_of
from nodes.shot.faces_files import save_faces
from nodes.shot.preview import side_by_side
from nodes.shot.progress import Progress, quiet, stage
from nodes.shot.settings import Settings
from nodes.shot.sheet import Column, column, contact_sheet, pick, window, write_png
from nodes.shot.worker import Worker
from nodes.swap import SwapPlan, plan_swap, swap
from nodes.types import Faces, Float, Patch, Track

_HALF_MAX = 65504.0
_WRITABLE = (".png", ".tif", ".tiff", ".exr", ".dpx")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished shot: its folder, its document `faceplate.shot/1`, and its report."""

    folder: Path
    document: dict[str, Any]
    report: dict[str, Any]


@dataclass(frozen=True)
class _Shot:
    """What is rendered: the plate's frames first..last, by position."""

    plate: Footage
    source: Footage | None
    roto: Footage | None
    first: int
    last: int
    settings: Settings
    tracks: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def number(self, index: int) -> int:
        """The plate's own number of the frame at a position."""
        return self.plate.info.first + index


@dataclass
class _Tally:
    """What is counted while frames go by."""

    with_face: int = 0
    rendered: int = 0
    columns: list[Column] = field(default_factory=list)


def render_shot(
    plate: Footage,
    source: Footage | None,
    out: Path | str,
    settings: Settings | None = None,
    first: int | None = None,
    last: int | None = None,
    *,
    roto: Footage | None = None,
    tracks: Sequence[int] = (),
    progress: Progress = quiet,
) -> Rendered:
    """Replace a face in the plate's frames first..last (inclusive positions) and write the results into the folder `out`.

    tracks: ids of the tracks to replace; by default one face at a time, see `nodes.shot.choice`. Results of an earlier run
    are replaced when all is done. What is interrupted goes on with the patches that are there when it is called again with
    the same inputs and settings. Raises FootageError, NoFaceError, ModelError, OutputError; then nothing is left behind.
    """
    began = time.monotonic()
    out = Path(out).expanduser().resolve()
    settings = settings or Settings()
    last = plate.info.frames - 1 if last is None else last
    shot = _Shot(plate, source, roto, first or 0, last, settings, tuple(tracks))
    _check(shot)
    results.check_writable(out)
    inputs = _inputs(shot)
    faces = analyse(plate, settings.detect, shot.first, last, progress, "detect plate")
    chosen = choose_tracks(faces, tracks, plate.info.path, plate.info.first)
    alignments = tuple(a for a in align(faces, settings.align, plate) if a.track.id in {t.id for t in chosen})
    source_faces = _source_faces(shot, progress)
    plan = plan_swap(
        alignments,
        settings.swap,
        source,
        source_faces,
        settings.mask,
        roto,
        progress=stage(progress, "prepare", None),
    )
    folder = results.open_partial(out, _key(shot, inputs))
    try:
        tally = _render(shot, plan, chosen, folder, progress)
        found = {
            "frames": shot.count,
            "frames_with_face": tally.with_face,
            "frames_resumed": shot.count - tally.rendered,
        }
        save_faces(folder / "faces.npz", faces, plate.info.path.absolute())
        save_alignments(folder / "alignment.npz", alignments)
        record = document.build(
            inputs=inputs,
            number_range=(shot.number(shot.first), shot.number(last)),
            info=plate.info,
            settings=settings,
            tracks=chosen,
            results=found | {"seconds": round(time.monotonic() - began, 1)},
        )
        document.save(folder / results.DOCUMENT, record)
        report = write_report(folder, lambda share: progress("report", round(100 * share), 100), out.name)
        results.publish(folder, out)
    except Exception:
        results.discard(folder)  # an interruption, which is no Exception, keeps it
        raise
    return Rendered(out, record, report)


def as_written(patch: Patch) -> Patch:
    """Round a patch to the half floats of its file, so that plate and file give exactly the composite."""
    if patch.roi.empty:
        return patch
    half: Float = np.clip(patch.rgba, -_HALF_MAX, _HALF_MAX).astype(np.float16).astype(np.float32)
    return Patch(patch.frame, patch.roi, half)


def _check(shot: _Shot) -> None:
    check_range(shot.plate.info, shot.first, shot.last)
    roto, info = shot.roto and shot.roto.info, shot.plate.info
    if roto and ((roto.width, roto.height) != (info.width, info.height) or roto.frames <= shot.last):
        raise FootageError(
            f"is {roto.width}x{roto.height} with {roto.frames} frames; the plate is {info.width}x{info.height} "
            f"and frame {shot.number(shot.last)} is its {shot.last + 1}. one",
            file=roto.path,
            remedy="Give a matte that goes with the plate frame by frame, from its first one on",
        )
    method = shot.settings.swap.method
    if method is Method.REFERENCE and shot.source is None:
        raise FaceplateError("the method 'reference' needs a source", remedy="Give one with --source")
    if method is Method.MODEL and shot.settings.swap.model is None:
        raise FaceplateError("the method 'model' needs a model", remedy="Give one with --model")


def _inputs(shot: _Shot) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, footage in (("plate", shot.plate), ("source", shot.source), ("roto", shot.roto)):
        if footage is not None:
            found[name] = document.describe_input(footage.info, digest_footage(footage.info.path))
    model = shot.settings.swap.model
    if model is not None and model.is_file():
        found["model"] = {"path": str(model.absolute()), "digest": digest_file(model)}
    return found


def _key(shot: _Shot, inputs: dict[str, Any]) -> str:
    """The key of the patches: whatever changes one of them changes it."""
    return key_of(
        inputs={name: (i["digest"], i.get("rate")) for name, i in inputs.items()},
        range=(shot.first, shot.last),
        settings=shot.settings.model_dump(mode="json"),
        tracks=shot.tracks,
        code=digest_code("nodes"),
    )


def _source_faces(shot: _Shot, progress: Progress) -> Faces | None:
    if shot.source is None:
        return None
    faces = analyse(shot.source, shot.settings.detect, progress=progress, name="detect source")
    choose_tracks(faces, (), shot.source.info.path)  # for its error
    return faces


def _render(shot: _Shot, plan: SwapPlan, tracks: Sequence[Track], folder: Path, progress: Progress) -> _Tally:
    """Write patches, mattes, movies and the sheet; every writer has a thread of its own, and frames are decoded once."""
    info, tally = shot.plate.info, _Tally()
    tell = stage(progress, "swap", shot.count)
    wanted, part = pick(shot.first, shot.last), window(tracks, info.width, info.height)
    sound = info.path if info.has_audio else None

    def movie(name: str, codec: Any) -> MovieWriter:
        return MovieWriter(folder / name, info, codec, sound, shot.first, shot.last)

    with ExitStack() as open_files, ExitStack() as workers:
        # The other cores belong to the writers: OpenCV's own threads would wait for each other, and win nothing here.
        open_files.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)

        def worker(work: Any) -> Worker[Any]:
            return workers.enter_context(Worker(work))

        plates = worker(open_files.enter_context(movie("plate.mkv", "ffv1")).write)
        composites = worker(open_files.enter_context(movie("composite.mkv", "ffv1")).write)
        preview = open_files.enter_context(movie("preview.mp4", "h264"))
        previews = worker(lambda pair: preview.write(side_by_side(*pair)))
        patches = worker(lambda item: _write_patch(shot, folder, *item))
        suffix = _image_suffix(info)
        images = None
        if suffix in _WRITABLE:
            pattern = folder / "composite" / f"composite.%04d{suffix}"
            images = worker(open_files.enter_context(SequenceWriter(pattern, info, shot.number(shot.first))).write)

        def finish(item: tuple[Frame, Patch]) -> None:
            frame, patch = item
            composite = frame.over(patch)
            composites.put(composite)
            previews.put((frame, composite))
            if images is not None:
                images.put(composite)
            if frame.index in wanted:
                tally.columns.append(column(shot.number(frame.index), frame, composite, patch, part))

        finished = worker(finish)  # made last, and so ended first: it feeds the others
        for done, (frame, patch, fresh) in enumerate(_patches(shot, plan, folder), 1):
            if fresh:
                patches.put((frame.index, patch))
            plates.put(frame)
            finished.put((frame, patch))
            tally.with_face += not patch.roi.empty
            tally.rendered += fresh
            tell(done)
    write_png(folder / "sheet.png", contact_sheet(tally.columns))
    return tally


def _image_suffix(info: FootageInfo) -> str:
    """Tell the kind of files of an image sequence; empty for a movie."""
    if not info.channels:
        return ""
    sequence = find_sequence(info.path)
    return (sequence.files[0] if sequence else info.path).suffix.lower()


def _patches(shot: _Shot, plan: SwapPlan, folder: Path) -> Iterator[tuple[Frame, Patch, bool]]:
    """Yield each frame with its patch as written and whether that is new: first those on disk, then swap from there on."""
    frames = shot.plate.frames(shot.first, shot.last, prepare=Frame.rgb8)
    before: deque[Frame] = deque(maxlen=plan.lookahead)
    for frame in frames:
        patch = _kept(shot, folder, frame.index)
        if patch is None:
            rest: Iterable[Frame] = chain(tuple(before), (frame,), frames)
            for found, new in swap(rest, plan):
                if found.index >= frame.index:
                    yield found, as_written(new), True
            return
        before.append(frame)
        yield frame, patch, False


def _files(shot: _Shot, folder: Path, index: int) -> tuple[Path, Path]:
    number = shot.number(index)
    return folder / "patch" / f"patch.{number:04d}.exr", folder / "matte" / f"matte.{number:04d}.exr"


def _kept(shot: _Shot, folder: Path, index: int) -> Patch | None:
    patch, matte = _files(shot, folder, index)
    if not (patch.is_file() and matte.is_file()):
        return None
    try:
        return read_patch(patch)
    except FootageError:
        return None  # cut off by a power failure, say


def _write_patch(shot: _Shot, folder: Path, index: int, patch: Patch) -> None:
    width, height = shot.plate.info.width, shot.plate.info.height
    file, matte = _files(shot, folder, index)
    # The matte first: where there is a patch, there are both.
    write_matte(matte, patch.rgba[..., 3], patch.roi, width, height)
    write_patch(file, patch, width, height)
