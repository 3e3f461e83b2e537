"""Measure a shot and write what was found: `report.json` for programs, `report.html` for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nodes.files import whole_file
from nodes.report.figures import Figure, key_figures, overall
from nodes.report.frames import Curves, Look, curves, look_first
from nodes.report.gather import Closer, Gathered, Replacement, gather
from nodes.report.page import render
from nodes.report.pictures import pictures
from nodes.types import Float

SCHEMA = "faceplate.report/2"


def write_report(
    shot: Path, progress: Callable[[float], None] = lambda done: None, name: str | None = None
) -> dict[str, Any]:
    """Measure the shot in a folder that `faceplate swap` wrote, write report.json and report.html there, and return the former.

    Needs plate.mkv and composite.mkv; matte/matte.*.exr and shot.json where they are there. progress: told 0..1. name: what the shot is called, by default as its folder. Both files appear
    whole or not at all, and neither before all is measured and drawn. Raises FootageError for what is missing, damaged or does not match, OutputError where
    the folder cannot be written to.
    """
    shot = Path(shot)
    found = gather(shot, lambda done: progress(0.93 * done))
    measured = curves(found)
    figures = key_figures(found, measured)
    looks = look_first(found, measured)
    document = _document(name or found.name, found, measured, figures, looks)
    sheet, pairs = pictures(shot, found, looks)
    html = render(found, measured, figures, document, sheet, pairs)
    with whole_file(shot / "report.html") as page, whole_file(shot / "report.json") as data:
        page.write_text(html, "utf-8")
        data.write_text(_dumped(document), "utf-8")
    progress(1.0)
    return document


def _document(name: str, shot: Gathered, c: Curves, figures: list[Figure], looks: list[Look]) -> dict[str, Any]:
    verdict, sentence = overall(figures)
    return {
        "schema": SCHEMA,
        "shot": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "width": shot.faces.width,
        "height": shot.faces.height,
        "rate": str(shot.faces.rate),
        "first": shot.first,
        "frames": len(shot.coverage),
        "cuts": [shot.first + cut - shot.faces.first for cut in shot.faces.cuts],
        "verdict": verdict,
        "summary": sentence,
        "notes": list(shot.notes),
        "figures": [
            {
                "name": f.name,
                "label": f.label,
                "value": _number(f.value),
                "unit": f.unit.strip(),
                "low": f.low,
                "high": f.high,
                "shown": f.shown,
                "bar": f.bar,
                "verdict": f.verdict,
                "meaning": f.meaning,
                "group": f.group,
            }
            for f in figures
        ],
        "look_first": [
            {"frame": shot.first + k.frame, "reasons": list(k.reasons), "severity": _number(k.severity)} for k in looks
        ],
        "per_frame": {
            "faces_plate": shot.faces_plate.tolist(),
            "faces_composite": shot.faces_composite.tolist(),
            "landmark_error_percent": _numbers(c.error),
            "expression_error": _numbers(c.expression),
            "flicker_plate": _numbers(c.flicker_plate),
            "flicker_composite": _numbers(c.flicker_composite),
            "coverage_percent": _numbers(c.coverage),
            "coverage_step_percent": _numbers(c.steps),
            "change_outside": _numbers(c.outside),
            "coefficients": [_coefficients(shot, f) for f in shot.replaced],
        },
        "faces": [_face(shot, f) for f in shot.replaced],
    }


def _coefficients(shot: Gathered, face: Replacement) -> dict[str, Any]:
    """The curves of one face, from its first frame on."""

    def by_name(values: Float) -> dict[str, list[float | None]]:
        return {n: [_number(v, "3f") for v in column] for n, column in zip(shot.coefficients, values.T, strict=True)}

    return {
        "track": face.track,
        "first": shot.first + int(face.frames[0]),
        "plate": by_name(face.plate_coefficients),
        "composite": by_name(face.composite_coefficients),
    }


def _face(shot: Gathered, face: Replacement) -> dict[str, Any]:
    return {
        "track": face.track,
        "first": shot.first + int(face.frames[0]),
        "last": shot.first + int(face.frames[-1]),
        "score_plate": _numbers(face.plate_score),
        "score_composite": _numbers(face.composite_score),
        "covered": _numbers(face.covered),
        "sampled": None if face.closer is None else _sampled(shot, face, face.closer),
        "transform": {
            "columns": ["scale_px", "angle_radians", "x", "y"],
            "raw": [_numbers(row) for row in face.raw],
            "smoothed": [_numbers(row) for row in face.smoothed],
        },
    }


def _sampled(shot: Gathered, face: Replacement, closer: Closer) -> dict[str, Any]:
    return {
        "frames": (shot.first + face.frames[closer.at]).tolist(),
        "distance_to_source": _numbers(closer.to_source),
        "distance_to_performer": _numbers(closer.to_performer),
        "sharpness": {region: _numbers(values) for region, values in closer.sharpness.items()},
    }


def _dumped(document: dict[str, Any]) -> str:
    """Write as JSON, with lists of numbers on one line each: line breaks stand between values only, never in a string."""
    text = json.dumps(document, indent=1, allow_nan=False)
    return re.sub(r'\[\n[^][{}"]*\]', lambda found: " ".join(found[0].split()), text) + "\n"


def _number(value: float, form: str = "5g") -> float | None:
    """JSON has no NaN: what was not measured is null. Five significant digits, or as `form` says."""
    return float(f"{value:.{form}}") if np.isfinite(value) else None


def _numbers(values: Float) -> list[float | None]:
    return [_number(float(v)) for v in values]
