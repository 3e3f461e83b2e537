"""Results of commands on stdout: JSON for programs; for people tables, the files of a shot and the figures of its report."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nodes.text import printable

if TYPE_CHECKING:
    from host_bridge.jobs.swap import SwapResult
    from nodes.report.document import KeyFigure, Report

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


def print_json(value: Any) -> None:
    """Print a value, or the result of a job, as JSON; NaN and infinity become null."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, stderr: bool = False) -> None:
    """Print a table as wide as the terminal, or as wide as it needs elsewhere; on stdout, or on stderr."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    Console(width=None if terminal else 200, stderr=stderr).print(table)


def print_shot(result: SwapResult, untrained: Report | None = None) -> None:
    """Print where the results of the job `swap` are, and how good they are. untrained: a report to compare with."""
    results, span, folder = result.shot.results, result.shot.range, result.folder
    print(folder)
    print(f"frames {span.first}-{span.last}: {results.frames_with_face} of {results.frames} with a new face")
    print_table(("file", "what"), ((name, what) for name, what in _FILES.items() if (folder / name).exists()))
    print_figures(result.report, untrained)


def print_figures(report: Report, untrained: Report | None = None) -> None:
    """Print the key figures of a report, each with its bar and whether it is kept, and what they were without training."""
    before = {figure.name: figure for figure in untrained.figures} if untrained else {}
    rows = (
        (f.label, _value(f), *([_value(before.get(f.name))] if before else []), f.bar, f.verdict)
        for f in report.figures
    )
    print_table(("figure", "value", *(["untrained"] if before else []), "bar", ""), rows)


def _value(figure: KeyFigure | None) -> str:
    return figure.shown if figure else "-"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
