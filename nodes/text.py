"""Texts as they are shown to people: counted things, and strangers' words without what steers a terminal or turns the direction of writing."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # part of how names are written in Persian and in India


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 shot`, `2 shots`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def is_printable(text: str) -> bool:
    """Whether nothing in it is a mark of control, of direction, or half a character."""
    return all(map(_shown, text))


def printable(text: str) -> str:
    """The same text with a replacement character for each such mark."""
    return "".join(c if _shown(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _shown(character: str) -> bool:
    # Spaces other than the common one are none of Python's printable characters; macOS puts one into the names of screenshots.
    return character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs"
