"""Names and numbers as Resolve writes them."""

from __future__ import annotations

import re
from typing import Any

SEQUENCE = re.compile(r"\[(\d+)-\d+\]")


def pattern_of(path: str) -> str:
    """`f_[0001-0100].dpx`, as Resolve names sequences, to `f_%04d.dpx`."""
    return SEQUENCE.sub(lambda found: f"%0{len(found[1])}d", path)


def file_name(text: str) -> str:
    """A name that is fit for a file on every system."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", text).strip("-")[:60] or "untitled"


def number(text: Any) -> float | None:
    """The number in a property, which may be text; None if there is none."""
    found = re.search(r"[\d.]+", str(text or ""))
    return float(found[0]) if found else None


def nearest(value: float) -> int:
    """The nearest whole number, half up."""
    return int(value + 0.5)


def slash(path: str) -> str:
    """A path with slashes."""
    return path.replace("\\", "/")
