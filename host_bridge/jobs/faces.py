"""The jobs `detect`, `align` and `mask`: find, align and mask the faces of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from host_bridge.jobs.footage import FrameRange, Rate, frame_rate, opened, positions
from host_bridge.jobs.job import Request, Result, absolute
from host_bridge.reporting import Watch
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Registrar, Settings
from nodes.errors import UsageError
from nodes.shot.aligned.document import AlignedTrack, LeftOutImage
from nodes.shot_document import FrameSpan, TrackSpan

if TYPE_CHECKING:
    from nodes.shot.aligned.folder import AlignedFolder


class DetectRequest(Request):
    """A clip whose faces are detected and tracked."""

    clip: Path = Field(description="A movie, an image, a sequence as name.%04d.exr, or a folder that holds one.")
    out: Path | None = Field(default=None, description="Write boxes, scores and landmarks to this file (faces.npz).")
    range: FrameRange = None
    rate: Rate = None
    detect: DetectParameters = DetectParameters()
    fusion: bool = Field(
        default=False,
        description="Also write the files for Faceplate's Fuses in Fusion, into a folder `fusion` beside --out.",
    )
    marks: bool = Field(default=False, description="Also draw boxes and ids as an overlay, beside --out.")
    sheet: Path | None = Field(default=None, description="Also draw who is who: some faces of each person, as a PNG.")

    @property
    def title(self) -> str:
        """The clip's name."""
        return self.clip.name


class DetectedTrack(TrackSpan):
    """One face followed through a shot. height: mean of its boxes in pixels; score: mean of its detections; person: its number, if persons are told apart."""

    height: float
    score: float
    person: int | None = None


class DetectedPerson(BaseModel):
    """One person of a clip: tracks, in order of time, and the numbers of persons who may be the same one."""

    number: int
    tracks: tuple[int, ...]
    perhaps: tuple[int, ...]


class DetectResult(Result):
    """The tracks of a clip. cuts: first frames after a cut; faces: the written file."""

    schema_: Literal["faceplate.tracks/1"] = Field(default="faceplate.tracks/1", alias="schema")
    clip: Path
    width: int
    height: int
    rate: str
    range: FrameSpan
    cuts: list[int]
    tracks: list[DetectedTrack]
    persons: tuple[DetectedPerson, ...] = ()
    faces: Path | None


def detect(request: DetectRequest, watch: Watch) -> DetectResult:
    """Find and follow the faces of a clip."""
    from nodes.choice import check_range
    from nodes.detect.files import save_faces
    from nodes.detect.kept import analyse
    from nodes.persons import find_persons
    from nodes.shot.fuse import write_boxes
    from nodes.shot.marks import mark_boxes
    from nodes.shot.sheet import persons_sheet, write_png

    if request.fusion and request.out is None:
        raise UsageError("--fusion: needs a place", remedy="Give --out FOLDER/faces.npz")
    with opened(request.clip, rate=frame_rate(request.rate), layer=request.detect.layer) as (footage,):
        assert footage is not None
        info = footage.info
        first, last = positions(request.range, info)
        check_range(info, first, last)
        faces = analyse(footage, request.detect, first, last, watch.progress)
        persons = find_persons(footage, faces) if faces.subject == "face" else ()
        if request.sheet:
            write_png(absolute(request.sheet), persons_sheet(footage, faces, persons))
    person_of = {id: person.number for person in persons for id in person.tracks}
    out = request.out and absolute(request.out)
    if out is not None:
        save_faces(out, faces, absolute(info.path))
        if request.fusion:
            write_boxes(out.parent, faces, info)
        if request.marks:
            mark_boxes(out.parent, faces, info)
    tracks = [
        DetectedTrack.of(
            track,
            info.first,
            height=round(float((track.boxes[:, 3] - track.boxes[:, 1]).mean()), 1),
            score=round(float(track.scores.mean()), 3),
            person=person_of.get(track.id),
        )
        for track in faces.tracks
    ]
    return DetectResult(
        clip=info.path,
        width=info.width,
        height=info.height,
        rate=str(info.rate),
        range=FrameSpan(first=info.first + first, last=info.first + last),
        cuts=[info.first + c for c in faces.cuts],
        tracks=tracks,
        persons=tuple(DetectedPerson(number=p.number, tracks=p.tracks, perhaps=p.perhaps) for p in persons),
        faces=out,
    )


