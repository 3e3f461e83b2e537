"""Gather the crops of a faceset: candidates, those that are worth keeping, and the pictures of them."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.align.pose import take_performance
from nodes.definitions import ALIGN, AlignParameters, DetectParameters
from nodes.detect import main_tracks
from nodes.footage.footage import Footage
from nodes.geometry.sampling import crop
from nodes.graph import run
from nodes.progress import Progress
from nodes.subjects.subject import Subject
from nodes.types import Bool, Float, Image8, Int, Track
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.select import (
    Cover,
    cover,
    describe,
    describe_light,
    find_blurred,
    jump_limit,
    look,
    median_shape,
    odd_limit,
    oddness,
)

_HEADER = 128  # bytes: enough for any array of ours, and what numpy itself writes for them
_WRITTEN = 32 << 20


class GrowingArray:
    """Rows of one shape and type, appended to a file.

    Rows are written, not mapped: where the disk is full, a mapped file kills the process instead of raising OSError.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], kind: str) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(kind)
        self.length = 0
        self._row = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self._file = path.open("w+b")
        self._file.write(bytes(_HEADER))

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows [n, *shape]."""
        block = np.ascontiguousarray(rows, self.dtype)
        if block.shape[1:] != self.shape:
            raise ValueError(f"rows of {self.shape}, not {block.shape[1:]}")
        self._file.seek(_HEADER + self.length * self._row)
        self._file.write(block.data)
        self.length += len(block)

    def read(self, rows: Int) -> npt.NDArray[Any]:
        """Read rows by number."""
        out = np.empty((len(rows), *self.shape), self.dtype)
        for into, row in zip(out, rows, strict=True):
            self._file.seek(_HEADER + int(row) * self._row)
            self._file.readinto(into.data)
        return out

    def keep(self, rows: Int, start: int = 0) -> None:
        """Keep of the rows from `start` on only those numbered `rows`, ascending, and close the gaps."""
        step = max(_WRITTEN // self._row, 1)
        end = start
        for at in range(0, len(rows), step):
            block = self.read(rows[at : at + step])
            self._file.seek(_HEADER + end * self._row)
            self._file.write(block.data)
            end += len(block)
        self.length = end

    def finish(self) -> None:
        """Write the header, cut off what is no longer needed, and see the bytes on disk."""
        header = io.BytesIO()
        facts = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.length, *self.shape)}
        np.lib.format.write_array_header_1_0(header, facts)
        if len(header.getvalue()) != _HEADER:
            raise ValueError(f"a header of {len(header.getvalue())} bytes")
        self._file.seek(0)
        self._file.write(header.getvalue())
        self._file.flush()
        self._file.truncate(_HEADER + self.length * self._row)
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


_SHAPES = 500  # of a clip that say how the performer usually looks


@dataclass(frozen=True, slots=True)
class Candidates:
    """T faces of one clip, in the order of frames, at most one a frame.

    span: first and last position that was looked at. frame, track, score: [T]. to_plate: [T, 2, 3]. landmarks: [T, L, 3] in crop pixels. jump: [T], how far the landmarks are from their smooth path, in crop sides. cut: [T], share of the landmarks that lie outside the picture. others: tracks of other people.
    """

    subject: Subject
    footage: Footage
    span: tuple[int, int]
    frame: Int
    track: Int
    score: Float
    to_plate: Float
    landmarks: Float
    jump: Float
    cut: Float
    others: tuple[Track, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def shapes(self, rows: slice | Int = slice(None)) -> Float:
        """Shapes with the pose taken out, template units, [n, L, 3]."""
        return take_performance(self.landmarks[rows], self.subject).shape

    def some_shapes(self) -> Float:
        """Some of the shapes, spread over the clip."""
        return self.shapes(np.unique(np.linspace(0, len(self) - 1, min(len(self), _SHAPES)).astype(np.int64)))

    def views(self) -> tuple[Float, Float]:
        """Yaw and pitch in degrees [T, 2], and descriptors of pose and expression [T, D]."""
        performance = take_performance(self.landmarks, self.subject)
        return performance.yaw_pitch, describe(performance.shape, performance.yaw_pitch, self.subject)


def find_candidates(
    footage: Footage,
    parameters: FacesetParameters,
    detect: DetectParameters,
    progress: Progress,
    name: str,
    span: tuple[int, int],
    wanted: Sequence[int] = (),
) -> Candidates:
    """Find, follow and align the main face, or the tracks `wanted`, of a clip's positions `span`, inclusive; raises NoFaceError where there is none, and FootageError."""
    info = footage.info
    asked = {"detect": detect, "align": AlignParameters(size=parameters.size, coverage=parameters.coverage)}
    first, last = span
    made = run(
        {"plate": footage}, asked, upto=ALIGN, tracks=wanted, first=first, last=last, progress=progress, stage=name
    )
    tracks = {track.id: track for track in made["faces"].tracks}
    aligned = sorted(made["crops"], key=lambda a: int(a.track.frames[0]))
    landmarks, jumps, cuts = [], [], []
    for a in aligned:
        found = tracks[a.track.id].landmarks
        steady = a.landmarks
        landmarks.append(steady)
        jumps.append(np.linalg.norm((a.to_crop(found) - steady)[..., :2], axis=-1).mean(1) / a.size)
        xy = found[..., :2]
        cuts.append(((xy < 0) | (xy > (info.width, info.height))).any(-1).mean(1))
    return Candidates(
        aligned[0].subject,
        footage,
        span,
        np.concatenate([a.track.frames for a in aligned]),
        np.concatenate([np.full(len(a.track), a.track.id, np.int64) for a in aligned]),
        np.concatenate([a.track.scores for a in aligned]).astype(np.float32),
        np.concatenate([a.to_plate for a in aligned]),
        np.concatenate(landmarks),
        np.concatenate(jumps).astype(np.float32),
        np.concatenate(cuts).astype(np.float32),
        () if wanted else tuple(t for t in main_tracks(made["found"]) if t.id not in tracks),
    )


