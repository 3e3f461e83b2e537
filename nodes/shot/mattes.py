"""The node Mask over a shot: mattes alone, in plate pixels, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nodes.cache import digest_code, digest_footage, key_of
from nodes.choice import check_range
from nodes.definitions import MASK, Settings
from nodes.footage.footage import Footage
from nodes.footage.patch_files import write_matte
from nodes.graph import run
from nodes.mask import check_regions
from nodes.parts import frame_file
from nodes.progress import Progress, quiet, stage
from nodes.shot import results
from nodes.shot.layers import in_frame
from nodes.subjects.subject import load_subject
from nodes.swap import in_plate


def write_mattes(
    plate: Footage,
    out: Path,
    settings: Settings,
    first: int,
    last: int,
    *,
    roto: Footage | None = None,
    tracks: Sequence[int] = (),
    progress: Progress = quiet,
) -> int:
    """Write `matte/matte.NNNN.exr`, each of the whole frame, of frames first..last (inclusive positions) into the folder `out`; how many show the subject.

    Frames without it get an empty matte. Interrupted, the same call goes on. Raises FootageError, NoFaceError, OutputError.
    """
    info = plate.info
    check_range(info, first, last)
    check_regions(load_subject(settings.detect.subject), settings.mask.regions)
    results.check_writable(out)
    with results.only_run(out):
        return _mattes(plate, out, settings, first, last, roto, tracks, progress)


def _mattes(
    plate: Footage,
    out: Path,
    settings: Settings,
    first: int,
    last: int,
    roto: Footage | None,
    tracks: Sequence[int],
    progress: Progress,
) -> int:
    info = plate.info
    given = {"plate": plate, "roto": roto}
    made = run(given, settings, upto=MASK, tracks=tracks, first=first, last=last, progress=progress)
    key = key_of(
        plate=digest_footage(info.path),
        roto=None if roto is None else digest_footage(roto.info.path),
        range=(first, last),
        settings=settings.model_dump(mode="json", exclude={"swap"}),
        tracks=sorted(track.id for track in made["faces"].tracks),
        code=digest_code("nodes"),
    )
    folder = results.open_partial(out, key)
    tell, found = stage(progress, "mask", last - first + 1), 0
    for done, (frame, patch) in enumerate(in_plate(made["mattes"]).patches(plate.frames(first, last)), 1):
        file = frame_file(folder, "matte", info.first + frame.index)
        if not file.is_file():
            whole = in_frame(patch, info.width, info.height)
            write_matte(file, whole.rgba[..., 3], whole.roi, info.width, info.height)
        found += not patch.roi.empty
        tell(done)
    results.publish(folder, out)
    return found
