"""Frame: one picture of a clip, upright, at its own depth, with the views that detection, alignment and swapping need."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from nodes.footage.colour import resolved_space, to_linear
from nodes.footage.composite import composite_planar, inside, planar_rgb
from nodes.footage.info import FootageInfo
from nodes.footage.planes import Layout, copy, is_full_range, layout, views
from nodes.types import Float, Image8, Patch, Roi

_THREADS = min(4, os.cpu_count() or 1)
_scalers = threading.local()


class Frame(ABC):
    """One picture. index: 0-based position within its clip. Frames are immutable; they may be shared between threads."""

    def __init__(self, index: int, info: FootageInfo) -> None:
        self.index, self.info = index, info
        self.lock = threading.RLock()
        self._rgb8: Image8 | None = None

    @property
    def width(self) -> int:
        """Width in pixels, upright."""
        return self.info.width

    @property
    def height(self) -> int:
        """Height in pixels, upright."""
        return self.info.height

    def rgb8(self) -> Image8:
        """Return the picture as display-referred sRGB, uint8 [H, W, 3], read-only; converted once and kept."""
        with self.lock:
            if self._rgb8 is None:
                self._rgb8 = self._convert_rgb8()
                self._rgb8.flags.writeable = False
            return self._rgb8

    def _whole(self, roi: Roi | None) -> Roi:
        return Roi(0, 0, self.width, self.height) if roi is None else roi

    @abstractmethod
    def _convert_rgb8(self) -> Image8: ...

    @abstractmethod
    def rgb(self, roi: Roi | None = None) -> Float:
        """Return display-referred sRGB, float32 [h, w, 3], 0..1 (pictures beyond white may exceed it), exact to the bit depth."""

    @abstractmethod
    def linear(self, roi: Roi | None = None) -> Float:
        """Return scene-linear Rec.709, float32 [h, w, 3]."""

    @abstractmethod
    def alpha(self, roi: Roi | None = None) -> Float | None:
        """Return the picture's own alpha, float32 [h, w] in 0..1, or None where it has none."""

    @abstractmethod
    def over(self, patch: Patch) -> Frame:
        """Composite a premultiplied scene-linear patch over the picture and return the result at the picture's own depth.

        Pixels where the patch's alpha is 0 keep their code values.
        """


class MovieFrame(Frame):
    """A picture of a movie, in one of FFmpeg's pixel formats."""

    def __init__(self, index: int, info: FootageInfo, picture: av.VideoFrame) -> None:
        super().__init__(index, info)
        self.picture = picture

    def _convert_rgb8(self) -> Image8:
        lay = self.layout
        source = {}
        if lay.family == "yuv":
            source = {
                "src_colorspace": SWS_MATRIX[resolved_space(self.info)],
                "src_color_range": ColorRange.JPEG if is_full_range(lay, self.info.tags) else ColorRange.MPEG,
            }
        picture = _scaler((lay.name, self.width, self.height)).reformat(
            self.picture,
            format="rgb24",
            interpolation=Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT,
            threads=_THREADS,
            **source,
        )
        array: Image8 = np.ascontiguousarray(picture.to_ndarray(), np.uint8)
        return array

    def rgb(self, roi: Roi | None = None) -> Float:
        """Return display-referred sRGB, float32 [h, w, 3], clipped to 0..1; chroma is interpolated bilinearly."""
        display = planar_rgb(views(self.picture), self.layout, self.info, self._whole(roi))
        return display if self.layout.is_float else np.clip(display, 0, 1, out=display)

    def linear(self, roi: Roi | None = None) -> Float:
        """Return scene-linear Rec.709, float32 [h, w, 3]."""
        return to_linear(self.rgb(roi), self.info.colour, exact=self.info.bit_depth > 12)

    def alpha(self, roi: Roi | None = None) -> Float | None:
        """Return the picture's own alpha, float32 [h, w] in 0..1, or None where it has none."""
        lay = self.layout
        if lay.alpha is None:
            return None
        planes = views(self.picture)
        plane = planes[0][..., lay.alpha] if lay.step else planes[lay.alpha]
        return plane[self._whole(roi).slices].astype(np.float32) / np.float32(lay.white)

    def over(self, patch: Patch) -> MovieFrame:
        """Composite a patch into a copy of the planes; see `nodes.footage.composite`."""
        visible = inside(patch, self.width, self.height)
        if visible is None:
            return self
        picture = copy(self.picture)
        composite_planar(views(picture), self.layout, self.info, *visible)
        return MovieFrame(self.index, self.info, picture)

    @property
    def layout(self) -> Layout:
        """The planes of its pixel format."""
        lay = layout(self.picture.format.name)
        assert lay is not None
        return lay


SWS_MATRIX: dict[int, Any] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


def _scaler(key: tuple[str, int, int]) -> VideoReformatter:
    """Keep a scaler for each kind of picture and thread: setting one up takes long."""
    kept = _scalers.__dict__.setdefault("kept", {})
    if key not in kept:
        if len(kept) > 16:
            kept.clear()
        kept[key] = VideoReformatter()
    return cast(VideoReformatter, kept[key])
