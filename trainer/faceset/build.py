"""Build a faceset: gather its crops, and write them with their landmarks, provenance and contact sheet."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.cache import digest_footage
from nodes.choice import check_range
from nodes.consent.gate import Clip, of_faceset, permit
from nodes.consent.known import known_footage
from nodes.consent.provenance import KEY
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import NoFaceError, OutputError, writing
from nodes.files import flush
from nodes.footage.footage import Footage, open_beside
from nodes.mask import draw_regions, visible_shares
from nodes.progress import Progress, quiet, stage
from nodes.shot.results import check_writable
from nodes.shot.sheet import write_png
from nodes.text import counted
from nodes.types import Float, Image8, Int
from trainer.faceset.faceset import DOCUMENT, ENTRIES, FILES, SCHEMA, Faceset, open_faceset
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

    The chosen crops divide the others evenly; no crop is chosen twice.
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

    crops: [R·C, S, S, 3], those of `shown` [R, C] row by row. yaw_pitch: [N, 2] of all kept crops. left_out: reason → count.
    """
    rows, columns = shown.shape
    cells = np.stack([cv2.resize(c, (_CELL, _CELL), interpolation=cv2.INTER_AREA) for c in crops])
    grid = cells.reshape(rows, columns, _CELL, _CELL, 3).swapaxes(1, 2).reshape(rows * _CELL, columns * _CELL, 3)
    sheet = np.full((rows * _CELL + _STRIP, max(grid.shape[1], COLUMNS * _CELL), 3), _DARK, np.uint8)
    sheet[: grid.shape[0], : grid.shape[1]] = grid
    strip = sheet[rows * _CELL :]
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "nothing"
    _write(strip, f"{performer}: {counted(len(yaw_pitch), 'crop')}.  Left out: {reasons}.", _MARGIN, 20)
    half = strip.shape[1] // 2
    for i, (label, values) in enumerate(zip(("yaw", "pitch"), yaw_pitch.T, strict=True)):
        _histogram(strip[28:, i * half + _MARGIN : (i + 1) * half - _MARGIN], label, values)
    return sheet


