"""Content Credentials for what is written of a shot after it was finished, and for a single frame of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nodes.consent.provenance import KEY, Provenance
from nodes.credentials.claim import PartOfShot
from nodes.credentials.identity import load_identity
from nodes.credentials.setting import switched_off
from nodes.credentials.shot import claim_of, sign_added
from nodes.credentials.sign import sign_file
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
    path: Path, inputs: Mapping[str, Any], settings: Settings, provenance: Provenance, project: Path | None
) -> None:
    """Sign one frame that was written to `path`; inputs: as `Stills.inputs` says. Raises CredentialsError, ConsentError, FootageError, OutputError."""
    if switched_off(project) is None:
        told = {"inputs": inputs, "settings": settings.model_dump(mode="json"), KEY: provenance.document()}
        sign_file(path, claim_of(told, "still"), load_identity())
