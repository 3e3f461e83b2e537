"""The report as plain data, `faceplate.timeline-report/1`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from host_bridge.timeline.asked import check_rate
from host_bridge.timeline.document import TimelineRun, default_folder, document_path, load
from host_bridge.timeline.read.edit import document_of_edit
from host_bridge.timeline.read.places import MediaRoot, Places
from host_bridge.timeline.report.answers import answers, covered, remarks
from host_bridge.timeline.report.from_export import ExportedEdit, exported_edit, shots_of_export, unexplained
from host_bridge.timeline.report.from_run import shot_of_run
from host_bridge.timeline.report.people import Records
from nodes import __version__
from nodes.consent import records as clock
from nodes.consent.gate import project_book
from nodes.credentials.identity import Trust, load_trust
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters
from nodes.errors import SchemaError

SCHEMA = "faceplate.timeline-report/1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is asked for. out: the run's folder, None for the usual one beside the edit. media_roots: where an export's media are now.

    rate: at which the edit was run, if that is to be checked. verify: whether the results are read and verified. progress: told shots done, and how many there are.
    """

    edit: Path
    out: Path | None = None
    media_roots: tuple[MediaRoot, ...] = ()
    consent: ConsentParameters = DEFAULT_CONSENT
    rate: Fraction | None = None
    verify: bool = True
    progress: Callable[[int, int], None] = lambda done, of: None


def gather(wanted: Wanted) -> dict[str, Any]:
    """Put together what was made of an edit: from its run; or, for an edit that our export wrote, from what that says clip by clip.

    Raises SchemaError where there is no edit, neither a run nor an export, or not what the run says is done; ConsentError for records that
    cannot be relied on; OutputError when a bundle cannot be unpacked for verifying.
    """
    edit = wanted.edit.expanduser().absolute()
    out = (wanted.out or default_folder(edit)).expanduser().absolute()
    data = document_of_edit(edit)
    digest, exported = hashlib.sha256(data).hexdigest(), exported_edit(data, edit)
    run = load(out) if document_path(out).is_file() else None
    if run is not None and exported is not None and run.edit.digest != digest:
        run = None  # it is that of the edit which was exported, or of another: what this one shows, it says itself
    if run is None and exported is None:
        raise SchemaError(
            "there is no run of this edit here, and no results in it",
            file=out,
            remedy="Run it first with `faceplate timeline run`, or name the run's folder with --out",
        )
    if run is not None and run.edit.rate is not None:
        check_rate(run.edit.rate, wanted.rate, edit)
    book = project_book([], wanted.consent, out, edit)
    records = Records(book, wanted.consent.production)
    trust = load_trust() if wanted.verify else None
    if run is not None:
        told = _of_run(wanted, run, out, records, trust) | {
            "digest": run.edit.digest,
            "changed": run.edit.digest != digest,
        }
    else:
        assert exported is not None
        told = _of_export(wanted, exported, edit, records, trust) | {"digest": exported.said.digest, "changed": None}
    shots = told.pop("shots")
    used = dict.fromkeys(id for shot in shots for person in shot["people"] for id in person["consents"])
    consents = {id: records.consent(id) for id in used}
    unknown = told.pop("unexplained")
    about = {"path": str(edit), "digest": told.pop("digest"), "own_digest": digest, "changed": told.pop("changed")}
    asked = answers(shots, consents, about["changed"], unknown, known=book is not None)
    return {
        "schema": SCHEMA,
        "made": clock.now().isoformat(),
        "version": __version__,
        "edit": about,
        **told,
        "project": book and str(book.project),
        "production": records.production,
        "verified": wanted.verify,
        "covered": covered(asked),
        "answers": asked,
        "remarks": remarks(shots, consents, book is not None),
        "shots": shots,
        "consents": consents,
    }


def _of_run(wanted: Wanted, run: TimelineRun, out: Path, records: Records, trust: Trust | None) -> dict[str, Any]:
    shots = []
    for done, shot in enumerate(run.shots, 1):
        shots.append(shot_of_run(shot, out, records, trust))
        wanted.progress(done, len(run.shots))
    return {"run": str(out), "export": None, "shots": shots, "unexplained": []}


def _of_export(
    wanted: Wanted, exported: ExportedEdit, edit: Path, records: Records, trust: Trust | None
) -> dict[str, Any]:
    shots = []
    with _places(edit, wanted.media_roots, verify=trust is not None) as places:
        for shot in shots_of_export(exported, edit, places, records, trust):
            shots.append(shot)
            wanted.progress(len(shots), len(shots))
    return {
        "run": None,
        "export": exported.said.model_dump(exclude={"digest"}),
        "shots": sorted(shots, key=lambda shot: str(shot["id"])),
        "unexplained": unexplained(exported),
    }


@contextmanager
def _places(edit: Path, roots: Sequence[MediaRoot], *, verify: bool) -> Iterator[Places | None]:
    """Where an export's media are. Those in an .otioz are unpacked for as long as they are looked at; None where nobody will."""
    kind = edit.suffix.lower()
    if kind != ".otioz":
        yield Places(edit if edit.is_dir() else edit.parent, tuple(roots), inside=kind == ".otiod")
    elif not verify:
        yield None
    else:
        with TemporaryDirectory(prefix="faceplate-") as folder:
            document_of_edit(edit, Path(folder))
            yield Places(Path(folder), tuple(roots), inside=True)
