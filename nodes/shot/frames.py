"""The composite of a rendered shot as numbered pictures, for hosts that cannot open its movie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from nodes.files import whole_file
from nodes.footage.footage import Footage
from nodes.footage.images import write_image
from nodes.footage.patch_files import read_patch
from nodes.progress import Progress, quiet, stage

FOLDER = "composite"


def write_frames(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write the composite of the plate's frames first..last (positions), by its own numbers; returns their pattern.

    PNG, of 8 bits for a plate of 8 and else of 16. A plate of pictures has its composite as pictures already, and nothing is written.
    Raises FootageError and OutputError.
    """
    there = sorted((folder / FOLDER).glob("composite.*"))
    if there and not (folder / "composite.mkv").exists():
        return folder / FOLDER / f"composite.%04d{there[0].suffix}"
    info = plate.info
    kind, top = (np.uint8, 255) if info.bit_depth <= 8 else (np.uint16, 65535)
    tell = stage(progress, "frames", last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = info.first + frame.index
        composite = frame.over(read_patch(folder / "patch" / f"patch.{number:04d}.exr"))
        codes = (composite.rgb() * np.float32(top) + np.float32(0.5)).astype(kind)
        spec = oiio.ImageSpec(info.width, info.height, 3, oiio.UINT8 if kind is np.uint8 else oiio.UINT16)
        spec.attribute("png:compressionLevel", 3)
        with whole_file(folder / FOLDER / f"composite.{number:04d}.png", sync=False) as temporary:
            write_image(temporary, codes, spec)
        tell(done)
    return folder / FOLDER / "composite.%04d.png"
