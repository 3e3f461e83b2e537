"""Image sequences and single images, each file at its own depth.

Read over the display window, upright. Written as PNG, TIFF, EXR and DPX, at the depth of the frames where the format has it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import OpenImageIO as oiio

from nodes.errors import FootageError, OutputError
from nodes.files import whole_file
from nodes.footage.colour import to_linear, to_srgb
from nodes.footage.composite import blend, grey, inside, store
from nodes.footage.formats import ImageFormat, image_format
from nodes.footage.frame import Frame
from nodes.footage.images import (
    Channels,
    Layer,
    Pixels,
    channels_of,
    choose_layer,
    display_window,
    read_headers,
    read_window,
    white,
    write_image,
)
from nodes.footage.info import Colour, FootageInfo
from nodes.footage.numbering import ImageSequence, has_place, numbered
from nodes.footage.rates import DEFAULT, snap_rate
from nodes.types import Float, Image8, Patch, Roi

_TURNS = {
    1: (False, 0),
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


class ImageFrame(Frame):
    """A picture of a sequence: pixels [H, W, C] in the file's own type, and the file's header for writing it again."""

    def __init__(
        self, index: int, info: FootageInfo, pixels: Pixels, channels: Channels, header: Any, file: Path
    ) -> None:
        super().__init__(index, info)
        self.pixels, self.channels, self.header, self.file = pixels, channels, header, file

    def _convert_rgb8(self) -> Image8:
        if self.pixels.dtype == np.uint8 and self.info.colour == "srgb":
            return np.ascontiguousarray(self.pixels[..., self.channels.rgb])
        return _eight_bit(self.rgb())

    def rgb(self, roi: Roi | None = None) -> Float:
        """Return display-referred sRGB, float32 [h, w, 3]; EXR may exceed 0..1."""
        return to_srgb(self._codes(roi), self.info.colour, exact=self._exact)

    def linear(self, roi: Roi | None = None) -> Float:
        """Return scene-linear Rec.709, float32 [h, w, 3]."""
        return to_linear(self._codes(roi), self.info.colour, exact=self._exact)

    def alpha(self, roi: Roi | None = None) -> Float | None:
        """Return the picture's own alpha, float32 [h, w] in 0..1, or None where it has none."""
        if self.channels.alpha is None:
            return None
        return _unit(self.pixels[self._whole(roi).slices][..., self.channels.alpha])

    def over(self, patch: Patch) -> ImageFrame:
        """Composite a patch; alpha and further channels stay as they are."""
        visible = inside(patch, self.width, self.height)
        if visible is None:
            return self
        roi, rgba = visible
        covered = rgba[..., 3] > 0
        new = blend(
            self._codes(roi), grey(rgba) if self.channels.grey else rgba, self.info.colour, 16 if self._exact else 8
        )
        pixels = self.pixels.copy()
        part = pixels[roi.slices]
        for i, channel in enumerate(self.channels.rgb[: 1 if self.channels.grey else 3]):
            store(part[..., channel], new[..., i] * np.float32(white(pixels)), covered)
        return ImageFrame(self.index, self.info, pixels, self.channels, self.header, self.file)

    def _codes(self, roi: Roi | None) -> Float:
        return _unit(np.ascontiguousarray(self.pixels[self._whole(roi).slices][..., self.channels.rgb]))

    @property
    def _exact(self) -> bool:
        return self.pixels.dtype != np.uint8


class SequenceReader:
    """Frames of an image sequence."""

    def __init__(self, info: FootageInfo, files: tuple[Path, ...], layer: Layer) -> None:
        self.info, self._files, self._layer = info, files, layer

    def read(self, first: int, last: int) -> Generator[Frame, None, None]:
        """Yield the frames first..last; raises FootageError naming the file and its number."""
        for index in range(first, last + 1):
            yield self._frame(index)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _frame(self, index: int) -> ImageFrame:
        path, number = self._files[index], self.info.first + index
        header, pixels = read_window(path, number, self._layer.part)
        pixels = _upright(display_window(header, pixels), header)
        height, width = pixels.shape[:2]
        if (width, height, tuple(header.channelnames)) != (self.info.width, self.info.height, self.info.channels):
            raise FootageError(
                f"is {width}x{height} ({', '.join(header.channelnames)}), unlike the first image, "
                f"{self.info.width}x{self.info.height} ({', '.join(self.info.channels)})",
                file=path,
                frame=number,
                remedy="All images of a sequence have one size and the same channels",
            )
        return ImageFrame(index, self.info, pixels, self._layer.channels, header, path)


def describe(sequence: ImageSequence, rate: Fraction | None, wanted: str | None = None) -> tuple[FootageInfo, Layer]:
    """Describe a sequence, and the layer that is its picture, from the header of its first file. wanted: that layer's name, of EXR."""
    path = sequence.files[0]
    parts = read_headers(path, sequence.first)
    if image_format(path).name == "exr":
        layer = choose_layer(parts, path, sequence.first, wanted)
    else:
        layer = Layer("", 0, channels_of(parts[0]))
    header = parts[layer.part]
    _, quarter = _TURNS.get(int(header.get_int_attribute("Orientation", 1)), (False, 0))
    width, height = header.full_width, header.full_height
    if width <= 0 or height <= 0:
        raise FootageError("has no pixels", file=path, frame=sequence.first, remedy="Render it again")
    kind = str(header.format)
    is_float = kind in ("half", "float", "double")
    stored = 16 if kind == "half" else 32 if is_float else 8 if kind == "uint8" else 16
    aspect = Fraction(float(header.get_float_attribute("PixelAspectRatio", 1.0)) or 1.0).limit_denominator(1000)
    info = FootageInfo(
        path=sequence.pattern,
        width=height if quarter % 2 else width,
        height=width if quarter % 2 else height,
        rate=rate or _rate(header) or DEFAULT,
        frames=len(sequence.files),
        first=sequence.first,
        bit_depth=stored if is_float else int(header.get_int_attribute("oiio:BitsPerSample", stored)) or stored,
        is_float=is_float,
        pixel_format={"double": "float", "uint8": "uint8"}.get(kind, kind if is_float else "uint16"),
        has_alpha=layer.channels.alpha is not None,
        rotation=90 * quarter,
        colour=_colour(path, header),
        pixel_aspect=aspect,
        channels=tuple(header.channelnames),
        layer=layer.name,
        notes=tuple(_notes(parts, layer)),
    )
    return info, layer


