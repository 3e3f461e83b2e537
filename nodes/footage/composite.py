"""Compositing: lay a premultiplied scene-linear patch over a picture, inside its region only, at the picture's own depth.

Code values change only where alpha is above 0 and rounding does not hide it; a chroma sample changes only where every luma
pixel that it colours is inside. So outside the matte the plate is untouched, bit for bit, however chroma is interpolated.

Sites of chroma follow H.264 and MPEG-2: horizontally on the first luma column of each group, vertically midway. Other sites (JPEG's, in
the middle both ways) are read as these: decoders do not report them, and the plate outside a patch does not depend on it. Channels are taken apart and
put together by OpenCV, several times faster than by strided numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from nodes.footage.colour import from_linear, luminance, rgb_to_yuv, to_linear, transform, yuv_to_rgb
from nodes.footage.info import Colour, FootageInfo
from nodes.footage.planes import Layout, Plane
from nodes.types import Bool, Float, Patch, Roi

Mask = npt.NDArray[np.uint8]

_MARGIN = 4


def blend(display: Float, rgba: Float, colour: Colour, bits: int) -> Float:
    """Composite premultiplied scene-linear rgba [h, w, 4] over encoded display [h, w, 3] (overwritten); returns it encoded."""
    exact = bits > 12
    linear = to_linear(display, colour, exact=exact)
    rest = 1 - _channel(rgba, 3)
    cv2.multiply(linear, _merge([rest, rest, rest]), linear)
    cv2.add(linear, cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), linear)
    return from_linear(linear, colour, exact=exact)


def inside(patch: Patch, width: int, height: int) -> tuple[Roi, Float] | None:
    """Cut a patch to the picture and to where its alpha is above 0; None where nothing is left."""
    roi = patch.roi
    if roi.empty:
        return None
    x0, y0, x1, y1 = max(roi.x0, 0), max(roi.y0, 0), min(roi.x1, width), min(roi.y1, height)
    if x1 <= x0 or y1 <= y0:
        return None
    rgba = patch.rgba[Roi(x0, y0, x1, y1).within(roi)]
    covered = rgba[..., 3] > 0
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return None
    t, b, left, r = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    cut = np.ascontiguousarray(rgba[t:b, left:r], np.float32)
    return Roi(x0 + left, y0 + t, x0 + r, y0 + b), cut


def planar_rgb(planes: Sequence[Plane], lay: Layout, info: FootageInfo, roi: Roi) -> Float:
    """Read a region of a movie's picture as R'G'B', float32 [h, w, 3], not clipped, chroma interpolated bilinearly."""
    if lay.family != "yuv":
        scale = np.float32(1 / lay.white)
        return _merge([component(planes, lay, i)[roi.slices].astype(np.float32) * scale for i in range(3)])
    group = _whole_groups(roi, lay)
    yuv, _ = _yuv(planes, lay, group)
    rgb = transform(yuv, yuv_to_rgb(info, lay))
    return np.ascontiguousarray(rgb[roi.y0 - group.y0 :, roi.x0 - group.x0 :][: roi.height, : roi.width])


def composite_planar(planes: Sequence[Plane], lay: Layout, info: FootageInfo, roi: Roi, rgba: Float) -> None:
    """Composite rgba [roi.height, roi.width, 4] into the planes of a movie's picture, in place."""
    if lay.family == "yuv":
        _composite_yuv(planes, lay, info, roi, rgba)
        return
    covered = rgba[..., 3] > 0
    if lay.family == "gray":
        rgba = grey(rgba)
    encoded = blend(planar_rgb(planes, lay, info, roi), rgba, info.colour, lay.bits)
    for i in range(1 if lay.family == "gray" else 3):
        store(component(planes, lay, i)[roi.slices], encoded[..., i] * np.float32(lay.white), covered)


def grey(rgba: Float) -> Float:
    """Replace the colour of a premultiplied linear patch by its luminance."""
    return np.ascontiguousarray(np.dstack([luminance(rgba[..., :3])] * 3 + [rgba[..., 3]]))


