"""`faceplate align`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from host_bridge.cli.footage import UsageError, frame_rate, opened, positions
from host_bridge.cli.options import ALIGN, DETECT, MASK, Flag, Numbers, Range, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Registrar

if TYPE_CHECKING:
    from nodes.footage import Footage, Frame
    from nodes.shot.aligned.folder import Written
    from nodes.shot.progress import Progress

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
    json
        Print what was written as JSON.
    """
    out = out.expanduser().resolve()
    plate = plate and plate.expanduser()
    if (clip is None) == (invert is None):
        raise UsageError("give either a CLIP or --invert DIR", remedy="See faceplate align --help")
    if invert is not None:
        _invert(invert.expanduser(), out, plate, mask_parameters, json)
        return
    assert clip is not None
    clip = clip.expanduser()
    register = _registration(reference, register_parameters)
    if clip.is_dir() and _holds_pictures(clip, pictures):
        if range_ or track:
            raise UsageError(f"{clip}: pictures have no {'frames' if range_ else 'tracks'}", remedy="Leave it out")
        written = _pictures(clip, out, reference, detect_parameters, align_parameters, mask_parameters, register)
    elif pictures:
        raise UsageError(f"{clip}: is no folder", remedy="Give a folder of pictures, or leave --pictures out")
    elif register is not None and reference is not None:
        with opened(clip, reference, rate=frame_rate(rate)) as (footage, shown), show_progress() as progress:
            assert footage is not None and shown is not None
            first, last = positions(range_, footage.info)
            written = _registered(footage, shown.frame(0), out, register, first, last, align_parameters.size, progress)
    else:
        written = _found(
            clip, out, plate, range_, track, rate, detect_parameters, align_parameters, mask_parameters.regions
        )
    _tell(written, out, json)


def _registration(reference: Path | None, parameters: RegisterParameters) -> RegisterParameters | None:
    """How a reference is followed; None for a subject."""
    if reference is None:
        if parameters is REGISTER or parameters.method is Registrar.LANDMARKS:
            return None
        raise UsageError(
            f"--method {parameters.method}: needs a picture of the object", remedy="Give --reference IMAGE"
        )
    if parameters is REGISTER:
        return RegisterParameters()
    if parameters.method is Registrar.LANDMARKS:
        raise UsageError("--method landmarks: takes no --reference", remedy="Choose --method features or ecc")
    return parameters


def _holds_pictures(folder: Path, told: bool) -> bool:
    from nodes.shot.aligned import are_pictures

    return told or are_pictures(folder)


def _pictures(
    folder: Path,
    out: Path,
    reference: Path | None,
    detect: DetectParameters,
    align: AlignParameters,
    mask: MaskParameters,
    register: RegisterParameters | None,
) -> Written:
    from nodes.shot.aligned import write_pictures

    with opened(reference) as (shown,), show_progress() as progress:
        picture = None if shown is None else shown.frame(0)
        return write_pictures(folder, out, detect, align, mask.regions, progress, picture, register)


def _registered(
    footage: Footage,
    reference: Frame,
    out: Path,
    parameters: RegisterParameters,
    first: int,
    last: int,
    size: int | None,
    progress: Progress,
) -> Written:
    from nodes.shot.aligned import register_clip
    from nodes.shot.choice import check_range

    check_range(footage.info, first, last)
    return register_clip(footage, reference, out, parameters, first, last, size, progress)


def _found(
    clip: Path,
    out: Path,
    plate: Path | None,
    range_: str | None,
    track: tuple[int, ...],
    rate: str | None,
    detect: DetectParameters,
    parameters: AlignParameters,
    regions: tuple[str, ...] | None,
) -> Written:
    """Find a subject in a clip, or take what was found, and write the images of its tracks."""
    from nodes.align import align as compute
    from nodes.mask.regions import check_regions
    from nodes.shot.aligned import write_clip
    from nodes.shot.aligned.folder import check_replaceable
    from nodes.shot.analysis import analyse
    from nodes.shot.choice import check_fits, check_range, choose_tracks
    from nodes.shot.faces_files import load_faces
    from nodes.shot.results import check_writable
    from nodes.subjects import load_subject

    kept = load_faces(clip) if clip.suffix.lower() == ".npz" else None
    footage_path = (plate or kept.footage) if kept else clip
    with opened(footage_path, rate=frame_rate(rate)) as (footage,), show_progress() as progress:
        if footage is None:
            raise UsageError(f"{clip}: does not say which footage it belongs to", remedy="Name it with --plate")
        info = footage.info
        check_regions(load_subject(kept.faces.subject if kept else detect.subject), regions)
        check_writable(out)
        check_replaceable(out)
        if kept is not None:
            check_fits(kept.faces, info)
            faces = kept.faces
        else:
            first, last = positions(range_, info)
            check_range(info, first, last)
            faces = analyse(footage, detect, first, last, progress)
        ids = {t.id for t in choose_tracks(faces, track or [t.id for t in faces.tracks], info.path, info.first)}
        alignments = tuple(a for a in compute(faces, parameters, footage) if a.track.id in ids)
        return write_clip(footage, alignments, out, regions, progress)


def _invert(folder: Path, out: Path, plate: Path | None, mask: MaskParameters, json: bool) -> None:
    from nodes.shot.aligned import put_back

    with show_progress() as progress:
        told = put_back(folder, out, plate, mask, progress)
    if json:
        print_json({"schema": "faceplate.inverted/1", "out": str(out), **vars(told)})
        return
    print(out)
    print(
        f"{told.edited} images put back into {told.frames} frames; {told.unchanged} unchanged and {told.deleted} deleted"
    )


def _tell(written: Written, out: Path, json: bool) -> None:
    if json:
        left_out = {"left_out": written.left_out}
        print_json({"schema": "faceplate.aligned/1", "folder": str(out), "tracks": written.tracks, **left_out})
        return
    print(out)
    print_table(("track", "first", "last", "images"), (tuple(t.values()) for t in written.tracks))
    if written.left_out:
        print(f"{len(written.left_out)} without: transforms.json lists them")
