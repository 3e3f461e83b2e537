"""New faces and mattes as opaque PNG in plate pixels: `NNNN.patch.png`, the new face's own colour, and `NNNN.matte.png`, its coverage.

No colour profile or gamma is named in them. The colour is straight (not premultiplied), sRGB-encoded, and goes on beyond the matte, so that a Fuse can move the edge and scale
pictures. Light is blended linearly: composite = encode(a * decode(patch) + (1 - a) * decode(plate)), which is what `faceplate swap` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from nodes.footage.colour import to_srgb
from nodes.footage.composite import inside
from nodes.footage.footage import Footage
from nodes.footage.info import FootageInfo
from nodes.footage.patch_files import EMPTY, read_matte, read_patch
from nodes.progress import Progress, quiet, stage
from nodes.shot.fuse.index import FOLDER, write_index
from nodes.shot.sheet import write_png
from nodes.types import Float, Patch, Roi

_MARGIN, _LEAST = 0.15, 16  # of the matte's larger side, and pixels, by which the colour goes on beyond it
_OURS = re.compile(r"\d+\.(?:patch|matte)\.png|fusion\.c2pa")
_SEEN = 1 / 4096  # coverage below which a colour is taken from its neighbours


def write_patches(folder: Path, plate: FootageInfo, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write pictures and index of the shot rendered into `folder`, of the plate's frames first..last (positions); returns the index.

    Of 8 bits for a plate of 8, else of 16. Raises FootageError and OutputError.
    """
    number = plate.first
    patches = (read_patch(folder / "patch" / f"patch.{number + i:04d}.exr") for i in range(first, last + 1))
    return write_pictures(folder / FOLDER, "swap", plate, number + first, patches, last - first + 1, progress)


def write_still(folder: Path, plate: FootageInfo, number: int, patch: Patch) -> list[Path]:
    """Write what a Fuse reads of one frame, in place of what was there of another; returns its pictures, none where nothing is seen."""
    for old in folder.iterdir() if folder.is_dir() else ():
        if _OURS.fullmatch(old.name):
            old.unlink()
    write_pictures(folder, "swap", plate, number, [patch], 1)
    return sorted(folder.glob(f"{number:04d}.*.png"))


def write_mattes_of(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write pictures and index of the mattes in `folder`, as :func:`write_patches` does."""
    info = plate.info
    mattes = (read_matte(folder / "matte" / f"matte.{info.first + i:04d}.exr") for i in range(first, last + 1))
    whole = Roi(0, 0, info.width, info.height)
    patches = (Patch(0, whole, np.repeat(m[..., None], 4, axis=2)) for m in mattes)
    return write_pictures(folder / FOLDER, "mask", info, info.first + first, patches, last - first + 1, progress)


def write_pictures(
    folder: Path,
    node: str,
    plate: FootageInfo,
    number: int,
    patches: Iterable[Patch],
    count: int,
    progress: Progress = quiet,
) -> Path:
    """Write the pictures of `count` frames from the plate's `number` on, for the node `swap` or `mask` (which has mattes only)."""
    depth = 8 if plate.bit_depth <= 8 and not plate.is_float else 16
    tell, windows = stage(progress, "fusion", count), []
    for done, patch in enumerate(patches):
        window, colour, matte = _pictures(patch, plate.width, plate.height)
        windows.append(window)
        if not window.empty:
            pictures = {"patch": colour, "matte": np.repeat(matte[..., None], 3, axis=2)}
            for name, part in list(pictures.items())[node == "mask" :]:
                whole = np.zeros((plate.height, plate.width, 3), np.uint8 if depth == 8 else np.uint16)
                top = np.float32(np.iinfo(whole.dtype).max)
                whole[window.slices] = (np.clip(part, 0, 1) * top + np.float32(0.5)).astype(whole.dtype)
                write_png(folder / f"{number + done:04d}.{name}.png", whole)
        tell(done + 1)
    return write_index(folder, node, plate, number, windows=windows, depth=depth)


def _pictures(patch: Patch, width: int, height: int) -> tuple[Roi, Float, Float]:
    """A window of the frame, the colour in all of it [h, w, 3], and the coverage [h, w]."""
    cut = inside(patch, width, height)
    if cut is None:
        return EMPTY, np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32)
    roi, rgba = cut
    margin = max(_LEAST, round(_MARGIN * max(roi.width, roi.height)))
    window = Roi(
        max(roi.x0 - margin, 0), max(roi.y0 - margin, 0), min(roi.x1 + margin, width), min(roi.y1 + margin, height)
    )
    wide = np.zeros((window.height, window.width, 4), np.float32)
    wide[roi.y0 - window.y0 :, roi.x0 - window.x0 :][: roi.height, : roi.width] = rgba
    alpha = wide[..., 3]
    seen = alpha > _SEEN
    colour = np.where(seen[..., None], wide[..., :3] / np.where(seen, alpha, 1)[..., None], 0).astype(np.float32)
    for spread in (2.0, 6.0, 18.0, 54.0):  # ever farther, until there is a colour everywhere
        near = cv2.GaussianBlur(wide, (0, 0), spread)
        fresh = ~seen & (near[..., 3] > 1e-4)
        colour[fresh] = near[fresh][:, :3] / near[fresh][:, 3:]
        seen |= fresh
    return window, to_srgb(np.ascontiguousarray(colour), "scene_linear", exact=True), alpha
