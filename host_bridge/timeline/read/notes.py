"""Notes of a reader: what of a document it could not follow, kept at the timeline or item that it is about."""

from __future__ import annotations

from typing import Any

KEY = "faceplate_read"


def add_note(item: Any, *notes: str) -> None:
    """Keep notes at a timeline or at an item of one; those of items are shown with the shots in them."""
    if notes:
        item.metadata[KEY] = {"notes": list(dict.fromkeys((*notes_of(item), *notes)))}


def without_notes(node: Any) -> Any:
    """A document without them: they are about one reading of it."""
    if isinstance(node, dict):
        return {key: without_notes(value) for key, value in node.items() if key != KEY}
    return [without_notes(value) for value in node] if isinstance(node, list) else node


def notes_of(item: Any) -> tuple[str, ...]:
    """The notes that a reader left at a timeline or at an item of one."""
    block = item.metadata.get(KEY)
    return tuple(map(str, block.get("notes", ()))) if hasattr(block, "get") else ()
