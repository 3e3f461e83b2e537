"""`faceplate timeline diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.commands.timeline.options import Rate
from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def diff(
    a: Annotated[Path, Parameter(name="A")],
    b: Annotated[Path, Parameter(name="B")],
    *,
    only_faceplate: Flag = False,
    rate: Rate = None,
    json: Flag = False,
) -> int:
    """List what differs between two edits; the exit status is 0 when nothing does, 1 when something does.

    Parameters
    ----------
    a
        An edit.
    b
        Another.
    only_faceplate
        Accept what Faceplate's export added to B: list it not, and end with 0 when there is nothing else.
    json
        Print it as JSON.
    """
    from host_bridge.jobs.footage import frame_rate
    from host_bridge.timeline.read.edit import read_edit
    from host_bridge.timeline.write.diff import EditDiff, diff_edits

    changes = diff_edits(*(read_edit(path, rate=frame_rate(rate)) for path in (a, b)))
    shown = tuple(change for change in changes if not (only_faceplate and change.ours))
    if json:
        print_json(EditDiff(same=not shown, changes=shown).model_dump(mode="json"))
    else:
        for c in shown:
            value = f"{c.before} → {c.after}" if c.kind == "changed" else c.before or c.after
            print(f"{_SIGNS[c.kind]} {c.path}{f': {value}' if value else ''}{'  (Faceplate)' if c.ours else ''}")
    return 1 if shown else 0
