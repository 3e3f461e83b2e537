"""The report on an edit, `faceplate.timeline-report/1`: the document, the questions that a reader asks first, and the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from host_bridge.timeline.document import DocumentPart
from host_bridge.timeline.origin import UsedModel
from nodes.consent.book import MAY
from nodes.consent.gate import USE, is_sample
from nodes.consent.provenance import Role
from nodes.text import page_template

Verdict = Literal["yes", "no", "unknown"]
IntegrityState = Literal["intact", "stranger", "changed", "contradicted", "gone", "none", "off", "unverified", "absent"]
# The answer for a result, by the state of its Content Credentials; any other state is a no.
WEIGHTS: dict[IntegrityState, Verdict] = {
    "intact": "yes",
    "stranger": "unknown",
    "unverified": "unknown",
    "absent": "unknown",
}
_LISTED = 6  # most shots to name in a line
Line = tuple[Verdict, str, str]  # weight, shot, what


class PersonPart(DocumentPart):
    """A performer in a result. name: None if not recorded. may_now: whether any consent allows this use today; None if unknown."""

    id: str
    name: str | None
    role: Role
    consents: tuple[str, ...]
    may_now: bool | None


class CastPair(DocumentPart):
    """A replacement: names from the records, else ids, else names from the edit."""

    target: str | None
    source: str | None


class FrameCount(DocumentPart):
    """The frame numbers of a result in the edit's count, handles included."""

    first: int
    last: int
    count: int


class ReportedFootage(DocumentPart):
    """Footage of a result, by Faceplate's own digest. part: plate, source, roto, faces (learned from) or footage (of an export)."""

    digest: str
    part: str
    name: str | None = None


class Integrity(DocumentPart):
    """Integrity of a result. by, time_stamped: from the manifest, None if none was read. verify: a command for details."""

    state: IntegrityState
    what: str
    faults: tuple[str, ...] = ()
    by: str | None = None
    time_stamped: bool | None = None
    verify: str | None = None


class ReportedResult(DocumentPart):
    """The result of a shot. folder: of a run. unknown: digests of models with unknown training performers. sha256: of the finished picture."""

    folder: str | None = None
    models: list[UsedModel]
    footage: list[ReportedFootage]
    unknown: tuple[str, ...]
    credentials: Integrity
    sha256: str | None
    version: str


class ReportedShot(DocumentPart):
    """A shot, its performers and its result."""

    id: str
    name: str
    state: str
    error: str | None = None
    media: str | None
    frames: FrameCount
    rate: str
    seconds: float
    cast: list[CastPair]
    people: list[PersonPart]
    result: ReportedResult | None


class ReportedPaper(DocumentPart):
    """A signed document behind a consent."""

    name: str
    sha256: str


class ConsentStanding(DocumentPart):
    """A consent record. holds: whether it is valid today, None if unknown here; stands: the same in words."""

    id: str
    performer: str | None = None
    performer_id: str | None = None
    given_by: str | None = None
    uses: tuple[str, ...] = ()
    from_: date | None = Field(default=None, serialization_alias="from")
    until: date | None = None
    production: str | None = None
    basis: str | None = None
    document: ReportedPaper | None = None
    holds: bool | None
    stands: str
    reason: str | None = None


class Answer(DocumentPart):
    """An answered question. why: reasons for any answer but yes."""

    id: str
    question: str
    answer: Verdict
    why: list[str]


class ReportedEdit(DocumentPart):
    """The edit. digest: as it was run; own_digest: as it is now. changed: None for an export."""

    path: str
    digest: str
    own_digest: str
    changed: bool | None


class ReportedExport(DocumentPart):
    """The description of an export. edit: name of the original edit."""

    mode: str
    profile: str
    edit: str


class EditReport(DocumentPart):
    """The report on an edit. run: the run's folder, or export: the exported edit itself. production: the one that consents must cover."""

    schema_: str = Field(default="faceplate.timeline-report/1", alias="schema")
    made: str
    version: str
    edit: ReportedEdit
    run: Path | None
    export: ReportedExport | None
    project: Path | None
    production: str | None
    verified: bool
    covered: Verdict
    answers: list[Answer]
    remarks: list[str]
    shots: list[ReportedShot]
    consents: dict[str, ConsentStanding]


