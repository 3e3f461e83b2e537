"""`faceplate timeline report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.cli.commands.timeline.options import MediaRoot, Rate, RunFolder
from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters


@node_options
def report(
    edit: Path,
    *,
    out: RunFolder = None,
    media_root: MediaRoot = (),
    rate: Rate = None,
    no_verify: Flag = False,
    html: Path | None = None,
    json: Flag = False,
    consent: ConsentParameters = DEFAULT_CONSENT,
) -> None:
    """Say for the legal department who was replaced by whom in an edit, by which consents, with which models.

    Parameters
    ----------
    edit
        The edit that was run; or one that `faceplate timeline export` wrote, which needs no run: it says what it shows clip by clip.
    no_verify
        Do not read the results to see whether they are as they were made.
    html
        Write it as a page, ready to print, to this file.
    json
        Print it as JSON.
    """
    from host_bridge.jobs.footage import frame_rate
    from host_bridge.timeline.read.places import media_root as root
    from host_bridge.timeline.report import Wanted, gather, page
    from nodes.files import whole_file

    with show_progress() as shown:
        found = gather(
            Wanted(
                edit,
                out,
                tuple(root(text) for text in media_root),
                consent,
                rate=frame_rate(rate),
                verify=not no_verify,
                progress=lambda done, of: shown.progress("report", done, of),
            )
        )
    if html is not None:
        with whole_file(html.expanduser()) as temporary:
            temporary.write_text(page(found), "utf-8")
    if json:
        print_json(found)
        return
    _show(found)
    if html is not None:
        print(html)


def _show(found: dict[str, Any]) -> None:
    from host_bridge.timeline.report.page import COVERED, SAID

    print(f"{found['edit']['path']}, SHA-256 {found['edit']['digest']}")
    print_table(
        ("shot", "name", "frames", "replaced", "consents", "model", "results"),
        [_row(s, found["consents"]) for s in found["shots"]],
    )
    print(COVERED[found["covered"]])
    for one in found["answers"]:
        print(f"{one['question']} {SAID[one['answer']]}")
        for line in one["why"]:
            print(f"  {line}")
    for line in found["remarks"]:
        print(line)


def _row(shot: dict[str, Any], consents: dict[str, Any]) -> tuple[object, ...]:
    result = shot["result"]
    used = dict.fromkeys(id for person in shot["people"] for id in person["consents"])
    return (
        shot["id"],
        shot["name"],
        shot["frames"]["count"],
        "; ".join(f"{c['target'] or 'not said'} by {c['source'] or 'not said'}" for c in shot["cast"]),
        ", ".join(f"{id} {consents[id]['stands']}" for id in used),
        "-"
        if result is None
        else ", ".join(m["name"] or m["digest"][:12] for m in result["models"]) or "no trained model",
        "no result" if result is None else result["credentials"]["what"],
    )
