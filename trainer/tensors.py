"""Tensors as a safetensors file, written piece by piece: the library makes a second copy of all of them in memory first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

_TYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> tuple[int, str]:
    """Write tensors from any device; returns the file's size in bytes and its SHA-256. Raises OSError.

    The format: the header's length as eight bytes, the header as JSON, and the values, each tensor's where the header says.
    """
    header: dict[str, object] = {}
    end = 0
    # Wide types first, as the library does, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    for name, value in ordered:
        begin, end = end, end + value.numel() * value.element_size()
        header[name] = {"dtype": _TYPES[value.dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in (len(text).to_bytes(8, "little"), text):
            file.write(part)
            digest.update(part)
        for _, value in ordered:
            part_ = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            file.write(part_)
            digest.update(part_)
    return 8 + len(text) + end, digest.hexdigest()
