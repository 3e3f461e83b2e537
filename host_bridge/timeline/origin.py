"""Origin of a finished shot, from its own document: performers, consents, models and signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host_bridge.timeline.document import DocumentPart
from nodes.cache import digest_file
from nodes.consent.book import ConsentBook
from nodes.consent.provenance import PerformerPart, Provenance, Role
from nodes.credentials.binding import hash_files, listing, sha256
from nodes.shot_document import ShotDocument, SignedShot


class UsedModel(DocumentPart):
    """A model used for a shot. digest: Faceplate's own, as the shot recorded it. sha256: of its file, where the shot recorded it, or while the file
    is unchanged. note: a change or loss of the file. An export has neither name nor path.
    """

    name: str | None = None
    path: str | None = None
    digest: str
    sha256: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ShotOrigin:
    """The origin of a shot, without personal data. ids: of performers, by role and name in the cast.

    certificate: SHA-256 of the certificate of its Content Credentials; None if unsigned.
    """

    provenance: Provenance
    models: tuple[UsedModel, ...] = ()
    certificate: str | None = None
    ids: Mapping[tuple[Role, str], str] = field(default_factory=dict)


def models_in(shot: ShotDocument) -> list[UsedModel]:
    """List the models used for a shot. Raises FootageError for a file that cannot be read."""
    return [_model(model.path, model.digest, model.sha256) for _, model in shot.people if model is not None]


def certificate_of(shot: ShotDocument) -> str | None:
    """Return the SHA-256 of the certificate that signs a shot's results; None if they are unsigned."""
    return shot.credentials.by.sha256 if isinstance(shot.credentials, SignedShot) else None


def performer_id(name: str, role: Role, parts: Iterable[PerformerPart], book: ConsentBook | None) -> str | None:
    """Return the id of the performer with a name in the cast; None if ambiguous. book: the project's records."""
    ids = [p.id for p in parts if p.role == role]
    if len(ids) > 1:  # several people in one shot
        performer = book.named(name) if book else None
        ids = [id for id in ids if name in (id, id.removeprefix("sample-")) or (performer and performer.id == id)]
    return ids[0] if len(ids) == 1 else None


def media_sha256(media: Path | Sequence[Path]) -> str:
    """Return the SHA-256 of a file; of a sequence, that of the list of its frames as `sha256sum` prints it, which its manifest covers too.

    Raises FootageError.
    """
    return sha256(media) if isinstance(media, Path) else hashlib.sha256(listing(hash_files(media))).hexdigest()


def _model(path: Path, digest: str, recorded: str | None) -> UsedModel:
    sha, note = recorded, None
    if path.is_file() and digest_file(path) == digest:
        sha = recorded or sha256(path)
    else:
        note = "the file was changed since" if path.is_file() else "the file is not there any more"
        note = note if recorded else f"{note}, so its SHA-256 cannot be told"
    return UsedModel(name=path.name, path=str(path), digest=digest, sha256=sha, note=note)
