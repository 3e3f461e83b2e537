"""Put the faces into a shot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from host_bridge.jobs import swap
from host_bridge.reporting import Watch
from host_bridge.timeline.consent import parameters_of, still_counts
from host_bridge.timeline.run.work import Footing, Work, digest_of
from host_bridge.timeline.shots.shot import Casting
from nodes.cache import digest_file
from nodes.definitions import Method
from nodes.detect import main_tracks
from nodes.detect.files import load_faces
from nodes.errors import FaceplateError
from nodes.shot import document


def swap_face(
    work: Work, casting: Casting, plate: Footing, model: Path | None, out: Path, watch: Watch
) -> dict[str, Any]:
    """Replace one person in a shot's span, in the folder `out`, unless just that is there already; returns the report. Raises FaceplateError.

    The source's own frames come from the first of the performer's clips.
    """
    by = {"method": Method.MODEL if model else Method.REFERENCE, "model": model}
    parameters = parameters_of(work, casting, plate).model_copy(update=by)
    request = swap.SwapRequest(
        plate=plate.path,
        source=work.performers[casting.source][0] if model is None or _wants_source(work) else None,
        out=out,
        range=plate.range,
        rate=plate.rate,
        tracks=casting.tracks,
        settings=work.settings.model_copy(update={"swap": parameters}),
    )
    found = _kept(request, plate)
    if found is None or not still_counts(work, out, plate, watch):
        return swap.swap(request, watch).report
    return found


def _kept(request: swap.SwapRequest, plate: Footing) -> dict[str, Any] | None:
    """The report of a swap that was finished when the run was killed."""
    try:
        told = document.load(request.out)
        report: dict[str, Any] = json.loads((request.out / "report.json").read_bytes())
        faces = load_faces(request.out / "faces.npz").faces
        tracks = set(request.tracks or (t.id for t in main_tracks(faces)))
        others = () if request.tracks else told["results"].get("not_replaced", ())
        first, last = (int(number) for number in plate.range.split("-"))
        same = (
            told["settings"] == request.settings.model_dump(mode="json")
            and told["range"] == {"first": first, "last": last}
            and {t["id"] for t in (*told["tracks"], *others)} == tracks
            and {name: one["digest"] for name, one in told["inputs"].items()} == _digests(request, plate)
        )
    except (FaceplateError, OSError, ValueError, KeyError, TypeError):
        return None
    return report if same else None


def _digests(request: swap.SwapRequest, plate: Footing) -> dict[str, str]:
    found = {"plate": plate.digest}
    if request.source is not None:
        found["source"] = digest_of(request.source)
    if request.settings.swap.model is not None:
        found["model"] = digest_file(request.settings.swap.model)
    return found


def _wants_source(work: Work) -> bool:
    """Whether the model is given the source's own frames."""
    from trainer.models import find_model

    return find_model(work.train.model).inputs != ("crop",)
