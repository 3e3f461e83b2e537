"""The document `faceplate.report/2`: `report.json`, the quality of a shot, for programs."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SCHEMA = "faceplate.report/2"
Verdict = Literal["pass", "fail", "info", "unmeasured"]


def _rounded(form: str) -> BeforeValidator:
    """Round a number for JSON: null for NaN, which JSON lacks."""
    return BeforeValidator(lambda v: v if v is None else float(f"{v:.{form}}") if math.isfinite(v) else None)


Number = Annotated[float | None, _rounded("5g")]
Coefficient = Annotated[float | None, _rounded("3f")]


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class KeyFigure(_ReportPart):
    """One number of the summary with its bar (low, high: both inclusive; null without one), and as text."""

    name: str
    label: str
    value: Number
    unit: Annotated[str, BeforeValidator(str.strip)]
    low: float | None
    high: float | None
    shown: str
    bar: str
    verdict: Verdict
    meaning: str
    group: str


class LookFirst(_ReportPart):
    """A frame to look at, the most severe first."""

    frame: int
    reasons: list[str]
    severity: Number


class FaceCoefficients(_ReportPart):
    """The curves of a face by coefficient, from its first frame on."""

    track: int
    first: int
    plate: dict[str, list[Coefficient]]
    composite: dict[str, list[Coefficient]]


class PerFrame(_ReportPart):
    """Measurements of each frame of the shot."""

    faces_plate: list[int]
    faces_composite: list[int]
    landmark_error_percent: list[Number]
    expression_error: list[Number]
    flicker_plate: list[Number]
    flicker_composite: list[Number]
    coverage_percent: list[Number]
    coverage_step_percent: list[Number]
    hidden_percent: list[Number] = []
    change_outside: list[Number]
    coefficients: list[FaceCoefficients]


class SampledFrames(_ReportPart):
    """Single frames of a face compared with the footage of its source."""

    frames: list[int]
    distance_to_source: list[Number]
    distance_to_performer: list[Number]
    sharpness: dict[str, list[Number]]


class FaceTransform(_ReportPart):
    """Similarity transforms, one row a frame."""

    columns: list[str] = ["scale_px", "angle_radians", "x", "y"]
    raw: list[list[Number]]
    smoothed: list[list[Number]]


class ReportedFace(_ReportPart):
    """One replaced face, frame by frame."""

    track: int
    first: int
    last: int
    score_plate: list[Number]
    score_composite: list[Number]
    covered: list[Number]
    sampled: SampledFrames | None
    transform: FaceTransform


class Report(_ReportPart):
    """The quality of a finished shot: `report.json`. Frames are numbered as the plate's files are."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: str = Field(default=SCHEMA, alias="schema")
    shot: str
    created: str
    width: int
    height: int
    rate: str
    first: int
    frames: int
    cuts: list[int]
    verdict: Verdict
    summary: str
    notes: list[str]
    figures: list[KeyFigure]
    look_first: list[LookFirst]
    per_frame: PerFrame
    faces: list[ReportedFace]

    def as_json(self) -> str:
        """Write as JSON, with lists of numbers on one line each: line breaks occur between values only, never in a string."""
        text = json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False)
        return re.sub(r'\[\n[^][{}"]*\]', lambda numbers: " ".join(numbers[0].split()), text) + "\n"
