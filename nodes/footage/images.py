"""Image files through OpenImageIO: code values as they are in the file, never colour-managed or premultiplied on the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from nodes.command_line import command_line
from nodes.errors import FootageError

Pixels = npt.NDArray[Any]

# Readers and writers have threads of their own; waking OpenEXR's pool for each small file costs more than it does.
oiio.attribute("exr_threads", -1)

_KEPT = (oiio.UINT8, oiio.UINT16, oiio.HALF, oiio.FLOAT)
_WIDE = (oiio.INT16, oiio.INT32, oiio.UINT32)


def _raw() -> Any:
    """Ask for alpha as it is stored (PNG and TIFF hold it unassociated)."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    return config


def open_image(path: Path, frame: int | None = None) -> Any:
    """Open an image file; raises FootageError when it is missing or cannot be read. Close what is returned."""
    if not path.exists():
        raise FootageError("does not exist", file=path, frame=frame, remedy="Check the path")
    if path.stat().st_size == 0:
        raise FootageError("is empty", file=path, frame=frame, remedy="Render or copy it again")
    found = oiio.ImageInput.open(str(path), _raw())
    if found is None:
        oiio.geterror()
        raise FootageError("is not an image that can be read", file=path, frame=frame, remedy="Render or copy it again")
    return found


def _flat(image: Any, path: Path, frame: int | None) -> Any:
    """The ImageSpec of the current part; raises FootageError for a deep image."""
    spec = image.spec()
    if spec.deep:
        words = command_line("oiiotool", str(path), "--flatten", "-o", str(path.with_name(f"flat_{path.name}")))
        raise FootageError("is a deep image", file=path, frame=frame, remedy=f"Flatten it first: {words}")
    return spec


def read_headers(path: Path, frame: int | None = None) -> list[Any]:
    """Read the ImageSpec of each part of an image file; raises FootageError."""
    image = open_image(path, frame)
    try:
        found: list[Any] = []
        while image.seek_subimage(len(found), 0):
            found.append(_flat(image, path, frame).copy())
        return found
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


def write_image(path: Path, pixels: Pixels, spec: Any) -> None:
    """Write pixels [h, w, C] to a file as `spec` says; raises OSError when that fails."""
    output = oiio.ImageOutput.create(str(path))
    if output is None:
        raise OSError(errno.EINVAL, f"no image format is called {path.suffix}: {oiio.geterror()}")
    done = output.open(str(path), spec) and output.write_image(np.ascontiguousarray(pixels))
    done = output.close() and done
    if not done or (path.suffix.lower() == ".png" and not _ends(path)):
        raise _refusal(path, str(output.geterror()).strip())


def _ends(path: Path) -> bool:
    """Tell whether a PNG file has its end: the library does not look whether its last bytes were written."""
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
