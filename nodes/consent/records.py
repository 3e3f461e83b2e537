"""The signed records of a project: one numbered JSON file each, in its folder `performers/`, bound to the one before by that one's hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, StrictStr

from nodes.consent.keys import is_signed
from nodes.errors import ConsentError, SchemaError
from nodes.files import check_schema
from nodes.text import is_printable, own_command

SCHEMA = "faceplate.consent/1"
FOLDER = "performers"
VARIABLE = "FACEPLATE_PROJECT"
Use = Literal["replaced", "replacement", "train"]
USES: tuple[Use, ...] = ("replaced", "replacement", "train")
_LARGEST = 1 << 20  # bytes of one record
_NUMBERED = re.compile(r"([0-9]*[1-9][0-9]*)\.json")


def now() -> datetime:
    """Return the time, in UTC, to the second; replaced in tests."""
    return datetime.now(UTC).replace(microsecond=0)


def day(time: datetime) -> date:
    """Return the day of a consent's dates: it begins and ends at midnight in UTC, everywhere."""
    return time.astimezone(UTC).date()


def _checked(text: str) -> str:
    if not is_printable(text):
        raise ValueError("holds marks that cannot be printed")
    return text


# A record may be a stranger's: its text must not steer the terminal on which it is shown.
Text = Annotated[StrictStr, AfterValidator(_checked)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)


class ProjectRecord(_Body):
    """The first record: the project's id, its production, and the public key (hex) whose signature counts."""

    kind: Literal["project"] = "project"
    id: Text
    production: Text
    key: str


class NameRecord(_Body):
    """A performer and the name; a later record of the same id renames."""

    kind: Literal["performer"] = "performer"
    performer: Text
    name: Text


class SignedPaper(_Body):
    """The signed paper: its file's name and SHA-256. kept: name of the copy in the project, if there is one."""

    name: Text
    sha256: Text
    kept: Text | None = None


class ConsentRecord(_Body):
    """A consent. production: None for any. from_, until: days in UTC, both included; until None: until revoked.

    basis: `signed` with a document; `self`: the user is the performer.
    """

    kind: Literal["consent"] = "consent"
    id: Text
    performer: Text
    given_by: Text
    production: Text | None
    uses: tuple[Use, ...]
    from_: date = Field(validation_alias="from", serialization_alias="from")
    until: date | None
    basis: Literal["signed", "self"]
    document: SignedPaper | None = None


class RevocationRecord(_Body):
    """These consents are revoked from its time on."""

    kind: Literal["revocation"] = "revocation"
    consents: tuple[Text, ...]
    reason: Text = ""


class FootageRecord(_Body):
    """The clip of this digest shows this performer. name: the clip's, for people."""

    kind: Literal["footage"] = "footage"
    performer: Text
    digest: Text
    name: Text


Body = ProjectRecord | NameRecord | ConsentRecord | RevocationRecord | FootageRecord


