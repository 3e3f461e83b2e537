"""Files for Fuses in Fusion: opaque PNG in plate pixels, and the index `faceplate.fuse/1` in Lua, below a folder `fusion`.

A Fuse has no JSON, no reliable EXR reader, and in some editions reads files by `loadfile` and `Clip` alone. `NNNN.patch.png` is the new
face's own colour, `NNNN.matte.png` its coverage. The colour is straight (not premultiplied), sRGB-encoded without a profile, and extends
beyond the matte, so that a Fuse can move the edge and scale pictures. Light is blended linearly:
composite = encode(a * decode(patch) + (1 - a) * decode(plate)), which is what `faceplate swap` does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from nodes.files import whole_file
from nodes.footage.colour import to_srgb
from nodes.footage.composite import inside
from nodes.footage.footage import Footage
from nodes.footage.info import FootageInfo
from nodes.footage.patch_files import EMPTY, read_matte, read_patch
from nodes.geometry.homography import apply_homography, corners_of
from nodes.parts import frame_file
from nodes.progress import Progress, quiet, stage
from nodes.shot.aligned.document import load_transforms
from nodes.shot.sheet import write_png
from nodes.text import quoted
from nodes.types import Faces, Float, Patch, Roi

SCHEMA = "faceplate.fuse/1"
FOLDER, INDEX = "fusion", "index.lua"
_MOST = 0xFFFF  # pixels, in a window's four hexadecimal digits

Corners = tuple[tuple[float, float], ...]


def write_index(
    folder: Path,
    node: str,
    info: FootageInfo,
    first: int,
    *,
    windows: Sequence[Roi] | None = None,
    depth: int = 8,
    outlines: Mapping[int, Sequence[tuple[int, Corners]]] | None = None,
    count: int | None = None,
) -> Path:
    """Write `index.lua` into `folder` for frames from the plate's number `first` on; raises OutputError.

    windows: the non-empty rectangle of each frame's pictures, x to the right and y down. depth: bits of the pictures. outlines: by the frame's number (track,
    its corners in plate pixels); count: of frames then.
    """
    fields = {
        "schema": quoted(SCHEMA),
        "node": quoted(node),
        "width": info.width,
        "height": info.height,
        "colour": quoted(info.colour),
        "first": first,
        "last": first + (len(windows) if windows is not None else count or 0) - 1,
    }
    if windows is not None:
        # One string: Lua takes no more than 65536 constants in a file.
        fields |= {"depth": depth, "windows": quoted("".join(map(_window, windows)))}
    if outlines is not None:
        lines = (
            " ".join([str(number), str(track), *(f"{v:.1f}" for point in corners for v in point)])
            for number, tracks in sorted(outlines.items())
            for track, corners in tracks
        )
        fields["outlines"] = quoted("\n" + "".join(f"{line}\n" for line in lines))
    path = folder / INDEX
    with whole_file(path) as temporary:
        body = "".join(f"  {name} = {value},\n" for name, value in fields.items())
        temporary.write_text(f"return {{\n{body}}}\n", "utf-8", newline="\n")
    return path


def _window(roi: Roi) -> str:
    if roi.empty:
        return "0" * 16
    return "".join(f"{min(v, _MOST):04x}" for v in (roi.x0, roi.y0, roi.x1, roi.y1))


def write_boxes(folder: Path, faces: Faces, info: FootageInfo) -> Path:
    """Write the index of detected faces into `folder/fusion`; returns it. Raises OutputError."""
    outlines: dict[int, list[tuple[int, Corners]]] = defaultdict(list)
    for track in faces.tracks:
        for frame, (x0, y0, x1, y1) in zip(track.frames.tolist(), track.boxes.tolist(), strict=True):
            outlines[info.first + frame].append((track.id, ((x0, y0), (x1, y0), (x1, y1), (x0, y1))))
    first = info.first + faces.first
    return write_index(folder / FOLDER, "detect", info, first, outlines=outlines, count=faces.count)


def write_crops(folder: Path, info: FootageInfo) -> Path:
    """Write the index of the aligned images in `folder` into `folder/fusion`; returns it. Raises SchemaError and OutputError."""
    transforms = load_transforms(folder)
    outlines: dict[int, list[tuple[int, Corners]]] = defaultdict(list)
    for entry in transforms.images:
        corners = tuple((float(x), float(y)) for x, y in apply_homography(entry.to_plate, corners_of(*entry.size)))
        track = entry.file.split("/")[1]
        outlines[entry.frame].append((int(track) if track.isdecimal() else 0, corners))
    assert transforms.range is not None  # of a clip
    first, last = transforms.range.first, transforms.range.last
    return write_index(folder / FOLDER, "align", info, first, outlines=outlines, count=last - first + 1)


_MARGIN, _LEAST = 0.15, 16  # of the matte's larger side, and pixels, by which the colour extends beyond it
_OURS = re.compile(r"\d+\.(?:patch|matte)\.png|fusion\.c2pa")
_SEEN = 1 / 4096  # coverage below which a colour is taken from its neighbours


def write_patches(folder: Path, plate: FootageInfo, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write pictures and index of the shot rendered into `folder`, of the plate's frames first..last (positions); returns the index.

    Of 8 bits for a plate of 8, else of 16. Raises FootageError and OutputError.
    """
    number = plate.first
    patches = (read_patch(frame_file(folder, "patch", number + i)) for i in range(first, last + 1))
    return write_pictures(folder / FOLDER, "swap", plate, number + first, patches, last - first + 1, progress)


