"""The shape of a pixel in a Matroska file, which PyAV has no way to set: a placeholder in the header makes room for the display size.

The placeholder is the name of the picture's track; it gives way to DisplayWidth and DisplayHeight (RFC 9559), and no other byte moves.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

PLACEHOLDER = "pixelaspect"  # 3 + 11 bytes, as the two numbers have together
_NAME = b"\x53\x6e\x8b" + PLACEHOLDER.encode()
_UNKNOWN, _PIXELS = b"\x54\xb2\x81\x04", b"\x54\xb2\x81\x00"  # DisplayUnit
_VIDEO, _HEAD = 0xE0, 1 << 16


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
        shown = int(width * aspect * scale), height * scale
        sizes = b"".join(
            tag + b"\x84" + n.to_bytes(4, "big") for tag, n in zip((b"\x54\xb0", b"\x54\xba"), shown, strict=True)
        )
        file.seek(name)
        told = head[content : content + size].replace(_UNKNOWN, _PIXELS)
        file.write(head[name + len(_NAME) : video + 1] + longer + told + sizes)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length (an identifier too), without its length mark, and where it ends."""
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1), at + length
