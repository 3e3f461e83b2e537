"""Gather a faceset from clips: each is decoded once, and of its faces those that are good and new are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodes.definitions import DetectParameters
from nodes.errors import NoFaceError, writing
from nodes.footage import Footage
from nodes.footage.whole import flush
from nodes.geometry.sampling import crop
from nodes.mask.regions import draw_regions
from nodes.shot.digest import digest_footage
from nodes.shot.progress import Progress, quiet, stage
from nodes.shot.results import check_writable
from nodes.shot.sheet import write_png
from nodes.subjects import load_subject
from nodes.types import Bool, Float, Image8, Int
from trainer.faceset import quality
from trainer.faceset.candidates import Candidates, find_candidates
from trainer.faceset.faceset import ARRAYS, DOCUMENT, ENTRIES, SCHEMA, Faceset, open_faceset, sha256_of
from trainer.faceset.folder import LEFT_OUT, SHEET, check_replaceable, replacing
from trainer.faceset.growing import GrowingArray
from trainer.faceset.left_out import LeftOut, count_reasons, write_left_out
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.select import cover, describe_light
from trainer.faceset.sheet import draw_sheet, spread_over_pose

_BLOCK = 64  # crops that are measured at once
_LEAST_SCORE, _MOST_CUT, _LEAST_CONTRAST = 0.5, 0.1, 3.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of one clip, the candidates that are kept for now: their rows, looks and descriptors."""

    rows: Int
    sharpness: Float
    view: Float


