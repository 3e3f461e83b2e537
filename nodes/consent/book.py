"""The records of a project put together: performers, how their consents stand on a day for a production, and which clips show them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from nodes.consent import records as clock
from nodes.consent.records import (
    FOLDER,
    USES,
    Chain,
    ConsentRecord,
    CredentialsRecord,
    Fault,
    FootageRecord,
    NameRecord,
    ProjectRecord,
    RevocationRecord,
    SignedPaper,
    SignedRecord,
    Use,
    day,
    read_chain,
)
from nodes.errors import ConsentError
from nodes.text import JOINERS, command_line, printable

T = TypeVar("T")
_UNSEEN = str.maketrans("", "", JOINERS)
State = Literal["in force", "revoked", "expired", "not yet", "other production"]
MAY: dict[Use, str] = {"replaced": "replaced", "replacement": "put in", "train": "trained on"}


@dataclass(frozen=True, slots=True)
class Performer:
    """A person whose face is known to the project. former: earlier names. added: when."""

    id: str
    name: str
    added: datetime
    former: tuple[str, ...] = ()


class Revocation(NamedTuple):
    """When a consent was revoked, and why if that was said."""

    time: datetime
    reason: str


@dataclass(frozen=True)
class ConsentBook:
    """A project's records on a day, for a production. given: when consents were recorded. footage: performers' ids by digests of clips.

    credentials: what the records say of Content Credentials, with the record's time; None where they say nothing.
    """

    chain: Chain
    opened: ProjectRecord
    today: date
    production: str
    performers: Mapping[str, Performer]
    consents: Mapping[str, ConsentRecord]
    given: Mapping[str, datetime]
    revoked: Mapping[str, Revocation]
    footage: Mapping[str, str]
    credentials: tuple[datetime, CredentialsRecord] | None

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.chain.project

    def named(self, name: str) -> list[Performer]:
        """Performers of this id or name; if there are none, those who once had it. Case and spaces do not count."""
        if name in self.performers:
            return [self.performers[name]]
        key = folded(name)
        current = [p for p in self.performers.values() if folded(p.name) == key]
        return current or [p for p in self.performers.values() if key in map(folded, p.former)]

    def the_performer(self, name: str, use: Use = "replaced") -> Performer:
        """The one performer of this id or name. Raises ConsentError where there is none, or more than one."""
        matches = self.named(name)
        if not matches:
            raise ConsentError(
                f"there is no performer '{name}' in this project",
                file=self.project,
                remedy=f"Record the consent: {how_to_add(name, use, self)}",
            )
        if len(matches) > 1:
            what = f"{len(matches)} performers are called '{name}': {listed(matches)}"
            raise ConsentError(what, file=self.project, remedy="Give the id")
        return matches[0]

    def consents_of(self, performer: str) -> list[ConsentRecord]:
        """All consents of a performer, the oldest first."""
        return [c for c in self.consents.values() if c.performer == performer]

    def state(self, consent: ConsentRecord) -> State:
        """How a consent stands."""
        if consent.id in self.revoked:
            return "revoked"
        if consent.until is not None and self.today > consent.until:
            return "expired"
        if self.today < consent.from_:
            return "not yet"
        if consent.production is not None and folded(consent.production) != folded(self.production):
            return "other production"
        return "in force"

    def stands(self, consent: ConsentRecord) -> str:
        """How a consent stands, in words that follow its id."""
        match self.state(consent):
            case "revoked":
                return f"was revoked on {day(self.revoked[consent.id].time)}"
            case "expired":
                return f"ended on {consent.until}"
            case "not yet":
                return f"begins on {consent.from_}"
            case "other production":
                return f"is for the production '{consent.production}', this is '{self.production}'"
            case state:
                return state

    def allowing(self, performer: str, use: Use) -> list[ConsentRecord]:
        """The consents of a performer that allow a use."""
        return [c for c in self.consents_of(performer) if use in c.uses and self.state(c) == "in force"]

    def refusal(self, performer: str, use: Use) -> str:
        """Why a performer may not be used so, for each of the newest consents."""
        why = []
        for consent in reversed(self.consents_of(performer)[-3:]):
            reason = self.revoked[consent.id].reason if consent.id in self.revoked else ""
            stands = self.stands(consent) if use in consent.uses else f"allows {', '.join(consent.uses)} alone"
            why.append(f"{consent.id} {stands}" + (f" ({reason})" if reason and use in consent.uses else ""))
        return "; ".join(why) or "no consent is recorded"

    def until(self, consents: Sequence[str]) -> date | None:
        """Until when one of these consents holds; None without an end."""
        ends = [self.consents[id].until for id in consents]
        return None if None in ends else max((end for end in ends if end), default=None)

    def summary(self, performer: Performer) -> dict[str, Any]:
        """A performer as JSON: what is allowed today, until when at the latest (None without an end), and why nothing is."""
        allowed = {use: ids for use in USES if (ids := [c.id for c in self.allowing(performer.id, use)])}
        until = self.until([id for ids in allowed.values() for id in ids])
        return {
            "id": performer.id,
            "name": performer.name,
            "allows": list(allowed),
            "until": until and until.isoformat(),
            "why_not": None if allowed else self.refusal(performer.id, USES[0]),
        }

    def document(self) -> dict[str, Any]:
        """The project with its performers, as `faceplate.performers/1` holds them."""
        performers = [self.summary(p) for p in self.performers.values()]
        return {"project": str(self.project), "production": self.opened.production, "performers": performers}


def open_book(project: Path, production: str | None = None, at: datetime | None = None) -> ConsentBook:
    """Read a project's records. production: by default the project's own. Raises ConsentError for records that cannot be relied on."""
    chain = read_chain(project)
    for fault in chain.faults:
        raise ConsentError(
            f"the records of consent cannot be relied on: {fault.what}",
            file=fault.file,
            remedy=f"Restore {project / FOLDER} from a copy; `faceplate performer verify` lists all that is wrong",
        )
    return book_of(chain, production, at)


def book_of(chain: Chain, production: str | None = None, at: datetime | None = None) -> ConsentBook:
    """Put a sound chain's records together."""
    opened = chain.opened
    assert opened is not None
    performers: dict[str, Performer] = {}
    for record, body in _bodies(chain.records, NameRecord):
        old = performers.get(body.performer)
        former = () if old is None else (*old.former, old.name)
        performers[body.performer] = Performer(body.performer, body.name, old.added if old else record.time, former)
    consents = _bodies(chain.records, ConsentRecord)
    revocations = reversed(_bodies(chain.records, RevocationRecord))  # the first one of a consent counts
    return ConsentBook(
        chain,
        opened,
        today=day(at or clock.now()),
        production=production or opened.production,
        performers=performers,
        consents={body.id: body for _, body in consents},
        given={body.id: record.time for record, body in consents},
        revoked={id: Revocation(record.time, body.reason) for record, body in revocations for id in body.consents},
        footage={body.digest: body.performer for _, body in _bodies(chain.records, FootageRecord)},
        credentials=next(
            ((record.time, body) for record, body in reversed(_bodies(chain.records, CredentialsRecord))), None
        ),
    )


