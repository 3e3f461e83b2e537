"""Whether a faceset that is there already is the one that would be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nodes.definitions import DetectParameters
from nodes.errors import FaceplateError
from nodes.footage import Footage
from nodes.shot.digest import digest_footage
from trainer.faceset.faceset import Faceset, open_faceset, read_document
from trainer.faceset.parameters import FacesetParameters


def kept_faceset(
    clips: Sequence[Footage],
    out: Path,
    performer: str,
    parameters: FacesetParameters | None = None,
    detect: DetectParameters | None = None,
) -> Faceset | None:
    """Open the faceset at `out` if `build_faceset` once made it of what these clips hold, with these parameters; else None."""
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    try:
        document, faceset = read_document(out), open_faceset(out)
        made = (
            document["performer"],
            document["parameters"],
            document["detect"],
            [c["digest"] for c in document["clips"]],
        )
    except (FaceplateError, KeyError, TypeError):
        return None
    asked = (performer, parameters.model_dump(mode="json"), detect.model_dump(mode="json"))
    return faceset if made == (*asked, [digest_footage(clip.info.path) for clip in clips]) else None
