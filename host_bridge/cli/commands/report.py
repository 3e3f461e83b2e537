"""`faceplate report`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json
from host_bridge.cli.progress import show_progress
from host_bridge.cli.summary import print_figures
from nodes.report import write_report
from nodes.shot.document import load


def report(shot: Path, /, *, json: Flag = False) -> None:
    """Measure a finished shot and write its report again: report.html and report.json, in its folder.

    Parameters
    ----------
    shot
        Folder that `faceplate swap` has written.
    json
        Print the report as JSON as well.
    """
    folder = shot.expanduser()
    load(folder)
    with show_progress() as progress:
        found = write_report(folder, progress=lambda share: progress("report", round(100 * share), 100))
    if json:
        print_json(found)
        return
    print(folder / "report.html")
    print_figures(found)
