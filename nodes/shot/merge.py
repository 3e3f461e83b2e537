"""Several people in one shot: what was rendered for each of them alone, laid over the plate together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

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
from nodes.parts import DOCUMENT, frame_file
from nodes.progress import Progress, quiet
from nodes.shot import results
from nodes.shot.render import as_written
from nodes.shot.write import Rendered, ShotFolder, write_shot
from nodes.shot_document import FootageInput, ModelInput, ShotDocument, load_shot
from nodes.swap.place import merge
from nodes.types import Patch


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


def _merged(plate: Footage, shots: Sequence[Path], first: int, last: int) -> Iterator[tuple[Frame, Patch, bool]]:
    for frame in plate.frames(first, last, prepare=Frame.rgb8):
        number = plate.info.first + frame.index
        patches = [read_patch(frame_file(folder, "patch", number)) for folder in shots]
        yield frame, as_written(merge(patches, frame.index)), True


def _inputs(documents: Sequence[ShotDocument]) -> dict[str, FootageInput | ModelInput]:
    """The plate, and what each person's face was made from, the second one's as `source_2` and so on."""
    inputs = dict(documents[0].inputs)
    for number, one in enumerate(documents[1:], 2):
        inputs |= {f"{name}_{number}": what for name, what in one.inputs.items() if name != "plate"}
    return inputs
