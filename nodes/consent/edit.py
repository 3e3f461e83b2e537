"""Edits of the records: add a performer's consent, rename, assign clips, revoke; one process at a time, whole files only."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock, Timeout

from nodes.consent import records as clock
from nodes.consent.book import ConsentBook, Performer, describe, folded, kept_file, open_book
from nodes.consent.keys import OWN, key_file, load_key, make_key, public
from nodes.consent.records import (
    FOLDER,
    SCHEMA,
    USES,
    Body,
    Chain,
    ConsentRecord,
    FootageRecord,
    NameRecord,
    ProjectRecord,
    RevocationRecord,
    Use,
    canonical,
    day,
    hash_of,
    is_project,
    new_id,
    record_file,
)
from nodes.errors import ConsentError, writing
from nodes.files import whole_file
from nodes.text import is_printable, printable

ANY = "any"
_ID = re.compile("p-[0-9a-f]{12}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_PATIENCE = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a consent. from_, until: days in UTC, both included; from_ None: today; until None: until revoked.

    production: by default the project's own; `ANY` for all. paper: the signed document; None where the user is the performer.
    """

    uses: tuple[Use, ...]
    from_: date | None = None
    until: date | None = None
    production: str | None = None
    paper: Path | None = None
    keep: bool = False
    given_by: str | None = None


class Added(NamedTuple):
    """The consent that `add` recorded."""

    book: ConsentBook
    performer: Performer
    consent: ConsentRecord


def add(
    project: Path,
    name: str,
    terms: Terms,
    footage: Sequence[tuple[str, str]] = (),
    *,
    now: datetime | None = None,
) -> Added:
    """Record a consent, of a new performer of this name, or a further one of the performer of this id; the first makes the folder a project.

    footage: digest and name of clips that show the performer. Raises ConsentError, also for a name that is taken; OutputError.
    """
    now = now or clock.now()
    from_, today = terms.from_ or day(now), day(now)
    if terms.until is not None and terms.until < max(today, from_):
        why = f"in the past (today is {today}, UTC)" if terms.until < today else f"before it begins ({from_})"
        raise ConsentError(f"the consent would end on {terms.until}, {why}", remedy="Give another --until or --from")
    name, paper = clean_name(name), describe(terms.paper) if terms.paper else None
    given_by = clean_name(terms.given_by) if terms.given_by else None
    production = clean_name(terms.production) if terms.production else None
    if not is_project(project):
        open_project(
            project,
            production if production and production != ANY else clean_name(project.resolve().name or "unnamed"),
            now,
        )
    with _editing(project, now) as (book, bodies):
        performer = book.performers.get(name)
        if performer is None:
            _check_new(book, name)
            performer = Performer(new_id("p"), name)
            bodies.append(NameRecord(performer=performer.id, name=name))
        consent = ConsentRecord(
            id=new_id("c"),
            performer=performer.id,
            given_by=given_by or performer.name,
            production=None if production == ANY else production or book.opened.production,
            uses=tuple(use for use in USES if use in terms.uses),
            from_=from_,
            until=terms.until,
            basis="signed" if paper else "self",
            document=paper,
        )
        if terms.keep and terms.paper and paper:
            suffix = terms.paper.suffix.lower() if _SUFFIX.fullmatch(terms.paper.suffix) else ""
            kept = paper.model_copy(update={"kept": f"{consent.id}{suffix}"})
            consent = consent.model_copy(update={"document": kept})
            with whole_file(kept_file(project, kept)) as temporary:
                shutil.copyfile(terms.paper, temporary)
        bodies += [consent, *_footage(book, performer.id, footage)]
    return Added(open_book(project, at=now), performer, consent)


def rename(project: Path, who: str, name: str, now: datetime | None = None) -> ConsentBook:
    """Give a performer another name; the id stays, and so does all that refers to it. Raises ConsentError, OutputError."""
    with _editing(project, now) as (book, bodies):
        performer, new = book.the_performer(who), clean_name(name)
        if folded(new) != folded(performer.name):
            _check_new(book, new)
        bodies.append(NameRecord(performer=performer.id, name=new))
    return open_book(project, at=now)


def register(project: Path, who: str, footage: Sequence[tuple[str, str]], now: datetime | None = None) -> ConsentBook:
    """Assign clips to a performer, by digest and name each; the latest record counts. Raises ConsentError, OutputError."""
    with _editing(project, now) as (book, bodies):
        bodies += _footage(book, book.the_performer(who).id, footage)
    return open_book(project, at=now)


