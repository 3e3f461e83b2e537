"""`faceplate faceset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_bridge.cli.footage import UsageError, frame_rate, opened
from host_bridge.cli.options import DETECT, Flag, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.definitions import DetectParameters
from trainer.faceset.parameters import FacesetParameters

FACESET = FacesetParameters()


@node_options
def faceset(
    *clips: Annotated[Path, Parameter(name="CLIP")],
    performer: str,
    out: Path,
    rate: str | None = None,
    json: Flag = False,
    faceset_parameters: FacesetParameters = FACESET,
    detect_parameters: DetectParameters = DETECT,
) -> None:
    """Gather the crops of one performer from clips, ready to train on.

    Parameters
    ----------
    clips
        Footage in which this performer's face is the main one; several clips make one faceset.
    performer
        Name of the performer.
    out
        Folder of the faceset; an earlier faceset there is replaced when the new one is finished.
    rate
        Frames per second of image sequences that do not say, as 25 or 24000/1001.
    json
        Print what was kept and left out as JSON.
    """
    from trainer.faceset.build import build_faceset
    from trainer.faceset.faceset import read_document
    from trainer.faceset.left_out import REASONS

    if not clips:
        raise UsageError(
            "no CLIP is given", remedy="Name the footage: faceplate faceset CLIP --performer NAME --out DIR"
        )
    if not performer.strip():
        raise UsageError("--performer: is empty", remedy="Give the performer's name")
    out = out.expanduser().resolve()
    with opened(*clips, rate=frame_rate(rate)) as footage, show_progress() as progress:
        made = build_faceset(
            [f for f in footage if f is not None],
            out,
            performer.strip(),
            faceset_parameters,
            progress,
            detect_parameters,
        )
    document = read_document(out)
    if json:
        told = ("schema", "performer", "subject", "template", "coverage", "size", "count", "parameters", "clips")
        print_json({**{key: document[key] for key in told}, "folder": str(out), "digest": made.digest})
        return
    print(out)
    rows = [
        (Path(c["path"]).name, c["frames"], c["faces"], c["kept"], *(c["left_out"][reason] for reason in REASONS))
        for c in document["clips"]
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    print_table(("clip", "frames", "faces", "kept", *REASONS), rows)
    (yaw, pitch), (most_yaw, most_pitch) = made.yaw_pitch.min(0), made.yaw_pitch.max(0)
    print(f"yaw {yaw:.0f} to {most_yaw:.0f} degrees, pitch {pitch:.0f} to {most_pitch:.0f}")
    print("Why each was left out is in left_out.csv, the crops are on sheet.png.")