def verify(project: Path) -> Chain:
    """Read the records, and find all that is wrong with a project's records and kept documents. Raises SchemaError for records of a newer Faceplate."""
    chain = read_chain(project)
    faults = list(chain.faults)
    for consent in () if faults else book_of(chain).consents.values():
        if consent.document and consent.document.kept:
            path = kept_file(project, consent.document)
            if not path.is_file():
                faults.append(Fault(f"the document of {consent.id} is missing: it was deleted", path))
            elif hashlib.sha256(path.read_bytes()).hexdigest() != consent.document.sha256:
                faults.append(Fault(f"is not the document that {consent.id} was recorded with: it was changed", path))
    return replace(chain, faults=tuple(faults))


def describe(paper: Path) -> SignedPaper:
    """The record of a document; raises ConsentError where it cannot be read or is empty."""
    try:
        with paper.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            empty = file.tell() == 0
    except OSError as e:
        raise ConsentError(f"the document cannot be read: {e.strerror or e}", file=paper, remedy="Give its file") from e
    if empty:
        raise ConsentError("the document is empty", file=paper, remedy="Give the signed one")
    return SignedPaper(name=printable(paper.name), sha256=digest)


def kept_file(project: Path, document: SignedPaper) -> Path:
    """Where the copy of a document is."""
    return project / FOLDER / "documents" / Path(document.kept or "").name


def folded(name: str) -> str:
    """A name as it is compared: any spelling in Unicode, any case, any spaces, and without joiners, which nobody sees."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().translate(_UNSEEN).split())


def listed(performers: Sequence[Performer]) -> str:
    """Performers as a sentence lists them."""
    return ", ".join(f"{p.name} ({p.id}, since {day(p.added)})" for p in performers)


def how_to_add(name: str, use: Use, book: ConsentBook | None = None) -> str:
    """The command that records a consent for a use; document and date are for the user to fill in."""
    words = ["faceplate", "performer", "add", name, *(["--project", str(book.project)] if book else [])]
    words += ["--production", book.production] if book and book.production != book.opened.production else []
    words += ["--document", "RELEASE.pdf", "--use", "train" if use == "train" else "replace", "--until", "YYYY-MM-DD"]
    return command_line(*words)


def _bodies(records: Sequence[SignedRecord], kind: type[T]) -> list[tuple[SignedRecord, T]]:
    return [(record, record.body) for record in records if isinstance(record.body, kind)]
