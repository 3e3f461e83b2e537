"""Layers: a finished shot as pictures for hosts that blend what is displayed, and for those that cannot open its movie.

A patch is blended in scene-linear light. A host that blends code values instead would make its soft edges darker or brighter. So for each
pixel of the matte an overlay has the colour and the coverage that give exactly Faceplate's composite when they are laid over the plate's
own code values: out = a·F + (1 - a)·plate. The coverage is that of the patch, and more only where F would else lie outside of what can be
shown. `overlay` is PNG or EXR of the plate's size, for Blender's sequencer; `over` is EXR with a data window, for a Loader and a Merge in Fusion.
`whole` is the patch itself in a frame of the plate's size, for Blender's compositor, which forgets where in the frame a data window is.
"""

from __future__ import annotations

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

OVERLAY = "overlay"
_AROUND = 8  # pixels around the matte with the plate's colour, unseen: a host that scales pictures mixes neighbours


def write_overlays(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write an overlay for each of the plate's frames first..last (positions) of the shot rendered into `folder`; returns their pattern.

    They have the plate's size and its frame numbers: PNG with straight alpha, of 8 bits for a plate of 8 and else of 16, or, for a plate in
    float, EXR, premultiplied and scene-linear. Raises FootageError and OutputError.
    """
    info = plate.info
    suffix = ".exr" if info.is_float else ".png"
    tell = stage(progress, "overlay", last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = info.first + frame.index
        patch = read_patch(frame_file(folder, "patch", number))
        write_overlay(folder / OVERLAY / f"overlay.{number:04d}{suffix}", frame, patch)
        tell(done)
    return folder / OVERLAY / f"overlay.%04d{suffix}"


def write_overlay(path: Path, frame: Frame, patch: Patch) -> None:
    """Write one overlay, as `write_overlays` says. Raises OutputError."""
    with whole_file(path, sync=False) as temporary:
        write_image(temporary, *_picture(frame, patch))


def overlay(plate: Float, composite: Float, alpha: Float, steps: int | None = None) -> tuple[Float, Float]:
    """Colour [h, w, 3] and coverage [h, w] that give `composite` when laid over `plate`, both as displayed, float32 [h, w, 3].

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
    """A frame's overlay as displayed, straight, float32 [H, W, 4] in 0..1; light beyond white is clipped. steps: of its coverage."""
    height, width = frame.height, frame.width
    found = np.zeros((height, width, 4), np.float32)
    if cut := inside(patch, width, height):
        roi, part = cut
        wide = Roi(
            max(roi.x0 - _AROUND, 0),
            max(roi.y0 - _AROUND, 0),
            min(roi.x1 + _AROUND, width),
            min(roi.y1 + _AROUND, height),
        )
        alpha = np.zeros((wide.height, wide.width), np.float32)
        alpha[roi.y0 - wide.y0 :, roi.x0 - wide.x0 :][: roi.height, : roi.width] = part[..., 3]
        colour, coverage = overlay(frame.rgb(wide), frame.over(patch).rgb(wide), alpha, steps)
        near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8)) > 0
        found[wide.slices] = np.clip(np.dstack([colour * near[..., None], coverage]), 0, 1)
    return found


def _picture(frame: Frame, patch: Patch) -> tuple[Pixels, oiio.ImageSpec]:
    """Pixels of the whole frame and how they are written."""
    height, width = frame.height, frame.width
    if frame.info.is_float:
        rgba = np.zeros((height, width, 4), np.float32)
        if cut := inside(patch, width, height):
            roi, part = cut
            colour, coverage = overlay(frame.rgb(roi), frame.over(patch).rgb(roi), part[..., 3])
            linear = to_linear(np.ascontiguousarray(colour), "srgb", exact=True)
            rgba[roi.slices] = np.dstack([linear * coverage[..., None], coverage])
        spec = half_spec(width, height, ("R", "G", "B", "A"), "zip:1")
        spec.alpha_channel = 3
        return rgba.astype(np.float16), spec
    kind, top = (np.uint8, 255) if frame.info.bit_depth <= 8 else (np.uint16, 65535)
    codes = (straight(frame, patch, top) * np.float32(top) + np.float32(0.5)).astype(kind)
    spec = oiio.ImageSpec(width, height, 4, oiio.UINT8 if kind is np.uint8 else oiio.UINT16)
    spec.alpha_channel = 3
    spec.attribute("oiio:UnassociatedAlpha", 1)
    spec.attribute("oiio:ColorSpace", "srgb_rec709_scene")
    spec.attribute("png:compressionLevel", 3)
    return codes, spec


