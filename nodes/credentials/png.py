"""A PNG with its picture in one chunk. Encoders write one for each 8 kB, and the signing library looks at every chunk many times."""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def in_one_chunk(png: bytes) -> bytes:
    """The same file with the data of its IDAT chunks in a single one, which means the same (PNG, 5.6); what is no whole PNG is left as it is."""
    if not png.startswith(_SIGNATURE):
        return png
    parts, picture, at = [_SIGNATURE], list[bytes](), len(_SIGNATURE)
    while at + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        end = at + 12 + length
        if kind == b"IDAT":
            if _chunk(kind, png[at + 8 : end - 4]) != png[at:end]:
                return png  # damaged: that shall still show
            picture.append(png[at + 8 : end - 4])
        else:
            if picture:
                parts.append(_chunk(b"IDAT", b"".join(picture)))
                picture = []
            parts.append(png[at:end])
        at = end
    return b"".join(parts) if at == len(png) and not picture else png


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
