# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a strip that is no time and no place: its blending, transform, colours, text, volume, as plain values."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

_PLAIN = frozenset({"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"})
_PARTS = ("transform", "crop", "colorspace_settings")
_NOT = frozenset(
    {
        "channel",
        "directory",
        "filepath",
        "lock",
        "mute",
        "name",
        "select",
        "select_left_handle",
        "select_right_handle",
        "show_retiming_keys",
        "type",
        "use_proxy",
        "use_reverse_frames",
        "animation_offset_start",
        "animation_offset_end",
    }
)
_LATE = ("lock",)  # set when all else is


def look(strip: Any) -> dict[str, Any]:
    """Write down how a strip looks and sounds."""
    found = _values(strip)
    for part in _PARTS:
        if (of := getattr(strip, part, None)) is not None:
            found[part] = _values(of)
    return found | {name: getattr(strip, name) for name in _LATE}


def set_look(strip: Any, told: dict[str, Any]) -> None:
    """Make a strip look and sound so; what this version of Blender does not know is left out."""
    for name, value in told.items():
        if name in _PARTS and isinstance(value, dict):
            of = getattr(strip, name, None)
            for inner, one in value.items() if of is not None else ():
                _set(of, inner, one)
        elif name not in _LATE:
            _set(strip, name, value)
    for name in _LATE:
        _set(strip, name, told.get(name, False))


def _values(of: Any) -> dict[str, Any]:
    found = {}
    for prop in of.bl_rna.properties:
        name = prop.identifier
        if prop.is_readonly or prop.type not in _PLAIN or name in _NOT or name.startswith("frame_"):
            continue
        value = getattr(of, name)
        if getattr(prop, "is_array", False):
            found[name] = list(value)
        elif isinstance(value, set):
            found[name] = sorted(value)
        else:
            found[name] = value
    return found


def _set(of: Any, name: str, value: Any) -> None:
    prop = of.bl_rna.properties.get(name)
    if prop is None or prop.is_readonly:
        return
    with suppress(
        TypeError, ValueError, AttributeError
    ):  # an item of a list that this version or machine does not have
        setattr(of, name, set(value) if prop.type == "ENUM" and prop.is_enum_flag else value)
