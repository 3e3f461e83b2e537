"""Lua source: values, in their given order, and the templates of Fuses and macros."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nodes.text import quoted

_WORDS = (
    "and|break|do|else|elseif|end|false|for|function|goto|if|in|local|nil|not|or|repeat|return|then|true|until|while"
)
_NAME = re.compile(rf"(?!(?:{_WORDS})$)[A-Za-z_][A-Za-z0-9_]*")


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
    return name if _NAME.fullmatch(name) else f"[{quoted(name)}]"


def long_string(text: str) -> str:
    """Quote a text as a long string of Lua."""
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[\n{text}]{level}]"


def templates() -> Environment:
    """Load the templates of the folders beside this file, with brackets that Lua does not use."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).with_name(name) for name in ("fuses", "macros", "scripts")]),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,
    )
    environment.filters |= {"lua": to_lua, "long": long_string}
    return environment
