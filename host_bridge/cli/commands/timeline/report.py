"""`faceplate timeline report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.cli.options import Flag, node_options
from host_bridge.cli.output import print_json, print_table
from nodes.consent.parameters import NOTHING_SAID, ConsentParameters


@node_options
def report(
    edit: Path,
    *,
    out: Path | None = None,
    html: Path | None = None,
    json: Flag = False,
    consent: ConsentParameters = NOTHING_SAID,
) -> None:
    """Say for the legal department who was replaced by whom in an edit, by which consents, with which models.

    Parameters
    ----------
    edit
        The edit that was run.
    out
        Folder of the run; by default EDIT.faceplate beside the edit.
    html
        Write it as one page, ready to print, to this file.
    json
        Print it as JSON.
    """
    from host_bridge.timeline.report import gather, page
    from nodes.footage.whole import whole_file

    found = gather(edit, out, consent)
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
    print(f"{found['edit']['path']}, SHA-256 {found['edit']['digest']}")
    print_table(
        ("shot", "name", "frames", "replaced", "consents", "model"),
        [_row(s, found["consents"]) for s in found["shots"]],
    )
    for line in found["attention"]:
        print(line)


def _row(shot: dict[str, Any], consents: dict[str, Any]) -> tuple[object, ...]:
    result = shot["result"]
    used = dict.fromkeys(id for person in shot["people"] for id in person["consents"])
    return (
        shot["id"],
        shot["name"],
        shot["frames"]["count"],
        "; ".join(f"{c['target']} by {c['source']}" for c in shot["cast"]),
        ", ".join(f"{id} {consents[id]['stands']}" for id in used),
        "no result" if result is None else ", ".join(m["name"] for m in result["models"]) or "no trained model",
    )