def store(target: Plane, values: Float, where: Bool, white: float | None = None) -> None:
    """Round values to the target's type, clipped to 0..white (by default the type's largest), and store them at `where`."""
    if target.dtype.kind == "f":
        np.copyto(target, values.astype(target.dtype, copy=False), where=where)
        return
    top = np.iinfo(target.dtype).max if white is None else white
    np.copyto(target, (np.clip(values, 0, top) + np.float32(0.5)).astype(target.dtype), where=where)


def _composite_yuv(planes: Sequence[Plane], lay: Layout, info: FootageInfo, roi: Roi, rgba: Float) -> None:
    group = _whole_groups(roi, lay)
    rgba = _grown(rgba, roi, group, info)
    alpha = _channel(rgba, 3)
    covered = (alpha > 0).astype(np.uint8)
    old, old_chroma = _yuv(planes, lay, group)
    new = blend(transform(old, yuv_to_rgb(info, lay)), rgba, info.colour, lay.bits)
    new = transform(new, rgb_to_yuv(info, lay))
    luma = planes[0][group.slices]
    height, width = luma.shape
    covered_luma = covered[:height, :width].view(bool)
    store(luma, _channel(new, 0)[:height, :width], covered_luma, lay.white)
    part = _chroma_slices(group, lay)
    if lay.shift == (0, 0):
        for i in (1, 2):
            store(planes[i][part], _channel(new, i), covered_luma, lay.white)
        return
    changed = _changeable(covered, group, lay, info)
    # Chroma that the plate loses on the way to the luma grid and back is restored where the plate shows through.
    through = _downsample(1 - alpha, lay)
    for i in (1, 2):
        lost = old_chroma[..., i - 1] - _downsample(_channel(old, i), lay)
        values = _downsample(_channel(new, i), lay) + through * lost
        store(planes[i][part], values, changed, lay.white)


def _yuv(planes: Sequence[Plane], lay: Layout, group: Roi) -> tuple[Float, Float]:
    """Read whole groups as code values: [h, w, 3] on the luma grid, and Cb, Cr [h, w, 2] on their own."""
    luma = planes[0][group.slices].astype(np.float32)
    if luma.shape != (group.height, group.width):  # an odd picture's last group is half outside
        below, beside = group.height - luma.shape[0], group.width - luma.shape[1]
        luma = _pad(luma, 0, below, 0, beside, repeat=True)
    rows, columns = _chroma_slices(group, lay)
    top, left = max(0, rows.start - 1), max(0, columns.start - 1)
    wider = np.s_[top : rows.stop + 1, left : columns.stop + 1]
    own = np.s_[rows.start - top :, columns.start - left :]
    both = _merge([planes[i][wider] for i in (1, 2)])
    own_chroma = both[own][: rows.stop - rows.start, : columns.stop - columns.start]
    if lay.shift == (0, 0):
        full = own_chroma
    else:
        margin = columns.start - left, rows.start - top
        full = _upsample(both, lay, group.width, group.height, margin)
    return _merge([luma, _channel(full, 0), _channel(full, 1)]), own_chroma


