"""Write the mattes of a shot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.jobs.footage import frame_rate, opened, positions
from host_bridge.jobs.job import Kind, Request, Watch, absolute
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters
from nodes.shot.settings import Settings


class MaskRequest(Request):
    """A plate, an artist's own matte, frames A-B by the plate's own numbers, tracks; out: a folder."""

    plate: Path
    out: Path
    roto: Path | None = None
    range: str | None = None
    rate: str | None = None
    tracks: tuple[int, ...] = ()
    detect: DetectParameters = DetectParameters()
    align: AlignParameters = AlignParameters()
    mask: MaskParameters = MaskParameters()

    @property
    def title(self) -> str:
        """The plate's name."""
        return self.plate.name


def run(request: MaskRequest, watch: Watch) -> dict[str, Any]:
    """Write them; the result counts frames, and those that show the subject."""
    from nodes.shot.mattes import write_mattes

    out = absolute(request.out).resolve()
    settings = Settings(detect=request.detect, align=request.align, mask=request.mask)
    with opened(request.plate, request.roto, rate=frame_rate(request.rate)) as (plate, roto):
        assert plate is not None
        first, last = positions(request.range, plate.info)
        tracks, progress = request.tracks, watch.progress
        found = write_mattes(plate, out, settings, first, last, roto=roto, tracks=tracks, progress=progress)
    return {"schema": "faceplate.mattes/1", "folder": str(out), "frames": last - first + 1, "frames_with_face": found}


KIND = Kind("mask", "Write the mattes of a shot.", MaskRequest, run, priority=20)
