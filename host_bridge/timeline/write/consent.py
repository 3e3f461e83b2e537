"""Whether the results of a run may go out: what was allowed when they were made must be allowed still."""

from __future__ import annotations

from pathlib import Path

from host_bridge.timeline.document import TimelineRun
from nodes.consent.grant import still_given
from nodes.consent.parameters import Asked
from nodes.consent.provenance import Provenance, read_document
from nodes.errors import ConsentError
from nodes.shot import document


def permitted(run: TimelineRun, out: Path, target: Path, consent: Asked) -> dict[str, Provenance]:
    """Where each finished shot comes from, by its id. out: the run's folder. target: what is to be written. Raises ConsentError, SchemaError."""
    found = {}
    for shot in run.shots:
        if shot.state == "done" and shot.folder is not None:
            made = read_document(document.load(out / shot.folder))
            if made is None or not made.performers:
                raise ConsentError(
                    f"shot {shot.id} does not say by whose consent it was made",
                    file=out / shot.folder,
                    remedy="Delete the folder, and run the timeline again",
                )
            found[shot.id] = still_given(made, consent, target, out)
    return found
