"""Who the ids in a result are, and how the consents by which it was made stand today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from host_bridge.timeline.made import performer_called
from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.provenance import Part, Role
from nodes.consent.record import ConsentRecord, Use
from nodes.consent.samples import RECORD, is_sample

_USE: dict[Role, Use] = {"target": "replaced", "source": "replacement", "performer": "train"}


@dataclass(frozen=True, slots=True)
class Records:
    """A project's records on a day. book: None where there is no project. asked: the production, None for the project's own."""

    book: Book | None
    today: date
    asked: str | None

    @property
    def production(self) -> str | None:
        """What the consents are held against."""
        return self.asked or (self.book.opened.production if self.book else None)

    def person(self, part: Part) -> dict[str, Any]:
        """A performer in a result. name: None where no record tells it. may_now: whether any consent allows this use today, None if that is unknown."""
        return {
            "id": part.id,
            "name": self._name(part.id),
            "role": part.role,
            "consents": list(part.consents),
            "may_now": self._may(part),
        }

    def pair(self, target: str | None, source: str | None, people: Sequence[dict[str, Any]]) -> dict[str, str | None]:
        """Who was replaced by whom: as the records name them, else by id, else as the edit does. people: those in the result."""
        return {
            "target": self._called(target, "target", people),
            "source": self._called(source, "source", people),
        }

    def consent(self, id: str) -> dict[str, Any]:
        """A consent record, and whether it holds today (None: that cannot be told here), with `stands` in words."""
        if id == RECORD:
            return _unknown(id, "sample footage") | {"holds": None}
        found = self.book.consents.get(id) if self.book else None
        if self.book is None or found is None:
            return _unknown(id, "not looked up" if self.book is None else "not in the records of this project") | {
                "holds": None if self.book is None else False
            }
        performer = self.book.performers.get(found.performer)
        return {
            "id": id,
            "performer": performer.name if performer else found.performer,
            "performer_id": found.performer,
            "given_by": found.given_by,
            "uses": list(found.uses),
            "from": found.from_.isoformat(),
            "until": found.until and found.until.isoformat(),
            "production": found.production,
            "basis": found.basis,
            "document": found.document and {"name": found.document.name, "sha256": found.document.sha256},
            "holds": self.book.state(found, self.today, self.asked) == "in force",
            "stands": self._stands(self.book, found),
            "reason": self.book.revoked[id].reason if id in self.book.revoked else None,
        }

    def _stands(self, book: Book, consent: ConsentRecord) -> str:
        match book.state(consent, self.today, self.asked):
            case "revoked":
                taken = book.revoked[consent.id]
                return f"revoked on {clock.day(taken.time)}"
            case "expired":
                return f"expired on {consent.until}"
            case "not yet":
                return f"begins on {consent.from_}"
            case "other production":
                return f"for another production, '{consent.production}'"
            case state:
                return state

    def _name(self, id: str) -> str | None:
        if is_sample(id):
            return id.removeprefix("sample-")
        found = self.book.performers.get(id) if self.book else None
        return found.name if found else None

    def _may(self, part: Part) -> bool | None:
        if is_sample(part.id) or self.book is None:
            return None
        return bool(self.book.allowing(part.id, _USE[part.role], self.today, self.asked))

    def _called(self, name: str | None, role: Role, people: Sequence[dict[str, Any]]) -> str | None:
        parts = [Part(id=p["id"], role=p["role"]) for p in people]
        id = performer_called(name or "", role, parts, self.book)
        return name if id is None else self._name(id) or id


def _unknown(id: str, stands: str) -> dict[str, Any]:
    blank = dict.fromkeys(
        ("reason", "performer", "performer_id", "given_by", "from", "until", "production", "basis", "document")
    )
    return {"id": id, **blank, "uses": [], "stands": stands}
