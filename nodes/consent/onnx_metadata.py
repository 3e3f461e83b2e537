"""The metadata of an ONNX file without loading the model: its graph is skipped, so that gigabytes cost nothing.

An ONNX file is a protobuf message `ModelProto`, whose field 14 is repeated `StringStringEntryProto metadata_props`, a key (1) and a value
(2); see onnx.proto and the wire format at protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_METADATA, _KEY, _VALUE = 14, 1, 2
_LARGEST = 1 << 20  # bytes of one entry


def read_metadata_of(path: Path) -> dict[str, str]:
    """Read `metadata_props`; raises OSError, and ValueError for a file that is no protobuf message."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while file.tell() < size:
            number, kind = _tag(file)
            if kind != 2:
                _skip(file, kind)
                continue
            length = _varint(file)
            end = file.tell() + length
            if end > size:
                raise ValueError("is cut off")
            if number == _METADATA and length <= _LARGEST:
                entry = _entry(file, end)
                found[entry.get(_KEY, "")] = entry.get(_VALUE, "")
            file.seek(end)
    return found


def _entry(file: BinaryIO, end: int) -> dict[int, str]:
    found: dict[int, str] = {}
    while file.tell() < end:
        number, kind = _tag(file)
        if kind != 2:
            _skip(file, kind)
            continue
        found[number] = file.read(min(_varint(file), end - file.tell())).decode()
    return found


def _tag(file: BinaryIO) -> tuple[int, int]:
    tag = _varint(file)
    if not tag >> 3:
        raise ValueError("is no protobuf message")
    return tag >> 3, tag & 7


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == 0:
        _varint(file)
    elif kind in (1, 5):
        file.seek(8 if kind == 1 else 4, os.SEEK_CUR)
    else:
        raise ValueError("is no protobuf message")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("is no protobuf message")
