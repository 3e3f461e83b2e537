"""May this be done? The one question that all who write results ask before they begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from nodes.consent import clock
from nodes.consent.book import Book, Performer, open_book
from nodes.consent.continuity import remember
from nodes.consent.provenance import Part, Role
from nodes.consent.record import ConsentRecord, Use
from nodes.consent.write import check_clock
from nodes.errors import ConsentError
from nodes.text import command_line

MAY = {"replaced": "be replaced", "replacement": "be put in", "train": "be trained on"}


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """Who it is, and the ids of the records that allow it now."""

    performer: str
    name: str
    consents: tuple[str, ...]

    def part(self, role: Role) -> Part:
        """As provenance tells it."""
        return Part(id=self.performer, role=role, consents=self.consents)


def require(
    use: Use, performer: str, project: Path | None, production: str | None = None, now: datetime | None = None
) -> ConsentGiven:
    """See that a performer (id or name) may be used so, today; production: by default the project's own.

    Raises ConsentError, which says why not and the command that records what is missing.
    """
    now = now or clock.now()
    if project is None:
        refuse_without_project(use, performer)
    book = current_book(project, now)
    return allowed(book, the_performer(book, performer, use), use, production, now)


def current_book(project: Path, now: datetime) -> Book:
    """Look into a project as it is now, and remember that; raises ConsentError for records or a clock that cannot be relied on."""
    book = open_book(project)
    check_clock(book, now)
    remember(book.chain, now)
    return book


def the_performer(book: Book, name: str, use: Use = "replaced") -> Performer:
    """The one performer of this id or name; raises ConsentError where there is none, or more than one."""
    found = book.named(name)
    if not found:
        raise ConsentError(
            f"there is no performer '{name}' in this project",
            file=book.project,
            remedy=f"Record the consent: {how_to_add(name, use, book)}",
        )
    if len(found) > 1:
        raise ConsentError(
            f"{len(found)} performers are called '{name}': {listed(found)}", file=book.project, remedy="Give the id"
        )
    return found[0]


def allowed(book: Book, performer: Performer, use: Use, production: str | None, now: datetime) -> ConsentGiven:
    """The consents that allow this now; raises ConsentError when there are none."""
    today = clock.day(now)
    if consents := book.allowing(performer.id, use, today, production):
        return ConsentGiven(performer.id, performer.name, tuple(c.id for c in consents))
    why = [_why_not(book, c, use, now, production) for c in reversed(book.consents_of(performer.id))]
    raise ConsentError(
        f"{performer.name} ({performer.id}) may not {MAY[use]}: {'; '.join(why[:3]) or 'no consent is recorded'}",
        file=book.project,
        remedy=f"Record a consent that allows it: {how_to_add(performer.id, use, book, production)}",
    )


def not_revoked(book: Book, consents: tuple[str, ...], what: str, file: Path | None) -> None:
    """Raise ConsentError where one of these consents, by which something was made, has been revoked or is not known here."""
    for id in consents:
        if id not in book.consents:
            raise ConsentError(
                f"{what} was made by the consent {id}, which is not in the project {book.project}",
                file=file,
                remedy="Name the project that it was made in with --project",
            )
        if taken := book.revoked.get(id):
            raise ConsentError(
                f"{what} was made by the consent {id}, which was revoked on {clock.day(taken.time)}",
                file=file,
                remedy="Delete it; `faceplate performer affected` lists what else was made by it",
            )


def refuse_without_project(use: Use, performer: str | None) -> NoReturn:
    """Raise the ConsentError of a place in which no consent at all is recorded."""
    raise ConsentError(
        f"nobody may {MAY[use]} here: no consent is recorded",
        remedy=f"Record it in the folder of your project: {how_to_add(performer or 'NAME', use)}; if it is yourself, --self instead of a document",
    )


def how_to_add(name: str, use: Use, book: Book | None = None, production: str | None = None) -> str:
    """The command that records a consent for this; document and date, at its end, are for the user to fill in."""
    words = ["faceplate", "performer", "add", name, *(["--project", str(book.project)] if book else [])]
    words += ["--production", production] if production else []
    words += ["--document", "RELEASE.pdf", "--use", "train" if use == "train" else "replace", "--until", "YYYY-MM-DD"]
    return command_line(*words)


def listed(performers: list[Performer]) -> str:
    """Performers as a sentence lists them."""
    return ", ".join(f"{p.name} ({p.id}, since {clock.day(p.added)})" for p in performers)


def _why_not(book: Book, consent: ConsentRecord, use: Use, now: datetime, production: str | None) -> str:
    if use not in consent.uses:
        return f"{consent.id} allows {', '.join(consent.uses)} alone"
    match book.state(consent, clock.day(now), production):
        case "revoked":
            taken = book.revoked[consent.id]
            return f"{consent.id} was revoked on {clock.day(taken.time)}{f' ({taken.reason})' if taken.reason else ''}"
        case "expired":
            return f"{consent.id} ended on {consent.until}"
        case "not yet":
            return f"{consent.id} begins on {consent.from_}"
        case _:
            wanted = production or book.opened.production
            return f"{consent.id} is for the production '{consent.production}', this is '{wanted}'"