def answers(
    shots: Sequence[ReportedShot],
    consents: Mapping[str, ConsentStanding],
    changed: bool | None,
    unexplained: Sequence[str],
    *,
    known: bool,
) -> list[Answer]:
    """Answer the questions.

    changed: whether the edit has changed since its run, None for an export. unexplained: clips with a result but no data on it.
    known: whether consent records were found.
    """
    done = [(shot, shot.result) for shot in shots if shot.result is not None]
    people = [person.id for shot, _ in done for person in shot.people]
    consent: list[Line] = []
    if not known and not (people and all(is_sample(id) for id in people)):
        consent.append(("unknown", "", "There are no records of consent here; name the project with --project"))
    consent += [line for shot, _ in done for line in _people(shot, consents, known)]
    models: list[Line] = [
        ("no", shot.id, f"the model {digest[:12]}… does not say whom it was trained on")
        for shot, result in done
        for digest in result.unknown
    ]
    results: list[Line] = [
        (weight, shot.id, what)
        for shot, result in done
        if (weight := WEIGHTS.get(result.credentials.state, "no")) != "yes"
        for what in result.credentials.faults or [result.credentials.what]
    ]
    edit: list[Line] = [("no", "", f"The clip '{name}' shows a result, and does not say which") for name in unexplained]
    edit += [("no", "", "The edit was changed since it was run: run it again")] if changed else []
    about_edit = "Does every clip in it say what it shows?" if changed is None else "Is the edit the one that was run?"
    return [
        _answered("consent", "May every face in it be used so today?", consent),
        _answered("models", "Do all models say whom they were trained on?", models),
        _answered("results", "Are all results as they were made, with Content Credentials?", results),
        _answered("edit", about_edit, edit),
    ]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the combined answer to several questions."""
    weights = set(verdicts)
    return "no" if "no" in weights else "unknown" if "unknown" in weights else "yes"


def remarks(shots: Sequence[ReportedShot], consents: Mapping[str, ConsentStanding]) -> list[str]:
    """List further remarks for the reader, which change no answer."""
    return _together([line for shot in shots for line in _remarks(shot, consents)])


def _people(shot: ReportedShot, consents: Mapping[str, ConsentStanding], known: bool) -> Iterator[Line]:
    if not shot.people:
        yield "no", shot.id, "does not say by whose consent it was made"
    for person in shot.people:
        if person.may_now is False:
            lapsed = [f"{id} {consents[id].stands}" for id in person.consents if consents[id].holds is False]
            why = f" ({'; '.join(lapsed)})" if lapsed else ""
            yield "no", shot.id, f"{person.name or person.id} may not be {MAY[USE[person.role]]} today{why}"
        elif is_sample(person.id):
            what = "its publisher allows its use, and says nothing of what its people agreed to"
            yield "unknown", "", f"{person.name} is sample footage: {what}"
        elif person.may_now is None and known:
            yield "unknown", shot.id, f"{person.id}: not in the records"


def _remarks(shot: ReportedShot, consents: Mapping[str, ConsentStanding]) -> Iterator[Line]:
    if shot.result is None:
        what = f"no result, failed: {shot.error}" if shot.state == "failed" else "no result, not done yet"
        yield "yes", shot.id, what
        return
    for person in shot.people:
        for c in (consents[id] for id in person.consents if person.may_now and consents[id].holds is False):
            who = person.name or person.id
            yield "yes", shot.id, f"consent {c.id} of {who} {c.stands}; another one allows it today"
    for model in shot.result.models:
        if model.note:
            yield "yes", shot.id, f"{model.name}: {model.note}"


def _answered(id: str, question: str, lines: Sequence[Line]) -> Answer:
    ordered = sorted(lines, key=lambda line: line[0] != "no")
    return Answer(id=id, question=question, answer=worst(weight for weight, _, _ in ordered), why=_together(ordered))


def _together(lines: Iterable[Line]) -> list[str]:
    """Merge lines that apply to several shots."""
    shots: dict[str, dict[str, None]] = {}
    for _, shot, what in lines:
        shots.setdefault(what, {})[shot] = None
    return [f"{_listed(list(ids))}: {what}" if any(ids) else what for what, ids in shots.items()]


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _LISTED
    return ", ".join(ids) if more <= 1 else f"{', '.join(ids[:_LISTED])} and {more} more"


# --- the page ---

_ROLES = {"target": "is replaced", "source": "is put in", "performer": "trained on"}
COVERED = {
    "yes": "Everything is covered.",
    "no": "Not everything is covered.",
    "unknown": "Not everything can be told here.",
}
SAID = {"yes": "yes", "no": "no", "unknown": "cannot be told"}
_PARTS = {"plate": "plate", "source": "source", "roto": "matte", "faces": "learned from", "footage": "footage"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest. label: its object, as elsewhere on the page. of: a note on the object."""

    label: str
    digest: str
    of: str = ""


