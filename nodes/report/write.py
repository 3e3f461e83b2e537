"""Measure a shot and write what was found: `report.json` for programs, `report.html` for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nodes.footage.whole import whole_file
from nodes.report import measure
from nodes.report.figures import Curves, Figure, Look, curves, key_figures, look_first, overall
from nodes.report.gather import Gathered, Subject, gather
from nodes.report.page import render
from nodes.report.pictures import pictures

SCHEMA = "faceplate.report/1"


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
        data.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
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
            "flicker_plate": _numbers(c.flicker_plate),
            "flicker_composite": _numbers(c.flicker_composite),
            "coverage_percent": _numbers(c.coverage),
            "coverage_step_percent": _numbers(c.steps),
            "change_outside": _numbers(c.outside),
        },
        "faces": [_face(shot, s) for s in shot.subjects],
    }


def _face(shot: Gathered, s: Subject) -> dict[str, Any]:
    return {
        "track": s.track,
        "first": shot.first + int(s.frames[0]),
        "last": shot.first + int(s.frames[-1]),
        "score_plate": _numbers(s.plate_score),
        "score_composite": _numbers(s.composite_score),
        "covered": _numbers(s.covered),
        "mouth_plate": _numbers(measure.mouth_opening(s.plate)),
        "mouth_composite": _numbers(measure.mouth_opening(s.composite)),
        "eyes_plate": _numbers(measure.eye_opening(s.plate)),
        "eyes_composite": _numbers(measure.eye_opening(s.composite)),
        "transform": {
            "columns": ["scale_px", "angle_radians", "x", "y"],
            "raw": [_numbers(row) for row in s.raw],
            "smoothed": [_numbers(row) for row in s.smoothed],
        },
    }


def _number(value: float) -> float | None:
    """JSON has no NaN: what was not measured is null. Five significant digits."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [_number(float(v)) for v in values]
