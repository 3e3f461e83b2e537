"""`faceplate detect`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import DETECT, Flag, Range, node_options
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
    range_: Range = None,
    rate: str | None = None,
    fusion: Flag = False,
    engine: Flag = False,
    json: Flag = False,
    detect_parameters: DetectParameters = DETECT,
) -> None:
    """Find and follow the faces of a clip, and list them.

    Parameters
    ----------
    clip
        A movie, an image, a sequence as name.%04d.exr, or a folder that holds one.
    out
        Write boxes, scores and landmarks to this file (faces.npz).
    range_
        Frames A-B of the clip, both included, by its own numbers; by default all.
    rate
        Frames per second of an image sequence that does not say, as 25 or 24000/1001.
    fusion
        Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` beside --out.
    engine
        Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it.
    json
        Print the list as JSON.
    """
    request = DetectRequest(clip=clip, out=out, range=range_, rate=rate, detect=detect_parameters, fusion=fusion)
    told = perform("detect", request, engine=engine)
    if json:
        print_json(told)
        return
    span, tracks = told["range"], told["tracks"]
    print(
        f"{counted(len(tracks), 'track')} in frames {span['first']}-{span['last']}, {counted(len(told['cuts']), 'cut')}"
    )
    if tracks:
        titles = ("track", "first", "last", "frames", "mean height (px)", "mean score")
        print_table(titles, (tuple(t.values()) for t in tracks))
    if out is not None:
        print(out)
