"""`faceplate align`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.options import ALIGN, DETECT, MASK, Flag, Numbers, Range, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.perform import perform
from host_bridge.jobs.align import AlignRequest
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Registrar
from nodes.text import counted

# What the command's arguments stand at when no option is given.
REGISTER = RegisterParameters(method=Registrar.LANDMARKS)


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
    range_: Range = None,
    track: Numbers = (),
    rate: str | None = None,
    fusion: Flag = False,
    engine: Flag = False,
    json: Flag = False,
    detect_parameters: DetectParameters = DETECT,
    align_parameters: AlignParameters = ALIGN,
    mask_parameters: MaskParameters = MASK,
    register_parameters: RegisterParameters = REGISTER,
) -> None:
    """Write aligned images of a subject with masks, a table and exact transforms; or put edited ones back.

    Parameters
    ----------
    clip
        Footage; a folder of pictures; or a faces.npz that `faceplate detect --out` wrote.
    out
        Folder for images/, masks/, images.csv, landmarks.npy, sheet.png and transforms.json. With --invert, folder for the
        frames, or a movie .mkv.
    invert
        Put the images of this folder, which `faceplate align` wrote and which were edited since, back into their frames,
        within their masks.
    reference
        Picture of a rigid object that is followed instead of a subject.
    pictures
        Take the files of a folder as unrelated pictures even if their names are numbered like those of a sequence.
    plate
        Footage that a faces.npz, or the folder of --invert, belongs to, where it has moved since.
    range_
        Frames A-B of the clip, both included, by its own numbers; by default all. Not with a faces.npz, nor with pictures.
    track
        Number of a track to write; can be repeated. By default all.
    rate
        Frames per second of an image sequence that does not say, as 25 or 24000/1001.
    fusion
        Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` in it; of a clip only.
    engine
        Run it in Faceplate's engine, which goes on when this terminal is closed; `faceplate jobs` lists it.
    json
        Print what was written as JSON.
    """
    request = AlignRequest(
        clip=clip,
        out=out,
        invert=invert,
        reference=reference,
        pictures=pictures,
        plate=plate,
        range=range_,
        rate=rate,
        tracks=track,
        fusion=fusion,
        detect=detect_parameters,
        align=align_parameters,
        mask=mask_parameters,
        registration=None if register_parameters is REGISTER else register_parameters,
    )
    told = perform("align", request, engine=engine)
    if json:
        print_json(told)
    elif invert is not None:
        print(told["out"])
        print(
            f"{counted(told['edited'], 'image')} put back into {counted(told['frames'], 'frame')}; "
            f"{told['unchanged']} unchanged and {told['deleted']} deleted"
        )
    else:
        print(told["folder"])
        print_table(("track", "first", "last", "images"), (tuple(t.values()) for t in told["tracks"]))
        if told["left_out"]:
            print(f"{len(told['left_out'])} without: transforms.json lists them")
