"""Documents of a project's records, read so that nobody is misled: what is odd about one is an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from nodes.files import check_schema

_LARGEST = 1 << 20  # bytes of one document


def read_strictly(path: Path, schema: str) -> dict[str, Any]:
    """Read a document; `schema` is our newest. Raises SchemaError if it is newer, ValueError and its kin if it is damaged, OSError."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError("it is too large")
    document = json.loads(text, object_pairs_hook=_once, parse_float=_none, parse_constant=_none)
    found = document["schema"]
    if not str(found).startswith(schema.rpartition("/")[0] + "/"):
        raise ValueError("it is another kind of document")
    check_schema(found, schema, path)
    return dict(document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that says a thing twice could be read by people and by us as two."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it says a thing twice")
    return found


def _none(number: str) -> NoReturn:
    raise ValueError(f"{number} is no number that it can hold")
