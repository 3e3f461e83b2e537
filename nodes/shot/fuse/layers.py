"""Layers for a Loader in Fusion: premultiplied EXR with a data window, in code values, that give the composite by a plain Merge.

A patch is blended in scene-linear light; a comp in Resolve most often holds what is displayed. For such a one this writes what
`nodes.shot.overlay` finds: colour and coverage with which code values blend to Faceplate's composite. `over.NNNN.exr`, half float.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nodes.files import whole_file
from nodes.footage.composite import inside
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.images import half_spec, write_image
from nodes.footage.patch_files import read_patch
from nodes.progress import Progress, quiet, stage
from nodes.shot.overlay import overlay
from nodes.types import Float, Patch, Roi

FOLDER = "over"


def write_layers(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write a layer for each of the plate's frames first..last (positions) of the shot rendered into `folder`; returns the first file.

    Raises FootageError and OutputError.
    """
    tell = stage(progress, "layers", last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = plate.info.first + frame.index
        patch = read_patch(folder / "patch" / f"patch.{number:04d}.exr")
        roi, rgba = _layer(frame, patch)
        spec = half_spec(roi.width, roi.height, ("R", "G", "B", "A"), "zip:1")
        spec.x, spec.y, spec.full_width, spec.full_height = roi.x0, roi.y0, frame.width, frame.height
        spec.alpha_channel = 3
        with whole_file(folder / FOLDER / f"over.{number:04d}.exr", sync=False) as temporary:
            write_image(temporary, rgba.astype(np.float16), spec)
        tell(done)
    return folder / FOLDER / f"over.{plate.info.first + first:04d}.exr"


def _layer(frame: Frame, patch: Patch) -> tuple[Roi, Float]:
    """Its window and its pixels; a transparent one where there is no face."""
    cut = inside(patch, frame.width, frame.height)
    if cut is None:
        return Roi(0, 0, 1, 1), np.zeros((1, 1, 4), np.float32)
    roi, part = cut
    colour, coverage = overlay(frame.rgb(roi), frame.over(patch).rgb(roi), part[..., 3])
    return roi, np.dstack([colour * coverage[..., None], coverage])
