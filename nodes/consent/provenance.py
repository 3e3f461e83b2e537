"""Provenance: whose faces went into a faceset, model, shot or manifest, by which consents, from which footage. Ids and digests only.

JSON documents hold it under `provenance`, an ONNX file's metadata as JSON under `faceplate.provenance`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nodes import __version__
from nodes.consent.book import ConsentBook

KEY = "provenance"
METADATA_KEY = "faceplate.provenance"
Role = Literal["target", "source", "performer"]
_LARGEST = 16 << 20  # bytes of a document; ours are far smaller
_LARGEST_ENTRY = 1 << 20  # bytes of a model's metadata
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_METADATA, _NAME, _VALUE = 14, 1, 2  # fields of ModelProto and StringStringEntryProto


class PerformerPart(BaseModel):
    """One performer in a result. role: in a pair who is replaced (target) or put in (source), else performer.

    consents: ids of the records that allowed it when it was made.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    role: Role
    consents: tuple[str, ...] = ()


class Provenance(BaseModel):
    """The origin of a result. footage: digests as of `nodes.cache`, sorted. version: of Faceplate.

    unknown: digests of models in it that do not say whom they were trained on.
    """

    model_config = ConfigDict(frozen=True)

    performers: tuple[PerformerPart, ...] = ()
    footage: tuple[str, ...] = ()
    version: str = __version__
    unknown: tuple[str, ...] = ()

    @classmethod
    def joined(cls, *parts: Provenance) -> Self:
        """One of several: each performer once in each role, with the consents of all; the version is this Faceplate's."""
        consents: dict[tuple[str, Role], dict[str, None]] = {}
        for part in (performer for whole in parts for performer in whole.performers):
            consents.setdefault((part.id, part.role), {}).update(dict.fromkeys(part.consents))
        return cls(
            performers=tuple(
                PerformerPart(id=id, role=role, consents=tuple(ids)) for (id, role), ids in consents.items()
            ),
            footage=tuple(sorted({digest for whole in parts for digest in whole.footage})),
            unknown=tuple(sorted({digest for whole in parts for digest in whole.unknown})),
        )

    @property
    def tells(self) -> bool:
        """Whether it says whose faces are in it, and of each by which consent."""
        return bool(self.performers) and all(part.consents for part in self.performers)

    @property
    def consents(self) -> tuple[str, ...]:
        """Ids of all consent records in it, each once."""
        return tuple(dict.fromkeys(id for part in self.performers for id in part.consents))

    def document(self) -> dict[str, Any]:
        """As JSON documents hold it, under `KEY`."""
        return self.model_dump(mode="json")

    def metadata(self) -> str:
        """As an ONNX file holds it, under `METADATA_KEY`."""
        return self.model_dump_json()


def read_document(document: Mapping[str, Any]) -> Provenance | None:
    """The provenance of a JSON document; None where it holds none that can be understood."""
    try:
        return Provenance.model_validate(document[KEY])
    except (KeyError, TypeError, ValidationError):
        return None


def read_model(path: Path) -> Provenance | None:
    """The provenance of an ONNX model; None for a file that holds none that can be understood."""
    try:
        return Provenance.model_validate_json(read_metadata_of(path)[METADATA_KEY])
    except (OSError, KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that carries provenance. kind: `shot`, `faceset`, `model`, or the name of another document."""

    path: Path
    kind: str
    provenance: Provenance

    def fallen(self, book: ConsentBook) -> list[str]:
        """The consents it was made by that are revoked or have ended; those that this project does not know are not its matter."""
        known = [book.consents[id] for id in self.provenance.consents if id in book.consents]
        return [consent.id for consent in known if book.state(consent) in ("revoked", "expired")]

    def document(self, book: ConsentBook) -> dict[str, Any]:
        """As JSON."""
        told = {"fallen": self.fallen(book), "provenance": self.provenance.document()}
        return {"path": str(self.path), "kind": self.kind, **told}


def find_made(folder: Path) -> Iterator[MadeFile]:
    """Every file below a folder that carries provenance, by path; files that cannot be read are skipped, links are not followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted(files)):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                if path.suffix == ".onnx" and (provenance := read_model(path)):
                    yield MadeFile(path, "model", provenance)
                elif path.suffix == ".json" and path.stat().st_size <= _LARGEST:
                    text = path.read_bytes()
                    if KEY.encode() in text:  # most have none: not worth parsing
                        document = json.loads(text)
                        kind = str(document["schema"]).removeprefix("faceplate.").partition("/")[0]
                        if provenance := read_document(document):
                            yield MadeFile(path, kind, provenance)


def read_metadata_of(path: Path) -> dict[str, str]:
    """Read `metadata_props` of an ONNX file without its graph, so that gigabytes cost nothing.

    The file is a protobuf message `ModelProto`; see onnx.proto and protobuf.dev/programming-guides/encoding. Raises OSError, and ValueError
    for a file that is not such a message.
    """
    metadata: dict[str, str] = {}
    with path.open("rb") as file:
        for number, length in _fields(file, os.fstat(file.fileno()).st_size):
            if number == _METADATA and length <= _LARGEST_ENTRY:
                entry = io.BytesIO(file.read(length))
                texts = {field: entry.read(size).decode() for field, size in _fields(entry, length)}
                metadata[texts.get(_NAME, "")] = texts.get(_VALUE, "")
    return metadata


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Number and length of each field of a message that holds bytes; the file stands at the bytes."""
    while file.tell() < size:
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        if not number or wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
            raise ValueError("is not a protobuf message")
        if wire == _VARINT:
            _varint(file)
            continue
        length = _varint(file) if wire == _BYTES else 8 if wire == _FIXED64 else 4
        end = file.tell() + length
        if end > size:
            raise ValueError("is cut off")
        if wire == _BYTES:
            yield number, length
        file.seek(end)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("is not a protobuf message")
