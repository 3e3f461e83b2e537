"""The report as one HTML page, to be printed or kept: everything it shows is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from host_bridge.timeline.origin import UsedModel
from host_bridge.timeline.report.document import WEIGHTS, EditReport
from nodes.text import page_template

ROLES = {"target": "is replaced", "source": "is put in", "performer": "trained on"}
COVERED = {
    "yes": "Everything is covered.",
    "no": "Not everything is covered.",
    "unknown": "Not everything can be told here.",
}
SAID = {"yes": "yes", "no": "no", "unknown": "cannot be told"}
_PARTS = {"plate": "plate", "source": "source", "roto": "matte", "faces": "learned from", "footage": "footage"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest. label: what it is of, as the page calls it elsewhere. of: what else is to be said of that."""

    label: str
    digest: str
    of: str = ""


def page(report: EditReport) -> str:
    """Fill the template."""
    made = [(shot, shot.result) for shot in report.shots if shot.result is not None]
    models: dict[str, UsedModel] = {}  # each once, by its digest, in the order of the shots
    for _, result in made:
        for model in result.models:
            models.setdefault(model.digest, model)
    numbered = [(f"M{i}", model) for i, model in enumerate(models.values(), 1)]
    papers = {c.document.sha256: c.document.name for c in report.consents.values() if c.document}
    return page_template("host_bridge.timeline.report", "report.html.jinja").render(
        report=report,
        name=PurePosixPath(report.edit.path.replace("\\", "/")).name,
        roles=ROLES,
        covered=COVERED,
        said=SAID,
        weights=WEIGHTS,
        models={model.digest: label for label, model in numbered},
        papers={digest: f"D{i}" for i, digest in enumerate(papers, 1)},
        consents=sorted(report.consents.values(), key=lambda c: ((c.performer or "").casefold(), c.id)),
        performers={p.id for s in report.shots for p in s.people},
        versions=sorted({r.version for _, r in made}),
        signers=sorted({r.credentials.by for _, r in made if r.credentials.by}),
        prints={
            "Edit, models, documents: SHA-256": [
                *_of_edit(report),
                *(Fingerprint(label, m.sha256, m.name or "") for label, m in numbered if m.sha256),
                *(Fingerprint(f"D{i}", digest, name) for i, (digest, name) in enumerate(papers.items(), 1)),
            ],
            "Results: SHA-256": [Fingerprint(s.id, r.sha256) for s, r in made if r.sha256],
            "Footage: Faceplate's own digest": list(_of_footage(report)),
            "Models: Faceplate's own digest": [
                *(Fingerprint(label, m.digest, m.name or "") for label, m in numbered if not m.sha256),
                *(Fingerprint(s.id, d, "of unknown origin") for s, r in made for d in r.unknown),
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
    """Each clip once, with the shots that it is in."""
    shots: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    for shot in report.shots:
        for clip in shot.result.footage if shot.result else ():
            shots.setdefault(clip.digest, []).append(shot.id)
            parts.setdefault(clip.digest, _PARTS[clip.part])
    for digest, ids in shots.items():
        yield Fingerprint(ids[0] if len(ids) == 1 else f"{ids[0]} + {len(ids) - 1}", digest, parts[digest])
