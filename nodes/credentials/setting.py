"""Whether a project's results carry Content Credentials: they do, unless its settings say otherwise, with the reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodes.consent.book import open_book
from nodes.consent.records import FOLDER, now
from nodes.errors import CredentialsError, SchemaError
from nodes.files import check_schema, whole_file

SCHEMA = "faceplate.credentials-setting/1"


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """Since when, and why."""

    since: str
    reason: str

    def document(self) -> dict[str, Any]:
        """The entry `credentials` of a shot's document, instead of who signed it."""
        return {"signed": False, "since": self.since, "reason": self.reason}


def switched_off(project: Path | None) -> SwitchedOff | None:
    """Since when a project's results go unsigned; None where they are signed. Raises ConsentError, SchemaError."""
    if project is None:
        return None
    path = _file(project)
    try:
        setting = json.loads(path.read_bytes())
        check_schema(setting["schema"], SCHEMA, path)
        return None if setting["signed"] else SwitchedOff(str(setting["since"]), str(setting["reason"]))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SchemaError("is damaged", file=path, remedy="Delete it: results are signed then") from e
    recorded = open_book(project).credentials  # of an earlier Faceplate
    if recorded is None or recorded[1].signed:
        return None
    return SwitchedOff(recorded[0].isoformat(timespec="seconds"), recorded[1].reason)


def switch(project: Path, signed: bool, reason: str) -> SwitchedOff | None:
    """Sign results from now on, or do not. Raises CredentialsError where they shall not be and no reason is given; OutputError."""
    if not signed and not reason.strip():
        raise CredentialsError("to switch Content Credentials off needs a reason", remedy="Give one with --reason")
    if (switched_off(project) is None) != signed:
        setting = {"schema": SCHEMA, "signed": signed, "since": now().isoformat(), "reason": reason.strip()}
        with whole_file(_file(project)) as temporary:
            temporary.write_text(json.dumps(setting, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return switched_off(project)


def _file(project: Path) -> Path:
    return project / FOLDER / "credentials.json"
