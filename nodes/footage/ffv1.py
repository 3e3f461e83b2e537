"""FFV1 in Matroska: slices and their checksums (RFC 9043), and the pixel aspect ratio (RFC 9559).

FFmpeg refuses some numbers of slices for some sizes, and with chroma that four columns share it loses samples at the edges of others. So a
picture of the same size is coded first, and compared.

PyAV cannot set the pixel aspect ratio. The name of the picture's track is a placeholder for it in the header: it is replaced by
DisplayWidth and DisplayHeight, and no other byte moves.
"""

from __future__ import annotations

import math
import zlib
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from nodes.errors import OutputError
from nodes.footage.info import ColourTags
from nodes.footage.planes import Layout, layout, new_frame, views

_OPTIONS = {"level": "3", "slicecrc": "1", "g": "1", "coder": "0", "context": "0"}
_FEW_SLICES = 1920 * 1080
_COUNTS = (1, 2, 4, 6, 8, 9, 12, 15, 16, 18, 20, 24)
PLACEHOLDER = "pixelaspect"  # 3 + 11 bytes, as the two numbers have together
_NAME = b"\x53\x6e\x8b" + PLACEHOLDER.encode()
_UNIT_UNKNOWN, _UNIT_PIXELS = b"\x54\xb2\x81\x04", b"\x54\xb2\x81\x00"  # DisplayUnit
_VIDEO, _HEAD = 0xE0, 1 << 16


@lru_cache(maxsize=32)
def ffv1_options(name: str, width: int, height: int) -> dict[str, str]:
    """Choose options that keep every code value of pictures of a native format; raises OutputError if none do."""
    usual = 4 if width * height <= _FEW_SLICES else 12  # each costs time; a large picture needs them
    for count in sorted(_COUNTS, key=lambda n: (n != usual, n)):
        options = _OPTIONS | {"slices": str(count)}
        if _keeps(options, name, width, height):
            return options
    raise OutputError(
        f"FFV1 has no pictures of {width}x{height} in {name}", remedy="Crop or pad the plate to a multiple of 4 pixels"
    )


def _keeps(options: dict[str, str], name: str, width: int, height: int) -> bool:
    lay = layout(name)
    assert lay is not None
    encoder = av.CodecContext.create("ffv1", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, name, Fraction(1, 25)
    encoder.options = options
    try:
        encoder.open()
    except NotImplementedError:
        return False
    if width * height > _FEW_SLICES and max(lay.shift) < 2 and width % 2 == height % 2 == 0:
        return True  # known to work, and the test would take seconds
    picture = _pattern(lay, width, height)
    coded = [*encoder.encode(picture), *encoder.encode(None)]
    decoder = av.CodecContext.create("ffv1", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata, decoder.width, decoder.height = encoder.extradata, width, height
    decoded = [*decoder.decode(coded[0]), *decoder.decode(None)][0].reformat(format=name)
    used = [i for i in (*lay.order, lay.alpha) if i is not None] if lay.step else slice(None)
    return all((a[..., used] == b[..., used]).all() for a, b in zip(views(picture), views(decoded), strict=True))


def _pattern(lay: Layout, width: int, height: int) -> av.VideoFrame:
    picture = new_frame(lay.name, width, height, ColourTags())
    for i, plane in enumerate(views(picture)):
        plane[...] = (np.arange(plane.size).reshape(plane.shape) * (7 + i)) % 251
    picture.pts = 0
    return picture


def intact(packet: bytes) -> bool | None:
    """Check the checksum of every slice of a coded picture; None for one without checksums.

    FFmpeg fills failed slices from the picture before, and does not report it in the decoded picture.
    """
    end = len(packet)
    slices = []
    while end >= _FOOTER:
        start = end - _FOOTER - int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big")
        if start < 0 or packet[end - 5]:
            return None
        slices.append(packet[start:end])
        end = start
    if end:
        return None
    return all(zlib.crc32(part.translate(_REVERSED), _ONES) == _ONES for part in slices)


_FOOTER = 8  # size of the slice (3 bytes), error status (1), checksum (4)
_ONES = 0xFFFFFFFF
# The checksum takes the highest bit first, zlib the lowest.
_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def set_pixel_aspect(path: Path, width: int, height: int, aspect: Fraction) -> None:
    """Write the display size of pictures of `width` x `height` in place of :data:`PLACEHOLDER`; raises OSError."""
    with path.open("rb+") as file:
        head = file.read(_HEAD)
        name = head.index(_NAME)
        video = name + len(_NAME)
        while head[video] != _VIDEO:
            size, end = _number(head, _number(head, video)[1])
            video = end + size
        size, content = _number(head, video + 1)
        length = content - video - 1
        longer = ((1 << 7 * length) | (size + len(_NAME))).to_bytes(length, "big")
        scale = aspect.denominator // math.gcd(width * aspect.numerator, aspect.denominator)
        display_size = int(width * aspect * scale), height * scale
        sizes = b"".join(
            tag + b"\x84" + n.to_bytes(4, "big")
            for tag, n in zip((b"\x54\xb0", b"\x54\xba"), display_size, strict=True)
        )
        file.seek(name)
        rest = head[content : content + size].replace(_UNIT_UNKNOWN, _UNIT_PIXELS)
        file.write(head[name + len(_NAME) : video + 1] + longer + rest + sizes)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length (or an identifier), without its length mark, and the offset of its end."""
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1), at + length
