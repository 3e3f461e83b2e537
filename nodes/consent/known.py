"""Known faces: footage that is registered with a performer, found again on this machine, so that a face can be compared with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nodes.cache import digest_footage
from nodes.consent.gate import ConsentRequest, project_book
from nodes.consent.provenance import Provenance, Role
from nodes.errors import FootageError

_MOST = 200  # folders of a project that are searched


def known_footage(provenance: Provenance, request: ConsentRequest, *places: Path | None) -> dict[Role, Path]:
    """Find a clip that is registered with each performer in a result, unless the result's own footage is.

    places: the result, then its inputs: clips are searched in their folders, in the project and two levels below it, by name and content.
    Performers without such a clip are left out. Raises ConsentError.
    """
    book = project_book(request, *places)
    if book is None:
        return {}
    near = [book.project, *(place.absolute().parent for place in places if place is not None)]
    folders = list(dict.fromkeys([*near, *_below(book.project)]))
    found: dict[Role, Path] = {}
    spoken_for = {book.footage.get(digest) for digest in provenance.footage}
    for part in provenance.performers:
        if part.id in spoken_for:  # the user says that this footage shows the performer
            continue
        names = {d: book.clips[d] for d, who in book.footage.items() if who == part.id}
        if clip := next(_with_content(names, folders), None):
            found[part.role] = clip
    return found


def _below(project: Path) -> list[Path]:
    folders: list[Path] = []
    for pattern in ("*/", "*/*/"):
        for folder in sorted(project.glob(pattern)):
            if len(folders) < _MOST and not folder.name.startswith("."):
                folders.append(folder)
    return folders


def _with_content(names: dict[str, str], folders: list[Path]) -> Iterator[Path]:
    for digest, name in names.items():
        for folder in folders:
            path = folder / name
            with suppress(FootageError, OSError):
                if (path.is_file() or "%" in name) and digest_footage(path) == digest:
                    yield path