def _histogram(canvas: Image8, label: str, values: Float) -> None:
    """Draw a histogram of crops over degrees, with the counts."""
    step = _BIN * max(np.ceil(np.ptp(values) / (12 * _BIN)), 1)
    edges = step * np.arange(np.floor(values.min() / step) - 1, np.floor(values.max() / step) + 3)
    counts = np.histogram(values, edges)[0]
    left, width, height = 46, canvas.shape[1] - 46, canvas.shape[0] - 34
    _write(canvas, label, 0, 16 + height // 2)
    each = width // len(counts)
    for i, count in enumerate(counts):
        x, tall = left + i * each, round(height * int(count) / max(int(counts.max()), 1))
        cv2.rectangle(canvas, (x + 2, 16 + height - tall), (x + each - 2, 16 + height), _BAR, -1 if tall else 1)
        _write(canvas, str(count), x + 4, 13 + height - tall, 0.34)
        _write(canvas, f"{edges[i]:.0f}", x - 6, canvas.shape[0] - 4, 0.34)
    _write(canvas, f"{edges[-1]:.0f}", left + len(counts) * each - 18, canvas.shape[0] - 4, 0.34)


def _write(canvas: Image8, text: str, x: int, y: int, size: float = 0.45) -> None:
    plain = text.encode("ascii", "replace").decode()  # all that the font has
    cv2.putText(canvas, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, _LIGHT, 1, cv2.LINE_AA)


SHEET, LEFT_OUT = "sheet.png", "left_out.csv"
_EARLIER = "tones.npy"  # of version 1
_OURS = (DOCUMENT, *FILES, SHEET, LEFT_OUT, _EARLIER)


def check_replaceable(out: Path) -> None:
    """Raise OutputError unless `out` is free, an empty folder, or an earlier faceset, complete or not."""
    with writing(out):
        free = not out.exists() or (out / DOCUMENT).is_file()
        if not free and (not out.is_dir() or any(entry.name not in _OURS for entry in out.iterdir())):
            raise OutputError(
                "exists and is not a faceset", file=out, remedy="Choose another folder with --out, or empty this one"
            )


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` whose files go into `out` when the block ends; it is always removed.

    Other files in `out` stay, and so do memory maps of the earlier arrays. Raises OutputError.
    """
    new = out.with_name(f".{out.name}.faceset.part")
    with writing(out):
        shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
        new.mkdir(parents=True)
    try:
        yield new
        with writing(out):
            out.mkdir(exist_ok=True)
            for name in _OURS:
                (out / name).unlink(missing_ok=True)
            for name in (*FILES, SHEET, LEFT_OUT, DOCUMENT):  # the document last: it makes the folder a faceset
                (new / name).rename(out / name)
    finally:
        shutil.rmtree(new, ignore_errors=True)


_BLOCK = 64


def write_arrays(
    folder: Path, clips: Sequence[Candidates], chosen: Sequence[Selection], crops: GrowingArray, yaw_pitch: Float
) -> None:
    """Write masks, without what is in front of the face, landmarks and entries of the kept crops of each clip; raises OSError."""

    def concatenate(name: str) -> Any:
        return np.concatenate([getattr(c, name)[k.rows] for c, k in zip(clips, chosen, strict=True)])

    landmarks = concatenate("landmarks")
    np.save(folder / "landmarks.npy", landmarks)
    size, subject = crops.shape[0], clips[0].subject
    with closing(GrowingArray(folder / "masks.npy", (size, size), "u1")) as masks:
        for at in range(0, len(landmarks), _BLOCK):
            points = landmarks[at : at + _BLOCK]
            drawn = draw_regions(points, size, subject)
            visible = visible_shares(list(crops.read(np.arange(at, at + len(points)))), list(points), subject)
            masks.append(np.rint((drawn if visible is None else drawn * visible) * 255))
        masks.finish()
    np.savez(
        folder / ENTRIES,
        clip=np.repeat(np.arange(len(chosen)), [len(k.rows) for k in chosen]),
        frame=concatenate("frame"),
        track=concatenate("track"),
        score=concatenate("score"),
        to_plate=concatenate("to_plate"),
        yaw_pitch=yaw_pitch.astype(np.float32),
        sharpness=np.concatenate([k.sharpness for k in chosen]).astype(np.float32),
    )


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
    """Gather the faceset of one performer from at least one clip with this face as the main one, and put it at `out`.

    spans: first and last position to look at in each clip, None for all. tracks: ids of this performer's in each clip, by default
    the main face's. consent: the records to use; named: the performer's name in them, if not `performer`. Appears whole or not at all. `left_out.csv` lists the rest. Raises FootageError, NoFaceError when a clip
    shows no face or no usable one, ConsentError and OutputError.
    """
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    spans = spans or [(0, clip.info.frames - 1) for clip in clips]
    for clip, span in zip(clips, spans, strict=True):
        check_range(clip.info, *span)
    check_replaceable(out)
    check_writable(out)
    made_from = [Clip(clip.info.path, digest_footage(clip.info.path)) for clip in clips]
    provenance = permit(of_faceset(performer, made_from, named), consent, out)
    names = [f" {i}/{len(clips)}" if len(clips) > 1 else "" for i in range(1, len(clips) + 1)]
    candidates = []
    with ExitStack() as stack:
        for number, (clip, of, name, span) in enumerate(zip(clips, made_from, names, spans, strict=True)):
            own = provenance.model_copy(
                update={"footage": (of.digest,)}
            )  # another clip may be registered, and this one not
            where = known_footage(own, consent, out, *(clip.info.path for clip in clips)).get("performer")
            known = stack.enter_context(open_beside(where)) if where else None
            candidates.append(
                find_candidates(clip, number, parameters, detect, progress, f"detect{name}", span, tracks, known)
            )
    left_out: list[LeftOut] = []
    usable = judge(candidates, left_out)
    with (
        replacing(out) as folder,
        writing(out),
        closing(GrowingArray(folder / "crops.npy", (parameters.size, parameters.size, 3), "u1")) as crops,
    ):
        chosen = [
            take(c, rows, crops, parameters, left_out, stage(progress, f"crop{name}", len(rows)))
            for c, rows, name in zip(candidates, usable, names, strict=True)
        ]
        chosen = join(candidates, chosen, crops, parameters, left_out)
        if not crops.length:
            why = ", ".join(f"{count} {reason}" for reason, count in count_reasons(left_out).items() if count)
            raise NoFaceError(
                f"shows no face that can be used ({why})",
                file=clips[0].info.path,
                remedy="Choose sharper, larger or longer footage of this performer",
            )
        yaw_pitch = np.concatenate([c.performance.yaw_pitch[k.rows] for c, k in zip(candidates, chosen, strict=True)])
        sheet_rows = spread_over_pose(yaw_pitch)
        sheet = draw_sheet(crops.read(sheet_rows.ravel()), sheet_rows, yaw_pitch, performer, count_reasons(left_out))
        write_arrays(folder, candidates, chosen, crops, yaw_pitch)
        crops.finish()
        write_left_out(folder / LEFT_OUT, left_out, [c.info.first for c in clips])
        write_png(folder / SHEET, sheet)
        document = {
            "schema": SCHEMA,
            "performer": performer,
            "subject": candidates[0].subject.reference,
            "template": candidates[0].subject.template_id,
            "coverage": parameters.coverage,
            "size": parameters.size,
            "count": crops.length,
            "landmarks": int(candidates[0].landmarks.shape[1]),
            "parameters": parameters.model_dump(mode="json"),
            "detect": detect.model_dump(mode="json"),
            "clips": [
                _describe(c, of.digest, len(k.rows), count_reasons(left_out, i))
                for i, (c, of, k) in enumerate(zip(candidates, made_from, chosen, strict=True))
            ],
            KEY: provenance.document(),
            "files": {name: _facts_of(folder / name) for name in FILES},
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")
        for name in (*FILES, SHEET, LEFT_OUT, DOCUMENT):
            flush(folder / name)
    return open_faceset(out)


def _facts_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


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
