"""Measure a shot and write its report: `report.json` for programs and `report.html` for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nodes.files import whole_file
from nodes.report.document import (
    FaceCoefficients,
    FaceTransform,
    KeyFigure,
    LookFirst,
    PerFrame,
    Report,
    ReportedFace,
    SampledFrames,
)
from nodes.report.figures import ShownFigure, key_figures, overall
from nodes.report.frames import FrameCurves, FrameToSee, measure_frames, worst_frames
from nodes.report.gather import MeasuredShot, ReplacedFace, SourceComparison, gather
from nodes.report.page import draw_pictures, render_page


def write_report(shot: Path, progress: Callable[[float], None] = lambda done: None, name: str | None = None) -> Report:
    """Measure the shot in a folder that `faceplate swap` wrote, write report.json and report.html there, and return the former.

    Needs plate.mkv and composite.mkv; uses matte/matte.*.exr and shot.json if present. progress: called with 0..1. name: the shot's, by
    default its folder's. Both files appear whole or not at all, and only when all is measured and drawn. Raises FootageError for
    missing, damaged or mismatched files, OutputError for a folder that is not writable.
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
    name: str, shot: MeasuredShot, curves: FrameCurves, figures: Sequence[ShownFigure], looks: Sequence[FrameToSee]
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
            hidden_percent=curves.hidden.tolist(),
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
