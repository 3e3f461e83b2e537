"""What this user's machine remembers of projects, outside of them, one file a place; what follows from it is said in `continuity`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodes.consent.keys import keys_folder
from nodes.errors import OutputError
from nodes.files import whole_file


class Seen(BaseModel):
    """A project as it was when it was last looked at: its id, its public key, how many records, the hash of the last, and the day.

    revoked: consents that were revoked, each with the day. They outlive whatever becomes of the records.
    """

    model_config = ConfigDict(frozen=True, strict=True, validate_by_name=True, serialize_by_alias=True)

    schema_: Literal["faceplate.known-project/1"] = Field(default="faceplate.known-project/1", alias="schema")
    id: str
    key: str
    count: int
    hash: str
    day: date
    revoked: Mapping[str, date] = {}


def recall(project: Path) -> Seen | None:
    """What is remembered of the project at this place; what cannot be read is forgotten."""
    return _read(_file(project))


def recall_all(id: str) -> list[Seen]:
    """What is remembered of a project at all places at which it was."""
    known = (_read(file) for file in _folder().glob("*.json"))
    return [seen for seen in known if seen and seen.id == id]


def note(project: Path, seen: Seen) -> None:
    """Remember how the project at this place stands. A machine that cannot write remembers nothing."""
    with suppress(OutputError), whole_file(_file(project), sync=False) as temporary:
        temporary.write_text(seen.model_dump_json(), "utf-8")


def forget(id: str) -> None:
    """Remember nothing more of a project, at any place."""
    for file in _folder().glob("*.json"):
        if (seen := _read(file)) and seen.id == id:
            with suppress(OSError):
                file.unlink()


def _read(file: Path) -> Seen | None:
    try:
        return Seen.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _folder() -> Path:
    return keys_folder() / "known"


def _file(project: Path) -> Path:
    name = hashlib.sha256(str(project.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return _folder() / f"{name}.json"
