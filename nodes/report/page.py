"""The report as one HTML page: everything it shows is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nodes.pages import template
from nodes.report import plots
from nodes.report.figures import Curves, Figure
from nodes.report.gather import Gathered
from nodes.report.pictures import Column, Pair

_SUBJECTS = 3  # faces that get curves of their own
_SETTINGS = 100


def render(
    shot: Gathered,
    curves: Curves,
    figures: Sequence[Figure],
    document: dict[str, Any],
    sheet: Sequence[Column],
    pairs: Sequence[Pair],
) -> str:
    """Fill the template. document: the report as JSON; sheet, pairs: its pictures."""
    bar = next(f.high for f in figures if f.name == "landmark_error") or 0.0
    subjects = shot.subjects[:_SUBJECTS]
    changed = bool((curves.outside > 0).any())
    return template("nodes.report", "report.html.jinja").render(
        shot=document,
        duration=float(document["frames"] / shot.faces.rate),
        rate=f"{float(shot.faces.rate):.3f}".rstrip("0").rstrip("."),
        figures=figures,
        sheet=sheet,
        pairs=pairs,
        without_plate=runs([shot.first + i for i, n in enumerate(shot.faces_plate.tolist()) if not n]),
        without_composite=runs([shot.first + i for i, n in enumerate(shot.faces_composite.tolist()) if not n]),
        more_faces=len(shot.subjects) - len(subjects),
        settings=list(_flat(shot.document))[:_SETTINGS],
        plots={
            "detections": [plots.detections(shot)],
            "transforms": [plots.transforms(shot, s) for s in subjects],
            "landmarks": [plots.landmark_error(shot, curves, bar)] if subjects else [],
            "mouth": [plots.openings(shot, s, "mouth") for s in subjects],
            "eyes": [plots.openings(shot, s, "eyes") for s in subjects],
            "coverage": [plots.coverage(shot, curves)],
            "flicker": [plots.flicker(shot, curves)] if subjects else [],
            "outside": [plots.outside(shot, curves)] if changed else [],
        },
    )


def runs(numbers: Sequence[int]) -> str:
    """Say ascending frame numbers as runs: 1, 2, 3, 7 → "1–3, 7"; empty for none."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][1] + 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    said = [str(a) if a == b else f"{a}–{b}" for a, b in parts]
    return ", ".join(said[:12]) + (f" and {len(said) - 12} more runs" if len(said) > 12 else "")


def _flat(document: object, name: str = "") -> Any:
    """Yield the plain values of a document as (name, text)."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _flat(value, f"{name} · {key}" if name else str(key))
    elif isinstance(document, list) and len(document) <= 8 and all(isinstance(v, str | int | float) for v in document):
        yield name, ", ".join(map(str, document))
    elif isinstance(document, str | int | float):
        yield name, str(document)
