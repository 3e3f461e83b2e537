"""Results of commands on stdout: JSON for programs; for people tables, the files of a shot and the figures of its report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nodes.parts import PARTS
from nodes.text import printable

if TYPE_CHECKING:
    from host_bridge.jobs.swap import SwapResult
    from nodes.report.document import KeyFigure, Report


def print_json(value: Any) -> None:
    """Print a value, or the result of a job, as JSON; NaN and infinity become null."""
    from host_bridge.jobs.job import as_document

    print(json.dumps(as_document(value), indent=2, ensure_ascii=False))


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
    """Print the files and key figures of a result of the job `swap`. untrained: a report to compare with."""
    results, span, folder = result.shot.results, result.shot.range, result.folder
    print(folder)
    print(f"frames {span.first}-{span.last}: {results.frames_with_face} of {results.frames} with a new face")
    files = [(file, part.meaning) for name, part in PARTS.items() for file in (part.file, part.frames and name) if file]
    files.append(("report.html", "how good it is"))
    print_table(("file", "what"), [(file, meaning) for file, meaning in files if (folder / file).exists()])
    print_figures(result.report, untrained)


def print_figures(report: Report, untrained: Report | None = None) -> None:
    """Print the key figures of a report, each with its limit and verdict, and the untrained values beside them."""
    before = {figure.name: figure for figure in untrained.figures} if untrained else {}
    rows = (
        (f.label, _value(f), *([_value(before.get(f.name))] if before else []), f.bar, f.verdict)
        for f in report.figures
    )
    print_table(("figure", "value", *(["untrained"] if before else []), "bar", ""), rows)


def _value(figure: KeyFigure | None) -> str:
    return figure.shown if figure else "-"
