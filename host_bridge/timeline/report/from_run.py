"""Shots as a run's own documents tell them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.made import models_in
from host_bridge.timeline.report.integrity import finished_sha256, of_folder
from host_bridge.timeline.report.people import Records
from nodes.consent.provenance import Provenance, read_document
from nodes.credentials.identity import Trust
from nodes.errors import SchemaError
from nodes.shot import document


def shot_of_run(shot: ShotRecord, out: Path, records: Records, trust: Trust | None) -> dict[str, Any]:
    """A shot and what came of it. out: the run's folder. trust: for verifying results, None to leave that.

    Raises SchemaError where it is done and its results are gone or damaged.
    """
    first, last = shot.span
    count, begin = last - first + 1, shot.media.start
    made = None
    if shot.state == "done" and shot.folder is not None:
        made = _result(shot.id, out / shot.folder, records, trust)
    people = [] if made is None else made.pop("people")
    return {
        "id": shot.id,
        "name": shot.name,
        "state": shot.state,
        "error": None if shot.error is None else shot.error.message,
        "media": shot.media.url,
        "frames": {"first": begin + first, "last": begin + last, "count": count},
        "rate": str(shot.media.rate),
        "seconds": round(float(count / shot.media.rate), 3),
        "cast": [records.pair(c.target, c.source, people) for c in shot.cast],
        "people": people,
        "result": made,
    }


def _result(id: str, folder: Path, records: Records, trust: Trust | None) -> dict[str, Any]:
    remedy = "Put it back from a copy, or run the timeline again, which makes it anew"
    if not (folder / "shot.json").is_file():
        raise SchemaError(f"shot {id} is done, but its results are not here", file=folder, remedy=remedy)
    told = document.load(folder)
    provenance = read_document(told) or Provenance(version="unknown")
    try:
        return {
            "folder": str(folder),
            "people": [records.person(part) for part in provenance.performers],
            "models": [
                {"name": m.path.name, "path": str(m.path), "digest": m.digest, "sha256": m.sha256, "note": m.note}
                for m in models_in(told)
            ],
            "footage": _footage(told["inputs"], provenance),
            "unknown": list(provenance.unknown),
            "credentials": of_folder(told, folder, trust),
            "sha256": None if trust is None else finished_sha256(folder),
            "version": provenance.version,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=folder / "shot.json", remedy=remedy) from e


def _footage(inputs: Mapping[str, Any], provenance: Provenance) -> list[dict[str, Any]]:
    """All footage in it by its digest, the shot's own with its part and name; the rest is what facesets were made of."""
    own = {
        str(one["digest"]): {
            "digest": str(one["digest"]),
            "part": name.partition("_")[0],
            "name": Path(one["path"]).name,
        }
        for name, one in inputs.items()
        if name.partition("_")[0] in ("plate", "source", "roto")
    }
    learned = [d for d in provenance.footage if d not in own]
    return [*own.values(), *({"digest": d, "part": "faces", "name": None} for d in learned)]
