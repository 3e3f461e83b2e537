"""`faceplate faceset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from host_bridge.cli.options import DETECT, Flag, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.faceset import FacesetRequest
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import UsageError
from nodes.text import counted
from trainer.faceset.parameters import FacesetParameters

FACESET = FacesetParameters()
Ranges = Annotated[tuple[str, ...], Parameter(name="--range", negative="")]


@node_options
def faceset(
    *clips: Annotated[Path, Parameter(name="CLIP")],
    performer: str,
    out: Path,
    ranges: Ranges = (),
    rate: str | None = None,
    engine: Flag = False,
    json: Flag = False,
    faceset_parameters: FacesetParameters = FACESET,
    consent: ConsentParameters = DEFAULT_CONSENT,
    detect_parameters: DetectParameters = DETECT,
) -> None:
    """Gather the crops of one performer from clips, ready to train on.

    Parameters
    ----------
    clips
        Footage in which this performer's face is the main one; several clips make one faceset.
    performer
        The performer, by name or id, whose consent `faceplate performer add` has recorded.
    out
        Folder of the faceset; an earlier faceset there is replaced when the new one is finished.
    ranges
        Frames A-B to look at, both included, by the clip's own numbers, by default all; given once for each clip, in their order.
    rate
        Frames per second of image sequences that do not say, as 25 or 24000/1001.
    engine
        Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it.
    json
        Print what was kept and left out as JSON.
    """
    if not clips:
        raise UsageError(
            "no CLIP is given", remedy="Name the footage: faceplate faceset CLIP --performer NAME --out DIR"
        )
    if not performer.strip():
        raise UsageError("--performer: is empty", remedy="Give the performer's name")
    if ranges and len(ranges) != len(clips):
        raise UsageError(
            f"--range is given {counted(len(ranges), 'time')} for {counted(len(clips), 'clip')}",
            remedy="Give one for each clip, or none",
        )
    request = FacesetRequest(
        clips=clips,
        performer=performer,
        named=performer,
        consent=consent,
        out=out,
        rate=rate,
        ranges=ranges,
        faceset=faceset_parameters,
        detect=detect_parameters,
    )
    told = perform("faceset", request, engine=engine)
    if json:
        print_json(told)
        return
    print(told["folder"])
    reasons = list(told["clips"][0]["left_out"])
    rows = [
        (Path(c["path"]).name, _looked_at(c), c["faces"], c["kept"], *(c["left_out"][reason] for reason in reasons))
        for c in told["clips"]
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    print_table(("clip", "frames", "faces", "kept", *reasons), rows)
    yaw, pitch = told["yaw"], told["pitch"]
    print(f"yaw {yaw['least']:.0f} to {yaw['most']:.0f} degrees, pitch {pitch['least']:.0f} to {pitch['most']:.0f}")
    print("Why each was left out is in left_out.csv, the crops are on sheet.png.")


def _looked_at(clip: dict[str, Any]) -> int:
    return int(clip["range"]["last"] - clip["range"]["first"] + 1)
