"""Gather the crops of a faceset: candidates, those that are worth keeping, and the pictures of them."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.align.pose import Performance, take_performance
from nodes.definitions import ALIGN, AlignParameters, DetectParameters
from nodes.detect import main_tracks
from nodes.footage.footage import Footage
from nodes.geometry.sampling import crop
from nodes.graph import run
from nodes.progress import Progress
from nodes.subjects.subject import Subject
from nodes.types import Float, Image8, Int, Track
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.select import Cover, cover, describe, describe_light, find_blurred, look, oddness, usual_limit

_HEADER = 128  # bytes, that numpy writes for any array of ours
_WRITTEN = 32 << 20


class GrowingArray:
    """Rows of one shape and type, appended to a file.

    Rows are written, not mapped: where the disk is full, a mapped file kills the process instead of raising OSError.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], kind: str) -> None:
        self.shape, self.dtype = shape, np.dtype(kind)
        self.length = 0
        self._row = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        self._file = path.open("w+b")

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows [n, *shape]."""
        self._write(rows, self.length)
        self.length += len(rows)

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
        for at in range(0, len(rows), step):
            self._write(self.read(rows[at : at + step]), start + at)
        self.length = start + len(rows)

    def finish(self) -> None:
        """Write the header, cut off what is no longer needed, and see the bytes on disk."""
        self._file.seek(0)
        facts = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.length, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, facts)
        self._file.truncate(_HEADER + self.length * self._row)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _write(self, rows: npt.NDArray[Any], at: int) -> None:
        self._file.seek(_HEADER + at * self._row)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One crop that was left out. frame: position in the clip. what, figure: by which measure. like: clip and frame of the kept one."""

    clip: int
    frame: int
    reason: str
    what: str
    figure: float
    like: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """T faces of one clip, in the order of frames, at most one a frame.

    number: of the clip. span: first and last position that was looked at. frame, track, score: [T]. to_plate: [T, 2, 3].
    landmarks: [T, L, 3] in crop pixels. performance: of these. jump: [T], how far the landmarks are from their smooth path, in crop
    sides. cut: [T], share of the landmarks that lie outside the picture. others: tracks of other people.
    """

    number: int
    subject: Subject
    footage: Footage
    span: tuple[int, int]
    frame: Int
    track: Int
    score: Float
    to_plate: Float
    landmarks: Float
    performance: Performance
    jump: Float
    cut: Float
    others: tuple[Track, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def leave_out(self, rows: Int, reason: str, what: str, figures: Float) -> list[LeftOut]:
        """Note for each of some rows why it is left out, and by which figure [n]."""
        return [
            LeftOut(self.number, int(frame), reason, what, float(figure))
            for frame, figure in zip(self.frame[rows], figures, strict=True)
        ]


def find_candidates(
    footage: Footage,
    number: int,
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
        detected, steady = tracks[a.track.id].landmarks, a.landmarks
        landmarks.append(steady)
        jumps.append(np.linalg.norm((a.to_crop(detected) - steady)[..., :2], axis=-1).mean(1) / a.size)
        xy = detected[..., :2]
        cuts.append(((xy < 0) | (xy > (info.width, info.height))).any(-1).mean(1))
    subject, points = aligned[0].subject, np.concatenate(landmarks)
    return Candidates(
        number,
        subject,
        footage,
        span,
        np.concatenate([a.track.frames for a in aligned]),
        np.repeat([a.track.id for a in aligned], [len(a.track) for a in aligned]),
        np.concatenate([a.track.scores for a in aligned]).astype(np.float32),
        np.concatenate([a.to_plate for a in aligned]),
        points,
        take_performance(points, subject),
        np.concatenate(jumps).astype(np.float32),
        np.concatenate(cuts).astype(np.float32),
        () if wanted else tuple(t for t in main_tracks(made["found"]) if t.id not in tracks),
    )


REASONS = ("blurred", "misdetected", "duplicate", "blank", "another person")


def count_reasons(left_out: Sequence[LeftOut], clip: int | None = None) -> dict[str, int]:
    """How many were left out for each reason, of one clip or of all."""
    counts = Counter(one.reason for one in left_out if clip is None or one.clip == clip)
    return {reason: counts[reason] for reason in REASONS}


def write_left_out(path: Path, left_out: Sequence[LeftOut], numbers: Sequence[int]) -> None:
    """Write the list as CSV, in the order of clips and frames; numbers: each clip's own number of its first frame."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "frame", "reason", "measure", "figure", "kept clip", "kept frame"))
        for one in sorted(left_out, key=lambda one: (one.clip, one.frame)):
            like = ("", "") if one.like is None else (one.like[0], one.like[1] + numbers[one.like[0]])
            rows.writerow((one.clip, one.frame + numbers[one.clip], one.reason, one.what, f"{one.figure:.4g}", *like))


_BLOCK = 64  # crops that are measured at once
_SHAPES = 500  # of a clip that say how the performer usually looks
_LEAST_SCORE, _MOST_CUT, _LEAST_CONTRAST = 0.5, 0.1, 3.0
_ODD, _JUMP = 0.08, 0.03  # below which no shape is odd (template units), and no movement a jump (crop sides)


@dataclass(frozen=True, slots=True)
class Selection:
    """Of one clip, the candidates that are kept. rows: [K]; sharpness: [K]; view: [K, D], their descriptors."""

    rows: Int
    sharpness: Float
    view: Float

    def only(self, which: Int) -> Selection:
        """Keep only some of them."""
        return Selection(self.rows[which], self.sharpness[which], self.view[which])


def judge(clips: Sequence[Candidates], left_out: list[LeftOut]) -> list[Int]:
    """Sort out, before anything is decoded, what is not the performer's whole face; gives the usable rows of each clip."""
    some = [np.unique(np.linspace(0, len(c) - 1, min(len(c), _SHAPES)).astype(np.int64)) for c in clips]
    usual = np.median(np.concatenate([c.performance.shape[rows] for c, rows in zip(clips, some, strict=True)]), axis=0)
    odd = [oddness(c.performance.shape, usual, c.subject) for c in clips]
    most_odd = usual_limit(np.concatenate(odd), _ODD)
    most_jump = usual_limit(np.concatenate([c.jump for c in clips]), _JUMP)
    usable = []
    for c, how_odd in zip(clips, odd, strict=True):
        wrong = np.zeros(len(c), bool)
        for what, figure, bad in (
            ("score", c.score, c.score < _LEAST_SCORE),
            ("outside the picture", c.cut, c.cut > _MOST_CUT),
            ("unusual shape", how_odd, how_odd > most_odd),
            ("jumping landmarks", c.jump, c.jump > most_jump),
        ):
            rows = np.flatnonzero(bad & ~wrong)
            left_out += c.leave_out(rows, "misdetected", what, figure[rows])
            wrong |= bad
        usable.append(np.flatnonzero(~wrong))
        for track in c.others:
            left_out += [LeftOut(c.number, int(f), "another person", "track", track.id) for f in track.frames]
    return usable


def take(
    candidates: Candidates,
    rows: Int,
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
    tell: Callable[[int], None],
) -> Selection:
    """Decode a clip once, append the crops of `rows`, and keep of them what is sharp and differs."""
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
    good = np.arange(len(rows))
    for reason, what, figure, bad_of in (
        ("blank", "contrast", contrast, lambda figures: figures < _LEAST_CONTRAST),
        ("blurred", "sharpness", sharpness, find_blurred),
    ):
        bad = bad_of(figure[good])
        left_out += candidates.leave_out(rows[good[bad]], reason, what, figure[good[bad]])
        good = good[~bad]
    shape, yaw_pitch = candidates.performance.shape[rows[good]], candidates.performance.yaw_pitch[rows[good]]
    full = np.concatenate([describe(shape, yaw_pitch, candidates.subject), light[good]], axis=1)
    chosen = cover(full, parameters.most, parameters.least_change)
    left_out += _duplicates([(candidates.number, frame) for frame in candidates.frame[rows[good]].tolist()], chosen)
    stay = good[chosen.kept]
    crops.keep(start + stay, start)
    return Selection(rows[stay], sharpness[stay], full[chosen.kept])


def join(
    clips: Sequence[Candidates],
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
    fresh = _duplicates(
        [(c.number, frame) for c, k in zip(clips, kept, strict=True) for frame in c.frame[k.rows].tolist()], chosen
    )
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
    row_of = dict(zip(candidates.frame[rows].tolist(), rows.tolist(), strict=True))
    at: list[int] = []
    block: list[Image8] = []
    for frame in candidates.footage.frames(min(row_of), max(row_of), prepare=lambda frame: frame.rgb8()):
        if (row := row_of.get(frame.index)) is not None:
            at.append(row)
            block.append(crop(frame.rgb8(), candidates.to_plate[row : row + 1], size)[0])
            if len(block) == _BLOCK or row == rows[-1]:
                yield np.array(at), np.stack(block)
                at, block = [], []


def _duplicates(places: Sequence[tuple[int, int]], chosen: Cover) -> list[LeftOut]:
    gone = np.setdiff1d(np.arange(len(chosen.by)), chosen.kept)
    return [
        LeftOut(clip, frame, "duplicate", "change", float(chosen.distance[i]), places[chosen.by[i]])
        for i, (clip, frame) in ((i, places[i]) for i in gone)
    ]
