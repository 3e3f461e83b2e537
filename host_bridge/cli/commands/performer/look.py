"""`faceplate performer list`, `show`, `verify` and `affected`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.commands.performer.common import performer, the_book, the_project
from host_bridge.cli.consent_view import (
    made_as_json,
    print_made,
    print_performer,
    print_verified,
    verified_as_json,
)
from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json, print_table
from nodes.consent.affected import find_made
from nodes.consent.book import book_of
from nodes.consent.check import the_performer
from nodes.consent.documents import consents_with
from nodes.consent.standing import of_performer, of_project
from nodes.consent.verify import verify as look
from nodes.errors import ConsentError, UsageError


@performer.command(name="list")
def list_(*, project: Path | None = None, production: str | None = None, json: Flag = False) -> None:
    """List the performers of the project, and what they allow today.

    Parameters
    ----------
    project
        The project's folder; by default the one that holds the folder you are in.
    production
        What they allow for another production than the project's own.
    json
        Print the list as JSON.
    """
    book = the_book(project)
    told = of_project(book, production)
    if json:
        print_json(told)
        return
    rows = [
        (p["name"], p["id"], ", ".join(p["allows"]) or "nothing", p["until"] or "", p["why_not"] or "")
        for p in told["performers"]
    ]
    print_table(("performer", "id", "may be", "until", "note"), rows)


@performer.command
def show(who: str, /, *, project: Path | None = None, production: str | None = None, json: Flag = False) -> None:
    """Show a performer: all consents, and which clips show the face.

    Parameters
    ----------
    who
        Name or id.
    project
        The project's folder; by default the one that holds the folder you are in.
    production
        How the consents stand for another production than the project's own.
    json
        Print it as JSON.
    """
    book = the_book(project)
    told = of_performer(book, the_performer(book, who).id, production)
    if json:
        print_json({"schema": "faceplate.performer/1", **told})
    else:
        print_performer(told)


@performer.command
def verify(
    *documents: Annotated[Path, Parameter(name="DOCUMENT")],
    trust: str | None = None,
    project: Path | None = None,
    json: Flag = False,
) -> int:
    """Check that no record was changed, deleted, exchanged or moved in time. Ends with status 10 if one was.

    Parameters
    ----------
    documents
        Signed documents: say which consent each was recorded with, to the byte.
    trust
        Fingerprint of the project's key, as somebody you trust gives it: take the records as they are now for right, though this machine
        remembers another key or later ones.
    project
        The project's folder; by default the one that holds the folder you are in.
    json
        Print what was found as JSON.
    """
    home = the_project(project)
    found = look(home, trust=trust)
    papers = {}
    if found.chain.opened and not found.chain.faults:
        book = book_of(found.chain)
        papers = {str(paper): [c.id for c in consents_with(book, paper.expanduser())] for paper in documents}
    if json:
        print_json(verified_as_json(found, papers))
    else:
        print_verified(found, papers)
    return ConsentError.exit_status if found.faults or not all(papers.values()) else 0


@performer.command
def affected(
    who: str | None = None, /, *, under: Path | None = None, project: Path | None = None, json: Flag = False
) -> None:
    """List facesets, models, shots and timelines that were made by consents which no longer stand; or all of one performer.

    Parameters
    ----------
    who
        A performer: list all that this face went into, whether it is still allowed or not.
    under
        The folder to look in, with all below it; by default the project's.
    project
        The project's folder; by default the one that holds the folder you are in.
    json
        Print the list as JSON.
    """
    book = the_book(project)
    id = None if who is None else the_performer(book, who).id
    folder = book.project if under is None else under.expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"--under {folder}: is no folder", remedy="Give the folder to look in")
    made = [m for m in find_made(folder) if (id in m.performers if id else m.fallen(book))]
    if json:
        told = {"schema": "faceplate.affected/1", "project": str(book.project), "under": str(folder)}
        print_json({**told, "made": made_as_json(book, made)})
    elif made:
        print_made(book, made)
    else:
        print("nothing below " + str(folder))
