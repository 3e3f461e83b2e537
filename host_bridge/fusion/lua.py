"""Values as Lua source, in the order in which they are given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodes.shot.fuse import quoted

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset(
    ("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil")
)
_WORDS |= {"not", "or", "repeat", "return", "then", "true", "until", "while"}


@dataclass(frozen=True, slots=True)
class Call:
    """A constructor as a .setting has it: `Input { Value = 1 }`, `ordered() { ... }`."""

    name: str
    content: Mapping[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """Lua as it is."""

    text: str


def to_lua(value: Any, indent: int = 0) -> str:
    """Write a value as a Lua expression. A mapping's key "" holds a list of what has no key. Raises TypeError."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format(value, ".15g")
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Call):
        return f"{value.name} {to_lua(value.content, indent)}"
    if isinstance(value, Mapping):
        parts = [f"{_key(k)} = {to_lua(v, indent + 1)}" for k, v in value.items() if k != ""]
        parts += [to_lua(v, indent + 1) for v in value.get("", ())]
    elif isinstance(value, list | tuple):
        parts = [to_lua(v, indent + 1) for v in value]
    else:
        raise TypeError(f"{type(value).__name__} cannot be written as Lua")
    short = "{ " + ", ".join(parts) + " }" if parts else "{}"
    if len(short) + 2 * indent <= 110 and "\n" not in short:
        return short
    inner, outer = "  " * (indent + 1), "  " * indent
    return "{\n" + "".join(f"{inner}{part},\n" for part in parts) + outer + "}"


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) and name not in _WORDS else f"[{quoted(name)}]"