REASONS = ("blurred", "misdetected", "duplicate", "blank", "another person")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One crop that was left out. frame: position in the clip. what, figure: by which measure. like: clip and frame of the kept one."""

    clip: int
    frame: int
    reason: str
    what: str
    figure: float
    like: tuple[int, int] | None = None


def count_reasons(left_out: Sequence[LeftOut], clip: int | None = None) -> dict[str, int]:
    """How many were left out for each reason, of one clip or of all."""
    found = Counter(one.reason for one in left_out if clip is None or one.clip == clip)
    return {reason: found[reason] for reason in REASONS}


def write_left_out(path: Path, left_out: Sequence[LeftOut], numbers: Sequence[int]) -> None:
    """Write the list as CSV, in the order of clips and frames; numbers: each clip's own number of its first frame."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "frame", "reason", "measure", "figure", "kept clip", "kept frame"))
        for one in sorted(left_out, key=lambda one: (one.clip, one.frame)):
            like = ("", "") if one.like is None else (one.like[0], one.like[1] + numbers[one.like[0]])
            rows.writerow((one.clip, one.frame + numbers[one.clip], one.reason, one.what, f"{one.figure:.4g}", *like))


_BLOCK = 64  # crops that are measured at once
_LEAST_SCORE, _MOST_CUT, _LEAST_CONTRAST = 0.5, 0.1, 3.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Of one clip, the candidates that are kept. rows: [K]; sharpness: [K]; view: [K, D], their descriptors."""

    rows: Int
    sharpness: Float
    view: Float

    def only(self, which: Int) -> Selection:
        """Keep only some of them."""
        return Selection(self.rows[which], self.sharpness[which], self.view[which])


def judge(found: Sequence[Candidates], left_out: list[LeftOut]) -> list[Int]:
    """Sort out, before anything is decoded, what is not the performer's whole face; gives the usable rows of each clip."""
    usual = median_shape(np.concatenate([c.some_shapes() for c in found]))
    odd = [oddness(c.shapes(), usual, c.subject) for c in found]
    most_odd = odd_limit(np.concatenate(odd))
    most_jump = jump_limit(np.concatenate([c.jump for c in found]))
    usable = []
    for number, (c, how_odd) in enumerate(zip(found, odd, strict=True)):
        wrong = np.zeros(len(c), bool)
        for what, figure, bad in (
            ("score", c.score, c.score < _LEAST_SCORE),
            ("outside the picture", c.cut, c.cut > _MOST_CUT),
            ("unusual shape", how_odd, how_odd > most_odd),
            ("jumping landmarks", c.jump, c.jump > most_jump),
        ):
            _leave_out(left_out, number, c, np.flatnonzero(bad & ~wrong), "misdetected", what, figure)
            wrong |= bad
        usable.append(np.flatnonzero(~wrong))
        for track in c.others:
            left_out += [LeftOut(number, int(f), "another person", "track", track.id) for f in track.frames]
    return usable


