"""Image files through OpenImageIO, and the choice of the channels that form the picture.

Code values are as they are in the file, never colour-managed or premultiplied on the way.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from nodes.errors import FootageError
from nodes.text import command_line, counted

Pixels = npt.NDArray[Any]

# Readers and writers have threads of their own; waking OpenEXR's pool for each small file costs more than it does.
oiio.attribute("exr_threads", -1)

_KEPT = (oiio.UINT8, oiio.UINT16, oiio.HALF, oiio.FLOAT)
_WIDE = (oiio.INT16, oiio.INT32, oiio.UINT32)

# Names of the picture's layer in renderers and compositing programs.
_PICTURES = frozenset(
    ["", "rgba", "rgb", "beauty", "combined", "composite", "c", "ci", "color", "colour", "main", "image", "default"]
)
_DATA = re.compile(
    r"(?:^|[._])(?:n|p|z|uv|id)(?:$|[._])|normal|depth|position|crypto|motion|vector|velocity", re.IGNORECASE
)
_LONG = {"red": "r", "green": "g", "blue": "b", "alpha": "a"}


def open_image(path: Path, frame: int | None = None) -> Any:
    """Open an image file; raises FootageError when it is missing or cannot be read. The caller closes it."""
    if not path.exists():
        raise FootageError("does not exist", file=path, frame=frame, remedy="Check the path")
    if path.stat().st_size == 0:
        raise FootageError("is empty", file=path, frame=frame, remedy="Render or copy it again")
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)  # alpha as PNG and TIFF store it
    image = oiio.ImageInput.open(str(path), config)
    if image is None:
        oiio.geterror()
        raise FootageError("is not an image that can be read", file=path, frame=frame, remedy="Render or copy it again")
    return image


def _flat(image: Any, path: Path, frame: int | None) -> Any:
    """Return the ImageSpec of the current part; raises FootageError for a deep image."""
    spec = image.spec()
    if spec.deep:
        words = command_line("oiiotool", str(path), "--flatten", "-o", str(path.with_name(f"flat_{path.name}")))
        raise FootageError("is a deep image", file=path, frame=frame, remedy=f"Flatten it first: {words}")
    return spec


def read_headers(path: Path, frame: int | None = None) -> list[Any]:
    """Read the ImageSpec of each part of an image file; raises FootageError."""
    image = open_image(path, frame)
    try:
        headers: list[Any] = []
        while image.seek_subimage(len(headers), 0):
            headers.append(_flat(image, path, frame).copy())
        return headers
    finally:
        image.close()


def read_window(path: Path, frame: int | None = None, part: int = 0) -> tuple[Any, Pixels]:
    """Read the data window of a part of an image: (ImageSpec, pixels [h, w, C] as uint8, uint16, float16 or float32).

    Raises FootageError, also for a file that is cut off.
    """
    image = open_image(path, frame)
    try:
        if not image.seek_subimage(part, 0):
            raise FootageError(f"has no part {part + 1}", file=path, frame=frame, remedy="Render or copy it again")
        spec = _flat(image, path, frame)
        kind = spec.format.basetype
        if kind not in _KEPT:
            kind = oiio.UINT16 if kind in _WIDE else oiio.FLOAT
        pixels = image.read_image(part, 0, 0, spec.nchannels, kind)
        if pixels is None:
            raise FootageError(
                f"is damaged ({image.geterror().strip()})", file=path, frame=frame, remedy="Render or copy it again"
            )
        return spec, pixels
    finally:
        image.close()


def display_window(header: Any, pixels: Pixels) -> Pixels:
    """Place the data window, pixels [h, w, C], in the display window; overscan is cut off, missing pixels are 0."""
    x, y = header.x - header.full_x, header.y - header.full_y
    width, height = header.full_width, header.full_height
    if (x, y, header.width, header.height) == (0, 0, width, height):
        return pixels
    full = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + header.width, width), min(y + header.height, height)
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = pixels[y0 - y : y1 - y, x0 - x : x1 - x]
    return full


def write_image(path: Path, pixels: Pixels, spec: Any) -> None:
    """Write pixels [h, w, C] to a file as `spec` describes; raises OSError."""
    output = oiio.ImageOutput.create(str(path))
    if output is None:
        raise OSError(errno.EINVAL, f"no image format is called {path.suffix}: {oiio.geterror()}")
    done = output.open(str(path), spec) and output.write_image(np.ascontiguousarray(pixels))
    done = output.close() and done
    if not done or (path.suffix.lower() == ".png" and not _ends(path)):
        raise _refusal(path, str(output.geterror()).strip())


def _ends(path: Path) -> bool:
    """Tell whether a PNG file has its end: the library does not check that its last bytes were written."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 12))
        return file.read() == b"\0\0\0\0IEND\xaeB`\x82"


