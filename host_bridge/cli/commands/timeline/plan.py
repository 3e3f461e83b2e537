"""`faceplate timeline plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress

if TYPE_CHECKING:
    from host_bridge.timeline.plan import Plan, PlannedShot

_LISTED = Parameter(negative_iterable=())


def plan(
    edit: Path,
    *,
    source: Annotated[tuple[str, ...], _LISTED] = (),
    target: str | None = None,
    cast: Path | None = None,
    out: Path | None = None,
    media_root: Annotated[tuple[str, ...], _LISTED] = (),
    handles: int = 8,
    no_look: Flag = False,
    html: Path | None = None,
    json: Flag = False,
) -> None:
    """List the shots of an edit: who is replaced by whom, what is there already, and how long the rest will take.

    Parameters
    ----------
    edit
        The edit: .otio, .otioz, .otiod, or .edl, .xml, .fcpxml, .aaf.
    source
        FOOTAGE of the performer who is put into every shot; or NAME=FOOTAGE, of one whom the cast file or the edit names. Can be repeated.
    target
        What the performer in the plate is called, who is replaced in every shot.
    cast
        Cast file, .toml, .yaml, .json or .csv: who is replaced by whom in which shots.
    out
        Folder of the run; by default EDIT.faceplate beside the edit.
    media_root
        Where the edit's media are now, FROM=TO or a folder to search; can be repeated.
    handles
        Frames that are rendered before and behind each shot, where its media have them.
    no_look
        Do not look for faces.
    html
        Write a page with a picture of each shot to this file.
    json
        Print the plan as JSON.
    """
    from host_bridge.timeline.asked import ask, sources
    from host_bridge.timeline.document import default_folder
    from host_bridge.timeline.plan import make_plan, page
    from nodes.footage.whole import whole_file

    footage, unnamed = sources(source, target)
    asked = ask(
        edit.expanduser(),
        cast=cast,
        performers=footage,
        source=unnamed,
        target=target,
        media_roots=media_root,
        handles=handles,
        unpacked=out / "bundle" if out else None,
    )
    with show_progress() as shown:
        found = make_plan(
            asked.edit,
            asked.shots,
            asked.performers,
            (out or default_folder(asked.edit.path)).expanduser().absolute(),
            look=not no_look,
            pictures=html is not None,
            progress=lambda done, of: shown("look", done, of),
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
    print(f"{len(plan.shots)} shots, {cast} with a cast; {told}.")
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
