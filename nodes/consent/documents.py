"""The signed papers: what is recorded of one, and the copy in the project where one is kept."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from nodes.consent.book import Book
from nodes.consent.project import DOCUMENTS, records_folder
from nodes.consent.record import ConsentRecord, Document, Fault
from nodes.errors import ConsentError
from nodes.files import whole_file
from nodes.text import printable

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def describe(paper: Path) -> Document:
    """What is recorded of a document; raises ConsentError where it cannot be read or is empty."""
    try:
        with paper.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            empty = file.tell() == 0
    except OSError as e:
        raise ConsentError(f"the document cannot be read: {e.strerror or e}", file=paper, remedy="Give its file") from e
    if empty:
        raise ConsentError("the document is empty", file=paper, remedy="Give the signed one")
    return Document(name=printable(paper.name), sha256=digest)


def keep(paper: Path, document: Document, project: Path, consent: str) -> Document:
    """Put a copy of a document into the project, under its consent's id; raises OutputError, and ConsentError if it changes meanwhile."""
    suffix = paper.suffix.lower() if _SUFFIX.fullmatch(paper.suffix) else ""
    kept = document.model_copy(update={"kept": f"{consent}{suffix}"})
    with whole_file(kept_file(project, kept)) as temporary:
        shutil.copyfile(paper, temporary)
        if describe(temporary).sha256 != document.sha256:
            raise ConsentError("the document changed while it was copied", file=paper, remedy="Try again")
    return kept


def kept_file(project: Path, document: Document) -> Path:
    """Where the copy of a document lies."""
    return records_folder(project) / DOCUMENTS / Path(document.kept or "").name


def faults(book: Book) -> list[Fault]:
    """Kept copies that are gone, or are other than what was recorded."""
    found = []
    for consent in book.consents.values():
        document = consent.document
        if document and document.kept:
            path = kept_file(book.project, document)
            if not path.is_file():
                found.append(Fault(f"the document of {consent.id} is missing: it was deleted", path))
            elif _digest(path) != document.sha256:
                found.append(Fault(f"is not the document that {consent.id} was recorded with: it was changed", path))
    return found


def consents_with(book: Book, paper: Path) -> list[ConsentRecord]:
    """The consents that were recorded with exactly this document."""
    digest = describe(paper).sha256
    return [c for c in book.consents.values() if c.document and c.document.sha256 == digest]


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