def page(report: EditReport) -> str:
    """Render the report as one self-contained HTML page, to print or keep."""
    finished = [(shot, shot.result) for shot in report.shots if shot.result is not None]
    models: dict[str, UsedModel] = {}  # each once, by its digest, in the order of the shots
    for _, result in finished:
        for model in result.models:
            models.setdefault(model.digest, model)
    numbered = [(f"M{i}", model) for i, model in enumerate(models.values(), 1)]
    papers = {c.document.sha256: c.document.name for c in report.consents.values() if c.document}
    return page_template("host_bridge.timeline.report", "report.html.jinja").render(
        report=report,
        name=PurePosixPath(report.edit.path.replace("\\", "/")).name,
        roles=_ROLES,
        covered=COVERED,
        said=SAID,
        weights=WEIGHTS,
        models={model.digest: label for label, model in numbered},
        papers={digest: f"D{i}" for i, digest in enumerate(papers, 1)},
        consents=sorted(report.consents.values(), key=lambda c: ((c.performer or "").casefold(), c.id)),
        performers={p.id for s in report.shots for p in s.people},
        versions=sorted({r.version for _, r in finished}),
        signers=sorted({r.credentials.by for _, r in finished if r.credentials.by}),
        prints={
            "Edit, models, documents: SHA-256": [
                *_of_edit(report),
                *(Fingerprint(label, m.sha256, m.name or "") for label, m in numbered if m.sha256),
                *(Fingerprint(f"D{i}", digest, name) for i, (digest, name) in enumerate(papers.items(), 1)),
            ],
            "Results: SHA-256": [Fingerprint(s.id, r.sha256) for s, r in finished if r.sha256],
            "Footage: Faceplate's own digest": list(_of_footage(report)),
            "Models: Faceplate's own digest": [
                *(Fingerprint(label, m.digest, m.name or "") for label, m in numbered if not m.sha256),
                *(Fingerprint(s.id, d, "of unknown origin") for s, r in finished for d in r.unknown),
            ],
        },
    )


def _of_edit(report: EditReport) -> Iterator[Fingerprint]:
    edit = report.edit
    if edit.own_digest == edit.digest:
        yield Fingerprint("edit", edit.digest)
    else:
        yield Fingerprint("edit", edit.digest, "as run")
        yield Fingerprint("edit", edit.own_digest, "with results" if report.export else "now")


def _of_footage(report: EditReport) -> Iterator[Fingerprint]:
    """Yield each clip once, with the shots that use it."""
    shots: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    for shot in report.shots:
        for clip in shot.result.footage if shot.result else ():
            shots.setdefault(clip.digest, []).append(shot.id)
            parts.setdefault(clip.digest, _PARTS[clip.part])
    for digest, ids in shots.items():
        yield Fingerprint(ids[0] if len(ids) == 1 else f"{ids[0]} + {len(ids) - 1}", digest, parts[digest])
