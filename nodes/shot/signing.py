"""Content Credentials for what is written of a shot after it was finished, and for a single frame of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nodes.consent.provenance import KEY, Provenance
from nodes.credentials.identity import Identity
from nodes.credentials.sign import SwitchedOff, claim_of, sign_added, sign_each
from nodes.definitions import Settings
from nodes.parts import DOCUMENT, PartOfShot
from nodes.shot import document


def sign_parts(folder: Path, parts: Sequence[PartOfShot]) -> dict[str, Any]:
    """Sign sequences that were written into a shot's folder later; returns its document, which names them then.

    A shot without Content Credentials stays so. Raises SchemaError, CredentialsError, FootageError, OutputError.
    """
    record = document.load(folder)
    if not record.get("credentials", {}).get("signed"):
        return record
    for part in parts:
        record["credentials"] = sign_added(folder, part, record)
    document.save(folder / DOCUMENT, record)
    return record


def sign_still(
    made: Mapping[PartOfShot, Path | Sequence[Path]],
    inputs: Mapping[str, Any],
    settings: Settings,
    provenance: Provenance,
    by: Identity | SwitchedOff,
) -> None:
    """Sign what was written of one frame, files and several pictures of one folder.

    inputs: as `Stills.inputs` says. by: see `nodes.credentials.sign`. Raises CredentialsError, FootageError, OutputError; what should have
    been signed is removed then.
    """
    if isinstance(by, SwitchedOff):
        return
    told = {"inputs": inputs, "settings": settings.model_dump(mode="json"), KEY: provenance.document()}
    try:
        sign_each(list(made.items()), claim_of(told), by)
    except BaseException:
        for files in made.values():
            for file in (files,) if isinstance(files, Path) else files:
                file.unlink(missing_ok=True)
        raise
