"""`faceplate align`."""

from __future__ import annotations

from pathlib import Path

from host_bridge.cli.footage import UsageError, frame_rate, opened, positions
from host_bridge.cli.options import ALIGN, DETECT, Flag, Numbers, Range, node_options
from host_bridge.cli.output import print_json, print_table
from host_bridge.cli.progress import show_progress
from nodes.definitions import AlignParameters, DetectParameters


@node_options
def align(
    clip: Path,
    /,
    *,
    out: Path,
    plate: Path | None = None,
    range_: Range = None,
    track: Numbers = (),
    rate: str | None = None,
    json: Flag = False,
    detect_parameters: DetectParameters = DETECT,
    align_parameters: AlignParameters = ALIGN,
) -> None:
    """Write aligned crops of the faces of a clip, a folder a track, with a contact sheet and their transforms.

    Parameters
    ----------
    clip
        Footage, or a faces.npz that `faceplate detect --out` wrote.
    out
        Folder for alignment.npz, sheet.png and crops/TRACK/crop.%04d.png.
    plate
        Footage that a faces.npz belongs to, where it has moved since.
    range_
        Frames A-B of the clip, both included, by its own numbers; by default all. Not with a faces.npz.
    track
        Number of a track to write; can be repeated. By default all.
    rate
        Frames per second of an image sequence that does not say, as 25 or 24000/1001.
    json
        Print what was written as JSON.
    """
    from nodes.align import align as compute
    from nodes.shot.analysis import analyse
    from nodes.shot.choice import check_fits, check_range, choose_tracks
    from nodes.shot.crops import write_crops
    from nodes.shot.faces_files import load_faces
    from nodes.shot.results import check_writable

    clip, out = clip.expanduser(), out.expanduser().resolve()
    kept = load_faces(clip) if clip.suffix.lower() == ".npz" else None
    footage_path = (plate or kept.footage) if kept else clip
    with opened(footage_path, rate=frame_rate(rate)) as (footage,), show_progress() as progress:
        if footage is None:
            raise UsageError(f"{clip}: does not say which footage it belongs to", remedy="Name it with --plate")
        info = footage.info
        check_writable(out)
        if kept is not None:
            check_fits(kept.faces, info)
            faces = kept.faces
        else:
            first, last = positions(range_, info)
            check_range(info, first, last)
            faces = analyse(footage, detect_parameters, first, last, progress)
        wanted = choose_tracks(faces, track or [t.id for t in faces.tracks], info.path, info.first)
        ids = {t.id for t in wanted}
        alignments = tuple(a for a in compute(faces, align_parameters, footage) if a.track.id in ids)
        written = write_crops(footage, alignments, out, progress)
    if json:
        print_json({"schema": "faceplate.crops/1", "folder": str(out), "tracks": written})
        return
    print(out)
    print_table(("track", "first", "last", "crops"), ((t["id"], t["first"], t["last"], t["frames"]) for t in written))
