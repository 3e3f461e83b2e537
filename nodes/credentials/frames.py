"""Compare the frames of a sequence with those that were signed."""

from __future__ import annotations

from collections.abc import Mapping

from nodes.credentials.binding import around_number

_NAMED = 5  # frames named in a sentence


def compare(signed: Mapping[str, str], found: Mapping[str, str], whole: Mapping[str, str] | None = None) -> list[str]:
    """Say how the frames found (hashes by name) differ from those signed; empty when they do not.

    A frame that stands in another's place is told from one that was changed; whole: the sequence, where `signed` is a part of it.
    """
    changed = [name for name, digest in signed.items() if name in found and found[name] != digest]
    owner = {digest: name for name, digest in (whole or signed).items()}
    moved = [name for name in changed if owner.get(found[name]) not in (None, name)]
    edited = [name for name in changed if name not in moved]
    return [
        f"{_count(names)} {what}: {_listed(names)}"
        for names, what in (
            (edited, "changed after signing"),
            (moved, "exchanged for other frames of the sequence"),
            ([name for name in signed if name not in found], "removed"),
            ([name for name in found if name not in signed], "added"),
        )
        if names
    ]


def belonging(signed: Mapping[str, str], names: list[str]) -> list[str]:
    """Of the names of files in the folder those that are the sequence's: in the order signed, then what was added."""
    kinds = {around_number(name) for name in signed} - {None}
    added = [name for name in sorted(names) if name not in signed and around_number(name) in kinds]
    there = set(names)
    return [name for name in signed if name in there] + added


def _count(names: list[str]) -> str:
    return "a frame was" if len(names) == 1 else f"{len(names)} frames were"


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