def take(
    number: int,
    candidates: Candidates,
    rows: Int,
    view: Float,
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
    tell: Callable[[int], None],
) -> Selection:
    """Decode clip `number` once, append the crops of `rows`, and keep of them what is sharp and differs.

    view: [T, D], descriptors of pose and expression of all candidates.
    """
    start = crops.length
    tell(0)
    looks = []
    for at, block in _blocks(candidates, rows, parameters.size):
        looks.append(look(block, candidates.landmarks[at], candidates.subject))
        crops.append(block)
        tell(crops.length - start)
    if not looks:
        return Selection(rows, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
    sharpness, contrast = (
        np.concatenate([getattr(seen, name) for seen in looks]) for name in ("sharpness", "contrast")
    )
    light = describe_light(np.concatenate([seen.thumbnails for seen in looks]))

    def sort_out(good: Int, bad: Bool, reason: str, what: str, figure: Float) -> Int:
        gone = good[bad]
        _leave_out(left_out, number, candidates, rows[gone], reason, what, figure, gone)
        return good[~bad]

    good = np.arange(len(rows))
    good = sort_out(good, contrast < _LEAST_CONTRAST, "blank", "contrast", contrast)
    good = sort_out(good, find_blurred(sharpness[good]), "blurred", "sharpness", sharpness)
    full = np.concatenate([view[rows[good]], light[good]], axis=1)
    chosen = cover(full, parameters.most, parameters.least_change)
    left_out += _duplicates([(number, int(frame)) for frame in candidates.frame[rows[good]]], chosen)
    stay = good[chosen.kept]
    crops.keep(start + stay, start)
    return Selection(rows[stay], sharpness[stay], full[chosen.kept])


def join(
    found: Sequence[Candidates],
    kept: list[Selection],
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
) -> list[Selection]:
    """Of the crops of all clips, leave out what clips have in common and what is too much."""
    there = [k for k in kept if len(k.rows)]
    if len(there) < 2:
        return kept
    chosen = cover(np.concatenate([k.view for k in there]), parameters.most, parameters.least_change)
    places = [(i, int(f)) for i, (c, k) in enumerate(zip(found, kept, strict=True)) for f in c.frame[k.rows]]
    fresh = _duplicates(places, chosen)
    instead = {(one.clip, one.frame): one.like for one in fresh}
    # Whoever was like one that goes now is like the one that this one is like.
    left_out[:] = [replace(one, like=instead[one.like]) if one.like in instead else one for one in left_out]
    left_out += fresh
    crops.keep(chosen.kept)
    ends = np.cumsum([0, *(len(k.rows) for k in kept)])
    within = (chosen.kept[(chosen.kept >= a) & (chosen.kept < b)] - a for a, b in pairwise(ends))
    return [k.only(which) for k, which in zip(kept, within, strict=True)]


def _blocks(candidates: Candidates, rows: Int, size: int) -> Iterator[tuple[Int, Image8]]:
    """Yield rows and their crops uint8 [n, size, size, 3], decoding the clip once."""
    if not len(rows):
        return
    wanted = candidates.frame[rows]
    done = 0
    block: list[Image8] = []
    for frame in candidates.footage.frames(int(wanted[0]), int(wanted[-1]), prepare=lambda frame: frame.rgb8()):
        at = done + len(block)
        if frame.index != wanted[at]:
            continue
        block.append(crop(frame.rgb8(), candidates.to_plate[rows[at] : rows[at] + 1], size)[0])
        if len(block) == _BLOCK or at + 1 == len(rows):
            yield rows[done : at + 1], np.stack(block)
            done, block = at + 1, []


def _leave_out(
    left_out: list[LeftOut],
    number: int,
    candidates: Candidates,
    rows: Int,
    reason: str,
    what: str,
    figure: Float,
    at: Int | None = None,
) -> None:
    """Note candidates; the figure of each is that of its row, or that `at` another place."""
    figures = figure[rows if at is None else at]
    left_out += [
        LeftOut(number, int(frame), reason, what, float(value))
        for frame, value in zip(candidates.frame[rows], figures, strict=True)
    ]


def _duplicates(places: Sequence[tuple[int, int]], chosen: Cover) -> list[LeftOut]:
    gone = np.setdiff1d(np.arange(len(chosen.by)), chosen.kept)
    return [
        LeftOut(clip, frame, "duplicate", "change", float(chosen.distance[i]), places[chosen.by[i]])
        for i, (clip, frame) in ((i, places[i]) for i in gone)
    ]
