# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's patches and mattes as Blender reads them: whole frames.

An EXR of the engine's holds the region of the face and says where in the frame that is (its data window); Blender reads the region and
forgets the place. Here the same pixels are written with transparency around them: half floats are moved, never converted.
Of a file of 1280x720 with a face of 300 lines, only the blocks with that face are compressed anew: 20 ms of processor time.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_MAGIC = b"\x76\x2f\x31\x01\x02\0\0\0"  # version 2, scan lines, one part
_ZIP, _LINES = 3, 16
_DAMAGED = (KeyError, IndexError, ValueError, struct.error, zlib.error)
Attributes = dict[bytes, tuple[bytes, bytes]]
Box = tuple[int, int, int, int]


class WholeError(Exception):
    """A file that is no EXR as the engine writes them."""


def whole_frames(source: Path, target: Path, stem: str) -> list[int]:
    """Write all `stem.NNNN.exr` of a folder as whole frames into another, and remove its older ones; returns their numbers."""
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(source.glob(f"{stem}.*.exr"))
    for file in files:
        whole_frame(file, target / file.name)
    names = {file.name for file in files}
    for old in target.glob(f"{stem}.*.exr"):
        if old.name not in names:
            old.unlink()
    return sorted(int(file.suffixes[-2][1:]) for file in files)


def whole_frame(source: Path, target: Path, *, pack: bool = True) -> None:
    """Write an EXR with its display window as its data window; the file appears whole. Raises WholeError, OSError.

    pack: compress it; else it is larger, and sooner written and read, which a preview wants.
    """
    try:
        attributes, frame = _frame(source.read_bytes())
        content = _written(_head(attributes), frame, _box(attributes[b"dataWindow"][1])[1], pack)
    except _DAMAGED as e:
        raise WholeError(f"{source} is damaged, or no patch of Faceplate's") from e
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    partial.write_bytes(content)
    partial.replace(target)


def differ(source: Path, target: Path) -> list[str]:
    """The names of whole frames that are not those of patches: two files, or two folders with a sequence."""
    if source.is_dir():
        names = {file.name for folder in (source, target) for file in folder.glob("patch.*.exr")}
        pairs = [(source / name, target / name) for name in sorted(names)]
    else:
        pairs = [(source, target)]
    return [shown.name for made, shown in pairs if not is_whole(made, shown)]


def is_whole(source: Path, target: Path) -> bool:
    """Whether a file is what `whole_frame` makes of another: pixels, and all that is said of them; its bytes need not be, since another zlib compresses otherwise."""
    try:
        attributes, frame = _frame(source.read_bytes())
        shown = target.read_bytes()
        return attributes == _header(shown)[0] and np.array_equal(frame, _frame(shown)[1])
    except (OSError, *_DAMAGED):
        return False


def _frame(data: bytes) -> tuple[Attributes, Any]:
    """What a whole frame says, and its pixels as uint16 [lines, channels, columns]."""
    attributes, at = _header(data)
    if data[:8] != _MAGIC or attributes[b"compression"][1] != bytes([_ZIP]):
        raise ValueError("not one part of scan lines with ZIP")
    window = _box(attributes[b"dataWindow"][1])
    whole = _box(attributes[b"displayWindow"][1])
    channels = _half_channels(attributes[b"channels"][1])
    pixels = _read(data, at, window, channels)
    attributes[b"dataWindow"] = (b"box2i", struct.pack("<4i", *whole))
    return attributes, _placed(pixels, window, whole)


def _head(attributes: Attributes) -> bytes:
    said = (
        name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
        for name, (kind, value) in attributes.items()
    )
    return _MAGIC + b"".join(said) + b"\0"


def _header(data: bytes) -> tuple[Attributes, int]:
    attributes: Attributes = {}
    at = 8
    while data[at]:
        name_end = data.index(0, at)
        kind_end = data.index(0, name_end + 1)
        (size,) = struct.unpack_from("<i", data, kind_end + 1)
        start = kind_end + 5
        attributes[data[at:name_end]] = data[name_end + 1 : kind_end], data[start : start + size]
        at = start + size
    return attributes, at + 1


