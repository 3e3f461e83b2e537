"""Write aligned images of a subject or of a rigid object, or put edited ones back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from host_bridge.jobs.footage import FrameRange, Rate, frame_rate, opened, positions
from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Registrar
from nodes.errors import UsageError

if TYPE_CHECKING:
    from nodes.shot.aligned.folder import Written


class AlignRequest(Request):
    """A clip, a folder of pictures or a faces.npz of which aligned images are written; or a folder of such that were edited since."""

    clip: Path | None = Field(
        default=None, description="Footage; a folder of pictures; or a faces.npz that `faceplate detect --out` wrote."
    )
    out: Path = Field(
        description="Folder for images/, masks/, images.csv, landmarks.npy, sheet.png and transforms.json. With --invert, folder for the frames, or a movie .mkv."
    )
    invert: Path | None = Field(
        default=None,
        description="Put the images of this folder, which `faceplate align` wrote and which were edited since, back into their frames, within their masks.",
    )
    reference: Path | None = Field(
        default=None, description="Picture of a rigid object that is followed instead of a subject."
    )
    pictures: bool = Field(
        default=False,
        description="Take the files of a folder as unrelated pictures even if their names are numbered like those of a sequence.",
    )
    plate: Path | None = Field(
        default=None,
        description="Footage that a faces.npz, or the folder of --invert, belongs to, where it has moved since.",
    )
    range: FrameRange = None
    rate: Rate = None
    tracks: tuple[int, ...] = Field(
        default=(),
        description="Number of a track to write; can be repeated. By default all.",
        json_schema_extra={"option": "track"},
    )
    detect: DetectParameters = DetectParameters()
    align: AlignParameters = AlignParameters()
    mask: MaskParameters = MaskParameters()
    registration: RegisterParameters | None = None
    fusion: bool = Field(
        default=False,
        description="Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` in --out; of a clip only.",
    )

    @property
    def title(self) -> str:
        """What is aligned."""
        what = self.clip or self.invert
        return "" if what is None else what.name


def run(request: AlignRequest, watch: Watch) -> dict[str, Any]:
    """Do it; the result is `faceplate.aligned/1`, or `faceplate.inverted/1`."""
    from nodes.shot.aligned import are_pictures

    out, clip = absolute(request.out).resolve(), request.clip and request.clip.expanduser()
    if (clip is None) == (request.invert is None):
        raise UsageError("give either a CLIP or --invert DIR", remedy="See faceplate align --help")
    if clip is None:
        return _put_back(request, out, watch)
    registration = _registration(request)
    if clip.is_dir() and (request.pictures or are_pictures(clip)):
        if request.range or request.tracks or request.fusion:
            what = "frames" if request.range or request.fusion else "tracks"
            raise UsageError(f"{clip}: pictures have no {what}", remedy="Leave it out")
        written = _pictures(request, clip, out, registration, watch)
    elif request.pictures:
        raise UsageError(f"{clip}: is no folder", remedy="Give a folder of pictures, or leave --pictures out")
    elif registration is not None:
        written = _registered(request, clip, out, registration, watch)
    else:
        written = _found(request, clip, out, watch)
    if request.fusion:
        _for_fuses(request, clip, out)
    watch.preview(out / "sheet.png")
    return {
        "schema": "faceplate.aligned/1",
        "folder": str(out),
        "tracks": written.tracks,
        "left_out": written.left_out,
    }


def _registration(request: AlignRequest) -> RegisterParameters | None:
    """How a reference is followed; None for a subject."""
    told = request.registration
    if request.reference is None:
        if told is None or told.method is Registrar.LANDMARKS:
            return None
        raise UsageError(f"--method {told.method}: needs a picture of the object", remedy="Give --reference IMAGE")
    if told is not None and told.method is Registrar.LANDMARKS:
        raise UsageError("--method landmarks: takes no --reference", remedy="Choose --method features or ecc")
    return told or RegisterParameters()


def _for_fuses(request: AlignRequest, clip: Path, out: Path) -> None:
    from nodes.detect.files import load_faces
    from nodes.shot.fuse import write_crops

    footage = request.plate or (load_faces(clip).footage if clip.suffix.lower() == ".npz" else clip)
    with opened(footage, rate=frame_rate(request.rate), layer=request.detect.layer) as (plate,):
        assert plate is not None
        write_crops(out, plate.info)


def _pictures(
    request: AlignRequest, folder: Path, out: Path, registration: RegisterParameters | None, watch: Watch
) -> Written:
    from nodes.shot.aligned import write_pictures

    with opened(request.reference) as (shown,):
        picture = None if shown is None else shown.frame(0)
        regions = request.mask.regions
        return write_pictures(
            folder, out, request.detect, request.align, regions, watch.progress, picture, registration
        )


def _registered(
    request: AlignRequest, clip: Path, out: Path, registration: RegisterParameters, watch: Watch
) -> Written:
    from nodes.choice import check_range
    from nodes.shot.aligned import register_clip

    with opened(clip, request.reference, rate=frame_rate(request.rate), layer=request.detect.layer) as (footage, shown):
        assert footage is not None and shown is not None
        first, last = positions(request.range, footage.info)
        check_range(footage.info, first, last)
        size = request.align.size
        return register_clip(footage, shown.frame(0), out, registration, first, last, size, watch.progress)


def _found(request: AlignRequest, clip: Path, out: Path, watch: Watch) -> Written:
    """Find a subject in a clip, or take what was found, and write the images of its tracks."""
    from nodes.choice import check_fits, check_range
    from nodes.definitions import ALIGN
    from nodes.detect.files import load_faces
    from nodes.detect.kept import analyse
    from nodes.graph import run
    from nodes.mask import check_regions
    from nodes.shot.aligned import write_clip
    from nodes.shot.aligned.folder import check_replaceable
    from nodes.shot.results import check_writable
    from nodes.subjects import load_subject

    kept = load_faces(clip) if clip.suffix.lower() == ".npz" else None
    regions = request.mask.regions
    with opened(
        (request.plate or kept.footage) if kept else clip, rate=frame_rate(request.rate), layer=request.detect.layer
    ) as (footage,):
        if footage is None:
            raise UsageError(f"{clip}: does not say which footage it belongs to", remedy="Name it with --plate")
        info = footage.info
        check_regions(load_subject(kept.faces.subject if kept else request.detect.subject), regions)
        check_writable(out)
        check_replaceable(out)
        if kept is not None:
            check_fits(kept.faces, info)
            faces = kept.faces
        else:
            first, last = positions(request.range, info)
            check_range(info, first, last)
            faces = analyse(footage, request.detect, first, last, watch.progress)
        wanted = request.tracks or [t.id for t in faces.tracks]
        crops = run({"plate": footage, "found": faces}, {"align": request.align}, upto=ALIGN, tracks=wanted)["crops"]
        return write_clip(footage, crops, out, regions, watch.progress)


def _put_back(request: AlignRequest, out: Path, watch: Watch) -> dict[str, Any]:
    from nodes.shot.aligned import put_back

    assert request.invert is not None
    plate = request.plate and request.plate.expanduser()
    told = put_back(request.invert.expanduser(), out, plate, request.mask, watch.progress)
    return {"schema": "faceplate.inverted/1", "out": str(out), **vars(told)}


KIND = Kind(
    "align",
    "Write aligned images of a subject, with masks and transforms, or put edited ones back.",
    AlignRequest,
    run,
    priority=20,
)
