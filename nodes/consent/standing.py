"""How consent stands, as plain data: the performers of a project, one of them, or the two of a shot. `said` is for people, alike in every host."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.check import MAY, ConsentGiven, allowed, current_book
from nodes.consent.footage import Face, permit
from nodes.consent.grant import Clip, Model, faces_of, for_swap
from nodes.consent.parameters import AskedOfTwo
from nodes.consent.record import USES, ConsentRecord
from nodes.consent.samples import is_sample
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


def of_shot(
    plate: Clip, source: Clip | None, model: Model | None, cast: AskedOfTwo, project: Path | None
) -> dict[str, Any]:
    """How a shot stands that is to be made: whether it may be, its `target` and `source`, and all of it in words."""
    told = _of_pair(faces_of(plate, source, model, cast), project, cast.production)
    if told["allowed"]:  # each by itself; the model may forbid it still
        try:
            for_swap(plate, source, model, cast, project)
        except ConsentError as e:
            return told | {"allowed": False, "said": _in_words(e, project)}
    return told


def of_training(target: Clip, source: Clip | None, cast: AskedOfTwo, project: Path | None) -> dict[str, Any]:
    """The same of a training on these two clips."""
    pair = faces_of(target, source, None, cast)
    return _of_pair((replace(pair[0], use="train"), replace(pair[1], use="train")), project, cast.production)


def _of_pair(faces: tuple[Face, Face], project: Path | None, production: str | None) -> dict[str, Any]:
    target, source = (_of_face(face, project, production) for face in faces)
    said = dict.fromkeys((target["said"], source["said"]))  # once, where the two are one
    return {
        "allowed": target["allowed"] and source["allowed"],
        "said": "; ".join(said),
        "target": target,
        "source": source,
    }


def _of_face(face: Face, project: Path | None, production: str | None) -> dict[str, Any]:
    """Whose face it is, by which records it may be used so, until when (None without an end); or why not, and what to do about it."""
    try:
        given = permit(face, project, production)
    except ConsentError as e:
        why = {"why": e.what, "remedy": e.remedy, "said": _in_words(e, project)}
        return {"allowed": False, "id": None, "name": face.said, "until": None, "consents": [], **why}
    until = _until(given, project)
    end = f" until {until}" if until else ""
    return {
        "allowed": True,
        "id": given.performer,
        "name": given.name,
        "until": until,
        "consents": list(given.consents),
        "why": None,
        "remedy": None,
        "said": f"{given.name} may {MAY[face.use]}{end} ({', '.join(given.consents)})",
    }


def _in_words(e: ConsentError, project: Path | None) -> str:
    """A refusal as a sentence; the folder of the project is in its remedy."""
    where = f"{e.file}: " if e.file not in (None, project) else ""
    return f"{where}{e.what}" + (f". {e.remedy}" if e.remedy else "")


def _until(given: ConsentGiven, project: Path | None) -> str | None:
    if project is None or is_sample(given.performer):
        return None
    consents = current_book(project, clock.now()).consents
    ends = [consents[id].until for id in given.consents]
    return None if None in ends else max(e for e in ends if e).isoformat()


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
