"""`faceplate faceset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.options import DETECT, InEngine, Json, Rate, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.train import FacesetRequest
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.errors import UsageError
from nodes.text import counted
from trainer.faceset.parameters import FacesetParameters

FACESET = FacesetParameters()
_NO_CLIP = "Name the footage: faceplate faceset CLIP --performer NAME --out DIR"


@node_options
def faceset(
    *clips: Annotated[Path, Parameter(name="CLIP")],
    performer: str,
    out: Path,
    ranges: Annotated[tuple[str, ...], Parameter(name="--range", negative="")] = (),
    rate: Rate = None,
    engine: InEngine = False,
    json: Json = False,
    faceset: FacesetParameters = FACESET,
    consent: ConsentParameters = DEFAULT_CONSENT,
    detect: DetectParameters = DETECT,
) -> None:
    """Gather the crops of one performer from clips, ready to train on.

    Args:
        clips: Footage in which this performer's face is the main one; several clips make one faceset.
        performer: The performer, by name or id, whose consent `faceplate performer add` has recorded.
        out: Folder of the faceset; an earlier faceset there is replaced when the new one is finished.
        ranges: Frames A-B to look at, both included, by the clip's own numbers, by default all; given once for each clip, in their order.
    """
    if not clips:
        raise UsageError("no CLIP is given", remedy=_NO_CLIP)
    if not performer.strip():
        raise UsageError("--performer: is empty", remedy="Give the performer's name")
    if ranges and len(ranges) != len(clips):
        counts = f"{counted(len(ranges), 'time')} for {counted(len(clips), 'clip')}"
        raise UsageError(f"--range is given {counts}", remedy="Give one for each clip, or none")
    request = FacesetRequest(
        clips=clips,
        performer=performer,
        named=performer,
        consent=consent,
        out=out,
        rate=rate,
        ranges=ranges,
        faceset=faceset,
        detect=detect,
    )
    result = perform("faceset", request, engine=engine)
    if json:
        print_json(result)
        return
    print(result.folder)
    reasons = list(result.clips[0].left_out)
    rows = [
        (
            clip.path.name,
            clip.range["last"] - clip.range["first"] + 1,
            *(clip.faces, clip.kept),
            *(clip.left_out[reason] for reason in reasons),
        )
        for clip in result.clips
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    print_table(("clip", "frames", "faces", "kept", *reasons), rows)
    yaw, pitch = result.yaw, result.pitch
    print(f"yaw {yaw.least:.0f} to {yaw.most:.0f} degrees, pitch {pitch.least:.0f} to {pitch.most:.0f}")
    print("Why each was left out is in left_out.csv, the crops are on sheet.png.")
