"""The report as one HTML page: everything it shows is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nodes.report import plots
from nodes.report.expression import follow
from nodes.report.figures import Figure
from nodes.report.frames import Curves
from nodes.report.gather import Gathered, Replacement
from nodes.report.pictures import Column, Pair
from nodes.text import page_template

_FACES = 3  # that get curves of their own
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
    faces, groups = shot.replaced[:_FACES], _groups(figures)
    changed = bool((curves.outside > 0).any())
    return page_template("nodes.report", "report.html.jinja").render(
        shot=document,
        duration=float(document["frames"] / shot.faces.rate),
        rate=f"{float(shot.faces.rate):.3f}".rstrip("0").rstrip("."),
        figures=[f for f in figures if not f.group],
        groups=groups,
        bars=[next((f.bar for f in column if f.bar), "") for column in zip(*groups.values(), strict=True)],
        sheet=sheet,
        pairs=pairs,
        without_plate=runs([shot.first + i for i, n in enumerate(shot.faces_plate.tolist()) if not n]),
        without_composite=runs([shot.first + i for i, n in enumerate(shot.faces_composite.tolist()) if not n]),
        more_faces=len(shot.replaced) - len(faces),
        settings=list(_flat(shot.document))[:_SETTINGS],
        plots={
            "detections": [plots.detections(shot)],
            **_expression(shot, faces),
            "transforms": [plots.transforms(shot, f) for f in faces],
            "landmarks": [plots.landmark_error(shot, curves, bar)] if faces else [],
            "coverage": [plots.coverage(shot, curves)],
            "flicker": [plots.flicker(shot, curves)] if faces else [],
            "outside": [plots.outside(shot, curves)] if changed else [],
        },
    )


def _groups(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """The figures of each group of the expression, the group that misses its bars most first."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.group:
            groups.setdefault(figure.group, []).append(figure)
    return dict(sorted(groups.items(), key=lambda group: -max(f.severity for f in group[1])))


def _expression(shot: Gathered, faces: Sequence[Replacement]) -> dict[str, list[str]]:
    """Plots of each group."""
    found: dict[str, list[str]] = {}
    for face in faces if shot.coefficients else ():
        for group in follow(face.plate_coefficients, face.composite_coefficients, shot.coefficients):
            drawn = plots.expression(shot, face, group)
            found.setdefault(group.group, []).extend([drawn] if drawn else [])
    return found


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
