"""`faceplate report`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import Json
from host_bridge.cli.output import print_figures, print_json
from host_bridge.cli.progress import show_progress
from nodes.report.document import write_report
from nodes.shot.document import load


def report(shot: Path, /, *, json: Json = False) -> None:
    """Measure a finished shot and write its report again: report.html and report.json, in its folder.

    Args:
        shot: Folder that `faceplate swap` has written.
    """
    folder = shot.expanduser()
    load(folder)
    with show_progress() as shown:
        report = write_report(folder, progress=lambda share: shown.progress("report", round(100 * share), 100))
    document = report.model_dump(mode="json", by_alias=True)
    if json:
        print_json(document)
        return
    print(folder / "report.html")
    print_figures(document)
