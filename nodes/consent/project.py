"""Which project a file belongs to: the nearest folder above it that holds `performers/` with records in it."""

from __future__ import annotations

import os
from pathlib import Path

from nodes.errors import ConsentError
from nodes.text import command_line

FOLDER, HEAD, DOCUMENTS = "performers", "head.json", "documents"
VARIABLE = "FACEPLATE_PROJECT"


def how_to_begin(project: Path | None = None) -> str:
    """The command that makes a folder a project; name, document and date are for the user to fill in."""
    where = () if project is None else ("--project", str(project))
    told = ("--document", "RELEASE.pdf", "--use", "replace,train", "--until", "YYYY-MM-DD")
    return command_line("faceplate", "performer", "add", "NAME", *where, *told)


def records_folder(project: Path) -> Path:
    """Where a project's records are."""
    return project / FOLDER


def record_file(project: Path, number: int) -> Path:
    """The file of a record, by its number from 1."""
    return records_folder(project) / f"{number:06d}.json"


def is_project(folder: Path) -> bool:
    """Whether a folder holds records, or some of what once were."""
    records = records_folder(folder)
    return (records / HEAD).is_file() or any(records.glob("[0-9]*.json"))


def told_project(told: Path | None) -> Path | None:
    """The folder that was told, else the one that FACEPLATE_PROJECT names, a project or not yet."""
    named = told or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return named and named.expanduser().resolve()


def find_project(*places: Path | None, told: Path | None = None) -> Path | None:
    """The project that was told; else the one that FACEPLATE_PROJECT names; else the first that holds one of these places.

    Raises ConsentError where the one that is named has no records.
    """
    project = told_project(told)
    if project is not None:
        if not is_project(project):
            raise ConsentError(
                "is no project: it has no records of performers",
                file=project,
                remedy=f"Name another, or make it one: {how_to_begin(project)}",
            )
        return project
    for place in places:
        if place is not None:
            start = place.expanduser().resolve()
            if found := next((folder for folder in (start, *start.parents) if is_project(folder)), None):
                return found
    return None
