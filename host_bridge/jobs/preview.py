"""One frame of a swap, at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from host_bridge.jobs.job import Kind, Request, Watch, absolute
from nodes.shot.settings import Settings

if TYPE_CHECKING:
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
    from nodes.consent.project import find_project
    from nodes.footage import write_patch
    from nodes.shot.fuse.pictures import write_pictures
    from nodes.shot.render import as_written
    from nodes.shot.sheet import write_png
    from nodes.shot.signing import sign_still

    plate, source = absolute(request.plate), request.source and absolute(request.source)
    out = request.out and absolute(request.out)
    asked = plate, request.frame, source, request.settings, request.tracks, watch.progress
    still = _stills().still(*asked, out=next(iter(request.writes()), None))
    frame, patch = still.frame, as_written(still.patch)
    if out is not None:
        write_png(out, frame.over(patch).rgb8())
        inputs = _stills().inputs(plate, source, request.settings)
        project = find_project(out, plate, source, Path.cwd(), told=request.settings.swap.project)
        sign_still(out, inputs, request.settings, still.provenance, project)
        watch.preview(out)
    if request.patch is not None:
        write_patch(absolute(request.patch), patch, frame.width, frame.height)
    if request.fusion is not None:
        write_pictures(absolute(request.fusion), "swap", frame.info, request.frame, [patch], 1)
    return {
        "schema": "faceplate.preview/1",
        "composite": out and str(out),
        "patch": request.patch and str(absolute(request.patch)),
        "frame": request.frame,
        "face": not patch.roi.empty,
    }


@cache
def _stills() -> Stills:
    from nodes.shot.still import Stills

    return Stills()


KIND = Kind("preview", "Show one frame of a swap, at once.", PreviewRequest, run, priority=100, warm=True)
