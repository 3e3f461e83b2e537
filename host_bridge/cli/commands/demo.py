"""`faceplate demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json
from host_bridge.cli.progress import show_progress
from host_bridge.cli.summary import print_shot
from install.samples import SamplesError, fetch_samples, samples_folder
from nodes.errors import FootageError

SOURCE, PLATE = "franck.mp4", "cap13_edit2.mp4"


def demo(*, out: Path = Path("faceplate-demo"), json: Flag = False) -> None:
    """Swap a face in the sample footage, which is fetched when it is not there; no training, a few minutes.

    Parameters
    ----------
    out
        Folder for the results.
    json
        Print the shot's document and its report as JSON.
    """
    try:
        folder = fetch_samples(samples_folder(), lambda line: print(line, file=sys.stderr))
    except SamplesError as e:
        raise FootageError(str(e)) from e

    from nodes.footage import open_footage
    from nodes.shot.render import render_shot

    with open_footage(folder / PLATE) as plate, open_footage(folder / SOURCE) as source, show_progress() as progress:
        rendered = render_shot(plate, source, out, progress=progress)
    if json:
        print_json({"folder": str(rendered.folder), "shot": rendered.document, "report": rendered.report})
    else:
        print_shot(rendered)