def build_faceset(
    clips: Sequence[Footage],
    out: Path,
    performer: str,
    parameters: FacesetParameters | None = None,
    progress: Progress = quiet,
    detect: DetectParameters | None = None,
) -> Faceset:
    """Gather the faceset of one performer from clips in which this face is the main one, and put it at `out`.

    Appears whole or not at all. What was left out is listed in `left_out.csv`. Raises FootageError, NoFaceError where a clip
    shows no face or none that is usable, and OutputError.
    """
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    check_replaceable(out)
    check_writable(out)
    names = _names(clips)
    found = [
        find_candidates(clip, parameters, detect, progress, f"detect{name}")
        for clip, name in zip(clips, names, strict=True)
    ]
    with replacing(out) as folder, writing(out), ExitStack() as stack:
        shape = (parameters.size, parameters.size)
        crops = GrowingArray(folder / "crops.npy", (*shape, 3), "u1")
        stack.callback(crops.close)
        left_out: list[LeftOut] = []
        usable, views = _judge(found, left_out)
        kept = []
        for number, (candidates, rows) in enumerate(zip(found, usable, strict=True)):
            tell = stage(progress, f"crop{names[number]}", len(rows))
            kept.append(_take(number, candidates, rows, views[number][1], crops, parameters, left_out, tell))
        kept = _join(found, kept, crops, parameters, left_out)
        if not crops.length:
            raise NoFaceError(
                f"shows no face that can be used ({_told(left_out)})",
                file=clips[0].info.path,
                remedy="Choose sharper or larger footage of this performer",
            )
        yaw_pitch = np.concatenate([view[0][k.rows] for view, k in zip(views, kept, strict=True)])
        shown = spread_over_pose(yaw_pitch)
        sheet = draw_sheet(crops.read(shown.ravel()), shown, yaw_pitch, performer, count_reasons(left_out))
        crops.finish()
        _write_arrays(folder, found, kept, yaw_pitch, parameters.size)
        write_left_out(folder / LEFT_OUT, left_out, [c.info.first for c in clips])
        write_png(folder / SHEET, sheet)
        document = {
            "schema": SCHEMA,
            "performer": performer,
            "subject": load_subject().name,
            "template": load_subject().template_id,
            "coverage": parameters.coverage,
            "size": parameters.size,
            "count": crops.length,
            "landmarks": int(found[0].landmarks.shape[1]),
            "parameters": parameters.model_dump(mode="json"),
            "detect": detect.model_dump(mode="json"),
            "clips": [
                _describe(c, len(k.rows), count_reasons(left_out, i))
                for i, (c, k) in enumerate(zip(found, kept, strict=True))
            ],
            "files": {
                name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
                for name in (*(f"{array}.npy" for array in ARRAYS), ENTRIES)
            },
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
        for name in (DOCUMENT, LEFT_OUT, SHEET):
            flush(folder / name)
    return open_faceset(out)


def _judge(found: Sequence[Candidates], left_out: list[LeftOut]) -> tuple[list[Int], list[tuple[Float, Float]]]:
    """Sort out, before anything is decoded, what is not the performer's whole face; gives usable rows and views."""
    usual = quality.median_shape(np.concatenate([c.some_shapes() for c in found]))
    odd = [quality.oddness(c.shapes(), usual) for c in found]
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
    return usable, [c.views() for c in found]


def _take(
    number: int,
    candidates: Candidates,
    rows: Int,
    view: Float,
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
    tell: Any,
) -> _Kept:
    """Decode one clip, append its crops, and keep of them what is sharp and differs."""
    start = crops.length
    sharpness = np.zeros(len(candidates), np.float32)
    contrast = np.zeros(len(candidates), np.float32)
    light = np.zeros((len(candidates), 0), np.float32)
    done = 0
    for at, block in _blocks(candidates, rows, parameters.size):
        seen = quality.look(block, candidates.landmarks[at])
        if not light.size:
            light = np.zeros((len(candidates), seen.thumbnails[0].size), np.float32)
        sharpness[at], contrast[at], light[at] = seen.sharpness, seen.contrast, describe_light(seen.thumbnails)
        crops.append(block)
        done += len(at)
        tell(done)

    def sort_out(good: Int, bad: Bool, reason: str, what: str, figure: Float) -> Int:
        _leave_out(left_out, number, candidates, good[bad], reason, what, figure)
        return good[~bad]

    good = sort_out(rows, contrast[rows] < _LEAST_CONTRAST, "blank", "contrast", contrast)
    good = sort_out(good, quality.find_blurred(sharpness[good]), "blurred", "sharpness", sharpness)
    full = np.concatenate([view[good], light[good]], axis=1)
    chosen = cover(full, parameters.most, parameters.least_change)
    places = [(number, int(frame)) for frame in candidates.frame[good]]
    left_out += _duplicates(places, chosen.kept, chosen.by, chosen.distance)
    crops.keep(start + np.searchsorted(rows, good[chosen.kept]), start)
    return _Kept(good[chosen.kept], sharpness[good[chosen.kept]], full[chosen.kept])


def _blocks(candidates: Candidates, rows: Int, size: int) -> Any:
    """Yield rows and their crops uint8 [n, size, size, 3], decoding the clip once."""
    if not len(rows):
        return
    wanted = candidates.frame[rows]
    frames = candidates.footage.frames(int(wanted[0]), int(wanted[-1]), prepare=lambda frame: frame.rgb8())
    block: list[Image8] = []
    done = 0
    for frame in frames:
        if frame.index != wanted[done + len(block)]:
            continue
        row = rows[done + len(block)]
        block.append(crop(frame.rgb8(), candidates.to_plate[row : row + 1], size)[0])
        if len(block) == _BLOCK or done + len(block) == len(rows):
            yield rows[done : done + len(block)], np.stack(block)
            done += len(block)
            block = []


def _join(
    found: Sequence[Candidates],
    kept: list[_Kept],
    crops: GrowingArray,
    parameters: FacesetParameters,
    left_out: list[LeftOut],
) -> list[_Kept]:
    """Of the crops of all clips, leave out what two clips have in common and what is too much."""
    if len(kept) == 1:
        return kept
    chosen = cover(np.concatenate([k.view for k in kept]), parameters.most, parameters.least_change)
    places = [(i, int(f)) for i, (c, k) in enumerate(zip(found, kept, strict=True)) for f in c.frame[k.rows]]
    fresh = _duplicates(places, chosen.kept, chosen.by, chosen.distance)
    instead = {(one.clip, one.frame): one.like for one in fresh}
    # Whoever was like one that has gone now is like the one that this one is like.
    for i, one in enumerate(left_out):
        if one.like in instead:
            left_out[i] = LeftOut(one.clip, one.frame, one.reason, one.what, one.figure, instead[one.like])
    left_out += fresh
    crops.keep(chosen.kept)
    ends = np.cumsum([0, *(len(k.rows) for k in kept)])
    stay = [chosen.kept[(chosen.kept >= a) & (chosen.kept < b)] - a for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return [_Kept(k.rows[s], k.sharpness[s], k.view[s]) for k, s in zip(kept, stay, strict=True)]


def _leave_out(
    left_out: list[LeftOut], number: int, candidates: Candidates, rows: Int, reason: str, what: str, figure: Float
) -> None:
    left_out += [LeftOut(number, int(candidates.frame[row]), reason, what, float(figure[row])) for row in rows]


def _duplicates(places: Sequence[tuple[int, int]], kept: Int, by: Int, distance: Float) -> list[LeftOut]:
    gone = np.setdiff1d(np.arange(len(by)), kept)
    return [LeftOut(*places[i], "duplicate", "change", float(distance[i]), places[by[i]]) for i in gone]


def _write_arrays(
    folder: Path, found: Sequence[Candidates], kept: Sequence[_Kept], yaw_pitch: Float, size: int
) -> None:
    points = found[0].landmarks.shape[1]
    masks = GrowingArray(folder / "masks.npy", (size, size), "u1")
    landmarks = GrowingArray(folder / "landmarks.npy", (points, 3), "f4")
    tones = GrowingArray(folder / "tones.npy", (points,), "f4")
    with ExitStack() as stack:
        for array in (masks, landmarks, tones):
            stack.callback(array.close)
        for c, k in zip(found, kept, strict=True):
            for at in range(0, len(k.rows), _BLOCK):
                rows = k.rows[at : at + _BLOCK]
                drawn = draw_regions(c.landmarks[rows], size, quality.FACE)
                masks.append(np.rint(drawn * 255).astype(np.uint8))
                landmarks.append(c.landmarks[rows])
                tones.append(np.zeros((len(rows), points)) if c.tones is None else c.tones[rows])
        for array in (masks, landmarks, tones):
            array.finish()

    def joined(name: str) -> Any:
        return np.concatenate([getattr(c, name)[k.rows] for c, k in zip(found, kept, strict=True)])

    np.savez(
        folder / ENTRIES,
        clip=np.repeat(np.arange(len(kept)), [len(k.rows) for k in kept]),
        frame=joined("frame"),
        track=joined("track"),
        score=joined("score"),
        to_plate=joined("to_plate"),
        yaw_pitch=yaw_pitch.astype(np.float32),
        sharpness=np.concatenate([k.sharpness for k in kept]).astype(np.float32),
    )
    flush(folder / ENTRIES)


def _describe(candidates: Candidates, kept: int, left_out: dict[str, int]) -> dict[str, Any]:
    info = candidates.footage.info
    return {
        "path": str(info.path.absolute()),
        "digest": digest_footage(info.path),
        "width": info.width,
        "height": info.height,
        "rate": float(info.rate),
        "first": info.first,
        "frames": info.frames,
        "faces": len(candidates),
        "kept": kept,
        "left_out": left_out,
    }


def _names(clips: Sequence[Footage]) -> list[str]:
    """What progress calls each clip, after its stage: nothing where there is one."""
    return [f" {i + 1}/{len(clips)}" if len(clips) > 1 else "" for i in range(len(clips))]


def _told(left_out: Sequence[LeftOut]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in count_reasons(left_out).items() if count) or "no crop"
