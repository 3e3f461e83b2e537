"""One frame of a swap, at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import Settings

if TYPE_CHECKING:
    from nodes.parts import PartOfShot
    from nodes.shot.still import Stills


class PreviewRequest(Request):
    """A frame of the plate by its own number. out: the composite, .png, None for none; patch: the new face, premultiplied, .exr. fusion: a folder for what Fuses read."""

    written: ClassVar[frozenset[str]] = frozenset({"out", "patch", "fusion"})

    plate: Path
    frame: int = Field(ge=0)
    out: Path | None = None
    patch: Path | None = None
    fusion: Path | None = None
    source: Path | None = None
    tracks: tuple[int, ...] = ()
    settings: Settings = Settings()

    @property
    def title(self) -> str:
        """The plate's name and the frame."""
        return f"{self.plate.name}, frame {self.frame}"


def run(request: PreviewRequest, watch: Watch) -> dict[str, Any]:
    """Compute the frame, and write it; a process that has done one of the same shot before is quick."""
    from nodes.credentials.sign import forget, ready
    from nodes.footage.patch_files import write_patch
    from nodes.shot.fuse import write_still
    from nodes.shot.render import as_written
    from nodes.shot.sheet import write_png
    from nodes.shot.signing import sign_still

    plate, source = absolute(request.plate), request.source and absolute(request.source)
    out, file, fusion = (path and absolute(path) for path in (request.out, request.patch, request.fusion))
    place = next(iter(request.writes()), None)
    still = _stills().still(plate, request.frame, source, request.settings, request.tracks, watch.progress, out=place)
    by = ready(place, plate, source, told=request.settings.swap.project)
    frame, patch = still.frame, as_written(still.patch)
    made: dict[PartOfShot, Path | list[Path]] = {}
    if out is not None:
        write_png(out, frame.over(patch).rgb8())
        made["still"] = out
    if file is not None:
        forget(file)
        write_patch(file, patch, frame.width, frame.height)
        made["patch"] = file
    if fusion is not None and (pictures := write_still(fusion, frame.info, request.frame, patch)):
        made["fusion"] = pictures
    sign_still(made, _stills().inputs(plate, source, request.settings), request.settings, still.provenance, by)
    if out is not None:
        watch.preview(out)
    return {
        "schema": "faceplate.preview/1",
        "composite": out and str(out),
        "patch": file and str(file),
        "frame": request.frame,
        "face": not patch.roi.empty,
    }


@cache
def _stills() -> Stills:
    from nodes.shot.still import Stills

    return Stills()


KIND = Kind("preview", "Show one frame of a swap, at once.", PreviewRequest, run, priority=100, warm=True)
