"""`faceplate timeline plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from host_bridge.cli.commands.timeline.options import CUTTING, Cutting
from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.text import counted

if TYPE_CHECKING:
    from host_bridge.timeline.plan import Plan, PlannedShot


def plan(
    edit: Path,
    *,
    cutting: Cutting = CUTTING,
    no_look: Flag = False,
    html: Path | None = None,
    json: Flag = False,
) -> None:
    """List the shots of an edit: who is replaced by whom, what is there already, and how long the rest will take.

    Parameters
    ----------
    edit
        The edit: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .fcpxmld, .aaf.
    no_look
        Do not look for faces.
    html
        Write a page with a picture of each shot to this file.
    json
        Print the plan as JSON.
    """
    from host_bridge.jobs.footage import frame_rate
    from host_bridge.timeline.asked import ask, sources
    from host_bridge.timeline.document import default_folder
    from host_bridge.timeline.plan import make_plan, page
    from nodes.files import whole_file

    footage, unnamed = sources(cutting.source, cutting.target)
    asked = ask(
        edit.expanduser(),
        cast=cutting.cast,
        performers=footage,
        source=unnamed,
        target=cutting.target,
        media_roots=cutting.media_root,
        handles=cutting.handles,
        rate=frame_rate(cutting.rate),
        unpacked=cutting.out / "bundle" if cutting.out else None,
    )
    with show_progress() as shown:
        found = make_plan(
            asked.edit,
            asked.shots,
            asked.performers,
            (cutting.out or default_folder(asked.edit.path)).expanduser().absolute(),
            look=not no_look,
            pictures=html is not None,
            progress=lambda done, of: shown.progress("look", done, of),
        )
    if html is not None:
        with whole_file(html.expanduser()) as temporary:
            temporary.write_text(page(found), "utf-8")
    if json:
        print_json(found.as_json())
        return
    _show(found)
    if html is not None:
        print(html)


def _show(plan: Plan) -> None:
    from host_bridge.timeline.plan.page import duration

    for note in plan.edit.notes:
        print(f"{plan.edit.path.name}: {note}")
    rows = [_row(shot) for shot in plan.shots]
    print_table(("shot", "name", "frames", "cast", "faces", "state", "time"), rows)
    for shot in plan.shots:
        for line in shot.problems:
            if shot.shot.cast or shot.state == "media missing":
                print(f"{shot.shot.id}: {line}")
    for url in plan.missing:
        print(f"missing: {url}")
    cast = sum(bool(shot.shot.cast) for shot in plan.shots)
    told = f"about {duration(plan.seconds)}, by {plan.known_by}" if plan.seconds else "nothing to do"
    print(f"{counted(len(plan.shots), 'shot')}, {cast} with a cast; {told}.")
    if plan.saved:
        print(f"Shots that share a model save {duration(plan.saved)}.")


def _row(planned: PlannedShot) -> tuple[object, ...]:
    from host_bridge.timeline.plan.page import duration

    shot, look = planned.shot, planned.look
    cast = "; ".join(f"{c.source} on {c.target}" for c in shot.cast)
    return (
        shot.id,
        shot.name,
        f"{shot.record[1]} ({shot.span[1] - shot.span[0] + 1})",
        cast or "-",
        "-" if look.faces is None else look.faces,
        f"{planned.state}{', analysed' if look.analysed and planned.state == 'to do' else ''}",
        duration(planned.seconds) if planned.seconds else "-",
    )
