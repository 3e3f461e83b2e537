"""Read a finished shot: detect on plate and composite, then go through both once more, in step, for what needs pixels."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from nodes.align import Alignment, align
from nodes.align.landmarks68 import to_68
from nodes.detect import detect
from nodes.errors import FootageError
from nodes.footage import Footage, Frame, open_footage, read_matte
from nodes.footage.ahead import run_ahead
from nodes.footage.frame import MovieFrame
from nodes.footage.planes import Layout, Plane, layout, views
from nodes.geometry.sampling import crop
from nodes.report import measure
from nodes.types import Bool, Faces, Float, Image8, Int, Track

_COVERED = 0.25  # a track is replaced when the matte covers at least this much of its face
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """One face of the plate that was replaced, over N consecutive frames, with what the composite has in its place.

    frames: [N], positions in the shot. plate, composite: the 68 points [N, 68, 2], NaN where there is no face.
    plate_score, composite_score: [N]. flicker_plate, flicker_composite: [N], NaN at the ends. covered: [N], share of the face under
    the matte. raw, smoothed: [N, 4] as scale in pixels, angle in radians, x, y.
    """

    track: int
    frames: Int
    plate: Float
    composite: Float
    plate_score: Float
    composite_score: Float
    flicker_plate: Float
    flicker_composite: Float
    covered: Float
    raw: Float
    smoothed: Float

    @property
    def lost(self) -> Bool:
        """Frames [N] on which the plate has the face and the composite has none."""
        return np.isfinite(self.plate[:, 0, 0]) & ~np.isfinite(self.composite[:, 0, 0])


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known of a shot of T frames. `first`: number of its first frame, as its files are numbered.

    faces_plate, faces_composite: faces per frame [T]. coverage: share of the picture under the matte [T], NaN without a
    matte file. outside: largest change of a code value where the matte is 0 [T], likewise. document: shot.json, or empty.
    """

    name: str
    faces: Faces
    first: int
    faces_plate: Int
    faces_composite: Int
    coverage: Float
    outside: Float
    subjects: tuple[Subject, ...]
    document: dict[str, Any]
    notes: tuple[str, ...]


def gather(shot: Path, progress: Progress) -> Gathered:
    """Read and measure a shot folder; `progress` is told 0..1. Raises FootageError for what is missing or does not match."""
    if not shot.is_dir():
        raise FootageError(
            "is no folder of a shot", file=shot, remedy="Give the folder that 'faceplate swap --out' wrote"
        )
    with open_footage(shot / "plate.mkv") as plate, open_footage(shot / "composite.mkv") as composite:
        a, b = plate.info, composite.info
        if (a.frames, a.width, a.height) != (b.frames, b.width, b.height):
            raise FootageError(
                f"has {b.frames} frames of {b.width}x{b.height}, the plate {a.frames} of {a.width}x{a.height}",
                file=b.path,
                remedy="Run 'faceplate swap' on this shot again",
            )
        mattes, first = find_mattes(shot, a.frames)
        faces, found = _detect_both(plate, composite, lambda done: progress(0.8 * done))
        pixels = _Pixels(faces, a.frames)
        for i, (p, c, matte) in enumerate(_in_step(plate, composite, mattes)):
            pixels.take(i, p, c, matte)
            progress(0.8 + 0.2 * (i + 1) / a.frames)
    chosen, notes = _replaced(faces, pixels)
    missing = sum(m is None for m in mattes)
    if missing:
        notes += (
            f"{missing} of {a.frames} frames have no matte file; nothing is said about what lies outside it there",
        )
    alignments = align(replace(faces, tracks=tuple(faces.tracks[k] for k in chosen)))
    document, more = _read_document(shot / "shot.json")
    return Gathered(
        shot.resolve().name,
        faces,
        first,
        _per_frame(faces),
        _per_frame(found),
        pixels.coverage,
        pixels.outside,
        tuple(_subject(faces, k, found, pixels, a) for k, a in zip(chosen, alignments, strict=True)),
        document,
        notes + more,
    )


