"""What facesets, models, shots and manifests all carry: whose faces went into them, by which consents, from which footage.

Ids and digests only, nothing personal. In JSON documents it stands under `provenance`, in an ONNX file's metadata as JSON under
`faceplate.provenance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nodes import __version__

KEY = "provenance"
METADATA_KEY = "faceplate.provenance"

Role = Literal["target", "source", "performer"]


class Part(BaseModel):
    """What one performer is in it. id: of the performer. role: in a pair who is replaced (target) or put in (source), else performer.

    consents: ids of the records that allowed it when it was made.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    role: Role
    consents: tuple[str, ...] = ()


class Provenance(BaseModel):
    """Where a result comes from. footage: digests as of `nodes.cache`, sorted. version: of Faceplate.

    unknown: digests of models in it that do not say whom they were trained on; a result with such a one is marked.
    """

    model_config = ConfigDict(frozen=True)

    performers: tuple[Part, ...] = ()
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
            performers=tuple(Part(id=id, role=role, consents=tuple(ids)) for (id, role), ids in consents.items()),
            footage=tuple(sorted({digest for whole in parts for digest in whole.footage})),
            unknown=tuple(sorted({digest for whole in parts for digest in whole.unknown})),
        )

    def in_role(self, role: Role) -> Self:
        """The same with all its performers in one role: a faceset's, as the source of a model."""
        return self.model_copy(
            update={"performers": tuple(p.model_copy(update={"role": role}) for p in self.performers)}
        )

    @property
    def tells(self) -> bool:
        """Whether it says whose faces are in it, and of each by which consent. One in which that was erased does not."""
        return bool(self.performers) and all(part.consents for part in self.performers)

    @property
    def consents(self) -> tuple[str, ...]:
        """Ids of all consent records in it, each once."""
        return tuple(dict.fromkeys(id for part in self.performers for id in part.consents))

    def document(self) -> dict[str, Any]:
        """As JSON documents carry it, under `KEY`."""
        return self.model_dump(mode="json")

    def metadata(self) -> str:
        """As an ONNX file carries it, under `METADATA_KEY`."""
        return self.model_dump_json()


def read_document(document: Mapping[str, Any]) -> Provenance | None:
    """What a JSON document says; None where it says nothing that can be understood."""
    try:
        return Provenance.model_validate(document[KEY])
    except (KeyError, TypeError, ValidationError):
        return None


def read_metadata(metadata: Mapping[str, str]) -> Provenance | None:
    """What a model's metadata says; None where it says nothing that can be understood."""
    try:
        return Provenance.model_validate_json(metadata[METADATA_KEY])
    except (KeyError, TypeError, ValidationError):
        return None
