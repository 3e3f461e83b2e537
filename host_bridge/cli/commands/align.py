"""`faceplate align`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import (
    ALIGN,
    DETECT,
    MASK,
    Flag,
    ForFusion,
    InEngine,
    Json,
    Numbers,
    Range,
    Rate,
    node_options,
)
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.align import AlignRequest
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Registrar
from nodes.text import counted

_UNSET = RegisterParameters(method=Registrar.LANDMARKS)  # no option of it is given


@node_options
def align(
    clip: Path | None = None,
    /,
    *,
    out: Path,
    invert: Path | None = None,
    reference: Path | None = None,
    pictures: Flag = False,
    plate: Path | None = None,
    range: Range = None,
    track: Numbers = (),
    rate: Rate = None,
    fusion: ForFusion = False,
    engine: InEngine = False,
    json: Json = False,
    detect: DetectParameters = DETECT,
    align: AlignParameters = ALIGN,
    mask: MaskParameters = MASK,
    register: RegisterParameters = _UNSET,
) -> None:
    """Write aligned images of a subject with masks, a table and exact transforms; or put edited ones back.

    Args:
        clip: Footage; a folder of pictures; or a faces.npz that `faceplate detect --out` wrote.
        out: Folder for images/, masks/, images.csv, landmarks.npy, sheet.png and transforms.json. With --invert, folder for the frames, or a movie .mkv.
        invert: Put the images of this folder, which `faceplate align` wrote and which were edited since, back into their frames, within their masks.
        reference: Picture of a rigid object that is followed instead of a subject.
        pictures: Take the files of a folder as unrelated pictures even if their names are numbered like those of a sequence.
        plate: Footage that a faces.npz, or the folder of --invert, belongs to, where it has moved since.
        track: Number of a track to write; can be repeated. By default all.
    """
    request = AlignRequest(
        clip=clip,
        out=out,
        invert=invert,
        reference=reference,
        pictures=pictures,
        plate=plate,
        range=range,
        rate=rate,
        tracks=track,
        fusion=fusion,
        detect=detect,
        align=align,
        mask=mask,
        registration=None if register is _UNSET else register,
    )
    result = perform("align", request, engine=engine)
    if json:
        print_json(result)
    elif invert is not None:
        put_back = f"{counted(result['edited'], 'image')} put back into {counted(result['frames'], 'frame')}"
        print(result["out"], f"{put_back}; {result['unchanged']} unchanged and {result['deleted']} deleted", sep="\n")
    else:
        print(result["folder"])
        print_table(("track", "first", "last", "images"), (tuple(t.values()) for t in result["tracks"]))
        if result["left_out"]:
            print(f"{len(result['left_out'])} without: transforms.json lists them")