def _changeable(covered: Mask, group: Roi, lay: Layout, info: FootageInfo) -> Bool:
    """Tell which chroma samples of a region touch covered luma pixels only, also after bilinear or bicubic interpolation.

    covered: uint8 [h, w], whole groups, 1 inside. Beyond the region all is uncovered, beyond the picture covered. Returns bool on the
    region's chroma grid.
    """
    (sx, sy), x, y = lay.shift, group.x0, group.y0
    margin_x, margin_y = _MARGIN << sx, _MARGIN << sy
    wide = np.pad(covered, ((margin_y, margin_y), (margin_x, margin_x)))
    x, y = x - margin_x, y - margin_y
    wide[: max(0, -y)] = wide[info.height - y :] = 1
    wide[:, : max(0, -x)] = wide[:, info.width - x :] = 1
    (left, right), (top, bottom) = (
        (2 * (1 << shift) - 1, 2 * (1 << shift) - 1 + (1 << shift) // 2) if shift else (0, 0) for shift in (sx, sy)
    )
    kernel = np.ones((top + bottom + 1, left + right + 1), np.uint8)
    eroded = cv2.erode(wide, kernel, anchor=(left, top), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return cast(Bool, eroded[:: 1 << sy, :: 1 << sx][_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] != 0)


def _grown(rgba: Float, roi: Roi, group: Roi, info: FootageInfo) -> Float:
    """Pad a patch to whole groups: transparent, but repeated beyond the picture's right and lower edge."""
    if group == roi:
        return rgba
    rgba = _pad(rgba, roi.y0 - group.y0, group.y1 - roi.y1, roi.x0 - group.x0, group.x1 - roi.x1)
    if group.x1 > info.width:
        rgba[:, info.width - group.x0 :] = rgba[:, info.width - group.x0 - 1, None]
    if group.y1 > info.height:
        rgba[info.height - group.y0 :] = rgba[None, info.height - group.y0 - 1]
    return rgba


def _whole_groups(roi: Roi, lay: Layout) -> Roi:
    gx, gy = 1 << lay.shift[0], 1 << lay.shift[1]
    return Roi(roi.x0 // gx * gx, roi.y0 // gy * gy, -(-roi.x1 // gx) * gx, -(-roi.y1 // gy) * gy)


def _chroma_slices(group: Roi, lay: Layout) -> tuple[slice, slice]:
    sx, sy = lay.shift
    return slice(group.y0 >> sy, group.y1 >> sy), slice(group.x0 >> sx, group.x1 >> sx)


def component(planes: Sequence[Plane], lay: Layout, i: int) -> Plane:
    """Return red, green or blue (i = 0, 1, 2) of a picture that is not Y'CbCr; grey stands for all three."""
    if lay.family == "gray":
        return planes[0]
    return planes[0][..., lay.order[i]] if lay.step else planes[lay.order[i]]


def _upsample(chroma: Float, lay: Layout, width: int, height: int, margin: tuple[int, int]) -> Float:
    """Interpolate chroma [h, w, C] bilinearly at `width` x `height` luma pixels.

    margin: chroma samples (x, y) that `chroma` holds before the first luma pixel's own.
    """
    sx, sy = lay.shift
    step_x, step_y = 1 / (1 << sx), 1 / (1 << sy)
    affine = np.array([[step_x, 0, margin[0]], [0, step_y, margin[1] + (step_y - 1) / 2]])
    return cast(
        Float,
        cv2.warpAffine(
            chroma,
            affine,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
    )


def _downsample(full: Float, lay: Layout) -> Float:
    """Filter luma-sized [h, w, C] (whole groups) down to the chroma grid: tents across, boxes down."""
    sx, sy = lay.shift
    height, width = full.shape[:2]
    if sx:
        group = 1 << sx
        tent = np.concatenate([np.arange(1, group + 1), np.arange(group - 1, 0, -1)]).astype(np.float32)[None]
        wide = cv2.filter2D(full, -1, tent / tent.sum(), borderType=cv2.BORDER_REPLICATE)
        full = cast(Float, np.ascontiguousarray(wide[:, ::group]))
    return cast(Float, cv2.resize(full, (width >> sx, height >> sy), interpolation=cv2.INTER_AREA))


def _channel(array: Float, i: int) -> Float:
    return cast(Float, cv2.extractChannel(array, i))


def _merge(parts: Sequence[npt.NDArray[Any]]) -> Float:
    """Stack [h, w] arrays as float32 [h, w, C]."""
    return cast(Float, cv2.merge([p.astype(np.float32, copy=False) for p in parts]))


def _pad(array: Float, top: int, bottom: int, left: int, right: int, *, repeat: bool = False) -> Float:
    kind = cv2.BORDER_REPLICATE if repeat else cv2.BORDER_CONSTANT
    return cast(Float, cv2.copyMakeBorder(array, top, bottom, left, right, kind, value=(0, 0, 0, 0)))
