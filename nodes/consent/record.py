"""What can stand in a project's records. Each is one file, numbered, signed, and bound to the one before it by that one's hash."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter

from nodes.text import is_printable

SCHEMA = "faceplate.consent/1"
Use = Literal["replaced", "replacement", "train"]
USES: tuple[Use, ...] = ("replaced", "replacement", "train")
Basis = Literal["signed", "self", "published"]


def _checked(text: str) -> str:
    if not is_printable(text):
        raise ValueError("holds marks that cannot be printed")
    return text


# A record may be a stranger's: what is in it shall not steer the terminal on which it is shown.
Text = Annotated[str, AfterValidator(_checked)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class ProjectRecord(_Body):
    """The first of all records: which project it is, for which production, and whose signature counts (public key, hex)."""

    kind: Literal["project"] = "project"
    id: Text
    production: Text
    key: str


class PerformerRecord(_Body):
    """A performer and the name; a later one of the same id renames."""

    kind: Literal["performer"] = "performer"
    performer: Text
    name: Text


class Document(_Body):
    """The signed paper: its file's name and SHA-256; kept: name of the copy in the project, None when there is none."""

    name: Text
    sha256: Text
    kept: Text | None = None


class ConsentRecord(_Body):
    """A consent. production: None for any. from_, until: whole days in UTC, both included; until None: until revoked.

    basis: `signed` with a document; `self`: the user is the performer; `published`: the footage's publisher allows it.
    """

    kind: Literal["consent"] = "consent"
    id: Text
    performer: Text
    given_by: Text
    production: Text | None
    uses: tuple[Use, ...]
    from_: date = Field(validation_alias=AliasChoices("from", "from_"), serialization_alias="from")
    until: date | None
    basis: Basis
    document: Document | None = None


class RevocationRecord(_Body):
    """From its time on these consents are none."""

    kind: Literal["revocation"] = "revocation"
    consents: tuple[Text, ...]
    reason: Text = ""


class FootageRecord(_Body):
    """This clip, by its digest (`nodes.cache`), shows this performer. name: the clip's, for people."""

    kind: Literal["footage"] = "footage"
    performer: Text
    digest: Text
    name: Text


class CredentialsRecord(_Body):
    """From its time on results carry Content Credentials, or do not; the last one counts, and without one they do."""

    kind: Literal["credentials"] = "credentials"
    signed: bool
    reason: Text = ""


Body = Annotated[
    ProjectRecord | PerformerRecord | ConsentRecord | RevocationRecord | FootageRecord | CredentialsRecord,
    Field(discriminator="kind"),
]
_BODY: TypeAdapter[Body] = TypeAdapter(Body)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place. number: from 1. time: UTC. previous: hash of the record before, empty of the first. key: whose signature (hex)."""

    number: int
    time: datetime
    previous: str
    key: str
    body: Body
    signature: str
    raw: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """What the next record names; SHA-256, hex."""
        return hashlib.sha256(canonical(self.raw)).hexdigest()

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return canonical({name: value for name, value in self.raw.items() if name != "signature"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the records, in a sentence without its dot, and the file in which it shows."""

    what: str
    file: Path

    def __str__(self) -> str:
        return f"{self.file.name}: {self.what}"


def unsigned(number: int, time: datetime, previous: str, key: str, body: Body) -> dict[str, Any]:
    """A record's document, to be signed."""
    return {
        "schema": SCHEMA,
        "number": number,
        "time": time.astimezone(UTC).isoformat(timespec="seconds"),
        "previous": previous,
        "key": key,
        "record": body.model_dump(mode="json"),
    }


def parse(raw: Mapping[str, Any]) -> Entry:
    """Understand a record's document, whose schema was looked at before; raises ValueError, KeyError, TypeError."""
    time = datetime.fromisoformat(raw["time"])
    if time.utcoffset() != timedelta(0):
        raise ValueError("its time is not in UTC")
    for name, kind in (("number", int), ("previous", str), ("key", str), ("signature", str)):
        if type(raw[name]) is not kind:
            raise TypeError(f"its {name} is of another kind")
    canonical(raw)  # what cannot be encoded cannot be hashed
    if unknown := set(raw) - {"schema", "number", "time", "previous", "key", "record", "signature"}:
        raise ValueError(f"it says more than a record can: {', '.join(sorted(unknown))}")
    body = _BODY.validate_python(raw["record"])
    return Entry(raw["number"], time, raw["previous"], raw["key"], body, raw["signature"], raw)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that stand for a document, however its file is laid out."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def new_id(prefix: str) -> str:
    """A new id that says nothing of whom it names, as `p-3f9c02ab71d4`."""
    return f"{prefix}-{secrets.token_hex(6)}"
