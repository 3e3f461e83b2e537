"""Performers and their consents as commands print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from host_bridge.cli.output import print_table
from nodes.consent import clock
from nodes.consent.affected import Made
from nodes.consent.book import Book
from nodes.consent.edit import Added
from nodes.consent.keys import fingerprint, key_file
from nodes.consent.project import records_folder
from nodes.consent.record import ConsentRecord
from nodes.consent.verify import Verified
from nodes.text import counted

_WORDS = {"replaced": "replaced", "replacement": "put in", "train": "trained on"}


def print_added(added: Added, *, new_project: bool) -> None:
    """Say what was recorded."""
    book, consent, person = added.book, added.consent, added.performer
    print(f"{person.name} ({person.id}): {_sentence(consent)}")
    paper = consent.document
    basis = f"{paper.name}, SHA-256 {paper.sha256}{', a copy is kept' if paper.kept else ''}" if paper else "yourself"
    print(f"{'was recorded before' if added.there else 'recorded'} as {consent.id}, by {basis}")
    if new_project:
        key, file = fingerprint(book.opened.key), key_file(book.opened.id)
        print(f"new project for the production '{book.opened.production}': {records_folder(book.project)}")
        print(
            f"its key is {key}: note that. Keep a copy of {file} where only you can read it: without it nobody can add."
        )


def print_performer(told: Mapping[str, Any]) -> None:
    """Show one performer."""
    former = f", formerly {', '.join(told['former_names'])}" if told["former_names"] else ""
    print(f"{told['name']} ({told['id']}{former}), production '{told['production']}'")
    titles = ("consent", "state", "may be", "from", "until", "production", "by", "document")
    print_table(titles, [_row(c) for c in told["consents"]])
    if told["footage"]:
        print(f"{len(told['footage'])} clip{'s' if len(told['footage']) > 1 else ''} registered")


def print_verified(found: Verified, papers: Mapping[str, Sequence[str]]) -> None:
    """Say whether the records hold, and if not why."""
    for fault in found.faults:
        print(f"{fault.file}: {fault.what}")
    for paper, consents in papers.items():
        print(f"{paper}: {'recorded with ' + ', '.join(consents) if consents else 'is in no record'}")
    count = len(found.chain.entries)
    if not found.faults:
        mine = "" if found.mine else "; its private key is not here, so this user cannot add"
        print(f"{counted(count, 'record')}, none changed, none missing. The project's key is {found.key}{mine}.")


def verified_as_json(found: Verified, papers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The same: `faceplate.verified/1`."""
    opened = found.chain.opened
    return {
        "schema": "faceplate.verified/1",
        "project": str(found.chain.project),
        "sound": not found.faults,
        "faults": [{"file": str(f.file), "what": f.what} for f in found.faults],
        "records": len(found.chain.entries),
        "production": opened and opened.production,
        "key": found.key,
        "can_add": found.mine,
        "documents": {paper: list(consents) for paper, consents in papers.items()},
    }


def made_as_json(book: Book, made: Sequence[Made]) -> list[dict[str, Any]]:
    """What was made by whose consents."""
    return [
        {"path": str(m.path), "kind": m.kind, "fallen": m.fallen(book), "provenance": m.provenance.document()}
        for m in made
    ]


def print_made(book: Book, made: Sequence[Made]) -> None:
    """The same as a table."""
    rows = []
    for m in made:
        names = [book.performers[p.id].name if p.id in book.performers else p.id for p in m.provenance.performers]
        fallen = m.fallen(book)
        states = [f"{id} {book.state(book.consents[id], clock.day(clock.now()))}" for id in fallen]
        rows.append(
            (m.kind, _below(m.path, book.project), ", ".join(dict.fromkeys(names)), "; ".join(states) or "in force")
        )
    print_table(("what", "file", "performers", "consent"), rows)


def _below(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _row(consent: Mapping[str, Any]) -> tuple[str, ...]:
    paper = consent["document"]
    return (
        consent["id"],
        consent["state"],
        ", ".join(_WORDS[use] for use in consent["uses"]),
        consent["from"],
        consent["until"] or "revoked",
        consent["production"] or "any",
        "self" if consent["basis"] == "self" else consent["given_by"],
        paper["name"] if paper else "",
    )


def _sentence(consent: ConsentRecord) -> str:
    uses = ", ".join(_WORDS[use] for use in consent.uses)
    until = f"until {consent.until}" if consent.until else "until revoked"
    where = "any production" if consent.production is None else f"the production '{consent.production}'"
    return f"may be {uses}, from {consent.from_} {until}, in {where}"
