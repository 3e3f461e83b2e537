"""Subsampled chroma: where its samples lie, to the luma grid and back, and which of them a region alone decides.

Sites follow H.264 and MPEG-2: horizontally on the first luma column of each group, vertically midway. Other sites (JPEG's, in
the middle both ways) are read as these: no decoder tells, and what lies outside a patch does not depend on it.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from nodes.footage.planes import Layout
from nodes.types import Float

Mask = npt.NDArray[np.uint8]


def upsample(chroma: Float, lay: Layout, width: int, height: int, margin: tuple[int, int]) -> Float:
    """Interpolate chroma [h, w, C] bilinearly at `width` x `height` luma pixels.

    margin: chroma samples (x, y) that `chroma` holds before the first luma pixel's own.
    """
    sx, sy = lay.shift
    step_x, step_y = 1 / (1 << sx), 1 / (1 << sy)
    affine = np.array([[step_x, 0, margin[0]], [0, step_y, margin[1] + (step_y - 1) / 2]])
    found = cv2.warpAffine(
        chroma,
        affine,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cast(Float, found)


def downsample(full: Float, lay: Layout) -> Float:
    """Filter luma-sized [h, w, C] (whole groups) down to the chroma grid: tents across, boxes down."""
    sx, sy = lay.shift
    height, width = full.shape[:2]
    if sx:
        group = 1 << sx
        tent = np.concatenate([np.arange(1, group + 1), np.arange(group - 1, 0, -1)]).astype(np.float32)[None]
        wide = cv2.filter2D(full, -1, tent / tent.sum(), borderType=cv2.BORDER_REPLICATE)
        full = cast(Float, np.ascontiguousarray(wide[:, ::group]))
    return cast(Float, cv2.resize(full, (width >> sx, height >> sy), interpolation=cv2.INTER_AREA))


def decided(covered: Mask, lay: Layout) -> npt.NDArray[np.bool_]:
    """Tell which chroma samples touch covered luma pixels only, also after bilinear or bicubic interpolation.

    covered: uint8 [h, w], whole groups, 1 inside; beyond its edges counts as covered. Returns bool on the chroma grid.
    """
    sx, sy = lay.shift
    reach = []
    for shift in (sx, sy):
        group = 1 << shift
        reach.append((2 * group - 1, 2 * group - 1 + group // 2) if shift else (0, 0))
    (left, right), (top, bottom) = reach
    kernel = np.ones((top + bottom + 1, left + right + 1), np.uint8)
    eroded = cv2.erode(covered, kernel, anchor=(left, top), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    found: npt.NDArray[np.bool_] = eroded[:: 1 << sy, :: 1 << sx] != 0
    return found
