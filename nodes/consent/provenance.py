"""Provenance: the performers in a faceset, model, shot or manifest, with their consents and footage. Ids and digests only.

JSON documents hold it under `provenance`, an ONNX file's metadata as JSON under `faceplate.provenance`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nodes import __version__

KEY = "provenance"
METADATA_KEY = "faceplate.provenance"
Role = Literal["target", "source", "performer"]
_METADATA, _NAME, _VALUE = 14, 1, 2  # fields of ModelProto and StringStringEntryProto
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}  # bytes of the other wire types


class PerformerPart(BaseModel):
    """One performer in a result. role: in a pair target (replaced) or source (put in), else performer.

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
        """Join several: each performer once in each role, with the consents of all; the version is this Faceplate's."""
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
    def is_complete(self) -> bool:
        """Whether the provenance names performers, each with a consent."""
        return bool(self.performers) and all(part.consents for part in self.performers)

    @property
    def consents(self) -> tuple[str, ...]:
        """Ids of all consent records in it, each once."""
        return tuple(dict.fromkeys(id for part in self.performers for id in part.consents))

    def document(self) -> dict[str, Any]:
        """Return it as JSON for a document, under `KEY`."""
        return self.model_dump(mode="json")


def read_document(document: Mapping[str, Any]) -> Provenance | None:
    """Read the provenance of a JSON document; None without a valid one."""
    try:
        return Provenance.model_validate(document[KEY])
    except (KeyError, TypeError, ValidationError):
        return None


def read_model(path: Path) -> Provenance | None:
    """Read the provenance of an ONNX model; None without a valid one."""
    try:
        return Provenance.model_validate_json(read_metadata_of(path)[METADATA_KEY])
    except (OSError, LookupError, ValueError):
        return None


def read_metadata_of(path: Path) -> dict[str, str]:
    """Read `metadata_props` of an ONNX file without its graph, so that gigabytes cost nothing.

    The file is a protobuf message `ModelProto`; see onnx.proto and protobuf.dev/programming-guides/encoding. Raises OSError, and LookupError or
    ValueError for a file that is not such a message.
    """
    metadata: dict[str, str] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, place in _fields(data):
            if number == _METADATA:
                texts = {name: data[place][text].decode() for name, text in _fields(data[place])}
                metadata[texts.get(_NAME, "")] = texts.get(_VALUE, "")
    return metadata


def _fields(message: bytes | mmap.mmap) -> Iterator[tuple[int, slice]]:
    """Yield number and place of each field of a message that holds bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
            continue
        size, at = _varint(message, at) if kind == _BYTES else (_FIXED[kind], at)
        if kind == _BYTES:
            yield tag >> 3, slice(at, at + size)
        at += size


def _varint(message: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, and the offset behind it."""
    value = 0
    for shift in range(0, 70, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise ValueError("is not a protobuf message")
