"""The report as plain data, `faceplate.timeline-report/1`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from host_bridge.timeline.document import ShotRecord, default_folder, document_path, load
from host_bridge.timeline.report.people import Records
from host_bridge.timeline.report.result import result_of
from nodes import __version__
from nodes.consent import clock
from nodes.consent.check import current_book
from nodes.consent.parameters import NOTHING_SAID, Asked
from nodes.consent.project import find_project
from nodes.errors import SchemaError

SCHEMA = "faceplate.timeline-report/1"
_BUNDLES = (".otioz", ".otiod")  # their digest is that of the document inside
_MAY = {"target": "replaced", "source": "put in", "performer": "trained on"}


def gather(edit: Path, out: Path | None = None, consent: Asked = NOTHING_SAID) -> dict[str, Any]:
    """Put together what a run of an edit made. out: the run's folder, by default the usual one beside the edit.

    Raises SchemaError where there is no edit, no run, or not what the run says is done; ConsentError for records that cannot be relied on.
    """
    edit = edit.expanduser().absolute()
    out = (out or default_folder(edit)).expanduser().absolute()
    if not edit.exists():
        raise SchemaError("does not exist", file=edit, remedy="Check the path of the edit")
    if not document_path(out).is_file():
        raise SchemaError(
            "there is no run of this edit here",
            file=out,
            remedy="Run it first with `faceplate timeline run`, or name the run's folder with --out",
        )
    run, now = load(out), clock.now()
    project = find_project(out, edit, Path.cwd(), told=consent.project)
    records = Records(current_book(project, now) if project else None, clock.day(now), consent.production)
    shots = [_shot(shot, out, records) for shot in run.shots]
    used = dict.fromkeys(id for shot in shots for person in shot["people"] for id in person["consents"])
    consents = {id: records.consent(id) for id in used}
    changed = _changed(edit, run.edit.digest)
    return {
        "schema": SCHEMA,
        "made": now.isoformat(),
        "version": __version__,
        "edit": {"path": str(edit), "digest": run.edit.digest, "changed": changed},
        "run": str(out),
        "project": None if project is None else str(project),
        "production": records.production,
        "shots": shots,
        "consents": consents,
        "attention": [*_of_all(changed, project), *_of_shots(shots, consents)],
    }


def _shot(shot: ShotRecord, out: Path, records: Records) -> dict[str, Any]:
    first, last = shot.span
    count, begin = last - first + 1, shot.media.start
    made = result_of(shot, out, records) if shot.state == "done" and shot.folder is not None else None
    return {
        "id": shot.id,
        "name": shot.name,
        "state": shot.state,
        "error": None if shot.error is None else shot.error.message,
        "media": shot.media.url,
        "frames": {"first": begin + first, "last": begin + last, "count": count},
        "rate": str(shot.media.rate),
        "seconds": round(float(count / shot.media.rate), 3),
        "cast": [
            {"target": c.target, "source": c.source} if made is None else records.pair(c, made["people"])
            for c in shot.cast
        ],
        "people": [] if made is None else made.pop("people"),
        "result": made,
    }


def _changed(edit: Path, digest: str) -> bool | None:
    """Whether the edit is another than the one that was run; None where that would take unpacking it."""
    if edit.is_dir() or edit.suffix.lower() in _BUNDLES:
        return None
    try:
        return hashlib.sha256(edit.read_bytes()).hexdigest() != digest
    except OSError as e:
        raise SchemaError(f"cannot be read ({e.strerror or e})", file=edit, remedy="Check its permissions") from e


def _of_all(changed: bool | None, project: Path | None) -> list[str]:
    told = ["The edit was changed since it was run; the digest is that of the edit that was run"] if changed else []
    if project is None:
        told.append(
            "No project with records of consent was found, so consents are named by their ids alone; give --project"
        )
    return told


def _of_shots(shots: list[dict[str, Any]], consents: dict[str, Any]) -> list[str]:
    """What is so of several shots is said once."""
    told: dict[str, list[str]] = {}
    for shot in shots:
        for line in _attention(shot, consents):
            told.setdefault(line, []).append(shot["id"])
    return [f"{', '.join(ids)}: {line}" for line, ids in told.items()]


def _attention(shot: dict[str, Any], consents: dict[str, Any]) -> list[str]:
    """What a reader should not miss of a shot."""
    result = shot["result"]
    if result is None:
        return [f"no result, failed: {shot['error']}" if shot["state"] == "failed" else "no result, not done yet"]
    told = [] if shot["people"] else ["does not say by whose consent it was made"]
    for person in shot["people"]:
        bad = [consents[id] for id in person["consents"] if consents[id]["holds"] is False]
        told += [f"consent {c['id']} of {person['name'] or person['id']}: {c['stands']}" for c in bad]
        if person["may_now"] is False:
            told.append(f"{person['name'] or person['id']} may not be {_MAY[person['role']]} today")
    told += [f"the model {digest} does not say whom it was trained on" for digest in result["unknown"]]
    told += [f"{model['name']}: {model['note']}" for model in result["models"] if model["note"]]
    if not result["credentials"]["carried"] or result["credentials"]["missing"]:
        told.append(result["credentials"]["what"])
    return list(dict.fromkeys(told))
