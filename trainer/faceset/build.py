"""Build a faceset: gather its crops, and write them with their landmarks, provenance and contact sheet."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from nodes.cache import digest_footage
from nodes.choice import check_range
from nodes.consent.gate import Clip, of_faceset, permit
from nodes.consent.provenance import KEY
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import FaceplateError, NoFaceError, OutputError, writing
from nodes.files import beside, flush
from nodes.footage.footage import Footage
from nodes.mask import draw_regions
from nodes.progress import Progress, quiet, stage
from nodes.shot.results import check_writable
from nodes.shot.sheet import write_png
from nodes.text import counted
from nodes.types import Float, Image8, Int
from trainer.faceset.faceset import ARRAYS, DOCUMENT, ENTRIES, SCHEMA, Faceset, open_faceset, read_document, sha256_of
from trainer.faceset.gather import (
    Candidates,
    GrowingArray,
    LeftOut,
    Selection,
    count_reasons,
    find_candidates,
    join,
    judge,
    take,
    write_left_out,
)
from trainer.faceset.parameters import FacesetParameters

COLUMNS, ROWS = 12, 8
_CELL, _STRIP, _MARGIN = 96, 132, 10
_DARK, _LIGHT, _BAR = 24, (225, 225, 225), (110, 160, 220)
_BIN = 5.0  # degrees


def spread_over_pose(yaw_pitch: Float) -> Int:
    """Choose crops by pose: rows of [N, 2], laid out [rows, columns], yaw from left to right and pitch from top to bottom.

    As many crops are on either side of each shown one; of fewer than the sheet holds, each is shown once at most.
    """
    count = len(yaw_pitch)
    columns = min(COLUMNS, max(int(np.ceil(np.sqrt(count * COLUMNS / ROWS))), 1))
    rows = min(ROWS, max(count // columns, 1))
    columns = min(columns, count)
    parts = np.array_split(np.argsort(yaw_pitch[:, 0], kind="stable"), columns)
    laid = [part[np.argsort(yaw_pitch[part, 1], kind="stable")] for part in parts]
    places = [((np.arange(rows) + 0.5) * len(part) / rows).astype(int) for part in laid]
    return np.stack([part[at] for part, at in zip(laid, places, strict=True)], axis=1)


def draw_sheet(crops: Image8, shown: Int, yaw_pitch: Float, performer: str, left_out: Mapping[str, int]) -> Image8:
    """Draw the sheet, uint8 [H, W, 3].

    crops: [R·C, S, S, 3], those of `shown` [R, C] row by row. yaw_pitch: [N, 2] of all that is kept. left_out: reason → count.
    """
    rows, columns = shown.shape
    cells = np.stack([cv2.resize(c, (_CELL, _CELL), interpolation=cv2.INTER_AREA) for c in crops])
    grid = cells.reshape(rows, columns, _CELL, _CELL, 3).swapaxes(1, 2).reshape(rows * _CELL, columns * _CELL, 3)
    sheet = np.full((rows * _CELL + _STRIP, max(grid.shape[1], COLUMNS * _CELL), 3), _DARK, np.uint8)
    sheet[: grid.shape[0], : grid.shape[1]] = grid
    strip = sheet[rows * _CELL :]
    gone = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "nothing"
    _write(strip, f"{performer}: {counted(len(yaw_pitch), 'crop')}.  Left out: {gone}.", _MARGIN, 20)
    half = strip.shape[1] // 2
    for i, (what, values) in enumerate(zip(("yaw", "pitch"), yaw_pitch.T, strict=True)):
        _histogram(strip[28:, i * half + _MARGIN : (i + 1) * half - _MARGIN], what, values)
    return sheet


def _histogram(canvas: Image8, what: str, values: Float) -> None:
    """Draw how many crops there are of each few degrees, with the counts."""
    first, last = np.floor(values.min() / _BIN), np.floor(values.max() / _BIN) + 1
    while last - first < 6:
        first, last = first - 1, last + 1
    step = _BIN * max(np.ceil((last - first) / 14), 1)
    first = np.floor(first * _BIN / step)
    edges = np.arange(first, np.ceil(values.max() / step + 1e-3) + 1) * step
    if edges[-1] < last * _BIN:
        edges = np.append(edges, np.arange(edges[-1] + step, last * _BIN + step, step))
    counts = np.histogram(values, edges)[0]
    left, width, height = 46, canvas.shape[1] - 46, canvas.shape[0] - 34
    _write(canvas, what, 0, 16 + height // 2)
    each = width // len(counts)
    for i, count in enumerate(counts):
        x, tall = left + i * each, round(height * int(count) / max(int(counts.max()), 1))
        cv2.rectangle(canvas, (x + 2, 16 + height - tall), (x + each - 2, 16 + height), _BAR, -1 if tall else 1)
        _write(canvas, str(count), x + 4, 13 + height - tall, 0.34)
        _write(canvas, f"{edges[i]:.0f}", x - 6, canvas.shape[0] - 4, 0.34)
    _write(canvas, f"{edges[-1]:.0f}", left + len(counts) * each - 18, canvas.shape[0] - 4, 0.34)


def _write(canvas: Image8, text: str, x: int, y: int, size: float = 0.45) -> None:
    plain = text.encode("ascii", "replace").decode()  # what the font has
    cv2.putText(canvas, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, _LIGHT, 1, cv2.LINE_AA)


SHEET, LEFT_OUT = "sheet.png", "left_out.csv"
_EARLIER = "tones.npy"  # of version 1
_OURS = {*(f"{name}.npy" for name in ARRAYS), ENTRIES, DOCUMENT, SHEET, LEFT_OUT, _EARLIER}


def check_replaceable(out: Path) -> None:
    """Raise OutputError unless `out` is free, an empty folder, or an earlier faceset."""
    with writing(out):
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
    try:
        read_document(out)
    except FaceplateError as e:
        if not (out / DOCUMENT).is_file():  # a damaged faceset may be replaced: that is its remedy
            raise OutputError(
                "stands there and is no faceset", file=out, remedy="Choose another folder with --out, or empty this one"
            ) from e


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` that becomes `out` when the block ends, and goes when it fails.

    Files in `out` that are not a faceset's stay. Whoever has mapped the earlier arrays keeps them. Raises OutputError.
    """
    check_replaceable(out)
    with writing(out):
        new = beside(out.with_name(out.name + ".faceset"))
        _sweep(new)
        new.mkdir()
    try:
        yield new
        with writing(out):
            _put_in_place(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_in_place(new: Path, out: Path) -> None:
    if not out.exists():
        new.rename(out)
        return
    old = beside(out.with_name(out.name + ".faceset"))
    out.rename(old)
    try:
        new.rename(out)
    except BaseException:
        old.rename(out)
        raise
    for entry in old.iterdir():
        if entry.name not in _OURS:
            entry.rename(out / entry.name)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(new: Path) -> None:
    """Remove what a killed process left beside: folders named like `new` whose process is gone."""
    alike = re.compile(re.sub(r"\d+-\d+", r"(\\d+)-\\d+", re.escape(new.name).replace(r"\-", "-")))
    for entry in new.parent.iterdir():
        found = alike.fullmatch(entry.name)
        if found and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(entry, ignore_errors=True)


_BLOCK = 64


def write_arrays(
    folder: Path, found: Sequence[Candidates], kept: Sequence[Selection], yaw_pitch: Float, size: int
) -> None:
    """Write masks, landmarks and entries of what is kept of each clip; OSError where that cannot be done."""
    points = found[0].landmarks.shape[1]
    with ExitStack() as stack:
        masks = GrowingArray(folder / "masks.npy", (size, size), "u1")
        landmarks = GrowingArray(folder / "landmarks.npy", (points, 3), "f4")
        for array in (masks, landmarks):
            stack.callback(array.close)
        for c, k in zip(found, kept, strict=True):
            for at in range(0, len(k.rows), _BLOCK):
                rows = k.rows[at : at + _BLOCK]
                drawn = draw_regions(c.landmarks[rows], size, c.subject)
                masks.append(np.rint(drawn * 255).astype(np.uint8))
                landmarks.append(c.landmarks[rows])
        for array in (masks, landmarks):
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


def build_faceset(
    clips: Sequence[Footage],
    out: Path,
    performer: str,
    parameters: FacesetParameters | None = None,
    progress: Progress = quiet,
    detect: DetectParameters | None = None,
    spans: Sequence[tuple[int, int]] | None = None,
    *,
    tracks: Sequence[int] = (),
    consent: ConsentParameters = DEFAULT_CONSENT,
    named: str | None = None,
) -> Faceset:
    """Gather the faceset of one performer from at least one clip in which this face is the main one, and put it at `out`.

    spans: first and last position to look at in each clip, None for all of all. tracks: ids of this performer's in each clip, by default
    the main face's. consent: by which records; named: the performer in them, where `performer` is not the name there. Appears whole or not at all. What was left out is listed in `left_out.csv`. Raises FootageError, NoFaceError where a clip
    shows no face or none is usable, ConsentError and OutputError.
    """
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    spans = whole_spans(clips) if spans is None else spans
    for clip, span in zip(clips, spans, strict=True):
        check_range(clip.info, *span)
    check_replaceable(out)
    check_writable(out)
    made_from = [Clip(clip.info.path, digest_footage(clip.info.path)) for clip in clips]
    provenance = permit(of_faceset(performer, made_from, named), consent, out)
    names = [f" {i}/{len(clips)}" if len(clips) > 1 else "" for i in range(1, len(clips) + 1)]
    found = [
        find_candidates(clip, parameters, detect, progress, f"detect{name}", span, tracks)
        for clip, name, span in zip(clips, names, spans, strict=True)
    ]
    left_out: list[LeftOut] = []
    usable = judge(found, left_out)
    with replacing(out) as folder, writing(out), ExitStack() as stack:
        crops = GrowingArray(folder / "crops.npy", (parameters.size, parameters.size, 3), "u1")
        stack.callback(crops.close)
        kept: list[Selection] = []
        poses = []
        for number, (candidates, rows) in enumerate(zip(found, usable, strict=True)):
            tell = stage(progress, f"crop{names[number]}", len(rows))
            yaw_pitch, view = candidates.views()
            poses.append(yaw_pitch)
            kept.append(take(number, candidates, rows, view, crops, parameters, left_out, tell))
        kept = join(found, kept, crops, parameters, left_out)
        if not crops.length:
            why = ", ".join(f"{count} {reason}" for reason, count in count_reasons(left_out).items() if count)
            raise NoFaceError(
                f"shows no face that can be used ({why})",
                file=clips[0].info.path,
                remedy="Choose sharper, larger or longer footage of this performer",
            )
        yaw_pitch = np.concatenate([pose[k.rows] for pose, k in zip(poses, kept, strict=True)])
        shown = spread_over_pose(yaw_pitch)
        sheet = draw_sheet(crops.read(shown.ravel()), shown, yaw_pitch, performer, count_reasons(left_out))
        crops.finish()
        write_arrays(folder, found, kept, yaw_pitch, parameters.size)
        write_left_out(folder / LEFT_OUT, left_out, [c.info.first for c in clips])
        write_png(folder / SHEET, sheet)
        document = {
            "schema": SCHEMA,
            "performer": performer,
            "subject": found[0].subject.reference,
            "template": found[0].subject.template_id,
            "coverage": parameters.coverage,
            "size": parameters.size,
            "count": crops.length,
            "landmarks": int(found[0].landmarks.shape[1]),
            "parameters": parameters.model_dump(mode="json"),
            "detect": detect.model_dump(mode="json"),
            "clips": [
                _describe(c, of.digest, len(k.rows), count_reasons(left_out, i))
                for i, (c, of, k) in enumerate(zip(found, made_from, kept, strict=True))
            ],
            KEY: provenance.document(),
            "files": {
                name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
                for name in (*(f"{array}.npy" for array in ARRAYS), ENTRIES)
            },
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
        for name in (DOCUMENT, LEFT_OUT, SHEET):
            flush(folder / name)
    return open_faceset(out)


def _describe(candidates: Candidates, digest: str, kept: int, left_out: dict[str, int]) -> dict[str, Any]:
    info, (first, last) = candidates.footage.info, candidates.span
    return {
        "path": str(info.path.absolute()),
        "digest": digest,
        "width": info.width,
        "height": info.height,
        "rate": float(info.rate),
        "first": info.first,
        "frames": info.frames,
        "range": {"first": info.first + first, "last": info.first + last},
        "faces": len(candidates),
        "kept": kept,
        "left_out": left_out,
    }


def kept_faceset(
    clips: Sequence[Footage],
    out: Path,
    performer: str,
    parameters: FacesetParameters | None = None,
    detect: DetectParameters | None = None,
    spans: Sequence[tuple[int, int]] | None = None,
) -> Faceset | None:
    """Open the faceset at `out` if `build_faceset` once made it of what these clips hold, with these parameters; else None.

    spans: as of `build_faceset`.
    """
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    try:
        document, faceset = read_document(out), open_faceset(out)
        made = (
            document["performer"],
            document["parameters"],
            document["detect"],
            [(c["digest"], _span(c)) for c in document["clips"]],
        )
    except (FaceplateError, KeyError, TypeError):
        return None
    asked = (performer, parameters.model_dump(mode="json"), detect.model_dump(mode="json"))
    spans = whole_spans(clips) if spans is None else spans
    of = [(digest_footage(clip.info.path), tuple(span)) for clip, span in zip(clips, spans, strict=True)]
    return faceset if made == (*asked, of) else None


def whole_spans(clips: Sequence[Footage]) -> list[tuple[int, int]]:
    """The first and the last position of each clip."""
    return [(0, clip.info.frames - 1) for clip in clips]


def _span(clip: dict[str, Any]) -> tuple[int, int]:
    """The positions of a clip that the document says were looked at; without a range, all."""
    if "range" not in clip:
        return 0, clip["frames"] - 1
    return clip["range"]["first"] - clip["first"], clip["range"]["last"] - clip["first"]
