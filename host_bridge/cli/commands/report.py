"""`faceplate report`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import Json
from host_bridge.cli.output import print_figures, print_json
from host_bridge.cli.progress import show_progress
from nodes.report.write import write_report
from nodes.shot_document import load_shot


def report(shot: Path, /, *, json: Json = False) -> None:
    """Measure a finished shot and write its report again: report.html and report.json, in its folder.

    Args:
        shot: Folder that `faceplate swap` has written.
    """
    folder = shot.expanduser()
    load_shot(folder)
    with show_progress() as watch:
        report = write_report(folder, progress=lambda share: watch.progress("report", round(100 * share), 100))
    if json:
        print_json(report)
        return
    print(folder / "report.html")
    print_figures(report)
