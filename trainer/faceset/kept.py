"""Whether a faceset that is there already is the one that would be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodes.cache import digest_footage
from nodes.definitions import DetectParameters
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage
from trainer.faceset.faceset import Faceset, open_faceset, read_document
from trainer.faceset.parameters import FacesetParameters


def kept_faceset(
    clips: Sequence[Footage],
    out: Path,
    performer: str,
    parameters: FacesetParameters | None = None,
    detect: DetectParameters | None = None,
    spans: Sequence[tuple[int, int]] | None = None,
) -> Faceset | None:
    """Open the faceset at `out` if `build_faceset` once made it of what these clips hold, with these parameters; else None.

    spans: as of `build_faceset`.
    """
    parameters, detect = parameters or FacesetParameters(), detect or DetectParameters()
    try:
        document, faceset = read_document(out), open_faceset(out)
        made = (
            document["performer"],
            document["parameters"],
            document["detect"],
            [(c["digest"], _span(c)) for c in document["clips"]],
        )
    except (FaceplateError, KeyError, TypeError):
        return None
    asked = (performer, parameters.model_dump(mode="json"), detect.model_dump(mode="json"))
    spans = whole_spans(clips) if spans is None else spans
    of = [(digest_footage(clip.info.path), tuple(span)) for clip, span in zip(clips, spans, strict=True)]
    return faceset if made == (*asked, of) else None


def whole_spans(clips: Sequence[Footage]) -> list[tuple[int, int]]:
    """The first and the last position of each clip."""
    return [(0, clip.info.frames - 1) for clip in clips]


def _span(clip: dict[str, Any]) -> tuple[int, int]:
    """The positions of a clip that the document says were looked at; without a range, all."""
    if "range" not in clip:
        return 0, clip["frames"] - 1
    return clip["range"]["first"] - clip["first"], clip["range"]["last"] - clip["first"]
