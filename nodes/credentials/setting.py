"""Whether a project's results carry Content Credentials: they do, unless its records say otherwise, signed and with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nodes.consent import clock
from nodes.consent.book import Book, open_book
from nodes.consent.record import CredentialsRecord
from nodes.consent.write import append
from nodes.errors import CredentialsError


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """By which record, by its number and its hash, since when and why."""

    record: int
    hash: str
    since: datetime
    reason: str

    def document(self) -> dict[str, Any]:
        """What a shot's document says under `credentials` instead of who signed it."""
        return {
            "signed": False,
            "record": {"number": self.record, "hash": self.hash},
            "since": self.since.isoformat(timespec="seconds"),
            "reason": self.reason,
        }


def switched_off(project: Path | None) -> SwitchedOff | None:
    """The record by which a project's results go unsigned; None where they are signed. Raises ConsentError."""
    return None if project is None else _off(open_book(project))


def switch(project: Path, signed: bool, reason: str, now: datetime | None = None) -> SwitchedOff | None:
    """Record that results are signed from now on, or are not; nothing is recorded where it is so already.

    Raises CredentialsError where they shall not be and no reason is given; ConsentError, OutputError.
    """
    if not signed and not reason.strip():
        raise CredentialsError("to switch Content Credentials off needs a reason", remedy="Give one with --reason")

    def decide(book: Book) -> list[CredentialsRecord]:
        known = (_off(book) is None) == signed
        return [] if known else [CredentialsRecord(signed=signed, reason=reason.strip())]

    return _off(append(project, decide, now or clock.now()))


def _off(book: Book) -> SwitchedOff | None:
    for entry in reversed(book.chain.entries):
        if isinstance(entry.body, CredentialsRecord):
            return None if entry.body.signed else SwitchedOff(entry.number, entry.hash, entry.time, entry.body.reason)
    return None
