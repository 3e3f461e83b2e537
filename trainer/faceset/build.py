"""Gather a faceset from clips: each is decoded once, and of its faces those that are good and new are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nodes.cache import digest_footage
from nodes.choice import check_range
from nodes.consent.gate import Clip, of_faceset, permit
from nodes.consent.provenance import KEY
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import NoFaceError, writing
from nodes.files import flush
from nodes.footage.footage import Footage
from nodes.progress import Progress, quiet, stage
from nodes.shot.results import check_writable
from nodes.shot.sheet import write_png
from trainer.faceset.arrays import write_arrays
from trainer.faceset.candidates import Candidates, find_candidates
from trainer.faceset.faceset import ARRAYS, DOCUMENT, ENTRIES, SCHEMA, Faceset, open_faceset, sha256_of
from trainer.faceset.folder import LEFT_OUT, SHEET, check_replaceable, replacing
from trainer.faceset.gather import Kept, join, judge, take
from trainer.faceset.growing import GrowingArray
from trainer.faceset.kept import whole_spans
from trainer.faceset.left_out import LeftOut, count_reasons, write_left_out
from trainer.faceset.parameters import FacesetParameters
from trainer.faceset.sheet import draw_sheet, spread_over_pose


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
        kept: list[Kept] = []
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
