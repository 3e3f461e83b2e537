"""Formats: the kinds of image and movie files, by suffix, and the codecs that movies are written with.

A new kind of file is one entry here: what reads and writes it, at which depths, what its code values mean, and whether Content
Credentials stand in the file itself or in one beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nodes.footage.info import Colour

Delivery = Literal["prores4444", "dnxhr", "avc"]
CodecName = Literal["ffv1", "h264"] | Delivery


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """Image files of one kind, read by OpenImageIO.

    name: of the format in OpenImageIO. writes: bits of a channel that we write, 16 and 32 being float for scene-linear light; empty where
    we only read. colour: how code values encode light. may_be_log: the header can say that they are logarithmic. compression: what we
    write it with. embeds: media type under which the file itself holds a C2PA manifest, else it is beside it. still: a single file may be
    a still; of the others it is one frame of a sequence.
    """

    name: str
    writes: tuple[int, ...] = ()
    colour: Colour = "srgb"
    may_be_log: bool = False
    compression: str = ""
    embeds: str = ""
    still: bool = True


_OTHER = ImageFormat("")
_EXR = ImageFormat("exr", (16, 32), "scene_linear", compression="zip", still=False)
_TIFF = ImageFormat("tiff", (8, 16), compression="lzw", embeds="image/tiff")
_JPEG = ImageFormat("jpeg", embeds="image/jpeg")
_PNM = ImageFormat("pnm")

IMAGES: dict[str, ImageFormat] = {
    ".exr": _EXR,
    ".dpx": ImageFormat("dpx", (8, 16), may_be_log=True, still=False),
    ".cin": ImageFormat("cineon", may_be_log=True, still=False),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".png": ImageFormat("png", (8, 16), embeds="image/png"),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".jp2": ImageFormat("jpeg2000"),
    ".bmp": ImageFormat("bmp"),
    ".tga": ImageFormat("targa"),
    ".hdr": ImageFormat("hdr", colour="scene_linear"),
    ".webp": ImageFormat("webp", embeds="image/webp"),
    ".psd": ImageFormat("psd"),
    ".sgi": ImageFormat("sgi"),
    ".rgb": ImageFormat("sgi"),
    ".pnm": _PNM,
    ".ppm": _PNM,
    ".pgm": _PNM,
    ".pfm": ImageFormat("pnm", colour="scene_linear"),
}


def image_format(path: Path) -> ImageFormat:
    """Return the format of an image file by its suffix; one that is only read where the table does not have it."""
    return IMAGES.get(path.suffix.lower(), _OTHER)


WRITABLE = frozenset(suffix for suffix, image in IMAGES.items() if image.writes)

# Files that FFmpeg reads, with the media type of those that hold a manifest themselves; the others (empty) have it beside them. FFmpeg
# reads more kinds, by their content.
MOVIES: dict[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".mkv": "",
    ".mxf": "",
    ".avi": "",
    ".webm": "",
}
EMBEDS = {suffix: kind for suffix, kind in MOVIES.items() if kind} | {
    suffix: image.embeds for suffix, image in IMAGES.items() if image.embeds
}


@dataclass(frozen=True, slots=True)
class Codec:
    """The coding of a movie's pictures, and its container.

    title: its name for people. encoder, container: names in FFmpeg. options, muxing: of both, as "name=value name=value". pixels: the format of pictures, empty
    for the frames' own. alpha: the format with alpha. least: width and height. group: pixels in x and y that share chroma. matrices:
    those that it can signal (H.273), any if empty; others become BT.709.
    """

    title: str
    encoder: str
    container: str
    options: str = ""
    muxing: str = ""
    pixels: str = ""
    alpha: str | None = None
    least: tuple[int, int] = (2, 2)
    group: tuple[int, int] = (1, 1)
    matrices: tuple[int, ...] = ()


# Without random ids ("bitexact") the same pictures make the same file.
_QUICKTIME = "movflags=+faststart+write_colr fflags=+bitexact"
_PRORES, _DNXHR = "profile=4444 vendor=apl0 alpha_bits=16", "profile=dnxhr_hqx"
_PREVIEW, _AVC = "preset=superfast crf=17", "preset=medium crf=12 g=24 bf=2"

# "ffv1" keeps every code value, "h264" is the preview; the others are what editing programs read.
CODECS: dict[CodecName, Codec] = {
    "ffv1": Codec("FFV1", "ffv1", "matroska", "", "fflags=+bitexact"),
    "h264": Codec("H.264", "libx264", "mp4", _PREVIEW, "movflags=+faststart", "yuv420p"),
    "prores4444": Codec("ProRes 4444", "prores_ks", "mov", _PRORES, _QUICKTIME, "yuv444p10le", "yuva444p10le"),
    "dnxhr": Codec(
        "DNxHR HQX", "dnxhd", "mov", _DNXHR, _QUICKTIME, "yuv422p10le", least=(256, 120), group=(2, 1), matrices=(1, 9)
    ),
    "avc": Codec("H.264", "libx264", "mov", _AVC, _QUICKTIME, "yuv420p", group=(2, 2)),
}


def options_of(text: str) -> dict[str, str]:
    """Return FFmpeg's options, "name=value name=value", by name."""
    return dict(pair.split("=", 1) for pair in text.split())
