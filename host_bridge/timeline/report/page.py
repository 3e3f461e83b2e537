"""The report as one HTML page, to be printed or kept: everything it shows is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from host_bridge.timeline.report.answers import WEIGHTS
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
class Print:
    """A fingerprint. label: what it is of, as the page calls it elsewhere. of: what else is to be said of that."""

    label: str
    digest: str
    of: str = ""


def page(report: Mapping[str, Any]) -> str:
    """Fill the template with what `gather` found."""
    models, papers = _models(report), _papers(report)
    made = [shot["result"] for shot in report["shots"] if shot["result"]]
    return page_template("host_bridge.timeline.report", "report.html.jinja").render(
        report=report,
        name=PurePosixPath(report["edit"]["path"].replace("\\", "/")).name,
        roles=ROLES,
        covered=COVERED,
        said=SAID,
        weights=WEIGHTS,
        models={digest: f"M{i}" for i, digest in enumerate(models, 1)},
        papers={digest: f"D{i}" for i, digest in enumerate(papers, 1)},
        consents=sorted(report["consents"].values(), key=lambda c: ((c["performer"] or "").casefold(), c["id"])),
        performers={p["id"] for s in report["shots"] for p in s["people"]},
        versions=sorted({r["version"] for r in made}),
        signers=sorted({r["credentials"]["by"] for r in made if r["credentials"]["by"]}),
        prints={
            "Edit, models, documents: SHA-256": [
                *_of_edit(report),
                *(
                    Print(f"M{i}", m["sha256"], m["name"] or "")
                    for i, m in enumerate(models.values(), 1)
                    if m["sha256"]
                ),
                *(Print(f"D{i}", digest, name) for i, (digest, name) in enumerate(papers.items(), 1)),
            ],
            "Results: SHA-256": [
                Print(s["id"], s["result"]["sha256"]) for s in report["shots"] if s["result"] and s["result"]["sha256"]
            ],
            "Footage: Faceplate's own digest": list(_of_footage(report)),
            "Models: Faceplate's own digest": [
                *(Print(f"M{i}", d, m["name"] or "") for i, (d, m) in enumerate(models.items(), 1) if not m["sha256"]),
                *(
                    Print(s["id"], d, "of unknown origin")
                    for s in report["shots"]
                    if s["result"]
                    for d in s["result"]["unknown"]
                ),
            ],
        },
    )


def _models(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Each model once, by its digest, in the order of the shots."""
    found: dict[str, Mapping[str, Any]] = {}
    for shot in report["shots"]:
        for model in (shot["result"] or {}).get("models", ()):
            found.setdefault(model["digest"], model)
    return found


def _papers(report: Mapping[str, Any]) -> dict[str, str]:
    """Names of signed documents, each once, by their SHA-256."""
    papers = [c["document"] for c in report["consents"].values() if c["document"]]
    return {paper["sha256"]: paper["name"] for paper in papers}


def _of_edit(report: Mapping[str, Any]) -> Iterator[Print]:
    edit = report["edit"]
    if edit["own_digest"] == edit["digest"]:
        yield Print("edit", edit["digest"])
    else:
        yield Print("edit", edit["digest"], "as run")
        yield Print("edit", edit["own_digest"], "with results" if report["export"] else "now")


def _of_footage(report: Mapping[str, Any]) -> Iterator[Print]:
    """Each clip once, with the shots that it is in."""
    shots: dict[str, list[str]] = {}
    told: dict[str, str] = {}
    for shot in report["shots"]:
        for one in (shot["result"] or {}).get("footage", ()):
            shots.setdefault(one["digest"], []).append(shot["id"])
            told.setdefault(one["digest"], _PARTS[one["part"]])
    for digest, ids in shots.items():
        yield Print(ids[0] if len(ids) == 1 else f"{ids[0]} + {len(ids) - 1}", digest, told[digest])
