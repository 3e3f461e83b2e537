"""Find and follow the faces of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from host_bridge.jobs.footage import FrameRange, Rate, frame_rate, opened, positions
from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import DetectParameters
from nodes.errors import UsageError


class DetectRequest(Request):
    """A clip whose faces are found and followed."""

    clip: Path = Field(description="A movie, an image, a sequence as name.%04d.exr, or a folder that holds one.")
    out: Path | None = Field(default=None, description="Write boxes, scores and landmarks to this file (faces.npz).")
    range: FrameRange = None
    rate: Rate = None
    detect: DetectParameters = DetectParameters()
    fusion: bool = Field(
        default=False,
        description="Write what Faceplate's Fuses in Fusion read too, into a folder `fusion` beside --out.",
    )

    @property
    def title(self) -> str:
        """The clip's name."""
        return self.clip.name


def run(request: DetectRequest, watch: Watch) -> dict[str, Any]:
    """Detect, and describe the tracks: `faceplate.tracks/1`."""
    from nodes.choice import check_range
    from nodes.detect.files import save_faces
    from nodes.detect.kept import analyse
    from nodes.shot.document import describe_tracks
    from nodes.shot.fuse import write_boxes

    if request.fusion and request.out is None:
        raise UsageError("--fusion: needs a place", remedy="Give --out FOLDER/faces.npz")
    with opened(request.clip, rate=frame_rate(request.rate), layer=request.detect.layer) as (footage,):
        assert footage is not None
        info = footage.info
        first, last = positions(request.range, info)
        check_range(info, first, last)
        faces = analyse(footage, request.detect, first, last, watch.progress)
    out = request.out and absolute(request.out)
    if out is not None:
        save_faces(out, faces, absolute(info.path))
        if request.fusion:
            write_boxes(out.parent, faces, info)
    tracks = [
        {
            **described,
            "height": round(float((track.boxes[:, 3] - track.boxes[:, 1]).mean()), 1),
            "score": round(float(track.scores.mean()), 3),
        }
        for described, track in zip(describe_tracks(faces.tracks, info.first), faces.tracks, strict=True)
    ]
    return {
        "schema": "faceplate.tracks/1",
        "clip": str(info.path),
        "width": info.width,
        "height": info.height,
        "rate": str(info.rate),
        "range": {"first": info.first + first, "last": info.first + last},
        "cuts": [info.first + c for c in faces.cuts],
        "tracks": tracks,
        "faces": None if out is None else str(out),
    }


KIND = Kind("detect", "Find and follow the faces of a clip.", DetectRequest, run, priority=20)