class AlignRequest(Request):
    """A clip, a folder of pictures or a faces.npz to align; or a folder of edited aligned images to put back."""

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
        description="Also write the files for Faceplate's Fuses in Fusion, into a folder `fusion` in --out; for a clip only.",
    )
    marks: bool = Field(default=False, description="Also draw landmarks as an overlay, into --out.")

    @property
    def title(self) -> str:
        """The name of the aligned footage or folder."""
        path = self.clip or self.invert
        return "" if path is None else path.name


class AlignedResult(Result):
    """A folder of aligned images."""

    schema_: Literal["faceplate.aligned/1"] = Field(default="faceplate.aligned/1", alias="schema")
    folder: Path
    tracks: list[AlignedTrack]
    left_out: list[LeftOutImage]


class InvertedResult(Result):
    """Aligned images put back into their frames: counts of the images by change, and of the written frames."""

    schema_: Literal["faceplate.inverted/1"] = Field(default="faceplate.inverted/1", alias="schema")
    out: Path
    edited: int
    unchanged: int
    deleted: int
    frames: int


AlignResult = AlignedResult | InvertedResult


def align(request: AlignRequest, watch: Watch) -> AlignResult:
    """Write aligned images of a subject, with masks and transforms, or put edited ones back."""
    from nodes.shot.aligned.images import are_pictures

    out, clip = absolute(request.out).resolve(), request.clip and request.clip.expanduser()
    if (clip is None) == (request.invert is None):
        raise UsageError("give either a CLIP or --invert DIR", remedy="See faceplate align --help")
    if clip is None:
        return _put_back(request, out, watch)
    registration = _registration_of(request)
    if clip.is_dir() and (request.pictures or are_pictures(clip)):
        if request.range or request.tracks or request.fusion:
            what = "frames" if request.range or request.fusion else "tracks"
            raise UsageError(f"{clip}: pictures have no {what}", remedy="Leave it out")
        folder = _pictures(request, clip, out, registration, watch)
    elif request.pictures:
        raise UsageError(f"{clip}: is no folder", remedy="Give a folder of pictures, or leave --pictures out")
    elif registration is not None:
        folder = _registered(request, clip, out, registration, watch)
    else:
        folder = _of_subject(request, clip, out, watch)
    watch.preview(out / "sheet.png")
    return AlignedResult(folder=out, tracks=folder.tracks, left_out=folder.left_out)


def _registration_of(request: AlignRequest) -> RegisterParameters | None:
    """Return the parameters for tracking a reference; None for a subject."""
    registration = request.registration
    if request.reference is None:
        if registration is None or registration.method is Registrar.LANDMARKS:
            return None
        raise UsageError(
            f"--method {registration.method}: needs a picture of the object", remedy="Give --reference IMAGE"
        )
    if registration is not None and registration.method is Registrar.LANDMARKS:
        raise UsageError("--method landmarks: takes no --reference", remedy="Choose --method features or ecc")
    return registration or RegisterParameters()


def _pictures(
    request: AlignRequest, folder: Path, out: Path, registration: RegisterParameters | None, watch: Watch
) -> AlignedFolder:
    from nodes.shot.aligned.images import write_pictures

    with opened(request.reference) as (image,):
        picture, regions = None if image is None else image.frame(0), request.mask.regions
        return write_pictures(
            folder, out, request.detect, request.align, regions, watch.progress, picture, registration
        )


def _registered(
    request: AlignRequest, clip: Path, out: Path, registration: RegisterParameters, watch: Watch
) -> AlignedFolder:
    from nodes.choice import check_range
    from nodes.shot.aligned.images import register_clip
    from nodes.shot.fuse import write_crops

    with opened(clip, request.reference, rate=frame_rate(request.rate), layer=request.detect.layer) as (footage, image):
        assert footage is not None and image is not None
        first, last = positions(request.range, footage.info)
        check_range(footage.info, first, last)
        size, picture = request.align.size, image.frame(0)
        images = register_clip(footage, picture, out, registration, first, last, size, watch.progress)
        if request.fusion:
            write_crops(out, footage.info)
    return images


