"""FFV1, the lossless coder of Matroska movies: its options, how many slices a picture is coded in, and their checksums (RFC 9043).

FFmpeg refuses some numbers of slices for some sizes, and with chroma that four columns share it loses samples at the edges of others. So a
picture of the same size is coded first, and compared.
"""

from __future__ import annotations

import zlib
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from nodes.errors import OutputError
from nodes.footage.info import ColourTags
from nodes.footage.planes import Layout, layout, new_frame, views

_OPTIONS = {"level": "3", "slicecrc": "1", "g": "1", "coder": "0", "context": "0"}
_FEW_SLICES = 1920 * 1080
_COUNTS = (1, 2, 4, 6, 8, 9, 12, 15, 16, 18, 20, 24)


@lru_cache(maxsize=32)
def ffv1_options(name: str, width: int, height: int) -> dict[str, str]:
    """Choose options that keep every code value of pictures of a native format; raises OutputError where none do."""
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
        return True  # no doubt, and it would take seconds
    picture = _pattern(lay, width, height)
    coded = [*encoder.encode(picture), *encoder.encode(None)]
    decoder = av.CodecContext.create("ffv1", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata, decoder.width, decoder.height = encoder.extradata, width, height
    again = [*decoder.decode(coded[0]), *decoder.decode(None)][0].reformat(format=name)
    said = [i for i in (*lay.order, lay.alpha) if i is not None] if lay.step else slice(None)
    return all((a[..., said] == b[..., said]).all() for a, b in zip(views(picture), views(again), strict=True))


def _pattern(lay: Layout, width: int, height: int) -> av.VideoFrame:
    """Draw a picture in which every sample is unlike its neighbours."""
    found = new_frame(lay.name, width, height, ColourTags())
    for i, plane in enumerate(views(found)):
        plane[...] = (np.arange(plane.size).reshape(plane.shape) * (7 + i)) % 251
    found.pts = 0
    return found


def intact(packet: bytes) -> bool | None:
    """Check the checksum of every slice of a coded picture; None for one without checksums.

    FFmpeg fills slices that fail with the picture before, and does not say so in what it decodes.
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
