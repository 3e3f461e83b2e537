"""`faceplate detect`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import DETECT, ForFusion, InEngine, Json, Range, Rate, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.detect import DetectRequest
from nodes.definitions import DetectParameters
from nodes.text import counted


@node_options
def detect(
    clip: Path,
    /,
    *,
    out: Path | None = None,
    range: Range = None,
    rate: Rate = None,
    fusion: ForFusion = False,
    engine: InEngine = False,
    json: Json = False,
    detect: DetectParameters = DETECT,
) -> None:
    """Find and follow the faces of a clip, and list them.

    Args:
        clip: A movie, an image, a sequence as name.%04d.exr, or a folder that holds one.
        out: Write boxes, scores and landmarks to this file (faces.npz). With --fusion, the folder is made beside it.
    """
    request = DetectRequest(clip=clip, out=out, range=range, rate=rate, detect=detect, fusion=fusion)
    result = perform("detect", request, engine=engine)
    if json:
        print_json(result)
        return
    span, tracks, cuts = result["range"], result["tracks"], result["cuts"]
    print(f"{counted(len(tracks), 'track')} in frames {span['first']}-{span['last']}, {counted(len(cuts), 'cut')}")
    if tracks:
        titles = ("track", "first", "last", "frames", "mean height (px)", "mean score")
        print_table(titles, (tuple(t.values()) for t in tracks))
    if out is not None:
        print(out)
