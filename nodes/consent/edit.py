"""New records: add a performer's consent, rename, say who is in a clip, revoke. One process at a time, each file whole or not there."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock, Timeout

from nodes.consent import records as clock
from nodes.consent.book import ConsentBook, Performer, book_of, describe, folded, kept_file, listed, open_book
from nodes.consent.keys import OWN, key_file, load_key, make_key, public
from nodes.consent.records import (
    FOLDER,
    USES,
    Body,
    Chain,
    ConsentRecord,
    FootageRecord,
    NameRecord,
    ProjectRecord,
    RevocationRecord,
    SignedPaper,
    Use,
    canonical,
    day,
    hash_of,
    is_project,
    new_id,
    read_chain,
    record_file,
    unsigned,
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
    """The consent that `add` recorded. there: it was recorded before, and nothing was added."""

    book: ConsentBook
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
    from_, today = terms.from_ or day(now), day(now)
    if terms.until is not None and terms.until < max(today, from_):
        why = f"in the past (today is {today}, UTC)" if terms.until < today else f"before it begins ({from_})"
        raise ConsentError(f"the consent would end on {terms.until}, {why}", remedy="Give another --until or --from")
    paper = describe(terms.paper) if terms.paper else None
    given_by = clean_name(terms.given_by) if terms.given_by else None
    wanted = clean_name(terms.production) if terms.production else None
    if not is_project(project):
        clean_name(name)
        own = wanted if wanted and wanted != ANY else clean_name(project.resolve().name or "unnamed")
        open_project(project, own, now)
    made: list[tuple[str, str, bool]] = []

    def decide(book: ConsentBook) -> list[Body]:
        old = None if another else _known(book, name)
        who, called = (old.id, old.name) if old else (new_id("p"), clean_name(name))
        bodies: list[Body] = [] if old else [NameRecord(performer=who, name=called)]
        production = None if wanted == ANY else wanted or book.opened.production
        for same in book.consents_of(who):
            if same.id not in book.revoked and same.production == production and _same(same, terms, paper):
                made.append((who, same.id, True))
                return [*bodies, *_footage(book, who, footage)]
        id = new_id("c")
        document = _keep(terms.paper, paper, project, id) if terms.paper and paper and terms.keep else paper
        consent = ConsentRecord(
            id=id,
            performer=who,
            given_by=given_by or called,
            production=production,
            uses=tuple(use for use in USES if use in terms.uses),
            from_=from_,
            until=terms.until,
            basis="signed" if paper else "self",
            document=document,
        )
        made.append((who, id, False))
        return [*bodies, consent, *_footage(book, who, footage)]

    book = append(project, decide, now)
    ((who, consent, there),) = made
    return Added(book, book.performers[who], book.consents[consent], there)


def rename(project: Path, who: str, name: str, now: datetime | None = None) -> ConsentBook:
    """Give a performer another name; the id stays, and so does all that refers to it."""
    new = clean_name(name)

    def decide(book: ConsentBook) -> list[Body]:
        performer = book.the_performer(who)
        return [] if performer.name == new else [NameRecord(performer=performer.id, name=new)]

    return append(project, decide, now)


def register(project: Path, who: str, footage: Sequence[tuple[str, str]], now: datetime | None = None) -> ConsentBook:
    """Say whom clips show, by digest and name each; the latest word counts."""
    return append(project, lambda book: _footage(book, book.the_performer(who).id, footage), now)


def revoke(
    project: Path, who: str, reason: str = "", now: datetime | None = None
) -> tuple[ConsentBook, tuple[str, ...]]:
    """Revoke a consent by its id, or all of a performer's. Returns the ids that were revoked, none if there was nothing left."""
    taken: list[str] = []

    def decide(book: ConsentBook) -> list[Body]:
        ids = [who] if who in book.consents else [c.id for c in book.consents_of(book.the_performer(who).id)]
        taken.extend(id for id in ids if id not in book.revoked)
        return [RevocationRecord(consents=tuple(taken), reason=printable(" ".join(reason.split())))] if taken else []

    return append(project, decide, now), tuple(taken)


