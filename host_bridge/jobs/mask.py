"""Write the mattes of a shot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.jobs.footage import frame_rate, opened, positions
from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, Settings


class MaskRequest(Request):
    """A plate, an artist's own matte, frames A-B by the plate's own numbers, tracks; out: a folder. fusion: write what Fuses read too."""

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


def run(request: MaskRequest, watch: Watch) -> dict[str, Any]:
    """Write them; the result counts frames, and those that show the subject."""
    from nodes.shot.fuse import write_mattes_of
    from nodes.shot.mattes import write_mattes

    out = absolute(request.out).resolve()
    settings = Settings(detect=request.detect, align=request.align, mask=request.mask)
    with opened(request.plate, request.roto, rate=frame_rate(request.rate), layer=request.detect.layer) as (
        plate,
        roto,
    ):
        assert plate is not None
        first, last = positions(request.range, plate.info)
        tracks, progress = request.tracks, watch.progress
        found = write_mattes(plate, out, settings, first, last, roto=roto, tracks=tracks, progress=progress)
        if request.fusion:
            write_mattes_of(out, plate, first, last, progress)
    return {"schema": "faceplate.mattes/1", "folder": str(out), "frames": last - first + 1, "frames_with_face": found}


KIND = Kind("mask", "Write the mattes of a shot.", MaskRequest, run, priority=20)
