"""`faceplate performer`: add, list, show, rename, footage, revoke, verify."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from host_bridge.cli.options import Flag, Json
from host_bridge.cli.output import print_json, print_table
from host_bridge.jobs.consent import PerformersResult
from nodes.consent import edit
from nodes.consent.book import MAY, ConsentBook, describe, open_book
from nodes.consent.book import verify as find_faults
from nodes.consent.keys import fingerprint, key_file
from nodes.consent.records import FOLDER, USES, ConsentRecord, Use, find_project, how_to_add, is_project, named_project
from nodes.errors import ConsentError, UsageError
from nodes.text import counted

performer = App(name="performer", help_format="plaintext")
Project = Annotated[
    Path | None, Parameter(help="The project's folder; by default the one that holds the folder you are in.")
]
Production = Annotated[str | None, Parameter(help="For another production than the project's own.")]
Files = Annotated[tuple[Path, ...], Parameter(negative="", show_default=False, consume_multiple=True)]


@performer.command(usage="Usage: faceplate performer add NAME [OPTIONS]")
def add(
    name: str,
    /,
    *,
    document: Path | None = None,
    use: str | None = None,
    until: str | None = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    production: str | None = None,
    given_by: str | None = None,
    keep: Flag = False,
    self_: Annotated[Flag, Parameter(name="--self")] = False,
    footage: Files = (),
    project: Project = None,
    json: Json = False,
) -> None:
    """Record the consent of a performer. The first one makes the folder a project.

    Parameters
    ----------
    name
        The performer's name; or the id of one who is known, for a further consent.
    document
        The signed release. Its name and SHA-256 are recorded, so that it can be told from any other.
    use
        What is allowed, between commas: replace (both of the next), replaced (this face may be replaced by another), replacement (it may be put
        in for another), train (a model may be trained on it). With --self all, unless it is said.
    until
        Last day, YYYY-MM-DD; or `revoked`, for a consent without an end. Days begin and end at midnight in UTC.
    from_
        First day, by default today in UTC.
    production
        The production that it is given for, or `any`; by default the project's own, which the first record names (else the folder does).
    given_by
        Who gave it, where that is not the performer: a parent, an estate.
    keep
        Keep a copy of the document in the project.
    self_
        You are the performer yourself: no document is asked for, and no end.
    footage
        Clips that show this performer, who then need not be named where these are used. Can be repeated.
    """
    if (document is None) == (not self_):
        what = "there is a --document and --self" if document else "nothing shows that the performer agreed"
        raise UsageError(what, remedy=f"Give --self if you are the performer, else the signed release: {how_to_add()}")
    if keep and document is None:
        raise UsageError("--keep: there is no document to keep", remedy="Leave it out")
    if until is None and not self_:
        raise UsageError(
            "it is not said until when", remedy="Give the last day, --until 2027-12-31, or --until revoked"
        )
    terms = edit.Terms(
        uses=_uses(use, USES if self_ else ()),
        from_=None if from_ is None else _day(from_, "--from"),
        until=None if until in (None, "revoked") else _day(str(until), "--until"),
        production=production,
        paper=document and document.expanduser(),
        keep=keep,
        given_by=given_by,
    )
    home = named_project(project) or find_project(Path.cwd()) or Path.cwd()
    new = not is_project(home)
    book, person, consent = edit.add(home, name, terms, _digests(footage))
    if json:
        print_json({"schema": "faceplate.performer/1", "new_project": new} | _performer(book, person.id))
        return
    until_when = f"until {consent.until}" if consent.until else "until revoked"
    where = "any production" if consent.production is None else f"the production '{consent.production}'"
    print(f"{person}: may be {_may(consent.uses)}, from {consent.from_} {until_when}, in {where}")
    paper = consent.document
    basis = f"{paper.name}, SHA-256 {paper.sha256}{', a copy is kept' if paper.kept else ''}" if paper else "yourself"
    print(f"recorded as {consent.id}, by {basis}")
    if new:
        key, file = fingerprint(book.opened.key), key_file(book.opened.id)
        print(f"new project for the production '{book.opened.production}': {book.project / FOLDER}")
        print(
            f"its key is {key}: note that. Keep a copy of {file} where only you can read it: without it nobody can add."
        )


@performer.command(name="list")
def list_(*, project: Project = None, production: Production = None, json: Json = False) -> None:
    """List the performers of the project, and what they allow today."""
    result = PerformersResult.of(open_book(the_project(project), production))
    if json:
        print_json(result)
        return
    rows = [(p.name, p.id, ", ".join(p.allows) or "nothing", p.until or "", p.why_not or "") for p in result.performers]
    print_table(("performer", "id", "may be", "until", "note"), rows)


@performer.command
def show(who: str, /, *, project: Project = None, production: Production = None, json: Json = False) -> None:
    """Show a performer: all consents, and which clips show the face.

    Parameters
    ----------
    who
        Name or id.
    """
    book = open_book(the_project(project), production)
    _show(book, book.the_performer(who).id, json=json)


@performer.command
def rename(who: str, name: str, /, *, project: Project = None, json: Json = False) -> None:
    """Give a performer another name. The id stays, and with it all that was recorded and made.

    Parameters
    ----------
    who
        Name or id.
    name
        The new name.
    """
    book = edit.rename(the_project(project), who, name)
    _show(book, book.the_performer(name).id, json=json)


@performer.command
def footage(
    who: str, *clips: Annotated[Path, Parameter(name="CLIP")], project: Project = None, json: Json = False
) -> None:
    """Say whose face is the main one in clips: where these are used, it need not be said again.

    Parameters
    ----------
    who
        Name or id.
    clips
        Movies or image sequences.
    """
    if not clips:
        raise UsageError("no CLIP is given", remedy="Name the footage: faceplate performer footage NAME CLIP...")
    book = edit.register(the_project(project), who, _digests(clips))
    _show(book, book.the_performer(who).id, json=json)


@performer.command
def revoke(who: str, /, *, reason: str = "", project: Project = None, json: Json = False) -> None:
    """Take consent back, from now on. Anybody who has the project may; nothing is deleted.

    Parameters
    ----------
    who
        The performer, whose consents are all revoked, by name or id; or the id of one consent.
    reason
        Why, for the record.
    """
    home = the_project(project)
    book, revoked_ids = edit.revoke(home, who, reason)
    owners = {id: book.performers[book.consents[id].performer] for id in revoked_ids}
    if json:
        revoked = [{"id": id, "performer": owner.id} for id, owner in owners.items()]
        print_json({"schema": "faceplate.revoked/1", "project": str(home), "revoked": revoked})
        return
    for id, owner in owners.items():
        print(f"revoked: {id} of {owner}")
    if not revoked_ids:
        print("there was nothing left to revoke")


@performer.command
def verify(*documents: Annotated[Path, Parameter(name="DOCUMENT")], project: Project = None, json: Json = False) -> int:
    """Check that no record was changed, deleted or exchanged. Ends with status 10 if one was.

    Parameters
    ----------
    documents
        Signed documents: say which consent each was recorded with, to the byte.
    """
    home = the_project(project)
    chain = find_faults(home)
    book = None if any(fault.file.parent.name == FOLDER for fault in chain.faults) else open_book(home)
    papers = {str(paper): _recorded_with(book, paper) for paper in documents} if book else {}
    key = fingerprint(chain.opened.key) if chain.opened else None
    can_add = book is not None and edit.key_of_project(book.opened) is not None
    if json:
        result = {
            "sound": not chain.faults,
            "faults": [{"file": str(f.file), "what": f.what} for f in chain.faults],
            "records": len(chain.records),
            "production": chain.opened and chain.opened.production,
            "key": key,
            "can_add": can_add,
            "documents": papers,
        }
        print_json({"schema": "faceplate.verified/1", "project": str(home), **result})
    else:
        for fault in chain.faults:
            print(f"{fault.file}: {fault.what}")
        for name, ids in papers.items():
            print(f"{name}: {'recorded with ' + ', '.join(ids) if ids else 'is in no record'}")
        if not chain.faults:
            count = counted(len(chain.records), "record")
            mine = "" if can_add else "; its private key is not here, so this user cannot add"
            print(f"{count}, none changed, none missing. The project's key is {key}{mine}.")
    return ConsentError.exit_status if chain.faults or not all(papers.values()) else 0


def _recorded_with(book: ConsentBook, paper: Path) -> list[str]:
    digest = describe(paper.expanduser()).sha256
    return [c.id for c in book.consents.values() if c.document and c.document.sha256 == digest]


def the_project(told: Path | None) -> Path:
    """Find the named project, or that of the current folder; raises ConsentError for a folder without a project."""
    project = find_project(Path.cwd(), given=told)
    if project is None:
        raise ConsentError(
            "there is no project here: no consent is recorded",
            file=Path.cwd(),
            remedy=f"Name the project with --project, or record one: {how_to_add()}",
        )
    return project


def _digests(clips: Sequence[Path]) -> list[tuple[str, str]]:
    """Compute digest and name of each clip."""
    from nodes.cache import digest_footage

    return [(digest_footage(clip.expanduser()), clip.name) for clip in clips]


def _uses(told: str | None, default: Sequence[Use]) -> tuple[Use, ...]:
    """Parse the uses of `--use`."""
    words = [word.strip().lower() for word in (told or "").split(",") if word.strip()]
    if not words and default:
        return tuple(default)
    unknown = [word for word in words if word not in ("replace", *USES)]
    if not words or unknown:
        what = f"there is no use '{unknown[0]}'" if unknown else "no use is given"
        raise UsageError(f"--use: {what}", remedy="Give replace, replaced, replacement or train, between commas")
    return tuple(use for use in USES if use in words or (use != "train" and "replace" in words))


def _day(told: str, option: str) -> date:
    try:
        if len(told) != 10:
            raise ValueError
        return date.fromisoformat(told)
    except ValueError as e:
        raise UsageError(f"{option} {told}: is no day", remedy="Write it as 2027-12-31") from e


def _may(uses: Sequence[Use]) -> str:
    return ", ".join(MAY[use] for use in uses)


def _performer(book: ConsentBook, id: str) -> dict[str, Any]:
    """Describe a performer with all consents, for JSON."""
    return {
        "project": str(book.project),
        "production": book.opened.production,
        **book.summary(book.performers[id]).model_dump(mode="json"),
        "consents": [_consent(book, consent) for consent in book.consents_of(id)],
        "footage": [digest for digest, who in book.footage.items() if who == id],
    }


def _consent(book: ConsentBook, consent: ConsentRecord) -> dict[str, Any]:
    revoked = book.revoked.get(consent.id)
    return {
        **consent.model_dump(mode="json", exclude={"kind", "performer"}),
        "state": book.state(consent),
        "recorded": book.given[consent.id].isoformat(),
        "revoked": revoked and {"time": revoked.time.isoformat(), "reason": revoked.reason},
    }


def _show(book: ConsentBook, id: str, *, json: bool) -> None:
    if json:
        print_json({"schema": "faceplate.performer/1", **_performer(book, id)})
        return
    print(f"{book.performers[id]}, production '{book.opened.production}'")
    rows = [
        (
            c.id,
            book.state(c),
            _may(c.uses),
            c.from_,
            c.until or "revoked",
            c.production or "any",
            "self" if c.basis == "self" else c.given_by,
            c.document.name if c.document else "",
        )
        for c in book.consents_of(id)
    ]
    print_table(("consent", "state", "may be", "from", "until", "production", "by", "document"), rows)
    if clips := sum(who == id for who in book.footage.values()):
        print(f"{counted(clips, 'clip')} registered")
