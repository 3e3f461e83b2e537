"""Content Credentials for what is written of a shot after it was finished, and for a single frame of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodes.consent.provenance import KEY, Provenance
from nodes.credentials.claim import PartOfShot
from nodes.credentials.identity import Identity
from nodes.credentials.setting import SwitchedOff
from nodes.credentials.shot import claim_of, sign_added
from nodes.credentials.sign import sign_file, sign_sequence
from nodes.shot import document, results
from nodes.shot.settings import Settings


def sign_parts(folder: Path, parts: Sequence[PartOfShot]) -> dict[str, Any]:
    """Sign sequences that were written into a shot's folder later; returns its document, which names them then.

    A shot without Content Credentials stays so. Raises SchemaError, CredentialsError, FootageError, OutputError.
    """
    record = document.load(folder)
    if not record.get("credentials", {}).get("signed"):
        return record
    for part in parts:
        record["credentials"] = sign_added(folder, part, record)
    document.save(folder / results.DOCUMENT, record)
    return record


def sign_still(
    made: Mapping[PartOfShot, Path | Sequence[Path]],
    inputs: Mapping[str, Any],
    settings: Settings,
    provenance: Provenance,
    by: Identity | SwitchedOff,
) -> None:
    """Sign what was written of one frame, files and several pictures of one folder.

    inputs: as `Stills.inputs` says. by: see `nodes.credentials.ready`. Raises CredentialsError, FootageError, OutputError.
    """
    if isinstance(by, SwitchedOff):
        return
    told = {"inputs": inputs, "settings": settings.model_dump(mode="json"), KEY: provenance.document()}
    claim = claim_of(told)
    for part, files in made.items():
        said = replace(claim, part=part)
        if isinstance(files, Path):
            sign_file(files, said, by)
        else:
            sign_sequence(files, said, by)
