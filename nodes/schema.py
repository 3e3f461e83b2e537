"""Names and versions of documents: every one of ours says what it is, as `faceplate.shot/1`."""

from __future__ import annotations

from pathlib import Path

from nodes.errors import SchemaError


def check_schema(found: object, known: str, file: Path | str) -> int:
    """Return the version of a document whose schema is `found`, such as `faceplate.shot/1`; `known` is our newest.

    Raises SchemaError when it is another kind of document, or was written by a newer Faceplate.
    """
    name, _, newest = known.rpartition("/")
    kind, _, version = str(found).rpartition("/")
    if kind != name or not version.isdecimal():
        raise SchemaError(
            f"is no '{name}' document but '{found}'", file=file, remedy="Choose another file, or make this one again"
        )
    if int(version) > int(newest):
        raise SchemaError(
            f"was written by a newer Faceplate ({found}; this one knows up to {known})",
            file=file,
            remedy="Update Faceplate",
        )
    return int(version)
