"""What a finished shot's own document says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.report.people import Records
from nodes.consent.provenance import Provenance, read_document
from nodes.credentials.binding import sha256
from nodes.errors import SchemaError
from nodes.shot import document
from nodes.shot.digest import digest_file


def result_of(shot: ShotRecord, out: Path, records: Records) -> dict[str, Any]:
    """Read `shot.json` of a finished shot. Raises SchemaError where it is gone or damaged."""
    assert shot.folder is not None
    folder = out / shot.folder
    remedy = "Put it back from a copy, or run the timeline again, which makes it anew"
    if not (folder / "shot.json").is_file():
        raise SchemaError(f"shot {shot.id} is done, but its results are not here", file=folder, remedy=remedy)
    told = document.load(folder)
    made = read_document(told)
    provenance = made or Provenance(version="unknown")
    try:
        return {
            "folder": str(folder),
            "people": [records.person(part) for part in provenance.performers],
            "models": _models(told),
            "footage": _footage(told["inputs"], provenance),
            "unknown": list(provenance.unknown),
            "credentials": _credentials(told.get("credentials"), folder),
            "version": provenance.version,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise SchemaError("is damaged, or no document of Faceplate", file=folder / "shot.json", remedy=remedy) from e


def _models(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that made it, those of several people as `model_2` and on; none where nothing trained took part."""
    inputs, method = told["inputs"], told["settings"]["swap"]["method"]
    found = [inputs["model"]] if "model" in inputs and method == "model" else []
    found += [inputs[name] for name in sorted(inputs) if name.startswith("model_")]
    return [_model(one) for one in found]


def _model(one: Mapping[str, Any]) -> dict[str, Any]:
    """A model. sha256: of its file, where that is still the one that was used. digest: Faceplate's own, as the shot recorded it."""
    path, digest = Path(one["path"]), str(one["digest"])
    note = None
    if not path.is_file():
        note = "the file is not there any more, so its SHA-256 cannot be told"
    elif digest_file(path) != digest:
        note = "the file was changed since, so its SHA-256 cannot be told"
    return {
        "name": path.name,
        "path": str(path),
        "digest": digest,
        "sha256": None if note else sha256(path),
        "note": note,
    }


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


def _credentials(told: Mapping[str, Any] | None, folder: Path) -> dict[str, Any]:
    """Whether results carry Content Credentials. They are not verified here, for that reads all frames: `verify` is the command that does."""
    if not told:
        return _uncarried("no Content Credentials")
    if not told["signed"]:
        return _uncarried(f"no Content Credentials: switched off on {str(told['since'])[:10]} ({told['reason']})")
    results = told["results"]
    missing = [
        str(r["file"]) for r in results if not ((folder / r["file"]).exists() and (folder / r["manifest"]).exists())
    ]
    what = f"{len(results)} results were signed with Content Credentials by {told['by']['name']}"
    if missing:
        what += f"; gone since, the file or its manifest: {', '.join(missing)}"
    return {
        "carried": True,
        "what": what,
        "missing": missing,
        "time_stamped": told["time_stamped"],
        "verify": shlex.join(["faceplate", "credentials", "verify", str(folder)]),
    }


def _uncarried(what: str) -> dict[str, Any]:
    return {"carried": False, "what": what, "missing": [], "time_stamped": None, "verify": None}
