"""What was made by which consents: facesets, models, shots and other documents below a folder that carry provenance."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.onnx_metadata import read_metadata_of
from nodes.consent.provenance import KEY, Provenance, read_document, read_metadata

_LARGEST = 16 << 20  # bytes of a document; ours are far smaller


@dataclass(frozen=True, slots=True)
class Made:
    """A file that says whose faces went into it. kind: `shot`, `faceset`, `model`, or the name of another document."""

    path: Path
    kind: str
    provenance: Provenance

    @property
    def performers(self) -> set[str]:
        """Ids of all whose faces are in it."""
        return {part.id for part in self.provenance.performers}

    def fallen(self, book: Book) -> list[str]:
        """The consents it was made by that are revoked or have ended; those that this project does not know are not its matter."""
        known = [book.consents[id] for id in self.provenance.consents if id in book.consents]
        return [c.id for c in known if book.state(c, clock.day(clock.now()), c.production) in ("revoked", "expired")]


def find_made(folder: Path) -> Iterator[Made]:
    """Every file below a folder that carries provenance, by their paths; what cannot be read is passed by, links are not followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted(files)):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                if path.suffix == ".onnx" and (told := read_metadata(read_metadata_of(path))):
                    yield Made(path, "model", told)
                elif path.suffix == ".json" and path.stat().st_size <= _LARGEST and (made := _document(path)):
                    yield made


def _document(path: Path) -> Made | None:
    text = path.read_bytes()
    if KEY.encode() not in text:  # nearly all: not worth parsing
        return None
    document = json.loads(text)
    told = read_document(document)
    kind = str(document["schema"]).removeprefix("faceplate.").partition("/")[0]
    return None if told is None else Made(path, kind, told)
