"""Look an XML document through before it is read: no entities, which can grow without end, and bounded depth and size."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from host_bridge.timeline.read import limits
from host_bridge.timeline.read.document import check_size
from nodes.errors import SchemaError

_ROOTS = {".xml": "xmeml", ".fcpxml": "fcpxml"}


def check_xml(path: Path) -> None:
    """Raise SchemaError for XML that is damaged, that declares entities, or that is no edit."""
    check_size(path.stat().st_size, str(path))
    depth = count = 0

    def refuse(what: str) -> NoReturn:
        raise SchemaError(what, file=path, remedy="Export the edit again")

    def opened(name: str, _: object) -> None:
        nonlocal depth, count
        if not count and name != _ROOTS[path.suffix.lower()]:
            refuse(f"is no edit: its root is <{name}>, not <{_ROOTS[path.suffix.lower()]}>")
        depth, count = depth + 1, count + 1
        if depth > limits.DEPTH:
            refuse(f"is nested more than {limits.DEPTH} levels deep")
        if count > limits.ELEMENTS:
            refuse(f"has more than {limits.ELEMENTS} elements")

    def closed(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.EntityDeclHandler = lambda *_: refuse("declares entities, which no edit needs")
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as e:
        raise SchemaError(f"is damaged: {e}", file=path, remedy="Export the edit again") from e