def find_mattes(shot: Path, count: int) -> tuple[list[Path | None], int]:
    """List the matte files of a shot by frame, None where one is missing, and the number of the first frame (0 without any)."""
    files = {int(m[1]): f for f in (shot / "matte").glob("matte.*.exr") if (m := re.search(r"\.(\d+)\.exr$", f.name))}
    if not files:
        return [None] * count, 0
    # A shot whose first mattes are missing still ends with its last one.
    first = max(min(files), max(files) - count + 1) if max(files) - min(files) >= count else min(files)
    return [files.get(first + i) for i in range(count)], first


def _detect_both(plate: Footage, composite: Footage, progress: Progress) -> tuple[Faces, Faces]:
    """Detect on both movies at once, each on its own thread: the networks leave the interpreter's lock alone."""
    done = [0, 0]

    def count(which: int) -> Callable[[int], None]:
        def tell(frames: int) -> None:
            done[which] = frames
            progress(sum(done) / (2 * plate.info.frames))

        return tell

    with ThreadPoolExecutor(2, "faceplate-report") as pool:
        jobs = [pool.submit(detect, movie, progress=count(i)) for i, movie in enumerate((plate, composite))]
        return jobs[0].result(), jobs[1].result()


def _in_step(
    plate: Footage, composite: Footage, mattes: list[Path | None]
) -> Iterator[tuple[Frame, Frame, Float | None]]:
    def read() -> Generator[Float | None, None, None]:
        for i, file in enumerate(mattes):
            matte = None if file is None else read_matte(file)
            if matte is not None and matte.shape != (plate.info.height, plate.info.width):
                raise FootageError(
                    f"is {matte.shape[1]}x{matte.shape[0]}, the plate {plate.info.width}x{plate.info.height}",
                    file=file,
                    frame=i,
                    remedy="Run 'faceplate swap' on this shot again",
                )
            yield matte

    with closing(run_ahead(read(), 8)) as m:
        yield from zip(plate.frames(), composite.frames(), m, strict=True)


