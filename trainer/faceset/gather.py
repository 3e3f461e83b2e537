"""Gather the crops of a faceset: find candidates, select the usable ones, and cut them from the frames."""

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

_HEADER = 128  # bytes of numpy's header for these arrays
_WRITTEN = 32 << 20


class GrowingArray:
    """Rows of one shape and type, appended to a file.

    Rows are written, not mapped: on a full disk, a mapped file kills the process instead of raising OSError.
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
        """From `start` on, keep only the rows numbered `rows`, ascending, and close the gaps."""
        step = max(_WRITTEN // self._row, 1)
        for at in range(0, len(rows), step):
            self._write(self.read(rows[at : at + step]), start + at)
        self.length = start + len(rows)

    def finish(self) -> None:
        """Write the header, cut off unused space, and flush to disk."""
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
    """One crop that was left out. frame: position in the clip. measure, figure: why. like: clip and frame of the kept duplicate."""

    clip: int
    frame: int
    reason: str
    measure: str
    figure: float
    like: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """T faces of one clip, in the order of frames, at most one a frame.

    number: of the clip. span: first and last position examined. frame, track, score: [T]. to_plate: [T, 2, 3].
    landmarks: [T, L, 3] in crop pixels. performance: of these. jump: [T], distance of the landmarks from their smooth path, in crop
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

    def leave_out(self, rows: Int, reason: str, measure: str, figures: Float) -> list[LeftOut]:
        """List why each of some rows is left out: reason, measure and figures [n]."""
        return [
            LeftOut(self.number, int(frame), reason, measure, float(figure))
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
    known: Footage | None = None,
) -> Candidates:
    """Find, follow and align the main face, or the tracks `wanted`, in a clip's positions `span`, inclusive.

    known: other footage of the performer, who need not be the main person then. Raises NoFaceError, FootageError and ConsentError.
    """
    info = footage.info
    settings = {"detect": detect, "align": AlignParameters(size=parameters.size, coverage=parameters.coverage)}
    first, last = span
    graph = run(
        {"plate": footage, "target_known": known}, settings, upto=ALIGN, tracks=wanted, first=first, last=last,
        progress=progress, stage=name,
    )  # fmt: skip
    tracks = {track.id: track for track in graph["faces"].tracks}
    crops = sorted(graph["crops"], key=lambda a: int(a.track.frames[0]))
    landmarks, jumps, cuts = [], [], []
    for a in crops:
        detected, steady = tracks[a.track.id].landmarks, a.landmarks
        landmarks.append(steady)
        jumps.append(np.linalg.norm((a.to_crop(detected) - steady)[..., :2], axis=-1).mean(1) / a.size)
        xy = detected[..., :2]
        cuts.append(((xy < 0) | (xy > (info.width, info.height))).any(-1).mean(1))
    subject, points = crops[0].subject, np.concatenate(landmarks)
    return Candidates(
        number,
        subject,
        footage,
        span,
        np.concatenate([a.track.frames for a in crops]),
        np.repeat([a.track.id for a in crops], [len(a.track) for a in crops]),
        np.concatenate([a.track.scores for a in crops]).astype(np.float32),
        np.concatenate([a.to_plate for a in crops]),
        points,
        take_performance(points, subject),
        np.concatenate(jumps).astype(np.float32),
        np.concatenate(cuts).astype(np.float32),
        () if wanted else tuple(t for t in main_tracks(graph["found"]) if t.id not in tracks),
    )


REASONS = ("blurred", "misdetected", "hidden", "duplicate", "blank", "another person")


def count_reasons(left_out: Sequence[LeftOut], clip: int | None = None) -> dict[str, int]:
    """Count the crops left out for each reason, of one clip or of all."""
    counts = Counter(entry.reason for entry in left_out if clip is None or entry.clip == clip)
    return {reason: counts[reason] for reason in REASONS}