def _box(value: bytes) -> Box:
    x0, y0, x1, y1 = struct.unpack("<4i", value)
    if x1 < x0 or y1 < y0 or max(x1 - x0, y1 - y0) > 1 << 16:
        raise ValueError("an impossible window")
    return x0, y0, x1, y1


def _half_channels(value: bytes) -> int:
    """How many channels there are, all half floats at full resolution."""
    count, at = 0, 0
    while value[at]:
        at = value.index(0, at) + 1
        if struct.unpack_from("<i4x2i", value, at) != (1, 1, 1):
            raise ValueError("a channel that is no half float")
        count, at = count + 1, at + 16
    return count


def _read(data: bytes, at: int, window: Box, channels: int) -> Any:
    """The pixels as uint16 [lines, channels, columns], each the bits of a half float."""
    x0, y0, x1, y1 = window
    width, height = x1 - x0 + 1, y1 - y0 + 1
    pixels = np.zeros((height, channels, width), "<u2")
    blocks = -(-height // _LINES)
    for offset in struct.unpack_from(f"<{blocks}Q", data, at):
        y, size = struct.unpack_from("<2i", data, offset)
        lines = pixels[y - y0 : y - y0 + _LINES]
        packed = data[offset + 8 : offset + 8 + size]
        raw = packed if size == lines.nbytes else _unfiltered(zlib.decompress(packed))
        lines[:] = np.frombuffer(raw, "<u2").reshape(lines.shape)
    return pixels


def _placed(pixels: Any, window: Box, whole: Box) -> Any:
    """The same pixels in a frame of zeros; what lies outside of it is cut off."""
    frame = np.zeros((whole[3] - whole[1] + 1, pixels.shape[1], whole[2] - whole[0] + 1), "<u2")
    x0, y0 = max(window[0], whole[0]), max(window[1], whole[1])
    x1, y1 = min(window[2], whole[2]) + 1, min(window[3], whole[3]) + 1
    if x1 > x0 and y1 > y0:
        part = pixels[y0 - window[1] : y1 - window[1], :, x0 - window[0] : x1 - window[0]]
        frame[y0 - whole[1] : y1 - whole[1], :, x0 - whole[0] : x1 - whole[0]] = part
    return frame


def _written(head: bytes, frame: Any, top: int, pack: bool) -> bytes:
    blocks: list[bytes] = []
    empty: dict[int, bytes] = {}
    for first in range(0, len(frame), _LINES):
        lines = frame[first : first + _LINES]
        if lines.any():
            packed = _packed(lines) if pack else lines.tobytes()
        else:
            packed = empty.get(lines.nbytes) or empty.setdefault(lines.nbytes, _packed(lines))
        blocks.append(struct.pack("<2i", top + first, len(packed)) + packed)
    offsets, at = [], len(head) + 8 * len(blocks)
    for block in blocks:
        offsets.append(at)
        at += len(block)
    return head + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(blocks)


def _packed(lines: Any) -> bytes:
    raw: bytes = lines.tobytes()
    packed = zlib.compress(_filtered(raw), 1)
    return packed if len(packed) < len(raw) else raw


def _filtered(raw: bytes) -> bytes:
    """OpenEXR's ZIP: even bytes before odd ones, then the difference of each to the one before it, plus 128."""
    values = np.frombuffer(raw, np.uint8)
    split = np.concatenate([values[::2], values[1::2]])
    split[1:] = split[1:] - split[:-1] + np.uint8(128)
    return bytes(split)


def _unfiltered(raw: bytes) -> bytes:
    values = np.frombuffer(raw, np.uint8).copy()
    values[1:] -= np.uint8(128)
    values = np.cumsum(values, dtype=np.uint8)
    joined = np.empty_like(values)
    joined[::2], joined[1::2] = values[: (len(values) + 1) // 2], values[(len(values) + 1) // 2 :]
    return bytes(joined)
