"""Whether a shot may be done, asked before a training of an hour begins; and whether what a run finds done already still counts."""

from __future__ import annotations

from pathlib import Path

from host_bridge.reporting import Watch
from host_bridge.timeline.run.names import records_of, source_of, target_of
from host_bridge.timeline.run.work import Footing, Work, digest_of
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.consent.grant import Clip, for_swap, still_given
from nodes.consent.provenance import read_document
from nodes.definitions import SwapParameters
from nodes.errors import ConsentError, FaceplateError
from nodes.shot import document


def parameters_of(work: Work, casting: Casting, plate: Footing) -> SwapParameters:
    """Swap's parameters with who is who in a shot. Raises ConsentError."""
    who = {
        "target_performer": target_of(work, casting, plate),
        "source_performer": source_of(work, casting.source),
    }
    return work.settings.swap.model_copy(update=who)


def check_allowed(work: Work, shot: Shot, plate: Footing) -> None:
    """See that all in a shot may be replaced and put in. Of the models its swap asks, when they are known. Raises ConsentError."""
    for casting in shot.cast:
        source = work.performers[casting.source][0]
        clips = Clip(plate.path, plate.digest), Clip(source, digest_of(source))
        for_swap(*clips, None, parameters_of(work, casting, plate), work.out)


def still_counts(work: Work, folder: Path, plate: Footing, watch: Watch) -> bool:
    """Whether a result that was made before may be made by the same consents today; else it is told why not, and is to be made anew."""
    try:
        made = read_document(document.load(folder))
        if made is None or not made.performers:
            raise ConsentError("does not say by whose consent it was made", file=folder)
        still_given(made, records_of(work), work.out, plate.path, file=folder)
    except FaceplateError as e:
        watch.message(f"what was made before does not count: {e.plain}")
        return False
    return True