def half_spec(width: int, height: int, channels: tuple[str, ...], compression: str) -> Any:
    """Describe a half-float EXR."""
    spec = oiio.ImageSpec(width, height, len(channels), oiio.HALF)
    spec.channelnames = channels
    spec.attribute("compression", compression)
    return spec


def _refusal(path: Path, message: str) -> OSError:
    """Find the operating system's reason behind OpenImageIO's message, by trying: it keeps no error number."""
    low = message.lower()
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG):
        if os.strerror(number).lower() in low:
            return OSError(number, message)
    try:
        with path.open("ab") as file:
            file.write(bytes(1 << 16))
            file.flush()
    except OSError as e:
        return e
    return OSError(errno.EIO, message or "the image library failed")


def white(pixels: Pixels) -> float:
    """Return the code value of white: 1 for float, else the largest of the type."""
    return 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)


@dataclass(frozen=True, slots=True)
class Channels:
    """Indices of red, green, blue and alpha among a file's channels; grey images name one channel three times."""

    rgb: tuple[int, int, int]
    alpha: int | None

    @property
    def grey(self) -> bool:
        """Whether one channel stands for all three colours."""
        return self.rgb[0] == self.rgb[1] == self.rgb[2]


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture among the channels of a file. part: its number in the file."""

    name: str
    part: int
    channels: Channels


def choose_layer(parts: Sequence[Any], path: Path, frame: int, wanted: str | None = None) -> Layer:
    """Choose the picture of an EXR file by the headers of its parts: the layer `wanted`, else the unnamed one or the beauty, else the only one.

    Raises FootageError for a missing layer, and where the picture's layer is ambiguous.
    """
    layers = [layer for number, part in enumerate(parts) for layer in _layers(number, part, several=len(parts) > 1)]
    names = ", ".join(layer.name or "(unnamed)" for layer in layers)
    if wanted is not None:
        name = wanted.lower()
        matches = [w for w in layers if w.name.lower() == name]
        matches = matches or [w for w in layers if name in w.name.lower().split(".")]
        # In the composite, which has one part, layers have no name of their part.
        matches = matches or [w for w in layers if w.name and name.endswith(f".{w.name.lower()}")]
        if len(matches) != 1:
            what = f"has {'several layers called' if matches else 'no layer'} '{wanted}'" + (
                "" if matches else " with a picture"
            )
            raise FootageError(what, file=path, frame=frame, remedy=f"Choose one with --layer: {names}")
        return matches[0]
    if usual := [w for w in layers if _PICTURES & set(w.name.lower().split("."))]:
        return min(usual, key=lambda w: w.name != "")
    if len(pictures := [w for w in layers if not _DATA.search(w.name)]) == 1:
        return pictures[0]
    if len(parts) == 1 and parts[0].nchannels == 1:
        return Layer("", 0, Channels((0, 0, 0), None))
    if not layers:
        held = ", ".join(name for part in parts for name in part.channelnames)
        raise FootageError(
            f"has no picture; its channels are {held}",
            file=path,
            frame=frame,
            remedy="Render R, G and B channels, or one called Y",
        )
    raise FootageError(
        f"holds {counted(len(layers), 'layer')}, and none is called as pictures are",
        file=path,
        frame=frame,
        remedy=f"Choose one with --layer: {names}",
    )


def channels_of(header: Any) -> Channels:
    """Find red, green, blue and alpha by their names, else by their order."""
    names = [str(name).upper() for name in header.channelnames]
    alpha = names.index("A") if "A" in names else None
    if alpha is None and 0 <= header.alpha_channel < len(names):
        alpha = header.alpha_channel
    if {"R", "G", "B"} <= set(names):
        return Channels((names.index("R"), names.index("G"), names.index("B")), alpha)
    colour = [i for i in range(len(names)) if i != alpha] or [0]
    first = names.index("Y") if "Y" in names else colour[0]
    if len(colour) < 3 or "Y" in names:
        return Channels((first, first, first), alpha if alpha != first else None)
    return Channels((colour[0], colour[1], colour[2]), alpha)


def _layers(number: int, part: Any, *, several: bool) -> list[Layer]:
    """List the layers of a part that hold a picture: red, green and blue, or luminance without colour differences."""
    title = str(part.getattribute("oiio:subimagename") or part.getattribute("name") or "") if several else ""
    groups: dict[str, dict[str, int]] = {}
    for i, name in enumerate(part.channelnames):
        layer, _, channel = str(name).rpartition(".")
        groups.setdefault(layer, {})[_LONG.get(channel.lower(), channel.lower())] = i
    layers = []
    for layer, at in groups.items():
        name = layer if layer.lower().startswith(title.lower()) else ".".join(filter(None, (title, layer)))
        if {"r", "g", "b"} <= at.keys():
            layers.append(Layer(name, number, Channels((at["r"], at["g"], at["b"]), at.get("a"))))
        elif "y" in at and not {"x", "z", "ry", "by"} & at.keys():
            layers.append(Layer(name, number, Channels((at["y"],) * 3, at.get("a"))))
    return layers
