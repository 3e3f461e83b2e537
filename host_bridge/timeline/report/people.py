"""The people in a result, and how the consents by which it was made stand today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from host_bridge.timeline.origin import performer_called
from host_bridge.timeline.report.document import CastPair, ConsentStanding, Person, ReportedPaper
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

    def person(self, part: PerformerPart) -> Person:
        """Describe a performer in a result."""
        unknown = is_sample(part.id) or self.book is None
        may_now = None if unknown or not self.book else bool(self.book.allowing(part.id, USE[part.role]))
        return Person(id=part.id, name=self._name(part.id), role=part.role, consents=part.consents, may_now=may_now)

    def pair(self, target: str | None, source: str | None, people: Sequence[Person]) -> CastPair:
        """Name who was replaced by whom. people: those in the result."""
        return CastPair(target=self._called(target, "target", people), source=self._called(source, "source", people))

    def consent(self, id: str) -> ConsentStanding:
        """Describe a consent record as it stands today."""
        if id == RECORD:
            return ConsentStanding(id=id, holds=None, stands="sample footage")
        if self.book is None:
            return ConsentStanding(id=id, holds=None, stands="not looked up")
        consent = self.book.consents.get(id)
        if consent is None:
            return ConsentStanding(id=id, holds=False, stands="is not in the records of this project")
        paper = consent.document
        return ConsentStanding(
            **consent.model_dump(exclude={"kind", "performer", "document", "from_"}),
            performer=self._name(consent.performer) or consent.performer,
            performer_id=consent.performer,
            from_=consent.from_,
            document=ReportedPaper(name=paper.name, sha256=paper.sha256) if paper else None,
            holds=self.book.state(consent) == "in force",
            stands=self.book.stands(consent),
            reason=self.book.revoked[id].reason if id in self.book.revoked else None,
        )

    def _name(self, id: str) -> str | None:
        if is_sample(id):
            return id.removeprefix("sample-")
        performer = self.book.performers.get(id) if self.book else None
        return performer.name if performer else None

    def _called(self, name: str | None, role: Role, people: Sequence[Person]) -> str | None:
        parts = [PerformerPart(id=p.id, role=p.role) for p in people]
        id = performer_called(name or "", role, parts, self.book)
        return name if id is None else self._name(id) or id
