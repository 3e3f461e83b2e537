"""A document as a file of the kind that its name says."""

from __future__ import annotations

from pathlib import Path

from host_bridge.timeline.read import Places
from host_bridge.timeline.write.bundle import SUFFIXES, gather, write_bundle
from host_bridge.timeline.write.export import text_of
from host_bridge.timeline.write.formats import ADAPTED, EXACT, for_otio, write_adapted, write_exactly
from host_bridge.timeline.write.tree import Node
from nodes.errors import OutputError
from nodes.files import whole_file
from nodes.shot.progress import Progress


def check_kind(target: Path) -> None:
    """Raise OutputError unless documents of this kind are written."""
    kinds = (".otio", *SUFFIXES, *ADAPTED, *EXACT)
    if target.suffix.lower() not in kinds:
        known = ", ".join(kinds)
        raise OutputError("is of no kind of edit that is written", file=target, remedy=f"{known} are")


def write_document(
    target: Path, document: Node, places: Places, progress: Progress, older: str | None = None
) -> tuple[list[str], list[str]]:
    """Write a document; returns what its format cannot hold, and what to tell of its media.

    places: where a bundle's media are. older: the version of OpenTimelineIO that is to read it. Raises OutputError and MissingDependencyError.
    """
    if target.suffix.lower() in SUFFIXES:
        bundled = gather(document, places)
        write_bundle(target, bundled, progress)
        return [], [f"{url}: is not there, and not in the bundle" for url in bundled.missing]
    if target.suffix.lower() in EXACT:
        return write_exactly(target, document, places), []
    if target.suffix.lower() in ADAPTED:
        return write_adapted(target, document), []
    with whole_file(target) as temporary:
        temporary.write_text(text_of(document) if older is None else for_otio(document, older), "utf-8")
    return [], []
