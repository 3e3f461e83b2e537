"""The jobs `swap` and `preview`: replace a face in a shot, or in one frame of it at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from host_bridge.jobs.footage import FrameRange, Rate, frame_rate, opened, positions
from host_bridge.jobs.job import Request, Result, absolute
from host_bridge.reporting import Watch
from nodes.definitions import Settings
from nodes.report.document import Report
from nodes.shot_document import ShotDocument

if TYPE_CHECKING:
    from nodes.parts import PartOfShot
    from nodes.shot.still import Stills


class SwapRequest(Request):
    """A shot in which a face is replaced."""

    plate: Path = Field(
        description="Footage of the shot: a movie, an image, a sequence as name.%04d.exr, or a folder that holds one."
    )
    out: Path = Field(description="Folder for the results; those of an earlier run are replaced at the end.")
    source: Path | None = Field(
        default=None, description="Footage of the performer whose face is put in; the method 'model' can do without."
    )
    roto: Path | None = Field(
        default=None, description="An artist's own matte as footage: the face is replaced only where it is white."
    )
    range: FrameRange = None
    rate: Rate = None
    tracks: tuple[int, ...] = Field(
        default=(),
        description="Number of a track to replace, as `faceplate detect` lists them; can be repeated. By default those of the person seen most.",
        json_schema_extra={"option": "track"},
    )
    settings: Settings = Settings()
    overlay: bool = Field(default=False, description="Also write pictures for hosts that blend in display colours.")
    whole: bool = Field(default=False, description="Also write whole-frame patches, for hosts without data windows.")
    fusion: bool = Field(
        default=False, description="Also write the files for Fuses in Fusion, into a folder `fusion` in --out."
    )
    frames: bool = Field(default=False, description="Also write the composite of a movie as pictures.")

    @property
    def title(self) -> str:
        """The names of the source and the plate."""
        return f"{self.source.name} on {self.plate.name}" if self.source else self.plate.name


class SwapResult(Result):
    """A shot: its folder, its document `faceplate.shot/1` and its report; overlay, whole, frames: patterns of pictures; fusion: a folder for Fuses."""

    folder: Path
    shot: ShotDocument
    report: Report
    overlay: str | None = None
    whole: str | None = None
    fusion: str | None = None
    frames: str | None = None


def swap(request: SwapRequest, watch: Watch) -> SwapResult:
    """Replace a face in a shot: composite, patch, matte, preview and report."""
    from nodes.shot.fuse import write_patches
    from nodes.shot.layers import write_frames, write_overlays, write_whole
    from nodes.shot.render import render_shot
    from nodes.shot.write import sign_parts

    rate = frame_rate(request.rate)
    with opened(request.plate, request.source, request.roto, rate=rate, layer=request.settings.detect.layer) as (
        plate,
        source,
        roto,
    ):
        assert plate is not None
        first, last = positions(request.range, plate.info)
        result = render_shot(
            plate,
            source,
            request.out,
            request.settings,
            first,
            last,
            roto=roto,
            tracks=request.tracks,
            progress=watch.progress,
        )
        for line in result.document.remarks(tracks_given=bool(request.tracks)):
            watch.message(line)
        extra = {}
        if request.overlay:
            extra["overlay"] = str(write_overlays(result.folder, plate, first, last, watch.progress))
        if request.whole:
            extra["whole"] = str(write_whole(result.folder, plate, first, last, watch.progress))
        if request.fusion:
            extra["fusion"] = str(write_patches(result.folder, plate.info, first, last, watch.progress).parent)
        if request.frames:
            extra["frames"] = str(write_frames(result.folder, plate, first, last, watch.progress))
    parts: dict[str, PartOfShot] = {"overlay": "overlay", "whole": "whole", "fusion": "fusion", "frames": "composite"}
    shot = sign_parts(result.folder, [parts[name] for name in extra]) if extra else result.document
    watch.preview(result.folder / "sheet.png")
    return SwapResult(folder=result.folder, shot=shot, report=result.report, **extra)


class PreviewRequest(Request):
    """A frame of the plate by its own number. out: the composite, .png; patch: the new face, premultiplied, .exr; whole: the same in a whole frame.

    fusion: a folder for the files of Fuses. sample: clips that need not be analysed as a whole; some frames are enough.
    """

    written: ClassVar[frozenset[str]] = frozenset({"out", "patch", "whole", "fusion"})

    plate: Path
    frame: int = Field(ge=0)
    out: Path | None = None
    patch: Path | None = None
    whole: Path | None = None
    fusion: Path | None = None
    source: Path | None = None
    tracks: tuple[int, ...] = ()
    settings: Settings = Settings()
    sample: tuple[Literal["plate", "source"], ...] = ()

    @property
    def title(self) -> str:
        """The plate's name and the frame."""
        return f"{self.plate.name}, frame {self.frame}"


class PreviewResult(Result):
    """The pictures of one frame. face: whether it contains a new face. sampled: `plate` or `source` where only some frames of it were analysed."""

    schema_: Literal["faceplate.preview/1"] = Field(default="faceplate.preview/1", alias="schema")
    composite: Path | None
    patch: Path | None
    frame: int
    face: bool
    sampled: tuple[str, ...] = ()


def preview(request: PreviewRequest, watch: Watch) -> PreviewResult:
    """Show one frame of a swap, at once."""
    from nodes.credentials.sign import forget, ready
    from nodes.footage.patch_files import write_patch
    from nodes.shot.fuse import write_still
    from nodes.shot.render import as_written
    from nodes.shot.sheet import write_png
    from nodes.shot.still import sign_still

    plate, source = absolute(request.plate), request.source and absolute(request.source)
    out, file, fusion = (path and absolute(path) for path in (request.out, request.patch, request.fusion))
    whole = request.whole and absolute(request.whole)
    place = next(iter(request.writes()), None)
    shot = plate, request.frame, source, request.settings, request.tracks, watch.progress
    still = _stills().still(*shot, out=place, sample=request.sample)
    signer = ready(place, plate, source, given=request.settings.swap.project)
    frame, patch = still.frame, as_written(still.patch)
    files: dict[PartOfShot, Path | list[Path]] = {}
    if out is not None:
        write_png(out, frame.over(patch).rgb8())
        files["still"] = out
    if file is not None:
        forget(file)
        write_patch(file, patch, frame.width, frame.height)
        files["patch"] = file
    if whole is not None:
        forget(whole)
        # Uncompressed: larger, but faster to write and read.
        write_patch(whole, patch, frame.width, frame.height, whole=True, compression="none")
        files["whole"] = whole
    if fusion is not None and (pictures := write_still(fusion, frame.info, request.frame, patch)):
        files["fusion"] = pictures
    sign_still(files, still.origin, signer)
    if out is not None:
        watch.preview(out)
    face = not patch.roi.empty
    return PreviewResult(composite=out, patch=file, frame=request.frame, face=face, sampled=still.sampled)


@cache
def _stills() -> Stills:
    from nodes.shot.still import Stills

    return Stills()
