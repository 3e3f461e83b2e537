"""How consent stands, as plain data: the performers of a project, one of them, or the two of a shot."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.check import ConsentGiven, allowed, current_book
from nodes.consent.footage import Face, permit
from nodes.consent.record import USES, ConsentRecord
from nodes.errors import ConsentError

SCHEMA = "faceplate.performers/1"


def of_project(book: Book, production: str | None = None) -> dict[str, Any]:
    """The performers of a project, and what they allow today: `faceplate.performers/1`."""
    return {
        "schema": SCHEMA,
        "project": str(book.project),
        "production": book.opened.production,
        "performers": [
            {"id": p.id, "name": p.name, **_today(book, p.id, production)} for p in book.performers.values()
        ],
    }


def of_performer(book: Book, performer: str, production: str | None = None) -> dict[str, Any]:
    """A performer with all consents."""
    person = book.performers[performer]
    return {
        "project": str(book.project),
        "production": book.opened.production,
        "id": person.id,
        "name": person.name,
        "former_names": list(person.former),
        "added": person.added.isoformat(),
        **_today(book, performer, production),
        "consents": [_consent(book, c, production) for c in book.consents_of(performer)],
        "footage": [digest for digest, who in book.footage.items() if who == performer],
    }


def of_face(face: Face, project: Path | None, production: str | None = None) -> dict[str, Any]:
    """Whose face it is and until when it may be used so (None without an end); or why not, and what to do about it."""
    try:
        given = permit(face, project, production)
    except ConsentError as e:
        return {"allowed": False, "id": None, "name": face.said, "until": None, "why": e.what, "remedy": e.remedy}
    return {
        "allowed": True,
        "id": given.performer,
        "name": given.name,
        "until": _until(given, project),
        "why": None,
        "remedy": None,
    }


def _until(given: ConsentGiven, project: Path | None) -> str | None:
    if project is None:  # a sample
        return None
    consents = current_book(project, clock.now()).consents
    ends = [consents[id].until for id in given.consents if id in consents]
    return None if None in ends else max((e.isoformat() for e in ends if e), default=None)


def _today(book: Book, performer: str, production: str | None) -> dict[str, Any]:
    """What a performer allows today, until when at the latest (None without an end), and why not more."""
    now: datetime = clock.now()
    given, why_not = {}, None
    for use in USES:
        try:
            given[use] = allowed(book, book.performers[performer], use, production, now).consents
        except ConsentError as e:
            why_not = why_not or e.what.partition(": ")[2]
    ends = [book.consents[id].until for ids in given.values() for id in ids]
    until = None if None in ends else max((e for e in ends if e), default=None)
    return {
        "allows": list(given),
        "until": until and until.isoformat(),
        "why_not": None if given else why_not,
    }


def _consent(book: Book, consent: ConsentRecord, production: str | None) -> dict[str, Any]:
    taken = book.revoked.get(consent.id)
    return {
        **consent.model_dump(mode="json", exclude={"kind", "performer"}),
        "state": book.state(consent, clock.day(clock.now()), production),
        "recorded": book.given[consent.id].isoformat(),
        "revoked": taken and {"time": taken.time.isoformat(), "reason": taken.reason},
    }