def _notes(parts: list[Any], layer: Layer) -> Iterator[str]:
    header = parts[layer.part]
    x, y = header.x - header.full_x, header.y - header.full_y
    if x < 0 or y < 0 or x + header.width > header.full_width or y + header.height > header.full_height:
        yield "the picture goes on beyond the frame (overscan), which is cut off in the composite"
    own = {*layer.channels.rgb, layer.channels.alpha} - {None}
    if layer.name and (len(parts) > 1 or len(header.channelnames) > len(own)):
        yield f"the picture is the layer '{layer.name}'; --layer chooses another"
    if len(parts) > 1:
        others = (str(p.getattribute("oiio:subimagename") or i) for i, p in enumerate(parts, 1) if i != layer.part + 1)
        yield f"the composite keeps the picture's own part of the file; the others are left out: {', '.join(others)}"


def _colour(path: Path, header: Any) -> Colour:
    image = image_format(path)
    curve = " ".join(str(header.getattribute(name) or "") for name in ("oiio:ColorSpace", "dpx:Transfer")).lower()
    return "log" if image.may_be_log and ("log" in curve or "density" in curve) else image.colour


def _rate(header: Any) -> Fraction | None:
    rate = header.getattribute("FramesPerSecond") or header.getattribute("dpx:FrameRate")
    if isinstance(rate, tuple) and len(rate) == 2 and rate[1]:
        rate = Fraction(int(rate[0]), int(rate[1]))
    return snap_rate(rate) if isinstance(rate, (int, float, Fraction)) and 0 < rate < 1000 else None


def _upright(pixels: Pixels, header: Any) -> Pixels:
    mirrored, quarter = _TURNS.get(int(header.get_int_attribute("Orientation", 1)), (False, 0))
    if not mirrored and not quarter:
        return pixels
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if mirrored else pixels, quarter))


def _unit(pixels: Pixels) -> Float:
    return np.multiply(pixels, np.float32(1 / white(pixels)), dtype=np.float32)


def _eight_bit(display: Float) -> Image8:
    return (np.clip(np.nan_to_num(display), 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


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
        if not image_format(self.pattern).writes or not has_place(self.pattern.name):
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for path in self._written if kind else ():
            path.unlink(missing_ok=True)


def write_frame(path: Path, frame: Frame | Image8, rate: Fraction | None = None) -> None:
    """Write one image, whole or not at all, of a kind in `WRITABLE`; see :class:`SequenceWriter`. Raises OutputError."""
    pixels, header = _prepared(frame, image_format(path), rate)
    with whole_file(path, sync=False) as temporary:
        write_image(temporary, pixels, header)


def _prepared(frame: Frame | Image8, image: ImageFormat, rate: Fraction | None) -> tuple[Pixels, Any]:
    if isinstance(frame, ImageFrame) and image_format(frame.file) == image:
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
    scene_linear = image.colour == "scene_linear"
    pixels = _converted(frame, image)
    header = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], _kind(pixels))
    header.attribute("oiio:UnassociatedAlpha", 1)
    header.attribute("compression", image.compression)
    header.attribute("oiio:ColorSpace", "lin_rec709_scene" if scene_linear else "srgb_rec709_scene")
    header.attribute("png:compressionLevel", 3)
    if isinstance(frame, Frame) and frame.info.pixel_aspect != 1:
        header.attribute("PixelAspectRatio", float(frame.info.pixel_aspect))
    if image.name == "exr" and rate:
        header.attribute(
            "FramesPerSecond",
            oiio.TypeDesc(oiio.INT, oiio.VEC2, oiio.RATIONAL),
            (rate.numerator, rate.denominator),
        )
    return pixels, header


def _converted(frame: Frame | Image8, image: ImageFormat) -> Pixels:
    scene_linear = image.colour == "scene_linear"
    if isinstance(frame, np.ndarray):
        if not scene_linear:
            return frame
        return to_linear(frame.astype(np.float32) / np.float32(255), "srgb").astype(np.float16)
    alpha = frame.alpha()
    colour = frame.linear() if scene_linear else frame.rgb()
    if scene_linear:
        if alpha is not None and frame.info.colour != "scene_linear":
            colour = colour * alpha[..., None]  # EXR is premultiplied, video and PNG are not
        wide = frame.info.is_float and frame.info.bit_depth > 16 and 32 in image.writes
        return _with(colour, alpha).astype(np.float32 if wide else np.float16)
    deep = frame.info.bit_depth > 8 and 16 in image.writes
    top, kind = (65535, np.uint16) if deep else (255, np.uint8)
    return (np.clip(_with(colour, alpha), 0, 1) * np.float32(top) + np.float32(0.5)).astype(kind)


def _with(colour: Float, alpha: Float | None) -> Float:
    return colour if alpha is None else np.dstack([colour, alpha])


def _kind(pixels: Pixels) -> Any:
    return {"uint8": oiio.UINT8, "uint16": oiio.UINT16, "float16": oiio.HALF, "float32": oiio.FLOAT}[str(pixels.dtype)]
