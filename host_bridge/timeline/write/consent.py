"""Whether the results of a run may go out: what was allowed when they were made must be allowed still."""

from __future__ import annotations

from pathlib import Path

from host_bridge.timeline.document import ShotRecord, TimelineRun
from host_bridge.timeline.made import Made, models_in, performer_called, signed_in
from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.check import current_book
from nodes.consent.grant import still_given
from nodes.consent.project import find_project
from nodes.consent.provenance import Provenance, Role, read_document
from nodes.definitions import ConsentParameters
from nodes.errors import ConsentError
from nodes.shot import document


def permitted(run: TimelineRun, out: Path, target: Path, consent: ConsentParameters) -> dict[str, Made]:
    """By what each finished shot was made, by its id. out: the run's folder. target: what is to be written. Raises ConsentError, SchemaError."""
    project = find_project(target, out, Path.cwd(), told=consent.project)
    book = current_book(project, clock.now()) if project else None
    found = {}
    for shot in run.shots:
        if shot.state == "done" and shot.folder is not None:
            told = document.load(out / shot.folder)
            made = read_document(told)
            if made is None or not made.performers:
                raise ConsentError(
                    f"shot {shot.id} does not say by whose consent it was made",
                    file=out / shot.folder,
                    remedy="Delete the folder, and run the timeline again",
                )
            still = still_given(made, consent, target, out)
            found[shot.id] = Made(still, tuple(models_in(told)), signed_in(told), _ids(shot, still, book))
    return found


def _ids(shot: ShotRecord, made: Provenance, book: Book | None) -> dict[tuple[Role, str], str]:
    """The performers by the names that the cast has for them, as far as that can be told."""
    named: list[tuple[Role, str]] = [("target", c.target) for c in shot.cast]
    named += [("source", c.source) for c in shot.cast]
    return {
        (role, name): id
        for role, name in named
        if (id := performer_called(name, role, made.performers, book)) is not None
    }