def write_still(folder: Path, plate: FootageInfo, number: int, patch: Patch) -> list[Path]:
    """Write a Fuse's pictures of one frame, in place of an earlier frame's; returns them, empty without a face."""
    for old in folder.iterdir() if folder.is_dir() else ():
        if _OURS.fullmatch(old.name):
            old.unlink()
    write_pictures(folder, "swap", plate, number, [patch], 1)
    return sorted(folder.glob(f"{number:04d}.*.png"))


def write_mattes_of(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write pictures and index of the mattes in `folder`, as :func:`write_patches` does."""
    info = plate.info
    mattes = (read_matte(frame_file(folder, "matte", info.first + i)) for i in range(first, last + 1))
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
    """Write the pictures of `count` frames from the plate's `number` on, for the node `swap` or `mask` (mattes only)."""
    depth = 8 if plate.bit_depth <= 8 and not plate.is_float else 16
    report, windows = stage(progress, "fusion", count), []
    for done, patch in enumerate(patches):
        window, colour, matte = _pictures_of(patch, plate.width, plate.height)
        windows.append(window)
        if not window.empty:
            pictures = {"patch": colour, "matte": np.repeat(matte[..., None], 3, axis=2)}
            for name, part in list(pictures.items())[node == "mask" :]:
                whole = np.zeros((plate.height, plate.width, 3), np.uint8 if depth == 8 else np.uint16)
                top = np.float32(np.iinfo(whole.dtype).max)
                whole[window.slices] = (np.clip(part, 0, 1) * top + np.float32(0.5)).astype(whole.dtype)
                write_png(folder / f"{number + done:04d}.{name}.png", whole)
        report(done + 1)
    return write_index(folder, node, plate, number, windows=windows, depth=depth)


def _pictures_of(patch: Patch, width: int, height: int) -> tuple[Roi, Float, Float]:
    """Return a window of the frame, the colour in all of it [h, w, 3], and the coverage [h, w]."""
    cut = inside(patch, width, height)
    if cut is None:
        return EMPTY, np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32)
    roi, rgba = cut
    margin = max(_LEAST, round(_MARGIN * max(roi.width, roi.height)))
    window = roi.grown(margin, width, height)
    wide = np.zeros((window.height, window.width, 4), np.float32)
    wide[roi.within(window)] = rgba
    alpha = wide[..., 3]
    filled = alpha > _SEEN
    colour = np.where(filled[..., None], wide[..., :3] / np.where(filled, alpha, 1)[..., None], 0).astype(np.float32)
    for spread in (2.0, 6.0, 18.0, 54.0):  # ever farther, until there is a colour everywhere
        near = cv2.GaussianBlur(wide, (0, 0), spread)
        fresh = ~filled & (near[..., 3] > 1e-4)
        colour[fresh] = near[fresh][:, :3] / near[fresh][:, 3:]
        filled |= fresh
    return window, to_srgb(np.ascontiguousarray(colour), "scene_linear", exact=True), alpha
