"""Gather the crops of one performer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from host_bridge.jobs.footage import frame_rate, opened, positions
from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import DEFAULT_CONSENT, ConsentParameters, DetectParameters
from nodes.text import counted
from trainer.faceset.parameters import FacesetParameters

_TOLD = ("schema", "performer", "subject", "template", "coverage", "size", "count", "parameters", "clips", "provenance")


class FacesetRequest(Request):
    """Clips in which this performer's face is the main one; rate: of sequences that do not say; out: a folder.

    ranges: of each clip the frames A-B by its own numbers, None for all; none for all of all. A clip may be named more than once.
    tracks: ids of the performer's tracks in the only clip, where others are seen too. performer: what the faceset is called; named: the
    performer in the records of consent, by name or id; where it is not said, `performer` if it is one, else the footage tells.
    """

    clips: tuple[Path, ...] = Field(min_length=1)
    performer: str
    out: Path
    rate: str | None = None
    ranges: tuple[str | None, ...] = ()
    tracks: tuple[int, ...] = ()
    named: str | None = None
    faceset: FacesetParameters = FacesetParameters()
    consent: ConsentParameters = DEFAULT_CONSENT
    detect: DetectParameters = DetectParameters()

    @field_validator("performer")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("is empty")
        return name.strip()

    @model_validator(mode="after")
    def _ranges_for_all(self) -> Self:
        if self.ranges and len(self.ranges) != len(self.clips):
            raise ValueError(
                f"{counted(len(self.ranges), 'range')} for {counted(len(self.clips), 'clip')}: give one for each clip"
            )
        if self.tracks and len(self.clips) > 1:
            raise ValueError("tracks are those of one clip: give only one")
        return self

    @property
    def title(self) -> str:
        """The performer."""
        return self.performer


def run(request: FacesetRequest, watch: Watch) -> dict[str, Any]:
    """Build the faceset; the result is its document without the arrays' own, with folder, digest and the span of poses in degrees."""
    from trainer.faceset.build import build_faceset
    from trainer.faceset.faceset import read_document

    out = absolute(request.out).resolve()
    with opened(*request.clips, rate=frame_rate(request.rate), layer=request.detect.layer) as footage:
        clips = [f for f in footage if f is not None]
        ranges = request.ranges or (None,) * len(clips)
        looked_at = [positions(text, clip.info) for text, clip in zip(ranges, clips, strict=True)]
        made = build_faceset(
            clips,
            out,
            request.performer,
            request.faceset,
            watch.progress,
            request.detect,
            looked_at,
            tracks=request.tracks,
            consent=request.consent,
            named=request.named,
        )
    watch.preview(out / "sheet.png")
    document = read_document(out)
    spans = zip(("yaw", "pitch"), made.yaw_pitch.min(0).tolist(), made.yaw_pitch.max(0).tolist(), strict=True)
    return {
        **{key: document[key] for key in _TOLD},
        **{name: {"least": round(low, 1), "most": round(high, 1)} for name, low, high in spans},
        "folder": str(out),
        "digest": made.digest,
    }


KIND = Kind(
    "faceset", "Gather the crops of one performer from clips, ready to train on.", FacesetRequest, run, priority=10
)
