"""The report of a shot: `report.json` for programs, whose model this is, and `report.html` for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nodes.files import whole_file
from nodes.report.figures import Figure, key_figures, overall
from nodes.report.frames import FrameCurves, FrameToSee, measure_frames, worst_frames
from nodes.report.gather import MeasuredShot, ReplacedFace, SourceComparison, gather
from nodes.report.page import draw_pictures, render_page

SCHEMA = "faceplate.report/2"
Verdict = Literal["pass", "fail", "info", "unmeasured"]


def _rounded(form: str) -> BeforeValidator:
    """Round a number as JSON has it: null for NaN, which JSON does not have."""
    return BeforeValidator(lambda v: v if v is None else float(f"{v:.{form}}") if np.isfinite(v) else None)


Number = Annotated[float | None, _rounded("5g")]
Coefficient = Annotated[float | None, _rounded("3f")]


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class KeyFigure(_ReportPart):
    """One number of the summary with its bar (low, high: both inclusive; null where there is none), and as text."""

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
    change_outside: list[Number]
    coefficients: list[FaceCoefficients]


class SampledFrames(_ReportPart):
    """What single frames of a face show, beside the footage of its source."""

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
    """How good a finished shot is: `report.json`. Frames are numbered as the plate's files are."""

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
        """Write as JSON, with lists of numbers on one line each: line breaks stand between values only, never in a string."""
        text = json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False)
        return re.sub(r'\[\n[^][{}"]*\]', lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def write_report(shot: Path, progress: Callable[[float], None] = lambda done: None, name: str | None = None) -> Report:
    """Measure the shot in a folder that `faceplate swap` wrote, write report.json and report.html there, and return the former.

    Needs plate.mkv and composite.mkv; matte/matte.*.exr and shot.json where they are there. progress: called with 0..1. name: the shot's, by
    default its folder's. Both files appear whole or not at all, and neither before all is measured and drawn. Raises FootageError for what
    is missing, damaged or does not match, OutputError where the folder cannot be written to.
    """
    shot = Path(shot)
    measured = gather(shot, lambda done: progress(0.93 * done))
    curves = measure_frames(measured)
    figures = key_figures(measured, curves)
    looks = worst_frames(measured, curves)
    report = _report(name or measured.name, measured, curves, figures, looks)
    sheet, pairs = draw_pictures(shot, measured, looks)
    html = render_page(measured, curves, figures, report, sheet, pairs)
    with whole_file(shot / "report.html") as page, whole_file(shot / "report.json") as data:
        page.write_text(html, "utf-8")
        data.write_text(report.as_json(), "utf-8")
    progress(1.0)
    return report


def _report(
    name: str, shot: MeasuredShot, curves: FrameCurves, figures: Sequence[Figure], looks: Sequence[FrameToSee]
) -> Report:
    verdict, summary = overall(figures)
    return Report(
        shot=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        width=shot.faces.width,
        height=shot.faces.height,
        rate=str(shot.faces.rate),
        first=shot.first,
        frames=len(shot.coverage),
        cuts=[shot.first + cut - shot.faces.first for cut in shot.faces.cuts],
        verdict=verdict,
        summary=summary,
        notes=list(shot.notes),
        figures=[KeyFigure.model_validate(figure) for figure in figures],
        look_first=[
            LookFirst(frame=shot.first + look.frame, reasons=list(look.reasons), severity=look.severity)
            for look in looks
        ],
        per_frame=PerFrame(
            faces_plate=shot.faces_plate.tolist(),
            faces_composite=shot.faces_composite.tolist(),
            landmark_error_percent=curves.error.tolist(),
            expression_error=curves.expression.tolist(),
            flicker_plate=curves.flicker_plate.tolist(),
            flicker_composite=curves.flicker_composite.tolist(),
            coverage_percent=curves.coverage.tolist(),
            coverage_step_percent=curves.steps.tolist(),
            change_outside=curves.outside.tolist(),
            coefficients=[
                FaceCoefficients(
                    track=face.track,
                    first=shot.first + int(face.frames[0]),
                    plate=dict(zip(shot.coefficients, face.plate_coefficients.T.tolist(), strict=True)),
                    composite=dict(zip(shot.coefficients, face.composite_coefficients.T.tolist(), strict=True)),
                )
                for face in shot.replaced
            ],
        ),
        faces=[_face(shot, face) for face in shot.replaced],
    )


def _face(shot: MeasuredShot, face: ReplacedFace) -> ReportedFace:
    return ReportedFace(
        track=face.track,
        first=shot.first + int(face.frames[0]),
        last=shot.first + int(face.frames[-1]),
        score_plate=face.plate_score.tolist(),
        score_composite=face.composite_score.tolist(),
        covered=face.covered.tolist(),
        sampled=None if face.source is None else _sampled(shot, face, face.source),
        transform=FaceTransform(raw=face.raw.tolist(), smoothed=face.smoothed.tolist()),
    )


def _sampled(shot: MeasuredShot, face: ReplacedFace, source: SourceComparison) -> SampledFrames:
    return SampledFrames(
        frames=(shot.first + face.frames[source.at]).tolist(),
        distance_to_source=source.to_source.tolist(),
        distance_to_performer=source.to_performer.tolist(),
        sharpness={region: values.tolist() for region, values in source.sharpness.items()},
    )
