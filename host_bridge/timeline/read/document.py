"""A document before it is understood: its bytes, the limits that it must keep, and XML without traps."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, iterparse

from host_bridge.timeline.read.places import Places
from nodes.errors import SchemaError

# Far above any real edit, below what hurts.
SIZE = 256 << 20  # bytes of a document, unpacked
DEPTH = 400  # levels of nested elements
ITEMS = 200_000  # clips, gaps and stacks of an edit
FRAMES = 20_000_000  # of an edit: 46 hours at 120
REMEDY = "Export the edit again"


@dataclass(frozen=True, slots=True)
class EditDocument:
    """An edit's document. path: of the edit, for messages. places: find its media. rate: of an EDL, in frames per second, where the user says it."""

    path: Path
    data: bytes
    places: Places
    rate: Fraction | None = None

    def refuse(self, what: str, remedy: str = REMEDY) -> NoReturn:
        """Raise SchemaError about this document."""
        raise SchemaError(what, file=self.path, remedy=remedy)


def check_size(size: int, file: Path | str) -> None:
    """Raise SchemaError for a document that is too large to be an edit."""
    if size > SIZE:
        what = f"is too large for an edit ({size >> 20} MB; up to {SIZE >> 20} MB are read)"
        raise SchemaError(what, file=file, remedy=REMEDY)


def parse_xml(document: EditDocument, root: str) -> Element:
    """Return the root element; raises SchemaError for XML that is damaged, has another root, is too deep, or declares entities, which can grow without end."""
    if b"<!ENTITY" in document.data.replace(b"\0", b""):  # without zeros UTF-16 is ASCII
        document.refuse("declares entities, which no edit needs")
    depth = 0
    first: Element | None = None
    try:
        for event, element in iterparse(io.BytesIO(document.data), ("start", "end")):
            if first is None:
                first = element
                if first.tag != root:
                    document.refuse(f"is no edit: its root is <{first.tag}>, not <{root}>")
            depth += 1 if event == "start" else -1
            if depth > DEPTH:
                document.refuse(f"is nested more than {DEPTH} levels deep")
    except ParseError as e:
        document.refuse(f"is damaged: {e}")
    assert first is not None  # an empty document is damaged
    return first


def check_items(count: int, path: Path) -> None:
    """Raise SchemaError where an edit has more items than any real one, nested ones counted each time."""
    if count > ITEMS:
        raise SchemaError(f"has more than {ITEMS} items", file=path, remedy="Export a part of it")