def revoke(
    project: Path, who: str, reason: str = "", now: datetime | None = None
) -> tuple[ConsentBook, tuple[str, ...]]:
    """Revoke a consent by its id, or all of a performer's; returns the ids that were revoked. Anybody may. Raises ConsentError, OutputError."""
    with _editing(project, now) as (book, bodies):
        ids = [who] if who in book.consents else [c.id for c in book.consents_of(book.the_performer(who).id)]
        revoked = tuple(id for id in ids if id not in book.revoked)
        if revoked:
            bodies.append(RevocationRecord(consents=revoked, reason=printable(" ".join(reason.split()))))
    return open_book(project, at=now), revoked


def open_project(folder: Path, production: str, now: datetime | None = None) -> Path:
    """Make a folder a project, with a key of its own, unless it is one already. Returns the folder."""
    folder = folder.expanduser().resolve()
    with _alone(folder):
        if not is_project(folder):
            id = new_id("project")
            key = make_key(id)
            _write(Chain(folder), [ProjectRecord(id=id, production=production, key=public(key))], key, now)
    return folder


def key_of_project(opened: ProjectRecord) -> Ed25519PrivateKey | None:
    """Load the private key with which this user can add records; None without. Raises ConsentError for an unusable key."""
    key = load_key(opened.id)
    return key if key and public(key) == opened.key else None


def clean_name(name: str) -> str:
    """Normalise a name for a record: composed Unicode, single spaces. Raises ConsentError for an empty, unprintable or very long one."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not clean or len(clean) > 200 or not is_printable(clean):
        remedy = "Give 1 to 200 characters that can be printed, without marks of control"
        raise ConsentError(f"{name!r} is no name", remedy=remedy)
    return clean


@contextmanager
def _editing(project: Path, now: datetime | None) -> Iterator[tuple[ConsentBook, list[Body]]]:
    """Yield the records, and a list of new ones that is written when the block ends.

    Raises ConsentError for records with faults, and where this user lacks the project's key and writes more than revocations.
    """
    with _alone(project):
        bodies: list[Body] = []
        book = open_book(project, at=now)
        yield book, bodies
        key = key_of_project(book.opened)
        if key is None and all(isinstance(body, RevocationRecord) for body in bodies):
            key = load_key(OWN) or make_key(OWN)
        if key is None:
            path = key_file(book.opened.id)
            raise ConsentError(
                "you have not the key of this project, so you cannot add to its records; what they allow and forbid counts all the same",
                file=project,
                remedy=f"Add it where the project was made, or have its key brought from there: the file {path.name}, to {path}, readable by you alone",
            )
        _write(book.chain, bodies, key, now)


@contextmanager
def _alone(project: Path) -> Iterator[None]:
    folder = project / FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", timeout=_PATIENCE):
                yield
        except Timeout as e:
            remedy = "Try again; if nothing else runs, delete .lock there"
            raise ConsentError("another process is writing records", file=folder, remedy=remedy) from e


def _write(chain: Chain, bodies: Sequence[Body], key: Ed25519PrivateKey, now: datetime | None) -> None:
    """Append records to a chain."""
    previous = chain.last
    for number, body in enumerate(bodies, len(chain.records) + 1):
        raw: dict[str, Any] = {
            "schema": SCHEMA,
            "number": number,
            "time": (now or clock.now()).astimezone(UTC).isoformat(timespec="seconds"),
            "previous": previous,
            "key": public(key),
            "record": body.model_dump(mode="json"),
        }
        raw["signature"] = key.sign(canonical(raw)).hex()
        with whole_file(record_file(chain.project, number)) as temporary:
            temporary.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
        previous = hash_of(raw)


def _check_new(book: ConsentBook, name: str) -> None:
    """Raise ConsentError where a performer has this name, so that a name means one person; and for an unknown id."""
    if _ID.fullmatch(name):
        raise ConsentError(f"there is no performer {name}", file=book.project, remedy="Give the name of a new one")
    if namesake := book.named(name):
        remedy = f"Give somebody else another name, or for a further consent the id: {book.how_to_add(namesake.id, 'replaced')}"
        raise ConsentError(
            f"there is a performer '{namesake.name}' already, {namesake.id}", file=book.project, remedy=remedy
        )


def _footage(book: ConsentBook, performer: str, footage: Sequence[tuple[str, str]]) -> list[FootageRecord]:
    return [
        FootageRecord(performer=performer, digest=digest, name=printable(name))
        for digest, name in dict(footage).items()
        if book.footage.get(digest) != performer
    ]
