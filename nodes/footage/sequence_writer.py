"""Write image sequences: PNG, TIFF, EXR and DPX, at the depth of the frames where the format has it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import OpenImageIO as oiio

from nodes.errors import OutputError
from nodes.footage.colour import to_linear
from nodes.footage.frame import Frame
from nodes.footage.images import Pixels, write_image
from nodes.footage.info import FootageInfo
from nodes.footage.numbering import has_place, numbered
from nodes.footage.sequence import ImageFrame
from nodes.footage.whole import whole_file
from nodes.types import Float, Image8

_FORMATS = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".exr": "exr", ".dpx": "dpx"}
WRITABLE = frozenset(_FORMATS)


class SequenceWriter:
    """Numbered images, `pattern` as name.%04d.exr or name.####.png; each file appears whole or not at all.

    A frame of a sequence of the same format keeps its code values, its further channels and its header. Otherwise EXR gets
    scene-linear half floats, and the others display-referred sRGB at 8 bits, or 16 where the frame is deeper. Leaving the
    context with an error removes what was written.
    """

    def __init__(self, pattern: Path | str, like: FootageInfo, first_number: int | None = None) -> None:
        self.pattern, self.info = Path(pattern), like
        self._number = like.first if first_number is None else first_number
        self._written: list[Path] = []
        if self.pattern.suffix.lower() not in _FORMATS or not has_place(self.pattern.name):
            raise OutputError(
                "is no pattern of images that can be written",
                file=self.pattern,
                remedy="Write name.%04d with .exr, .png, .tif or .dpx",
            )

    def write(self, frame: Frame | Image8) -> None:
        """Write the next image: a Frame, or display-referred sRGB uint8 [H, W, 3]. Raises OutputError."""
        path = numbered(self.pattern, self._number)
        write_frame(path, frame, self.info.rate)
        self._written.append(path)
        self._number += 1

    def close(self) -> None:
        """Finish; every file already stands."""
        self._written.clear()

    def abort(self) -> None:
        """Remove what was written."""
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def write_frame(path: Path, frame: Frame | Image8, rate: Fraction | None = None) -> None:
    """Write one image, whole or not at all, of a kind in `WRITABLE`; see :class:`SequenceWriter`. Raises OutputError."""
    pixels, header = _prepared(frame, path.suffix.lower(), rate)
    with whole_file(path, sync=False) as temporary:
        write_image(temporary, pixels, header)


def _prepared(frame: Frame | Image8, suffix: str, rate: Fraction | None) -> tuple[Pixels, Any]:
    if isinstance(frame, ImageFrame) and _FORMATS.get(frame.file.suffix.lower()) == _FORMATS[suffix]:
        header = frame.header.copy()
        header.width = header.full_width = frame.width
        header.height = header.full_height = frame.height
        header.x = header.y = header.full_x = header.full_y = 0
        header.attribute("Orientation", 1)
        header.attribute("oiio:UnassociatedAlpha", 1)
        header.set_format(_kind(frame.pixels))
        if str(header.get_string_attribute("compression")).lower() in ("dwaa", "dwab", "b44", "b44a", "jpeg"):
            header.attribute("compression", "zip")  # a copy shall not lose again
        return frame.pixels, header
    pixels = _converted(frame, scene_linear=suffix == ".exr")
    header = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], _kind(pixels))
    header.attribute("oiio:UnassociatedAlpha", 1)
    header.attribute("compression", {".exr": "zip", ".tif": "lzw", ".tiff": "lzw"}.get(suffix, ""))
    header.attribute("oiio:ColorSpace", "lin_rec709_scene" if suffix == ".exr" else "srgb_rec709_scene")
    header.attribute("png:compressionLevel", 3)
    if isinstance(frame, Frame) and frame.info.pixel_aspect != 1:
        header.attribute("PixelAspectRatio", float(frame.info.pixel_aspect))
    if suffix == ".exr" and rate:
        header.attribute(
            "FramesPerSecond",
            oiio.TypeDesc(oiio.INT, oiio.VEC2, oiio.RATIONAL),
            (rate.numerator, rate.denominator),
        )
    return pixels, header


def _converted(frame: Frame | Image8, *, scene_linear: bool) -> Pixels:
    if isinstance(frame, np.ndarray):
        if not scene_linear:
            return frame
        return to_linear(frame.astype(np.float32) / np.float32(255), "srgb").astype(np.float16)
    alpha = frame.alpha()
    colour = frame.linear() if scene_linear else frame.rgb()
    if scene_linear:
        if alpha is not None and frame.info.colour != "scene_linear":
            colour = colour * alpha[..., None]  # EXR is premultiplied, video and PNG are not
        wide = frame.info.is_float and frame.info.bit_depth > 16
        return _with(colour, alpha).astype(np.float32 if wide else np.float16)
    top, kind = (255, np.uint8) if frame.info.bit_depth <= 8 else (65535, np.uint16)
    return (np.clip(_with(colour, alpha), 0, 1) * np.float32(top) + np.float32(0.5)).astype(kind)


def _with(colour: Float, alpha: Float | None) -> Float:
    return colour if alpha is None else np.dstack([colour, alpha])


def _kind(pixels: Pixels) -> Any:
    return {"uint8": oiio.UINT8, "uint16": oiio.UINT16, "float16": oiio.HALF, "float32": oiio.FLOAT}[str(pixels.dtype)]
