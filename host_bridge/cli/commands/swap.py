"""`faceplate swap`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import (
    ALIGN,
    DETECT,
    MASK,
    SWAP,
    ForFusion,
    InEngine,
    Json,
    Numbers,
    Range,
    Rate,
    node_options,
)
from host_bridge.cli.output import print_json, print_shot
from host_bridge.cli.perform import perform
from host_bridge.jobs.swap import SwapRequest
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, Settings, SwapParameters


@node_options
def swap(
    *,
    plate: Path,
    out: Path,
    source: Path | None = None,
    range: Range = None,
    roto: Path | None = None,
    track: Numbers = (),
    rate: Rate = None,
    fusion: ForFusion = False,
    engine: InEngine = False,
    json: Json = False,
    detect: DetectParameters = DETECT,
    align: AlignParameters = ALIGN,
    mask: MaskParameters = MASK,
    swap: SwapParameters = SWAP,
) -> None:
    """Replace a face in a shot. Interrupted, the same command goes on from where it stopped.

    Args:
        plate: Footage of the shot: a movie, an image, a sequence as name.%04d.exr, or a folder that holds one.
        out: Folder for the results; those of an earlier run are replaced at the end.
        source: Footage of the performer whose face is put in; the method 'model' can do without.
        roto: An artist's own matte as footage: the face is replaced only where it is white.
        track: Number of a track to replace, as `faceplate detect` lists them; can be repeated. By default one face at a time, the larger and longer seen.
    """
    request = SwapRequest(
        plate=plate,
        out=out,
        source=source,
        roto=roto,
        range=range,
        rate=rate,
        tracks=track,
        fusion=fusion,
        settings=Settings(detect=detect, align=align, mask=mask, swap=swap),
    )
    result = perform("swap", request, engine=engine)
    print_json(result) if json else print_shot(result)