class SignedRecord(BaseModel):
    """A signed record. number: from 1. previous: hash of the record before, empty in the first. key: who signed (public, hex)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: StrictStr = Field(alias="schema")
    number: StrictInt
    time: AwareDatetime
    previous: StrictStr
    key: StrictStr
    body: Annotated[Body, Field(discriminator="kind")] = Field(alias="record")
    signature: StrictStr


class Fault(NamedTuple):
    """A fault of the records: a sentence without its full stop, and the file."""

    what: str
    file: Path


@dataclass(frozen=True)
class Chain:
    """The records of a project in their order, and their faults. last: hash of the last one."""

    project: Path
    records: tuple[SignedRecord, ...] = ()
    faults: tuple[Fault, ...] = ()
    last: str = ""

    @property
    def opened(self) -> ProjectRecord | None:
        """The record that the project began with."""
        body = self.records[0].body if self.records else None
        return body if isinstance(body, ProjectRecord) else None


def read_chain(project: Path) -> Chain:
    """Read and check all records. Raises SchemaError for records of a newer Faceplate, which cannot be judged."""
    numbers = sorted({int(m[1]) for f in (project / FOLDER).glob("*.json") if (m := _NUMBERED.fullmatch(f.name))})
    records: list[SignedRecord] = []
    faults: list[Fault] = []
    key, last = "", ""
    for before, number in pairwise([0, *numbers]):
        path = record_file(project, number)
        if number > before + 1:
            which = "the first record" if before == 0 else "this record"
            faults.append(Fault(f"{which} is missing: it was deleted", record_file(project, before + 1)))
        try:
            raw = _read(path)
            record, own_hash = SignedRecord.model_validate(raw), hash_of(raw)
        except SchemaError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
            faults.append(Fault(f"this record is damaged ({type(e).__name__})", path))
            continue
        if isinstance(record.body, ProjectRecord) and number == 1:
            key = record.body.key
        if fault := _fault(record, raw, number, last if number == before + 1 else None, key):
            faults.append(Fault(fault, path))
        records.append(record)
        last = own_hash
    if not numbers:
        faults.append(Fault("the first record is missing: it was deleted", record_file(project, 1)))
    return Chain(project, tuple(records), tuple(faults), last)


def _fault(record: SignedRecord, raw: Mapping[str, Any], number: int, previous: str | None, key: str) -> str | None:
    """Describe the fault of a record after one of the hash `previous` (None: not known), in a project of this key."""
    if record.number != number:
        return f"holds record {record.number}: records were put in another order"
    if (number == 1) != isinstance(record.body, ProjectRecord):
        return "a project begins with the record of itself, and has no other"
    if previous is not None and record.previous != previous:
        return f"does not follow record {number - 1} as that is now: one of the two was changed or exchanged"
    # Taking consent away needs no permission: a revocation may carry anybody's signature.
    if record.key != key and not isinstance(record.body, RevocationRecord):
        return "is signed with another key than the project's"
    signed = canonical({name: value for name, value in raw.items() if name != "signature"})
    if not is_signed(signed, record.signature, record.key):
        return "was changed after it was signed"
    return None


def _read(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise ValueError("is not a file")  # reading a pipe would block
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError("is too large")
    raw: dict[str, Any] = json.loads(text)
    if not str(raw["schema"]).startswith(SCHEMA.rpartition("/")[0] + "/"):
        raise ValueError("is another kind of document")
    check_schema(raw["schema"], SCHEMA, path)
    return raw


def canonical(document: Mapping[str, Any]) -> bytes:
    """Serialise a document to bytes that do not depend on its file's layout."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def hash_of(raw: Mapping[str, Any]) -> str:
    """Return the hash that the next record names: SHA-256, hex."""
    return hashlib.sha256(canonical(raw)).hexdigest()


def new_id(prefix: str) -> str:
    """Make a random id, as `p-3f9c02ab71d4`."""
    return f"{prefix}-{secrets.token_hex(6)}"


def record_file(project: Path, number: int) -> Path:
    """Return the file of a record, by its number from 1."""
    return project / FOLDER / f"{number:06d}.json"


def is_project(folder: Path) -> bool:
    """Tell whether a folder holds records."""
    return any((folder / FOLDER).glob("[0-9]*.json"))


def named_project(given: Path | None) -> Path | None:
    """Return the folder given, else the one that FACEPLATE_PROJECT names, whether or not it is a project."""
    folder = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return folder and folder.expanduser().resolve()


def find_project(*places: Path | None, given: Path | None = None) -> Path | None:
    """Find the project: the one given; else the one that FACEPLATE_PROJECT names; else the nearest around the first of these places.

    Raises ConsentError where a project that is named has no records.
    """
    project = named_project(given)
    if project is not None:
        if not is_project(project):
            remedy = f"Name another, or make it one: {how_to_add(project=project)}"
            raise ConsentError("is no project: it has no records of performers", file=project, remedy=remedy)
        return project
    starts = [place.expanduser().resolve() for place in places if place is not None]
    return next((folder for start in starts for folder in (start, *start.parents) if is_project(folder)), None)


def how_to_add(
    name: str = "NAME", use: Use | None = None, *, project: Path | None = None, production: str | None = None
) -> str:
    """Return the command that records a consent, by default for all uses; document and date are for the user to fill in."""
    uses = "replace,train" if use is None else "train" if use == "train" else "replace"
    options = {"--project": project, "--production": production, "--document": "RELEASE.pdf", "--use": uses}
    given = [word for option, value in options.items() if value for word in (option, str(value))]
    return own_command("performer", "add", name, *given, "--until", "YYYY-MM-DD")
