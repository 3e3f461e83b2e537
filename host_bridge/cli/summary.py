"""The end of a swap: where the files are, and the key figures of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.cli.output import print_table

_FILES = {
    "composite.mkv": "the finished picture, lossless",
    "plate.mkv": "the same frames of the plate, lossless",
    "preview.mp4": "plate and composite beside each other",
    "patch": "the new face, premultiplied half-float EXR",
    "matte": "where it is, half-float EXR",
    "composite": "the finished picture in the plate's own format",
    "sheet.png": "a few frames at a glance",
    "report.html": "how good it is",
}


def print_shot(told: dict[str, Any], untrained: dict[str, Any] | None = None) -> None:
    """Print where the results of the job `swap` are, and how good they are. untrained: a report to compare with."""
    found, span = told["shot"]["results"], told["shot"]["range"]
    print(told["folder"])
    print(f"frames {span['first']}-{span['last']}: {found['frames_with_face']} of {found['frames']} with a new face")
    print_table(("file", "what"), ((n, w) for n, w in _FILES.items() if (Path(told["folder"]) / n).exists()))
    print_figures(told["report"], untrained)


def print_figures(report: dict[str, Any], untrained: dict[str, Any] | None = None) -> None:
    """Print the key figures of a report, each with its bar and whether it is kept, and what they were without training."""
    figures = report.get("figures")
    if not isinstance(figures, list):
        return
    before = {f.get("name"): _value(f) for f in (untrained or {}).get("figures", [])}
    print_table(
        ("figure", "value", *(["untrained"] if before else []), "bar", ""),
        (
            (
                f.get("label", f.get("name")),
                _value(f),
                *([before.get(f.get("name"), "-")] if before else []),
                f.get("bar") or "",
                f.get("verdict", ""),
            )
            for f in figures
        ),
    )


def _value(figure: dict[str, Any]) -> str:
    if figure.get("shown"):
        return str(figure["shown"])
    value = figure.get("value")
    return f"{value:.3g}{figure.get('unit') or ''}" if isinstance(value, int | float) else "-"
