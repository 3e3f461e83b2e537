"""Layers: a finished shot as pictures for hosts that blend display-referred values, or cannot open its movie.

A patch is blended in scene-linear light. A host that blends code values instead would make its soft edges darker or brighter. So for each
pixel of the matte an overlay has the colour and the coverage that give exactly Faceplate's composite when they are laid over the plate's
own code values: out = a·F + (1 - a)·plate. The coverage is that of the patch, and more only where F would otherwise lie outside the displayable
range. `overlay` is PNG or EXR of the plate's size, for Blender's sequencer; `over` is EXR with a data window, for a Loader and a Merge in Fusion.
`whole` is the patch itself in a frame of the plate's size, for Blender's compositor, which ignores the position of a data window.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio

from nodes.files import whole_file
from nodes.footage.colour import to_linear
from nodes.footage.composite import inside
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.footage.images import Pixels, half_spec, write_image
from nodes.footage.patch_files import read_patch, write_patch
from nodes.parts import frame_file
from nodes.progress import Progress, quiet, stage
from nodes.types import Float, Patch, Roi

_AROUND = 8  # pixels around the matte with the plate's colour, unseen: a host that scales pictures mixes neighbours


def patched(
    folder: Path, plate: Footage, first: int, last: int, progress: Progress, name: str
) -> Iterator[tuple[int, Frame, Patch]]:
    """Yield the plate's frames first..last (positions) of the shot rendered into `folder`: number, frame and patch. Raises FootageError."""
    report = stage(progress, name, last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = plate.info.first + frame.index
        yield number, frame, read_patch(frame_file(folder, "patch", number))
        report(done)


def write_overlays(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write an overlay for each of the plate's frames first..last (positions) of the shot rendered into `folder`; returns their pattern.

    They have the plate's size and its frame numbers: PNG with straight alpha, of 8 bits for a plate of 8 and else of 16, or, for a plate in
    float, EXR, premultiplied and scene-linear. Raises FootageError and OutputError.
    """
    suffix = ".exr" if plate.info.is_float else ".png"
    for number, frame, patch in patched(folder, plate, first, last, progress, "overlay"):
        write_overlay(frame_file(folder, "overlay", number, suffix), frame, patch)
    return folder / "overlay" / f"overlay.%04d{suffix}"


def write_overlay(path: Path, frame: Frame, patch: Patch) -> None:
    """Write one overlay, as `write_overlays` says. Raises OutputError."""
    width, height, depth = frame.width, frame.height, frame.info.bit_depth
    if not frame.info.is_float:
        _write(path, *_png(straight(frame, patch, 255 if depth <= 8 else 65535), depth))
        return
    rgba = np.zeros((height, width, 4), np.float32)
    if cut := inside(patch, width, height):
        roi, part = cut
        colour, coverage = overlay(frame.rgb(roi), frame.over(patch).rgb(roi), part[..., 3])
        linear = to_linear(np.ascontiguousarray(colour), "srgb", exact=True)
        rgba[roi.slices] = np.dstack([linear * coverage[..., None], coverage])
    _write(path, rgba.astype(np.float16), _half_rgba(width, height))


def _write(path: Path, pixels: Pixels, spec: oiio.ImageSpec) -> None:
    with whole_file(path, sync=False) as temporary:
        write_image(temporary, pixels, spec)


def _png(values: Float, bit_depth: int) -> tuple[Pixels, oiio.ImageSpec]:
    """Encode display-referred [H, W, 3 or 4], 0..1, with straight alpha, as code values of 8 bits, or of 16 for deeper plates."""
    kind, type, top = (np.uint8, oiio.UINT8, 255) if bit_depth <= 8 else (np.uint16, oiio.UINT16, 65535)
    height, width, channels = values.shape
    spec = oiio.ImageSpec(width, height, channels, type)
    spec.attribute("png:compressionLevel", 3)
    if channels == 4:
        spec.alpha_channel = 3
        spec.attribute("oiio:UnassociatedAlpha", 1)
        spec.attribute("oiio:ColorSpace", "srgb_rec709_scene")
    return (values * np.float32(top) + np.float32(0.5)).astype(kind), spec


def _half_rgba(width: int, height: int) -> oiio.ImageSpec:
    spec: oiio.ImageSpec = half_spec(width, height, ("R", "G", "B", "A"), "zip:1")
    spec.alpha_channel = 3
    return spec


def overlay(plate: Float, composite: Float, alpha: Float, steps: int | None = None) -> tuple[Float, Float]:
    """Solve for colour [h, w, 3] and coverage [h, w] that give `composite` over `plate`, both display-referred float32 [h, w, 3].

    alpha: the least coverage, [h, w]; where it is 0, so is the result. steps: the coverage is a whole multiple of 1 / steps.
    """
    change = composite - plate
    low = np.minimum(np.minimum(plate, composite), 0)
    high = np.maximum(np.maximum(plate, composite), 1)
    room = np.where(change > 0, high - plate, plate - low)
    needed = (np.abs(change) / np.maximum(room, 1e-6)).max(axis=2)
    coverage = np.where(alpha > 0, np.clip(np.maximum(alpha, needed), 0, 1), 0)
    if steps is not None:
        coverage = np.ceil(coverage * steps - 1e-4) / steps
    share = np.where(coverage > 0, coverage, 1)[..., None]
    colour = np.clip(plate + change / share, low, high)
    return colour.astype(np.float32), coverage.astype(np.float32)


def straight(frame: Frame, patch: Patch, steps: int) -> Float:
    """Make a frame's overlay, display-referred, straight, float32 [H, W, 4] in 0..1; light beyond white is clipped. steps: of its coverage."""
    height, width = frame.height, frame.width
    rgba = np.zeros((height, width, 4), np.float32)
    if cut := inside(patch, width, height):
        roi, part = cut
        wide = roi.grown(_AROUND, width, height)
        alpha = np.zeros((wide.height, wide.width), np.float32)
        alpha[roi.within(wide)] = part[..., 3]
        colour, coverage = overlay(frame.rgb(wide), frame.over(patch).rgb(wide), alpha, steps)
        near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8)) > 0
        rgba[wide.slices] = np.clip(np.dstack([colour * near[..., None], coverage]), 0, 1)
    return rgba