OVER = "over"


def write_layers(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write a layer for each of the plate's frames first..last (positions) of the shot rendered into `folder`; returns the first file.

    Raises FootageError and OutputError.
    """
    tell = stage(progress, "layers", last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = plate.info.first + frame.index
        patch = read_patch(frame_file(folder, "patch", number))
        roi, rgba = _layer(frame, patch)
        spec = half_spec(roi.width, roi.height, ("R", "G", "B", "A"), "zip:1")
        spec.x, spec.y, spec.full_width, spec.full_height = roi.x0, roi.y0, frame.width, frame.height
        spec.alpha_channel = 3
        with whole_file(folder / OVER / f"over.{number:04d}.exr", sync=False) as temporary:
            write_image(temporary, rgba.astype(np.float16), spec)
        tell(done)
    return folder / OVER / f"over.{plate.info.first + first:04d}.exr"


def _layer(frame: Frame, patch: Patch) -> tuple[Roi, Float]:
    """Its window and its pixels; a transparent one where there is no face."""
    cut = inside(patch, frame.width, frame.height)
    if cut is None:
        return Roi(0, 0, 1, 1), np.zeros((1, 1, 4), np.float32)
    roi, part = cut
    colour, coverage = overlay(frame.rgb(roi), frame.over(patch).rgb(roi), part[..., 3])
    return roi, np.dstack([colour * coverage[..., None], coverage])


def write_whole(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write the patches of the plate's frames first..last (positions) of the shot rendered into `folder` in whole frames; returns their pattern.

    Raises FootageError and OutputError.
    """
    info = plate.info
    tell = stage(progress, "whole frames", last - first + 1)
    for done, number in enumerate(range(info.first + first, info.first + last + 1), 1):
        patch = in_frame(read_patch(frame_file(folder, "patch", number)), info.width, info.height)
        write_patch(frame_file(folder, "whole", number), patch, info.width, info.height)
        tell(done)
    return folder / "whole" / "whole.%04d.exr"


def in_frame(patch: Patch, width: int, height: int) -> Patch:
    """The same patch with the whole frame as its region, transparent around it."""
    rgba = np.zeros((height, width, 4), np.float32)
    if cut := inside(patch, width, height):
        roi, part = cut
        rgba[roi.slices] = part
    return Patch(patch.frame, Roi(0, 0, width, height), rgba)


COMPOSITE = "composite"


def write_frames(folder: Path, plate: Footage, first: int, last: int, progress: Progress = quiet) -> Path:
    """Write the composite of the plate's frames first..last (positions), by its own numbers; returns their pattern.

    PNG, of 8 bits for a plate of 8 and else of 16. A plate of pictures has its composite as pictures already, and nothing is written.
    Raises FootageError and OutputError.
    """
    there = sorted((folder / COMPOSITE).glob("composite.*"))
    if there and not (folder / "composite.mkv").exists():
        return folder / COMPOSITE / f"composite.%04d{there[0].suffix}"
    info = plate.info
    kind, top = (np.uint8, 255) if info.bit_depth <= 8 else (np.uint16, 65535)
    tell = stage(progress, "frames", last - first + 1)
    for done, frame in enumerate(plate.frames(first, last), 1):
        number = info.first + frame.index
        composite = frame.over(read_patch(frame_file(folder, "patch", number)))
        codes = (composite.rgb() * np.float32(top) + np.float32(0.5)).astype(kind)
        spec = oiio.ImageSpec(info.width, info.height, 3, oiio.UINT8 if kind is np.uint8 else oiio.UINT16)
        spec.attribute("png:compressionLevel", 3)
        with whole_file(folder / COMPOSITE / f"composite.{number:04d}.png", sync=False) as temporary:
            write_image(temporary, codes, spec)
        tell(done)
    return folder / COMPOSITE / "composite.%04d.png"
