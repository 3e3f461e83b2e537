"""`faceplate faceset`."""

from __future__ import annotations

from host_bridge.cli.options import InEngine, Json, request_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.train import FacesetRequest


@request_options(argument="clips", hidden=("tracks", "named"))
def faceset(request: FacesetRequest, *, engine: InEngine = False, json: Json = False) -> None:
    """Gather the crops of one performer from clips, ready to train on."""
    request = request.model_copy(update={"named": request.performer})
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
