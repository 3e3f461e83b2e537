"""From candidates to the crops that are kept: what is not the performer's face goes, then what is blank, blurred or not new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from nodes.geometry.sampling import crop
from nodes.types import Bool, Float, Image8, Int
from trainer.faceset import quality
from trainer.faceset.candidates import Candidates
from trainer.faceset.growing import GrowingArray
from trainer.faceset.left_out import LeftOut
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.select import Cover, cover, describe_light

_BLOCK = 64  # crops that are measured at once
_LEAST_SCORE, _MOST_CUT, _LEAST_CONTRAST = 0.5, 0.1, 3.0


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one clip, the candidates that are kept. rows: [K]; sharpness: [K]; view: [K, D], their descriptors."""

    rows: Int
    sharpness: Float
    view: Float

    def only(self, which: Int) -> Kept:
        """Keep only some of them."""
        return Kept(self.rows[which], self.sharpness[which], self.view[which])


def judge(found: Sequence[Candidates], left_out: list[LeftOut]) -> list[Int]:
    """Sort out, before anything is decoded, what is not the performer's whole face; gives the usable rows of each clip."""
    usual = quality.median_shape(np.concatenate([c.some_shapes() for c in found]))
    odd = [quality.oddness(c.shapes(), usual, c.subject) for c in found]
    most_odd = quality.odd_limit(np.concatenate(odd))
    most_jump = quality.jump_limit(np.concatenate([c.jump for c in found]))
    usable = []
    for number, (c, oddness) in enumerate(zip(found, odd, strict=True)):
        wrong = np.zeros(len(c), bool)
        for what, figure, bad in (
            ("score", c.score, c.score < _LEAST_SCORE),
            ("outside the picture", c.cut, c.cut > _MOST_CUT),
            ("unusual shape", oddness, oddness > most_odd),
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
) -> Kept:
    """Decode clip `number` once, append the crops of `rows`, and keep of them what is sharp and differs.

    view: [T, D], descriptors of pose and expression of all candidates.
    """
    start = crops.length
    tell(0)
    looks = []
    for at, block in _blocks(candidates, rows, parameters.size):
        looks.append(quality.look(block, candidates.landmarks[at], candidates.subject))
        crops.append(block)
        tell(crops.length - start)
    if not looks:
        return Kept(rows, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))
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
    good = sort_out(good, quality.find_blurred(sharpness[good]), "blurred", "sharpness", sharpness)
    full = np.concatenate([view[rows[good]], light[good]], axis=1)
    chosen = cover(full, parameters.most, parameters.least_change)
    left_out += _duplicates([(number, int(frame)) for frame in candidates.frame[rows[good]]], chosen)
    stay = good[chosen.kept]
    crops.keep(start + stay, start)
    return Kept(rows[stay], sharpness[stay], full[chosen.kept])


def join(
    found: Sequence[Candidates],
    kept: list[Kept],
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
) -> list[Kept]:
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
