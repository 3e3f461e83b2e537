"""`faceplate performer add`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.commands.performer.common import digests, performer
from host_bridge.cli.consent_view import (
    print_added,
)
from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json
from nodes.consent import edit
from nodes.consent.project import find_project, how_to_begin, is_project, told_project
from nodes.consent.record import USES, Use
from nodes.consent.standing import of_performer
from nodes.errors import UsageError

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
    another: Flag = False,
    project: Path | None = None,
    json: Flag = False,
) -> None:
    """Record the consent of a performer. The first one makes the folder a project.

    Parameters
    ----------
    name
        The performer's name; or the id of one who is known. A known name is the same performer.
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
    another
        Add another performer, though one of this name is known.
    project
        The project's folder; by default the one that holds the folder you are in, else that folder.
    json
        Print what was recorded as JSON.
    """
    if (document is None) == (not self_):
        what = "there is a --document and --self" if document else "nothing shows that the performer agreed"
        raise UsageError(what, remedy=f"Give the signed release: {how_to_begin()}; or --self if you are the performer")
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
    home = _place(project)
    new = not is_project(home)
    added = edit.add(home, name, terms, digests(footage), another=another)
    if json:
        told = of_performer(added.book, added.performer.id)
        print_json({"schema": "faceplate.performer/1", "new_project": new, "known_before": added.there, **told})
    else:
        print_added(added, new_project=new)


def _uses(told: str | None, default: Sequence[Use]) -> tuple[Use, ...]:
    """What `--use` says."""
    words = [word.strip().lower() for word in (told or "").split(",") if word.strip()]
    if not words and default:
        return tuple(default)
    said = {"replace", *USES}
    if not words or set(words) - said:
        what = f"there is no use '{next(w for w in words if w not in said)}'" if words else "no use is given"
        raise UsageError(f"--use: {what}", remedy="Give replace, replaced, replacement or train, between commas")
    wanted = {*words, *(("replaced", "replacement") if "replace" in words else ())}
    return tuple(use for use in USES if use in wanted)


def _day(told: str, option: str) -> date:
    try:
        if len(told) != 10:
            raise ValueError
        return date.fromisoformat(told)
    except ValueError as e:
        raise UsageError(f"{option} {told}: is no day", remedy="Write it as 2027-12-31") from e


def _place(told: Path | None) -> Path:
    """The project's folder, or the one that is to become it."""
    return told_project(told) or find_project(Path.cwd()) or Path.cwd()