def open_project(folder: Path, production: str, now: datetime | None = None) -> Path:
    """Make a folder a project, with a key of its own; one that is a project already stays as it is. Returns the folder."""
    folder = folder.expanduser().resolve()
    with _alone(folder):
        if not is_project(folder):
            id = new_id("project")
            key = make_key(id)
            _write(
                Chain(folder), [ProjectRecord(id=id, production=production, key=public(key))], key, now or clock.now()
            )
    return folder


def append(project: Path, decide: Callable[[ConsentBook], Sequence[Body]], now: datetime | None = None) -> ConsentBook:
    """Append the records that `decide` makes of the project as it stands, and return it as it stands then.

    Raises ConsentError when the records there cannot be relied on, or this user has not the project's key and the records are more than
    revocations; OutputError.
    """
    now = now or clock.now()
    with _alone(project):
        book = open_book(project, at=now)
        bodies = list(decide(book))
        key = key_of_project(book.opened)
        if key is None:
            # Whoever takes consent away needs no permission.
            key = load_key(OWN) or make_key(OWN) if all(isinstance(b, RevocationRecord) for b in bodies) else None
        if key is None:
            path = key_file(book.opened.id)
            raise ConsentError(
                "you have not the key of this project, so you cannot add to its records; what they allow and forbid counts all the same",
                file=project,
                remedy=f"Add it where the project was made, or have its key brought from there: the file {path.name}, to {path}, readable by you alone",
            )
        _write(book.chain, bodies, key, now)
        return book_of(read_chain(project), at=now)


def key_of_project(opened: ProjectRecord) -> Ed25519PrivateKey | None:
    """The private key with which this user can add; None without. Raises ConsentError for one that cannot be used."""
    key = load_key(opened.id)
    return key if key and public(key) == opened.key else None


def clean_name(name: str) -> str:
    """A name as it is kept: composed Unicode, single spaces. Raises ConsentError for an empty, unprintable or very long one."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not clean or len(clean) > 200 or not is_printable(clean):
        raise ConsentError(
            f"{name!r} is no name", remedy="Give 1 to 200 characters that can be printed, without marks of control"
        )
    return clean


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


def _write(chain: Chain, bodies: Sequence[Body], key: Ed25519PrivateKey, now: datetime) -> None:
    """Write records behind those of a chain."""
    previous = chain.last
    for number, body in enumerate(bodies, len(chain.records) + 1):
        raw = unsigned(number, now, previous, public(key), body)
        raw["signature"] = key.sign(canonical(raw)).hex()
        with whole_file(record_file(chain.project, number)) as temporary:
            temporary.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
        previous = hash_of(raw)


def _keep(paper: Path, document: SignedPaper, project: Path, consent: str) -> SignedPaper:
    """Put a copy of a document into the project, under its consent's id. Raises OutputError."""
    suffix = paper.suffix.lower() if _SUFFIX.fullmatch(paper.suffix) else ""
    kept = document.model_copy(update={"kept": f"{consent}{suffix}"})
    with whole_file(kept_file(project, kept)) as temporary:
        shutil.copyfile(paper, temporary)
    return kept


def _known(book: ConsentBook, name: str) -> Performer | None:
    matches = book.named(name)
    if not matches and _ID.fullmatch(name):
        raise ConsentError(f"there is no performer {name}", file=book.project, remedy="Give the name of a new one")
    if len(matches) > 1 or (matches and name != matches[0].id and folded(matches[0].name) != folded(name)):
        what = f"{len(matches)} performers are called '{name}'" if len(matches) > 1 else f"'{name}' is a former name"
        raise ConsentError(
            f"{what}: {listed(matches)}",
            file=book.project,
            remedy="Give the id of the one who is meant, or --another for somebody else of this name",
        )
    return matches[0] if matches else None


def _same(old: ConsentRecord, terms: Terms, paper: SignedPaper | None) -> bool:
    return (
        set(old.uses) == set(terms.uses)
        and old.until == terms.until
        and terms.from_ in (None, old.from_)
        and (old.document and old.document.sha256) == (paper and paper.sha256)
        and (not terms.keep or bool(old.document and old.document.kept))
    )


def _footage(book: ConsentBook, performer: str, footage: Sequence[tuple[str, str]]) -> list[Body]:
    return [
        FootageRecord(performer=performer, digest=digest, name=printable(name))
        for digest, name in dict(footage).items()
        if book.footage.get(digest) != performer
    ]