def write_left_out(path: Path, left_out: Sequence[LeftOut], numbers: Sequence[int]) -> None:
    """Write the list as CSV, in the order of clips and frames; numbers: each clip's first frame number."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "frame", "reason", "measure", "figure", "kept clip", "kept frame"))
        for c in sorted(left_out, key=lambda c: (c.clip, c.frame)):
            like = ("", "") if c.like is None else (c.like[0], c.like[1] + numbers[c.like[0]])
            rows.writerow((c.clip, c.frame + numbers[c.clip], c.reason, c.measure, f"{c.figure:.4g}", *like))


_BLOCK = 64  # crops measured at once
_SHAPES = 500  # of a clip, for the performer's usual shape
_LEAST_SCORE, _MOST_CUT, _MOST_HIDDEN, _LEAST_CONTRAST = 0.5, 0.1, 0.3, 3.0
_ODD, _JUMP = 0.08, 0.03  # lower bounds of the limits for odd shapes (template units) and jumps (crop sides)


@dataclass(frozen=True, slots=True)
class Selection:
    """The kept candidates of one clip. rows: [K]; sharpness: [K]; view: [K, D], their descriptors."""

    rows: Int
    sharpness: Float
    view: Float

    def only(self, selected: Int) -> Selection:
        """Keep only some of them."""
        return Selection(self.rows[selected], self.sharpness[selected], self.view[selected])


def judge(clips: Sequence[Candidates], left_out: list[LeftOut]) -> list[Int]:
    """Find the usable rows of each clip before decoding; others, not the performer's whole face, go to `left_out`."""
    some = [np.unique(np.linspace(0, len(c) - 1, min(len(c), _SHAPES)).astype(np.int64)) for c in clips]
    usual = np.median(np.concatenate([c.performance.shape[rows] for c, rows in zip(clips, some, strict=True)]), axis=0)
    odd = [oddness(c.performance.shape, usual, c.subject) for c in clips]
    most_odd = usual_limit(np.concatenate(odd), _ODD)
    most_jump = usual_limit(np.concatenate([c.jump for c in clips]), _JUMP)
    usable = []
    for c, how_odd in zip(clips, odd, strict=True):
        wrong = np.zeros(len(c), bool)
        for measure, figure, bad in (
            ("score", c.score, c.score < _LEAST_SCORE),
            ("outside the picture", c.cut, c.cut > _MOST_CUT),
            ("unusual shape", how_odd, how_odd > most_odd),
            ("jumping landmarks", c.jump, c.jump > most_jump),
        ):
            rows = np.flatnonzero(bad & ~wrong)
            left_out += c.leave_out(rows, "misdetected", measure, figure[rows])
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
    """Decode a clip once, append the crops of `rows`, and keep those that are sharp and differ."""
    start = crops.length
    tell(0)
    looks = []
    for at, block in _blocks(candidates, rows, parameters.size):
        looks.append(look(block, candidates.landmarks[at], candidates.subject))
        crops.append(block)
        tell(crops.length - start)
    if not looks:
        return Selection(rows, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
    sharpness, contrast, hidden = (
        np.concatenate([getattr(each, name) for each in looks]) for name in ("sharpness", "contrast", "hidden")
    )
    light = describe_light(np.concatenate([each.thumbnails for each in looks]))
    good = np.arange(len(rows))
    for reason, measure, figure, bad_of in (
        ("blank", "contrast", contrast, lambda figures: figures < _LEAST_CONTRAST),
        ("hidden", "part behind something", hidden, lambda figures: figures > _MOST_HIDDEN),
        ("blurred", "sharpness", sharpness, find_blurred),
    ):
        bad = bad_of(figure[good])
        left_out += candidates.leave_out(rows[good[bad]], reason, measure, figure[good[bad]])
        good = good[~bad]
    shape, yaw_pitch = candidates.performance.shape[rows[good]], candidates.performance.yaw_pitch[rows[good]]
    full = np.concatenate([describe(shape, yaw_pitch, candidates.subject), light[good]], axis=1)
    choice = cover(full, parameters.most, parameters.least_change)
    left_out += _duplicates([(candidates.number, frame) for frame in candidates.frame[rows[good]].tolist()], choice)
    stay = good[choice.kept]
    crops.keep(start + stay, start)
    return Selection(rows[stay], sharpness[stay], full[choice.kept])


def join(
    clips: Sequence[Candidates],
    kept: list[Selection],
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
) -> list[Selection]:
    """Leave out crops that other clips have too, and those beyond the limit."""
    nonempty = [k for k in kept if len(k.rows)]
    if len(nonempty) < 2:
        return kept
    choice = cover(np.concatenate([k.view for k in nonempty]), parameters.most, parameters.least_change)
    duplicates = _duplicates(
        [(c.number, frame) for c, k in zip(clips, kept, strict=True) for frame in c.frame[k.rows].tolist()], choice
    )
    instead = {(crop.clip, crop.frame): crop.like for crop in duplicates}
    # A duplicate of a crop that is dropped now becomes a duplicate of that crop's replacement.
    left_out[:] = [replace(crop, like=instead[crop.like]) if crop.like in instead else crop for crop in left_out]
    left_out += duplicates
    crops.keep(choice.kept)
    ends = np.cumsum([0, *(len(k.rows) for k in kept)])
    within = (choice.kept[(choice.kept >= a) & (choice.kept < b)] - a for a, b in pairwise(ends))
    return [k.only(selected) for k, selected in zip(kept, within, strict=True)]


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


def _duplicates(places: Sequence[tuple[int, int]], choice: Cover) -> list[LeftOut]:
    dropped = np.setdiff1d(np.arange(len(choice.by)), choice.kept)
    return [
        LeftOut(clip, frame, "duplicate", "change", float(choice.distance[i]), places[choice.by[i]])
        for i, (clip, frame) in ((i, places[i]) for i in dropped)
    ]
