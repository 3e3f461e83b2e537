"""What a user does to the records: add a performer's consent, rename, say who is in a clip, revoke."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from nodes.consent import clock, documents
from nodes.consent.book import Book, Performer, folded
from nodes.consent.check import listed, the_performer
from nodes.consent.project import is_project
from nodes.consent.record import (
    USES,
    Body,
    ConsentRecord,
    Document,
    FootageRecord,
    PerformerRecord,
    RevocationRecord,
    Use,
    new_id,
)
from nodes.consent.write import append, open_project
from nodes.errors import ConsentError
from nodes.text import is_printable, printable

ID = re.compile("p-[0-9a-f]{12}")
ANY = "any"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed. from_, until: days in UTC, both included; from_ None: today; until None: until revoked.

    production: by default the project's own; `ANY` for all. paper: the signed document; None where the user is the performer.
    """

    uses: tuple[Use, ...]
    from_: date | None = None
    until: date | None = None
    production: str | None = None
    paper: Path | None = None
    keep: bool = False
    given_by: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` has recorded. there: it had been before, and nothing was added."""

    book: Book
    performer: Performer
    consent: ConsentRecord
    there: bool


def add(
    project: Path,
    name: str,
    terms: Terms,
    footage: Sequence[tuple[str, str]] = (),
    *,
    another: bool = False,
    now: datetime | None = None,
) -> Added:
    """Record a consent, of a performer who is known by this name or id, or of a new one; the first makes the folder a project.

    footage: digest and name of clips that show the performer. another: a new performer even if one has this name. The same consent twice
    is one. Raises ConsentError, OutputError.
    """
    now = now or clock.now()
    from_ = terms.from_ or clock.day(now)
    _check_days(from_, terms.until, clock.day(now))
    paper = documents.describe(terms.paper) if terms.paper else None
    given_by = clean_name(terms.given_by) if terms.given_by else None
    told = clean_name(terms.production) if terms.production else None
    if not is_project(project):
        clean_name(name)
        open_project(project, told if told and told != ANY else clean_name(project.resolve().name or "unnamed"), now)
    made: list[tuple[str, str, bool]] = []

    def decide(book: Book) -> list[Body]:
        old = None if another else _known(book, name)
        bodies: list[Body] = []
        who = old.id if old else new_id("p")
        called = old.name if old else clean_name(name)
        if old is None:
            bodies.append(PerformerRecord(performer=who, name=called))
        production = None if told == ANY else told or book.opened.production
        standing = (c for c in book.consents_of(who) if c.id not in book.revoked)
        same = next((c for c in standing if c.production == production and _same(c, terms, paper)), None)
        consent = same.id if same else new_id("c")
        if same is None:
            document = (
                documents.keep(terms.paper, paper, project, consent) if terms.paper and paper and terms.keep else paper
            )
            bodies.append(
                ConsentRecord(
                    id=consent,
                    performer=who,
                    given_by=given_by or called,
                    production=production,
                    uses=tuple(use for use in USES if use in terms.uses),
                    from_=from_,
                    until=terms.until,
                    basis="signed" if paper else "self",
                    document=document,
                )
            )
        made.append((who, consent, same is not None))
        return [*bodies, *_footage(book, who, footage)]

    book = append(project, decide, now)
    ((who, consent, known),) = made
    return Added(book, book.performers[who], book.consents[consent], known)


def rename(project: Path, who: str, name: str, now: datetime | None = None) -> Book:
    """Give a performer another name; the id stays, and so does all that refers to it."""
    new = clean_name(name)

    def decide(book: Book) -> list[Body]:
        performer = the_performer(book, who)
        return [] if performer.name == new else [PerformerRecord(performer=performer.id, name=new)]

    return append(project, decide, now)


def register(project: Path, who: str, footage: Sequence[tuple[str, str]], now: datetime | None = None) -> Book:
    """Say whom clips show, by digest and name each; the latest word counts."""
    return append(project, lambda book: _footage(book, the_performer(book, who).id, footage), now)


def revoke(project: Path, who: str, reason: str = "", now: datetime | None = None) -> tuple[Book, tuple[str, ...]]:
    """Take back a consent by its id, or all of a performer's. Returns the ids that were revoked, none if there was nothing left."""
    taken: list[str] = []

    def decide(book: Book) -> list[Body]:
        ids = [who] if who in book.consents else [c.id for c in book.consents_of(the_performer(book, who).id)]
        taken.extend(id for id in ids if id not in book.revoked or book.revoked[id].elsewhere)
        return [RevocationRecord(consents=tuple(taken), reason=printable(" ".join(reason.split())))] if taken else []

    return append(project, decide, now), tuple(taken)


def clean_name(name: str) -> str:
    """A name as it is kept: composed Unicode, single spaces. Raises ConsentError for an empty, unprintable or very long one."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not clean or len(clean) > 200 or not is_printable(clean):
        raise ConsentError(
            f"{name!r} is no name", remedy="Give 1 to 200 characters that can be printed, without marks of control"
        )
    return clean


def _known(book: Book, name: str) -> Performer | None:
    found = book.named(name)
    if not found and ID.fullmatch(name):
        raise ConsentError(f"there is no performer {name}", file=book.project, remedy="Give the name of a new one")
    if len(found) > 1 or (found and name != found[0].id and folded(found[0].name) != folded(name)):
        what = f"{len(found)} performers are called '{name}'" if len(found) > 1 else f"'{name}' is a former name"
        raise ConsentError(
            f"{what}: {listed(found)}",
            file=book.project,
            remedy="Give the id of the one who is meant, or --another for somebody else of this name",
        )
    return found[0] if found else None


def _same(old: ConsentRecord, terms: Terms, paper: Document | None) -> bool:
    return (
        set(old.uses) == set(terms.uses)
        and old.until == terms.until
        and terms.from_ in (None, old.from_)
        and (old.document and old.document.sha256) == (paper and paper.sha256)
        and (not terms.keep or bool(old.document and old.document.kept))
    )


def _check_days(from_: date, until: date | None, today: date) -> None:
    if until is not None and (until < today or until < from_):
        why = f"in the past (today is {today}, UTC)" if until < today else f"before it begins ({from_})"
        raise ConsentError(f"the consent would end on {until}, {why}", remedy="Give another --until or --from")


def _footage(book: Book, performer: str, footage: Sequence[tuple[str, str]]) -> list[Body]:
    return [
        FootageRecord(performer=performer, digest=digest, name=printable(name))
        for digest, name in dict(footage).items()
        if book.footage.get(digest) != performer
    ]
