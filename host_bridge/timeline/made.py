"""By what a finished shot was made, as its own document says: whose faces, by which consents, with which models, signed by whom.

Read by the export, which puts it into the edit, and by the report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodes.cache import digest_file
from nodes.consent.book import ConsentBook
from nodes.consent.provenance import PerformerPart, Provenance, Role
from nodes.credentials.binding import hash_files, listing, sha256


@dataclass(frozen=True, slots=True)
class Model:
    """A model that took part. digest: Faceplate's own, as the shot recorded it. sha256: of its file, where the shot recorded it, or while the file
    is the one that was used. note: what became of the file.
    """

    path: Path
    digest: str
    sha256: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """By what a shot was made, with nothing personal. ids: of performers, by role and the name that the cast has for them.

    signed: whether its results carry Content Credentials, and by which certificate.
    """

    provenance: Provenance
    models: tuple[Model, ...] = ()
    signed: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[tuple[Role, str], str] = field(default_factory=dict)


def models_in(told: Mapping[str, Any]) -> list[Model]:
    """The models of a shot's document, those of several people as `model_2` and on; none where nothing trained took part.

    Raises KeyError, TypeError for a document that is damaged, FootageError for a file that cannot be read.
    """
    inputs, method = told["inputs"], told["settings"]["swap"]["method"]
    found = [inputs["model"]] if "model" in inputs and method == "model" else []
    found += [inputs[name] for name in sorted(inputs) if name.startswith("model_")]
    return [_model(Path(one["path"]), str(one["digest"]), one.get("sha256")) for one in found]


def signed_in(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a shot's document says of Content Credentials, without names: whether there are any, by which certificate."""
    credentials = told.get("credentials") or {}
    return {"signed": bool(credentials.get("signed")), "by": (credentials.get("by") or {}).get("sha256")}


def performer_called(name: str, role: Role, parts: Iterable[PerformerPart], book: ConsentBook | None) -> str | None:
    """The id of whom the cast calls by a name; None where that cannot be told. book: the project's records."""
    those = [p.id for p in parts if p.role == role]
    if len(those) > 1:  # several people in one shot
        known = {p.id for p in book.named(name)} if book else set()
        those = [id for id in those if id in known or name in (id, id.removeprefix("sample-"))]
    return those[0] if len(those) == 1 else None


def media_sha256(media: Path | Sequence[Path]) -> str:
    """SHA-256 of a file; of a sequence that of the list of its frames, as `sha256sum` prints it, to which its manifest is bound too.

    Raises FootageError.
    """
    return sha256(media) if isinstance(media, Path) else hashlib.sha256(listing(hash_files(media))).hexdigest()


def _model(path: Path, digest: str, recorded: str | None) -> Model:
    if path.is_file() and digest_file(path) == digest:
        return Model(path, digest, recorded or sha256(path))
    note = "the file was changed since" if path.is_file() else "the file is not there any more"
    return Model(path, digest, recorded, note if recorded else f"{note}, so its SHA-256 cannot be told")