def write_layers(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write a layer for each of the plate's frames first..last (positions) of the shot rendered into `folder`; returns the first file.

    A frame without a face gets a transparent pixel. Raises FootageError and OutputError.
    """
    for number, frame, patch in patched(folder, plate, first, last, progress, "layers"):
        roi, rgba = Roi(0, 0, 1, 1), np.zeros((1, 1, 4), np.float32)
        if cut := inside(patch, frame.width, frame.height):
            roi, part = cut
            colour, coverage = overlay(frame.rgb(roi), frame.over(patch).rgb(roi), part[..., 3])
            rgba = np.dstack([colour * coverage[..., None], coverage])
        spec = _half_rgba(roi.width, roi.height)
        spec.x, spec.y, spec.full_width, spec.full_height = roi.x0, roi.y0, frame.width, frame.height
        _write(frame_file(folder, "over", number), rgba.astype(np.float16), spec)
    return frame_file(folder, "over", plate.info.first + first)


def write_whole(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write the patches of the plate's frames first..last (positions) of the shot rendered into `folder` in whole frames; returns their pattern.

    Raises FootageError and OutputError.
    """
    info = plate.info
    report = stage(progress, "whole frames", last - first + 1)
    for done, number in enumerate(range(info.first + first, info.first + last + 1), 1):
        patch = read_patch(frame_file(folder, "patch", number))
        write_patch(frame_file(folder, "whole", number), patch, info.width, info.height, whole=True)
        report(done)
    return folder / "whole" / "whole.%04d.exr"


def write_frames(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write the composite of the plate's frames first..last (positions), by its own numbers; returns their pattern.

    PNG, of 8 bits for a plate of 8 and else of 16. A plate of pictures already has its composite as pictures; then nothing is written.
    Raises FootageError and OutputError.
    """
    images = sorted((folder / "composite").glob("composite.*"))
    if images and not (folder / "composite.mkv").exists():
        return folder / "composite" / f"composite.%04d{images[0].suffix}"
    for number, frame, patch in patched(folder, plate, first, last, progress, "frames"):
        _write(frame_file(folder, "composite", number, ".png"), *_png(frame.over(patch).rgb(), plate.info.bit_depth))
    return folder / "composite" / "composite.%04d.png"
