"""What an edited image puts into its frame: a patch, within the image's mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nodes.align.registration import inverse_warp
from nodes.definitions import MaskParameters
from nodes.errors import FootageError
from nodes.footage.colour import to_linear
from nodes.footage.frame import Frame
from nodes.footage.images import channels_of, open_image, read_window
from nodes.footage.patch_files import read_matte
from nodes.mask import grow_and_feather
from nodes.shot.aligned.document import Entry
from nodes.shot.aligned.folder import digest
from nodes.types import Float, Patch


def check_size(folder: Path, entry: Entry) -> None:
    """Raise FootageError where an image is there and has another size than it was cut with, or its mask."""
    if not (folder / entry.file).exists():
        return
    for file in (folder / entry.file, folder / entry.mask):
        image = open_image(file)
        try:
            found = image.spec().full_width, image.spec().full_height
        finally:
            image.close()
        if found != entry.size:
            raise FootageError(
                "is {}x{}, and was cut as {}x{}".format(*found, *entry.size),
                file=file,
                remedy="Scale it back to that size, or delete the image to leave the plate as it is",
            )


def patch_of(frame: Frame, folder: Path, entry: Entry, edge: MaskParameters) -> Patch | None:
    """Warp an image to where it was cut from; None where it is as it was cut. Raises FootageError.

    The image is display-referred sRGB, 8 or 16 bits; an alpha of its own takes away from its mask.
    """
    image, alpha = _read(folder / entry.file, entry)
    if image is None:
        return None
    mask = read_matte(folder / entry.mask)
    matte = grow_and_feather(mask[None], edge.grow, edge.feather)[0] * alpha
    roi, colour, cover = inverse_warp(image, entry.to_plate, (frame.width, frame.height), matte)
    linear = np.maximum(to_linear(np.ascontiguousarray(np.clip(colour, 0, 1)), "srgb"), 0)
    return Patch(frame.index, roi, np.dstack([linear * cover[..., None], cover]).astype(np.float32))


def _read(file: Path, entry: Entry) -> tuple[Float | None, Float]:
    """The colours [h, w, 3] and the alpha [h, w] of an image, 0..1; no colours where none was edited."""
    header, pixels = read_window(file)
    white = np.float32(1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max)
    channels = channels_of(header)
    colour = np.ascontiguousarray(pixels[..., channels.rgb])
    alpha = np.ones(colour.shape[:2], np.float32)
    if channels.alpha is not None:
        alpha = pixels[..., channels.alpha].astype(np.float32) / white
    if colour.dtype == np.uint8 and digest(colour) == entry.digest:
        return None, alpha
    return colour.astype(np.float32) / white, alpha
