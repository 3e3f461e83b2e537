"""`faceplate swap`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import ALIGN, DETECT, MASK, SWAP, Flag, Numbers, Range, node_options
from host_bridge.cli.output import print_json
from host_bridge.cli.perform import perform
from host_bridge.cli.summary import print_shot
from host_bridge.jobs.swap import SwapRequest
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, SwapParameters
from nodes.shot.settings import Settings


@node_options
def swap(
    *,
    plate: Path,
    out: Path,
    source: Path | None = None,
    range_: Range = None,
    roto: Path | None = None,
    track: Numbers = (),
    rate: str | None = None,
    fusion: Flag = False,
    engine: Flag = False,
    json: Flag = False,
    detect_parameters: DetectParameters = DETECT,
    align_parameters: AlignParameters = ALIGN,
    mask_parameters: MaskParameters = MASK,
    swap_parameters: SwapParameters = SWAP,
) -> None:
    """Replace a face in a shot. Interrupted, the same command goes on from where it stopped.

    Parameters
    ----------
    plate
        Footage of the shot: a movie, an image, a sequence as name.%04d.exr, or a folder that holds one.
    out
        Folder for the results; those of an earlier run are replaced at the end.
    source
        Footage of the performer whose face is put in; the method 'model' can do without.
    range_
        Frames A-B of the plate, both included, by its own numbers (a movie's first frame is 0); by default all.
    roto
        An artist's own matte as footage: the face is replaced only where it is white.
    track
        Number of a track to replace, as `faceplate detect` lists them; can be repeated. By default one face at a time,
        the larger and longer seen.
    rate
        Frames per second of image sequences that do not say, as 25 or 24000/1001.
    fusion
        Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` in it.
    engine
        Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it.
    json
        Print the shot's document and its report as JSON.
    """
    request = SwapRequest(
        plate=plate,
        out=out,
        source=source,
        roto=roto,
        range=range_,
        rate=rate,
        tracks=track,
        fusion=fusion,
        settings=Settings(detect=detect_parameters, align=align_parameters, mask=mask_parameters, swap=swap_parameters),
    )
    told = perform("swap", request, engine=engine)
    if json:
        print_json(told)
    else:
        print_shot(told)