def _of_subject(request: AlignRequest, clip: Path, out: Path, watch: Watch) -> AlignedFolder:
    """Detect a subject in a clip, or take a faces.npz, and write the images of its tracks."""
    from nodes.choice import check_fits, check_range
    from nodes.definitions import ALIGN
    from nodes.detect.files import load_faces
    from nodes.detect.kept import analyse
    from nodes.graph import run
    from nodes.mask import check_regions
    from nodes.shot.aligned.folder import check_replaceable
    from nodes.shot.aligned.images import write_clip
    from nodes.shot.fuse import write_crops
    from nodes.shot.marks import mark_landmarks
    from nodes.shot.results import check_writable
    from nodes.subjects.subject import load_subject

    file = load_faces(clip) if clip.suffix.lower() == ".npz" else None
    regions, path = request.mask.regions, (request.plate or file.footage) if file else clip
    with opened(path, rate=frame_rate(request.rate), layer=request.detect.layer) as (footage,):
        if footage is None:
            raise UsageError(f"{clip}: does not say which footage it belongs to", remedy="Name it with --plate")
        info = footage.info
        check_regions(load_subject(file.faces.subject if file else request.detect.subject), regions)
        check_writable(out)
        check_replaceable(out)
        if file is not None:
            check_fits(file.faces, info)
            faces = file.faces
        else:
            first, last = positions(request.range, info)
            check_range(info, first, last)
            faces = analyse(footage, request.detect, first, last, watch.progress)
        tracks = request.tracks or [t.id for t in faces.tracks]
        crops = run({"plate": footage, "found": faces}, {"align": request.align}, upto=ALIGN, tracks=tracks)["crops"]
        images = write_clip(footage, crops, out, regions, watch.progress)
        if request.fusion:
            write_crops(out, info)
        if request.marks:
            mark_landmarks(out, info)
    return images


def _put_back(request: AlignRequest, out: Path, watch: Watch) -> InvertedResult:
    from nodes.shot.aligned.put_back import put_back

    assert request.invert is not None
    plate = request.plate and request.plate.expanduser()
    counts = put_back(request.invert.expanduser(), out, plate, request.mask, watch.progress)
    return InvertedResult(out=out, **vars(counts))


class MaskRequest(Request):
    """A plate, an artist's own matte, frames A-B by the plate's own numbers, tracks; out: a folder. fusion: also write the files for Fuses."""

    plate: Path
    out: Path
    roto: Path | None = None
    range: str | None = None
    rate: str | None = None
    tracks: tuple[int, ...] = ()
    detect: DetectParameters = DetectParameters()
    align: AlignParameters = AlignParameters()
    mask: MaskParameters = MaskParameters()
    fusion: bool = False

    @property
    def title(self) -> str:
        """The plate's name."""
        return self.plate.name


class MaskResult(Result):
    """The mattes of a shot: the number of frames, and of those that show the subject."""

    schema_: Literal["faceplate.mattes/1"] = Field(default="faceplate.mattes/1", alias="schema")
    folder: Path
    frames: int
    frames_with_face: int


def mask(request: MaskRequest, watch: Watch) -> MaskResult:
    """Write the mattes of a shot."""
    from nodes.shot.fuse import write_mattes_of
    from nodes.shot.render import write_mattes

    out = absolute(request.out).resolve()
    settings = Settings(detect=request.detect, align=request.align, mask=request.mask)
    with opened(request.plate, request.roto, rate=frame_rate(request.rate), layer=request.detect.layer) as (
        plate,
        roto,
    ):
        assert plate is not None
        first, last = positions(request.range, plate.info)
        tracks, progress = request.tracks, watch.progress
        with_face = write_mattes(plate, out, settings, first, last, roto=roto, tracks=tracks, progress=progress)
        if request.fusion:
            write_mattes_of(out, plate, first, last, progress)
    return MaskResult(folder=out, frames=last - first + 1, frames_with_face=with_face)
