"""The people in a result, and how the consents by which it was made stand today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from host_bridge.timeline.made import performer_called
from nodes.consent.book import ConsentBook
from nodes.consent.gate import RECORD, USE, is_sample
from nodes.consent.provenance import PerformerPart, Role


@dataclass(frozen=True, slots=True)
class Records:
    """A project's records. book: None where there is no project. asked: the production, None for the project's own."""

    book: ConsentBook | None
    asked: str | None

    @property
    def production(self) -> str | None:
        """The production that the consents are held against."""
        return self.asked or (self.book.production if self.book else None)

    def person(self, part: PerformerPart) -> dict[str, Any]:
        """A performer in a result. name: None where no record tells it. may_now: whether any consent allows this use today, None if unknown."""
        unknown = is_sample(part.id) or self.book is None
        return {
            "id": part.id,
            "name": self._name(part.id),
            "role": part.role,
            "consents": list(part.consents),
            "may_now": None if unknown or not self.book else bool(self.book.allowing(part.id, USE[part.role])),
        }

    def pair(self, target: str | None, source: str | None, people: Sequence[dict[str, Any]]) -> dict[str, str | None]:
        """Who was replaced by whom: as the records name them, else by id, else as the edit does. people: those in the result."""
        return {
            "target": self._called(target, "target", people),
            "source": self._called(source, "source", people),
        }

    def consent(self, id: str) -> dict[str, Any]:
        """A consent record, and whether it holds today (None: that cannot be told here), with `stands` in words."""
        consent = self.book.consents.get(id) if self.book else None
        if self.book is None or consent is None or id == RECORD:
            names = ("reason", "performer", "performer_id", "given_by", "from", "until", "production", "basis")
            known: dict[str, Any] = {"holds": None, "stands": "sample footage" if id == RECORD else "not looked up"}
            if self.book is not None and id != RECORD:
                known = {"holds": False, "stands": "is not in the records of this project"}
            return {"id": id, **dict.fromkeys(names), "document": None, "uses": [], **known}
        paper = consent.document
        return {
            **consent.model_dump(mode="json", exclude={"kind", "document", "performer"}),
            "performer": self._name(consent.performer) or consent.performer,
            "performer_id": consent.performer,
            "document": paper and {"name": paper.name, "sha256": paper.sha256},
            "holds": self.book.state(consent) == "in force",
            "stands": self.book.stands(consent),
            "reason": self.book.revoked[id].reason if id in self.book.revoked else None,
        }

    def _name(self, id: str) -> str | None:
        if is_sample(id):
            return id.removeprefix("sample-")
        performer = self.book.performers.get(id) if self.book else None
        return performer.name if performer else None

    def _called(self, name: str | None, role: Role, people: Sequence[dict[str, Any]]) -> str | None:
        parts = [PerformerPart(id=p["id"], role=p["role"]) for p in people]
        id = performer_called(name or "", role, parts, self.book)
        return name if id is None else self._name(id) or id
