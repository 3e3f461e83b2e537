"""Pixel measures of a shot: flicker, coverage and change outside the matte, from plate and composite read in step, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import reduce
from pathlib import Path

import numpy as np

from nodes.align import Alignment, align
from nodes.errors import FootageError
from nodes.footage.footage import Footage, run_ahead
from nodes.footage.frame import Frame, MovieFrame
from nodes.footage.patch_files import read_matte
from nodes.footage.planes import Layout, Plane, layout, views
from nodes.geometry.sampling import crop
from nodes.report import measure
from nodes.report.samples import FaceSample, sampled, take_sample
from nodes.types import Bool, Faces, Float, Image8, Track

COVERED = 0.25  # a track is replaced when the matte covers at least this much of its face


def in_step(
    plate: Footage, composite: Footage, mattes: list[Path | None]
) -> Iterator[tuple[Frame, Frame, Float | None]]:
    """Yield the frames of both movies and their mattes; raises FootageError for a matte of another size."""

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


class PixelMeasures:
    """Pixel measures, frame by frame. For each track of the plate [N]: flicker of both, share under the matte, and samples.

    others: for each track, its counterpart in the composite. samples: for each track, position → samples of plate and composite.
    """

    def __init__(self, faces: Faces, new_faces: Faces) -> None:
        self.coverage = np.full(faces.count, np.nan, np.float32)
        self.outside = np.full(faces.count, np.nan, np.float32)
        self.first, self.alignments = faces.first, align(faces).crops
        # The landmarks of both are smoothed, and alike: at small sizes their noise would pass for acting.
        self.tracks = [a.track for a in self.alignments]
        others = [a.track for a in align(new_faces).crops]
        self.others = [_match(t, others) for t in self.tracks]
        self.flicker = [np.full((2, len(t)), np.nan, np.float32) for t in faces.tracks]
        self.covered = [np.full(len(t), np.nan, np.float32) for t in faces.tracks]
        self.samples: list[dict[int, tuple[FaceSample, FaceSample]]] = [{} for _ in faces.tracks]
        self._sampled = sampled(faces.count)
        self._still = [_inner_crops(a) for a in self.alignments]
        self._window: deque[tuple[Image8, Image8]] = deque(maxlen=3)

    def take(self, index: int, plate: Frame, composite: Frame, matte: Float | None) -> None:
        """Take the next frame of both."""
        if matte is not None:
            self.coverage[index] = measure.coverage(matte)
            self.outside[index] = change_outside(plate, composite, matte)
            for k, at in self._tracks_in(index, index):
                self.covered[k][at] = measure.covered(matte, self.tracks[k].landmarks[at, None, :, :2])[0]
        self._window.append((plate.rgb8(), composite.rgb8()))
        tracks_here = list(self._tracks_in(index - 2, index)) if len(self._window) == 3 else []
        if tracks_here:
            middles = [(k, at + 1) for k, at in tracks_here]
            to_plate = np.stack([self._still[k][at] for k, at in middles])
            for side in range(2):
                values = measure.flicker(*(crop(images[side], to_plate, measure.CROP) for images in self._window))
                for (k, at), value in zip(middles, values, strict=True):
                    self.flicker[k][side, at] = value
        if index in self._sampled:
            for k, at in self._tracks_in(index, index):
                landmarks, scores = self.others[k]
                if self.tracks[k].scores[at] > 0 and scores[at] > 0 and not self.covered[k][at] < COVERED:
                    self.samples[k][at] = (
                        take_sample(plate.rgb8(), self.alignments[k], at, self.tracks[k].landmarks[at]),
                        take_sample(composite.rgb8(), self.alignments[k], at, landmarks[at], matte),
                    )

    def _tracks_in(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the tracks that hold all frames first..last, each with its position at `first`."""
        for k, track in enumerate(self.tracks):
            if track.frames[0] <= first and last <= track.frames[-1]:
                yield k, int(first - track.frames[0])


def change_outside(plate: Frame, composite: Frame, matte: Float) -> float:
    """Find the largest difference of code values where the matte is 0; 0 when the plate is untouched there.

    Movies are compared in their own planes, before any conversion. A chroma sample is outside when any of its
    pixels is.
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
    """List the planes of a picture without the filler of packed formats."""
    planes = views(frame.picture)
    if not lay.step:
        return list(planes)
    channels = [*lay.order, *([] if lay.alpha is None else [lay.alpha])]
    return [planes[0][..., i] for i in channels]


def _at_samples(outside: Bool, shift_x: int, shift_y: int) -> Bool:
    """Subsample a mask [H, W] for a plane: true where any pixel of the group is."""
    if not (shift_x or shift_y):
        return outside
    sx, sy = 1 << shift_x, 1 << shift_y
    padded = np.pad(outside, ((0, -outside.shape[0] % sy), (0, -outside.shape[1] % sx)))
    # Many times as fast as `any` over axes of two.
    return reduce(np.logical_or, (padded[y::sy, x::sx] for y in range(sy) for x in range(sx)))


def _inner_crops(alignment: Alignment) -> Float:
    return alignment.at(measure.CROP, measure.INNER / alignment.subject.half_side).to_plate


def _match(track: Track, others: Sequence[Track]) -> tuple[Float, Float]:
    """Find a track's counterpart, frame by frame: its landmarks [N, L, 3], NaN without one, and its score."""
    points = np.full(track.landmarks.shape, np.nan, np.float32)
    scores = np.zeros(len(track), np.float32)
    nearest = np.full(len(track), np.inf, np.float32)
    size = np.linalg.norm(track.boxes[:, 2:] - track.boxes[:, :2], axis=1)
    for other in others:
        _, mine, theirs = np.intersect1d(track.frames, other.frames, assume_unique=True, return_indices=True)
        gap = np.linalg.norm((track.landmarks[mine] - other.landmarks[theirs])[..., :2].mean(1), axis=1)
        better = (other.scores[theirs] > 0) & (gap < 0.35 * size[mine]) & (gap < nearest[mine])
        mine, theirs = mine[better], theirs[better]
        points[mine], scores[mine], nearest[mine] = other.landmarks[theirs], other.scores[theirs], gap[better]
    return points, scores
