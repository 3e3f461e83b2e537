"""What a project's records say, put together: performers, their consents, and which clips show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal, TypeVar

from nodes.consent.chain import Chain, read_chain
from nodes.consent.continuity import compare
from nodes.consent.record import (
    ConsentRecord,
    Entry,
    FootageRecord,
    PerformerRecord,
    ProjectRecord,
    RevocationRecord,
    Use,
)
from nodes.errors import ConsentError
from nodes.text import JOINERS

T = TypeVar("T")
_UNSEEN = str.maketrans("", "", JOINERS)
State = Literal["in force", "revoked", "expired", "not yet", "other production"]


@dataclass(frozen=True, slots=True)
class Performer:
    """A person whose face is known to the project. former: names before the one of now. added: when."""

    id: str
    name: str
    added: datetime
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revocation:
    """When a consent was taken back, and why if that was said. elsewhere: in another copy of the project, which this machine saw."""

    time: datetime
    reason: str
    elsewhere: bool = False


@dataclass(frozen=True)
class Book:
    """A project that was looked into. given: when consents were recorded. footage: performers' ids by digests of clips."""

    chain: Chain
    opened: ProjectRecord
    performers: Mapping[str, Performer]
    consents: Mapping[str, ConsentRecord]
    given: Mapping[str, datetime]
    revoked: Mapping[str, Revocation]
    footage: Mapping[str, str]

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.chain.project

    @property
    def newest(self) -> datetime:
        """The time of the last record."""
        return self.chain.entries[-1].time

    def named(self, name: str) -> list[Performer]:
        """Performers of this id or name; if there are none, those who once had it. Case and spaces do not count."""
        if name in self.performers:
            return [self.performers[name]]
        key = folded(name)
        now = [p for p in self.performers.values() if folded(p.name) == key]
        return now or [p for p in self.performers.values() if key in map(folded, p.former)]

    def consents_of(self, performer: str) -> list[ConsentRecord]:
        """All consents of a performer, the oldest first."""
        return [c for c in self.consents.values() if c.performer == performer]

    def state(self, consent: ConsentRecord, today: date, production: str | None = None) -> State:
        """How a consent stands today; production: for which, by default the project's own."""
        if consent.id in self.revoked:
            return "revoked"
        if consent.until is not None and today > consent.until:
            return "expired"
        if today < consent.from_:
            return "not yet"
        wanted = production or self.opened.production
        if consent.production is not None and folded(consent.production) != folded(wanted):
            return "other production"
        return "in force"

    def allowing(self, performer: str, use: Use, today: date, production: str | None = None) -> list[ConsentRecord]:
        """The consents that allow a use today."""
        return [
            c for c in self.consents_of(performer) if use in c.uses and self.state(c, today, production) == "in force"
        ]


def open_book(project: Path) -> Book:
    """Look into a project. Raises ConsentError unless all of its records can be relied on."""
    chain = read_chain(project)
    require_sound(chain)
    return book_of(chain)


def require_sound(chain: Chain) -> None:
    """Raise ConsentError for the first thing that is wrong with the records, or other than this machine remembers."""
    for fault in (*chain.faults, *compare(chain)):
        raise ConsentError(
            f"the records of consent cannot be relied on: {fault.what}",
            file=fault.file,
            remedy=f"Restore {chain.project / 'performers'} from a copy; `faceplate performer verify` lists all that is wrong",
        )


def book_of(chain: Chain) -> Book:
    """Put a sound chain's records together."""
    opened = chain.opened
    assert opened is not None
    performers: dict[str, Performer] = {}
    for entry, body in _bodies(chain.entries, PerformerRecord):
        old = performers.get(body.performer)
        former = () if old is None else (*old.former, old.name)
        performers[body.performer] = Performer(body.performer, body.name, old.added if old else entry.time, former)
    consents = _bodies(chain.entries, ConsentRecord)
    revoked = {
        id: Revocation(datetime.combine(day, time(), UTC), "in another copy of this project", elsewhere=True)
        for id, day in chain.elsewhere.items()
    } | {
        id: Revocation(entry.time, body.reason)
        for entry, body in reversed(_bodies(chain.entries, RevocationRecord))
        for id in body.consents
    }
    return Book(
        chain=chain,
        opened=opened,
        performers=performers,
        consents={body.id: body for _, body in consents},
        given={body.id: entry.time for entry, body in consents},
        revoked=revoked,
        footage={body.digest: body.performer for _, body in _bodies(chain.entries, FootageRecord)},
    )


def folded(name: str) -> str:
    """A name as it is compared: any spelling in Unicode, any case, any spaces, and without joiners, which nobody sees."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().translate(_UNSEEN).split())


def _bodies(entries: Iterable[Entry], kind: type[T]) -> list[tuple[Entry, T]]:
    return [(entry, entry.body) for entry in entries if isinstance(entry.body, kind)]
