"""Who is seen in a clip, and whether that face may be used so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nodes.consent import clock
from nodes.consent.book import Book, Performer
from nodes.consent.check import (
    ConsentGiven,
    allowed,
    current_book,
    how_to_add,
    listed,
    refuse_without_project,
    the_performer,
)
from nodes.consent.provenance import Provenance
from nodes.consent.record import Use
from nodes.consent.samples import is_sample, published
from nodes.errors import ConsentError
from nodes.text import command_line


@dataclass(frozen=True, slots=True)
class Face:
    """A face that somebody wants to use, and what is known of whose it is.

    said: a performer's name or id as the user gives it, by `option`. clip, digest: footage that shows it; None where there is none. model:
    id of the performer whose face a model says that it is.
    """

    use: Use
    option: str
    said: str | None = None
    clip: Path | None = None
    digest: str | None = None
    model: str | None = None


def permit(
    face: Face, project: Path | None, production: str | None = None, now: datetime | None = None
) -> ConsentGiven:
    """See that a face may be used so today, and return whose it is and by which records. Raises ConsentError.

    A sample clip speaks for itself. Else whose it is says the user; else the clip, where it is registered with a performer; else the model;
    else it is the only performer of the project who may be used so, if nobody else ever might.
    """
    now = now or clock.now()
    if face.digest and (sample := published(face.digest)):
        return sample
    if project is None:
        refuse_without_project(face.use, face.said)
    book = current_book(project, now)
    return allowed(book, _whose(book, face, production, now), face.use, production, now)


def check_shown(made: Provenance, book: Book | None, what: str, file: Path | None = None) -> None:
    """Raise ConsentError where something names others than those whom its footage is known to show.

    Somebody edited it, or the footage was registered with another performer since. book: of the project, None without one.
    """
    named = {part.id for part in made.performers}
    samples = {sample.performer for digest in made.footage if (sample := published(digest))}
    shown = samples | {book.footage[digest] for digest in made.footage if book and digest in book.footage}
    wrong = next(iter(sorted(shown - named) or sorted(id for id in named - samples if is_sample(id))), None)
    if named and wrong:
        told = (
            "is not made from the footage of" if wrong in named else "does not name, but was made from the footage of,"
        )
        raise ConsentError(f"{what} {told} {wrong}", file=file, remedy="Make it again from its footage")


def _whose(book: Book, face: Face, production: str | None, now: datetime) -> Performer:
    registered = book.footage.get(face.digest or "")
    if face.said:
        performer = the_performer(book, face.said, face.use)
        if registered and registered != performer.id:
            other = book.performers[registered]
            raise ConsentError(
                f"shows {other.name} ({other.id}), as is recorded, not {performer.name} ({performer.id})",
                file=face.clip,
                remedy=f"Give the right performer with {face.option}, or the right footage",
            )
        return performer
    if known := registered or face.model:
        return the_performer(book, known, face.use)
    may = [p for p in book.performers.values() if book.allowing(p.id, face.use, clock.day(now), production)]
    # It may be the face of somebody whose consent has ended or was revoked; that is not another's.
    once = [p for p in book.performers.values() if any(face.use in c.uses for c in book.consents_of(p.id))]
    if len(may) == len(once) == 1:
        return may[0]
    if not may and len(book.performers) == 1:
        return next(iter(book.performers.values()))  # for the reason why not
    if not may:
        why = [_refusal(book, p, face.use, production, now) for p in book.performers.values()]
        raise ConsentError(
            f"{'; '.join(why[:4])}{'; and so on' if len(why) > 4 else ''}",
            file=face.clip or book.project,
            remedy=f"Record a consent that allows it: {how_to_add('NAME', face.use, book, production)}",
        )
    words = ("faceplate", "performer", "footage", "--project", str(book.project), "NAME", str(face.clip))
    register = f", or once and for all: {command_line(*words)}" if face.clip else ""
    raise ConsentError(
        f"whose face this is is not known; it may be that of {listed(once)}",
        file=face.clip or book.project,
        remedy=f"Say it with {face.option} NAME{register}",
    )


def _refusal(book: Book, performer: Performer, use: Use, production: str | None, now: datetime) -> str:
    try:
        allowed(book, performer, use, production, now)
    except ConsentError as e:
        return e.what
    return ""
