"""The consent book: a project's performers, the state of their consents on a day for a production, and their clips."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel

from nodes.consent import records as clock
from nodes.consent.records import (
    FOLDER,
    USES,
    Chain,
    ConsentRecord,
    Fault,
    FootageRecord,
    NameRecord,
    ProjectRecord,
    RevocationRecord,
    SignedPaper,
    Use,
    day,
    how_to_add,
    read_chain,
)
from nodes.errors import Action, ConsentError
from nodes.text import JOINERS, printable

T = TypeVar("T")
_UNSEEN = str.maketrans("", "", JOINERS)
State = Literal["in force", "revoked", "expired", "not yet", "other production"]
MAY: dict[Use, str] = {"replaced": "replaced", "replacement": "put in", "train": "trained on"}


@dataclass(frozen=True, slots=True)
class Performer:
    """A person whose face is known to the project."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The time of a consent's revocation, and its reason, empty without one."""

    time: datetime
    reason: str


class PerformerSummary(BaseModel):
    """A performer's consents today. until: their last day, None without an end. why_not: the reason if nothing is allowed."""

    id: str
    name: str
    allows: list[Use]
    until: date | None
    why_not: str | None


@dataclass(frozen=True)
class ConsentBook:
    """A project's records on a day, for a production. given: when consents were recorded. footage: performers' ids by digests of clips; clips: their names."""

    chain: Chain
    opened: ProjectRecord
    today: date
    production: str
    performers: Mapping[str, Performer]
    consents: Mapping[str, ConsentRecord]
    given: Mapping[str, datetime]
    revoked: Mapping[str, Revocation]
    footage: Mapping[str, str]
    clips: Mapping[str, str]

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.chain.project

    def named(self, name: str) -> Performer | None:
        """Find the performer of this id or name; case and spaces do not count."""
        key = folded(name)
        return self.performers.get(name) or next((p for p in self.performers.values() if folded(p.name) == key), None)

    def the_performer(self, name: str, use: Use = "replaced") -> Performer:
        """Find the performer of this id or name. Raises ConsentError for an unknown one."""
        performer = self.named(name)
        if performer is None:
            remedy = f"Record the consent: {self.how_to_add(name, use)}"
            what = f"there is no performer '{name}' in this project"
            raise ConsentError(what, file=self.project, remedy=remedy, action=self.recording(name, use))
        return performer

    def consents_of(self, performer: str) -> list[ConsentRecord]:
        """List all consents of a performer, the oldest first."""
        return [c for c in self.consents.values() if c.performer == performer]

    def state(self, consent: ConsentRecord) -> State:
        """Return the state of a consent."""
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
        """Describe the state of a consent, in words that follow its id."""
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
        """List the consents of a performer that allow a use."""
        return [c for c in self.consents_of(performer) if use in c.uses and self.state(c) == "in force"]

    def refusal(self, performer: Performer, use: Use) -> str:
        """Say why a performer may not be used so, for each of the newest consents."""
        why = []
        for consent in reversed(self.consents_of(performer.id)[-3:]):
            if use not in consent.uses:
                why.append(f"{consent.id} allows {', '.join(consent.uses)} alone")
            else:
                reason = self.revoked[consent.id].reason if consent.id in self.revoked else ""
                why.append(f"{consent.id} {self.stands(consent)}" + (f" ({reason})" if reason else ""))
        return f"{performer} may not be {MAY[use]}: {'; '.join(why) or 'no consent is recorded'}"

    def how_to_add(self, name: str, use: Use) -> str:
        """Return the command that records a consent for a use."""
        production = None if self.production == self.opened.production else self.production
        return how_to_add(name, use, project=self.project, production=production)

    def recording(self, name: str, use: Use) -> Action:
        """Return the same as a button of a host."""
        return Action("record_consent", {"performer": name, "use": use, "project": str(self.project)})

    def until(self, consents: Sequence[str]) -> date | None:
        """Return the last day on which one of these consents holds; None without an end."""
        ends = [self.consents[id].until for id in consents]
        return None if None in ends else max((end for end in ends if end), default=None)

    def summary(self, performer: Performer) -> PerformerSummary:
        """Summarise all consents of a performer."""
        allowed = {use: ids for use in USES if (ids := [c.id for c in self.allowing(performer.id, use)])}
        return PerformerSummary(
            id=performer.id,
            name=performer.name,
            allows=list(allowed),
            until=self.until([id for ids in allowed.values() for id in ids]),
            why_not=None if allowed else self.refusal(performer, USES[0]).partition(": ")[2],
        )


def open_book(project: Path, production: str | None = None, at: datetime | None = None) -> ConsentBook:
    """Read a project's records. production: by default the project's own. Raises ConsentError for records with faults."""
    chain = read_chain(project)
    for fault in chain.faults:
        raise ConsentError(
            f"the records of consent cannot be relied on: {fault.what}",
            file=fault.file,
            remedy=f"Restore {project / FOLDER} from a copy; `faceplate performer verify` lists all that is wrong",
        )
    opened = chain.opened
    assert opened is not None
    performers = {body.performer: Performer(body.performer, body.name) for _, body in _bodies(chain, NameRecord)}
    revocations = reversed(list(_bodies(chain, RevocationRecord)))  # the first one of a consent counts
    return ConsentBook(
        chain,
        opened,
        today=day(at or clock.now()),
        production=production or opened.production,
        performers=performers,
        consents={body.id: body for _, body in _bodies(chain, ConsentRecord)},
        given={body.id: time for time, body in _bodies(chain, ConsentRecord)},
        revoked={id: Revocation(time, body.reason) for time, body in revocations for id in body.consents},
        footage={body.digest: body.performer for _, body in _bodies(chain, FootageRecord)},
        clips={body.digest: body.name for _, body in _bodies(chain, FootageRecord)},
    )


def verify(project: Path) -> Chain:
    """Read the records, and find the faults of them and of kept documents. Raises SchemaError for records of a newer Faceplate."""
    chain = read_chain(project)
    if chain.faults:
        return chain
    faults = []
    for _, consent in _bodies(chain, ConsentRecord):
        if consent.document and consent.document.kept:
            path = kept_file(project, consent.document)
            if not path.is_file():
                faults.append(Fault(f"the document of {consent.id} is missing: it was deleted", path))
            elif hashlib.sha256(path.read_bytes()).hexdigest() != consent.document.sha256:
                faults.append(Fault(f"is not the document that {consent.id} was recorded with: it was changed", path))
    return replace(chain, faults=tuple(faults))


def describe(paper: Path) -> SignedPaper:
    """Make the record of a document; raises ConsentError where it cannot be read or is empty."""
    try:
        data = paper.read_bytes()
    except OSError as e:
        raise ConsentError(f"the document cannot be read: {e.strerror or e}", file=paper, remedy="Give its file") from e
    if not data:
        raise ConsentError("the document is empty", file=paper, remedy="Give the signed one")
    return SignedPaper(name=printable(paper.name), sha256=hashlib.sha256(data).hexdigest())


def kept_file(project: Path, document: SignedPaper) -> Path:
    """Return the path of a document's copy."""
    return project / FOLDER / "documents" / Path(document.kept or "").name


def folded(name: str) -> str:
    """Fold a name for comparison: spelling in Unicode, case, spaces and invisible joiners do not count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().translate(_UNSEEN).split())


def _bodies(chain: Chain, kind: type[T]) -> Iterator[tuple[datetime, T]]:
    return ((record.time, record.body) for record in chain.records if isinstance(record.body, kind))