class _Pixels:
    """What needs pixels, frame by frame; `faces` are the plate's. For each track [N]: flicker of both, share under the matte."""

    def __init__(self, faces: Faces, count: int) -> None:
        self.coverage = np.full(count, np.nan, np.float32)
        self.outside = np.full(count, np.nan, np.float32)
        self.flicker = [np.full((2, len(t)), np.nan, np.float32) for t in faces.tracks]
        self.covered = [np.full(len(t), np.nan, np.float32) for t in faces.tracks]
        self._tracks = faces.tracks
        self._stabilisers = [measure.stabilisers(to_68(t.landmarks)) for t in faces.tracks]
        self._window: deque[tuple[Image8, Image8]] = deque(maxlen=3)

    def take(self, index: int, plate: Frame, composite: Frame, matte: Float | None) -> None:
        """Take the next frame of both."""
        if matte is not None:
            self.coverage[index] = measure.coverage(matte)
            self.outside[index] = change_outside(plate, composite, matte)
            for k, at in self._there(index, index):
                self.covered[k][at] = measure.covered(matte, self._tracks[k].landmarks[at, None, :, :2])[0]
        self._window.append((plate.rgb8(), composite.rgb8()))
        there = list(self._there(index - 2, index)) if len(self._window) == 3 else []
        if there:
            middles = [(k, at + 1) for k, at in there]
            to_plate = np.stack([self._stabilisers[k][at] for k, at in middles])
            for side in range(2):
                values = measure.flicker(*(crop(images[side], to_plate, measure.CROP) for images in self._window))
                for (k, at), value in zip(middles, values, strict=True):
                    self.flicker[k][side, at] = value

    def _there(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Tracks that hold all frames first..last, each with its position at `first`."""
        for k, track in enumerate(self._tracks):
            if track.frames[0] <= first and last <= track.frames[-1]:
                yield k, int(first - track.frames[0])


def change_outside(plate: Frame, composite: Frame, matte: Float) -> float:
    """Largest difference of code values where the matte is 0; 0 when the plate is untouched there.

    Movies are compared in their own planes, before any conversion. A chroma sample is outside when any of the pixels that it
    colours is.
    """
    outside = matte == 0
    if not (isinstance(plate, MovieFrame) and isinstance(composite, MovieFrame)):
        return measure.largest_change(plate.rgb(), composite.rgb(), outside)
    lay = layout(plate.picture.format.name)
    if lay is None or plate.picture.format.name != composite.picture.format.name:
        return measure.largest_change(plate.rgb8(), composite.rgb8(), outside)
    pairs = zip(_samples(plate, lay), _samples(composite, lay), strict=True)
    return max(
        measure.largest_change(p, c, _at_samples(outside, *lay.plane_shift(i))) for i, (p, c) in enumerate(pairs)
    )


def _samples(frame: MovieFrame, lay: Layout) -> list[Plane]:
    """Planes of a picture without the filler of packed formats."""
    planes = views(frame.picture)
    if not lay.step:
        return list(planes)
    channels = [*lay.order, *([] if lay.alpha is None else [lay.alpha])]
    return [planes[0][..., i] for i in channels]


def _at_samples(outside: Bool, shift_x: int, shift_y: int) -> Bool:
    """Bring a mask [H, W] to a plane that is subsampled: true where any pixel of the group is."""
    if not (shift_x or shift_y):
        return outside
    sx, sy = 1 << shift_x, 1 << shift_y
    padded = np.pad(outside, ((0, -outside.shape[0] % sy), (0, -outside.shape[1] % sx)))
    # Many times as fast as `any` over axes of two.
    return reduce(np.logical_or, (padded[y::sy, x::sx] for y in range(sy) for x in range(sx)))


def _replaced(faces: Faces, pixels: _Pixels) -> tuple[list[int], tuple[str, ...]]:
    """Choose the tracks that the matte covers, by their place in `faces`; the longest where it covers none."""
    if not faces.tracks:
        return [], ("no face was found in the plate",)
    shares = [float(np.nanmedian(c)) if np.isfinite(c).any() else 0.0 for c in pixels.covered]
    chosen = [k for k, share in enumerate(shares) if share >= _COVERED]
    if chosen:
        others = len(faces.tracks) - len(chosen)
        return chosen, (f"{others} further face track(s) lie outside the matte and are not measured",) if others else ()
    return [0], ("the matte covers no face of the plate; the longest face track is measured",)


def _subject(faces: Faces, k: int, found: Faces, pixels: _Pixels, alignment: Alignment) -> Subject:
    track = faces.tracks[k]
    points = np.where((track.scores > 0)[:, None, None], to_68(track.landmarks), np.float32(np.nan))
    replacement, scores = _match(track, found)
    return Subject(
        track.id,
        track.frames - faces.first,
        points,
        replacement,
        track.scores,
        scores,
        pixels.flicker[k][0],
        pixels.flicker[k][1],
        pixels.covered[k],
        alignment.raw,
        alignment.smoothed,
    )


def _match(track: Track, found: Faces) -> tuple[Float, Float]:
    """Find the face that stands in a track's place, frame by frame: its 68 points [N, 68, 2], NaN where there is none, and its score."""
    points = np.full((len(track), 68, 2), np.nan, np.float32)
    scores = np.zeros(len(track), np.float32)
    nearest = np.full(len(track), np.inf, np.float32)
    size = np.linalg.norm(track.boxes[:, 2:] - track.boxes[:, :2], axis=1)
    for other in found.tracks:
        _, mine, theirs = np.intersect1d(track.frames, other.frames, assume_unique=True, return_indices=True)
        gap = np.linalg.norm((track.landmarks[mine] - other.landmarks[theirs])[..., :2].mean(1), axis=1)
        better = (other.scores[theirs] > 0) & (gap < 0.35 * size[mine]) & (gap < nearest[mine])
        mine, theirs = mine[better], theirs[better]
        points[mine], scores[mine], nearest[mine] = to_68(other.landmarks[theirs]), other.scores[theirs], gap[better]
    return points, scores


def _per_frame(faces: Faces) -> Int:
    """Faces per frame [T]; a frame that a track merely bridges does not count."""
    seen = [t.frames[t.scores > 0] - faces.first for t in faces.tracks]
    return np.bincount(np.concatenate([np.empty(0, np.int64), *seen]).astype(np.int64), minlength=faces.count)


def _read_document(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read shot.json, which the report shows but does not need."""
    if not path.exists():
        return {}, ()
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}, ("shot.json cannot be read and is left out",)
    return (document, ()) if isinstance(document, dict) else ({}, ("shot.json cannot be read and is left out",))
