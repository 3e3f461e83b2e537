"""What a command prints on stdout: JSON for programs, tables for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from nodes.text import printable


def print_json(value: Any) -> None:
    """Print a value as JSON; what is not a number becomes null, as JSON has it."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, stderr: bool = False) -> None:
    """Print a table as wide as the terminal, or as wide as it needs elsewhere; on stdout, or on stderr."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    Console(width=None if terminal else 200, stderr=stderr).print(table)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
