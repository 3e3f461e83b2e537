"""`faceplate performer rename`, `footage` and `revoke`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.commands.performer.common import digests, performer, the_book, the_project
from host_bridge.cli.consent_view import (
    made_as_json,
    print_made,
    print_performer,
)
from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json
from nodes.consent import edit
from nodes.consent.affected import find_made
from nodes.consent.check import the_performer
from nodes.consent.standing import of_performer
from nodes.errors import UsageError


@performer.command
def rename(who: str, name: str, /, *, project: Path | None = None, json: Flag = False) -> None:
    """Give a performer another name. The id stays, and with it all that was recorded and made.

    Parameters
    ----------
    who
        Name or id.
    name
        The new name.
    project
        The project's folder; by default the one that holds the folder you are in.
    json
        Print the performer as JSON.
    """
    id = the_performer(the_book(project), who).id
    told = of_performer(edit.rename(the_project(project), id, name), id)
    if json:
        print_json({"schema": "faceplate.performer/1", **told})
    else:
        print_performer(told)


@performer.command
def footage(
    who: str,
    *clips: Annotated[Path, Parameter(name="CLIP")],
    project: Path | None = None,
    json: Flag = False,
) -> None:
    """Say whose face is the main one in clips: where these are used, it need not be said again.

    Parameters
    ----------
    who
        Name or id.
    clips
        Movies or image sequences.
    project
        The project's folder; by default the one that holds the folder you are in.
    json
        Print the performer as JSON.
    """
    if not clips:
        raise UsageError("no CLIP is given", remedy="Name the footage: faceplate performer footage NAME CLIP...")
    id = the_performer(the_book(project), who).id
    told = of_performer(edit.register(the_project(project), id, digests(clips)), id)
    if json:
        print_json({"schema": "faceplate.performer/1", **told})
    else:
        print_performer(told)


@performer.command
def revoke(who: str, /, *, reason: str = "", project: Path | None = None, json: Flag = False) -> None:
    """Take consent back, from now on. Anybody who has the project may; nothing is deleted.

    Parameters
    ----------
    who
        The performer, whose consents are all revoked, by name or id; or the id of one consent.
    reason
        Why, for the record.
    project
        The project's folder; by default the one that holds the folder you are in.
    json
        Print what was revoked, and what was made by it, as JSON.
    """
    home = the_project(project)
    book, taken = edit.revoke(home, who, reason)
    made = [m for m in find_made(home) if set(m.provenance.consents) & set(taken)]
    if json:
        told = [{"id": id, "performer": book.consents[id].performer} for id in taken]
        print_json(
            {"schema": "faceplate.revoked/1", "project": str(home), "revoked": told, "made": made_as_json(book, made)}
        )
        return
    for id in taken:
        owner = book.performers[book.consents[id].performer]
        print(f"revoked: {id} of {owner.name} ({owner.id})")
    if not taken:
        print("there was nothing left to revoke")
    if made:
        print("made by it, below the project:")
        print_made(book, made)
