"""Several people in one shot: what was rendered for each of them alone, laid over the plate together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nodes.cache import digest_file, key_of
from nodes.choice import check_fits
from nodes.consent.gate import permit, still
from nodes.credentials.sign import ready
from nodes.definitions import ALIGN
from nodes.detect.files import load_faces
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.patch_files import read_patch
from nodes.graph import run
from nodes.parts import DOCUMENT
from nodes.progress import Progress, quiet
from nodes.shot import results
from nodes.shot.render import as_written
from nodes.shot.write import Rendered, ShotFolder, patch_files, write_shot
from nodes.shot_document import FootageInput, ModelInput, ShotDocument, load_shot
from nodes.types import Patch, Roi


def merge_shots(
    plate: Footage, shots: Sequence[Path], out: Path, first: int, last: int, *, progress: Progress = quiet
) -> Rendered:
    """Write a shot of the plate's frames first..last (inclusive positions) that holds the patches of `shots`, the later ones above.

    shots: folders that `render_shot` has written of the same frames, found with the same parameters of Detect; each keeps its own patches and
    mattes. Settings in the new document are the first one's. Raises ConsentError, FootageError, SchemaError,
    OutputError.
    """
    with results.only_run(out):
        return _merge(plate, shots, out, first, last, progress)


def _merge(plate: Footage, shots: Sequence[Path], out: Path, first: int, last: int, progress: Progress) -> Rendered:
    began, info = time.monotonic(), plate.info
    documents = [load_shot(folder) for folder in shots]
    faces = load_faces(shots[0] / "faces.npz").faces
    check_fits(faces, info)
    settings = documents[0].settings
    tracks = [track.id for one in documents for track in one.tracks]
    crops = run({"plate": plate, "found": faces}, settings, upto=ALIGN, tracks=tracks)["crops"]
    inputs = _inputs(documents)
    made = [
        each
        for one, shot in zip(documents, shots, strict=True)
        for each in still(one.provenance, shot, "Render it again")
    ]
    provenance = permit(made, settings.swap, out)
    by = ready(out, told=settings.swap.project)
    key = key_of(shots=[digest_file(folder / DOCUMENT) for folder in shots], range=(first, last))
    folder = results.open_partial(out, key)
    written = ShotFolder(plate, first, last, settings, faces, crops, inputs, provenance, began, by)
    return write_shot(written, _merged(plate, shots, first, last), folder, out, progress)


def over(upper: Patch, lower: Patch) -> Patch:
    """Lay one premultiplied patch over another of the same frame (Porter & Duff 1984)."""
    if upper.roi.empty or lower.roi.empty:
        return lower if upper.roi.empty else upper
    a, b = upper.roi, lower.roi
    roi = Roi(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))
    rgba = np.zeros((roi.height, roi.width, 4), np.float32)
    for patch in (lower, upper):
        y, x = patch.roi.y0 - roi.y0, patch.roi.x0 - roi.x0
        part = rgba[y : y + patch.roi.height, x : x + patch.roi.width]
        part[:] = patch.rgba + part * (1 - patch.rgba[..., 3:])
    return Patch(upper.frame, roi, rgba)


def _merged(plate: Footage, shots: Sequence[Path], first: int, last: int) -> Iterator[tuple[Frame, Patch, bool]]:
    for frame in plate.frames(first, last, prepare=Frame.rgb8):
        number = plate.info.first + frame.index
        merged, *others = (read_patch(patch_files(folder, number)[0]) for folder in shots)
        for patch in others:
            merged = over(patch, merged)
        yield frame, as_written(Patch(frame.index, merged.roi, merged.rgba)), True


def _inputs(documents: Sequence[ShotDocument]) -> dict[str, FootageInput | ModelInput]:
    """The plate, and what each person's face was made from, the second one's as `source_2` and so on."""
    inputs = dict(documents[0].inputs)
    for number, one in enumerate(documents[1:], 2):
        inputs |= {f"{name}_{number}": what for name, what in one.inputs.items() if name != "plate"}
    return inputs
