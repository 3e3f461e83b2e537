"""The report as one self-contained HTML page: pictures as JPEGs and curves as SVG."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_matte
from nodes.report import plots
from nodes.report.figures import ShownFigure
from nodes.report.frames import FrameCurves, FrameToSee
from nodes.report.gather import MeasuredShot, ReplacedFace, find_mattes
from nodes.report.measure import compare_expression
from nodes.text import page_template
from nodes.types import Image8, Roi

if TYPE_CHECKING:
    from nodes.report.document import Report

_FACES = 3  # that get curves of their own
_SETTINGS = 100
_SHEET = 8
_LONG = 360  # long side of a picture in the page
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One frame of the contact sheet, as data URIs; `matte` is empty without one."""

    number: int
    plate: str
    composite: str
    matte: str


@dataclass(frozen=True, slots=True)
class FramePair:
    """A frame to look at: plate and composite as data URIs."""

    number: int
    plate: str
    composite: str
    reasons: tuple[str, ...]


def render_page(
    shot: MeasuredShot,
    curves: FrameCurves,
    figures: Sequence[ShownFigure],
    report: Report,
    sheet: Sequence[SheetColumn],
    pairs: Sequence[FramePair],
) -> str:
    """Fill the template. sheet, pairs: its pictures."""
    bar = next(f.high for f in figures if f.name == "landmark_error") or 0.0
    faces, groups = shot.replaced[:_FACES], _groups(figures)
    changed = bool((curves.outside > 0).any())
    return page_template("nodes.report", "report.html.jinja").render(
        report=report,
        duration=float(report.frames / shot.faces.rate),
        rate=f"{float(shot.faces.rate):.3f}".rstrip("0").rstrip("."),
        figures=[f for f in figures if not f.group],
        groups=groups,
        bars=[next((f.bar for f in column if f.bar), "") for column in zip(*groups.values(), strict=True)],
        sheet=sheet,
        pairs=pairs,
        without_plate=runs([shot.first + i for i, n in enumerate(shot.faces_plate.tolist()) if not n]),
        without_composite=runs([shot.first + i for i, n in enumerate(shot.faces_composite.tolist()) if not n]),
        more_faces=len(shot.replaced) - len(faces),
        settings=list(_flat(shot.document.model_dump(mode="json") if shot.document else {}))[:_SETTINGS],
        plots={
            "detections": [plots.detections(shot)],
            **_expression(shot, faces),
            "transforms": [plots.transforms(shot, f) for f in faces],
            "landmarks": [plots.landmark_error(shot, curves, bar)] if faces else [],
            "coverage": [plots.coverage(shot, curves)],
            "flicker": [plots.flicker(shot, curves)] if faces else [],
            "outside": [plots.outside(shot, curves)] if changed else [],
        },
    )


def _groups(figures: Sequence[ShownFigure]) -> dict[str, list[ShownFigure]]:
    """Collect the figures of each group of the expression, the group that misses its bars most first."""
    groups: dict[str, list[ShownFigure]] = {}
    for figure in figures:
        if figure.group:
            groups.setdefault(figure.group, []).append(figure)
    return dict(sorted(groups.items(), key=lambda group: -max(f.severity for f in group[1])))


def _expression(shot: MeasuredShot, faces: Sequence[ReplacedFace]) -> dict[str, list[str]]:
    drawings: dict[str, list[str]] = {}
    for face in faces if shot.coefficients else ():
        for group in compare_expression(face.plate_coefficients, face.composite_coefficients, shot.coefficients):
            svg = plots.expression(shot, face, group)
            drawings.setdefault(group.group, []).extend([svg] if svg else [])
    return drawings


def runs(numbers: Sequence[int]) -> str:
    """Write ascending frame numbers as runs: 1, 2, 3, 7 → "1–3, 7"; empty for none."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][1] + 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    texts = [str(a) if a == b else f"{a}–{b}" for a, b in parts]
    return ", ".join(texts[:12]) + (f" and {len(texts) - 12} more runs" if len(texts) > 12 else "")


def _flat(document: object, name: str = "") -> Any:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _flat(value, f"{name} · {key}" if name else str(key))
    elif isinstance(document, list) and len(document) <= 8 and all(isinstance(v, str | int | float) for v in document):
        yield name, ", ".join(map(str, document))
    elif isinstance(document, str | int | float):
        yield name, str(document)


def draw_pictures(
    folder: Path, shot: MeasuredShot, looks: Sequence[FrameToSee]
) -> tuple[list[SheetColumn], list[FramePair]]:
    """Read the frames that the page shows, in ascending order and each once, and scale them down (small ones up)."""
    count = len(shot.coverage)
    sheet = np.unique(
        np.linspace(0, count - 1, min(_SHEET, count) + 2).round().astype(int)[1:-1] if count > 2 else np.arange(count)
    )
    mattes, _ = find_mattes(folder, count)
    columns: list[SheetColumn] = []
    pairs: dict[int, FramePair] = {}
    by_frame = {look.frame: look for look in looks}
    with open_footage(folder / "plate.mkv") as plate, open_footage(folder / "composite.mkv") as composite:
        for i in sorted({*sheet.tolist(), *by_frame}):
            images = plate.frame(i).rgb8(), composite.frame(i).rgb8()
            if i in sheet:
                file = mattes[i]
                matte = "" if file is None else _uri((np.clip(read_matte(file), 0, 1) * 255).round().astype(np.uint8))
                columns.append(SheetColumn(shot.first + i, _uri(images[0]), _uri(images[1]), matte))
            if i in by_frame:
                look = by_frame[i]
                cut = (slice(None), slice(None)) if look.whole else _around_faces(shot, i).slices
                p, c = (_uri(image[cut]) for image in images)
                pairs[i] = FramePair(shot.first + i, p, c, look.reasons)
    return columns, [pairs[look.frame] for look in looks]


def _around_faces(shot: MeasuredShot, frame: int) -> Roi:
    """Return the region of the replaced faces with some room, 4:3; the whole picture without a face."""
    width, height = shot.faces.width, shot.faces.height
    points = [f.plate[frame - f.frames[0], :, :2] for f in shot.replaced if f.frames[0] <= frame <= f.frames[-1]]
    points_known = np.concatenate([np.empty((0, 2), np.float32), *points])
    points_known = points_known[np.isfinite(points_known).all(1)]
    if not len(points_known):
        return Roi(0, 0, width, height)
    low, high = points_known.min(0), points_known.max(0)
    centre = (low + high) / 2
    tall = 1.4 * max(float((high - low)[1]), 0.75 * float((high - low)[0]), 16.0)
    w, h = min(round(tall * 4 / 3), width), min(round(tall), height)
    x, y = (int(np.clip(c - s / 2, 0, most - s)) for c, s, most in zip(centre, (w, h), (width, height), strict=True))
    return Roi(x, y, x + w, y + h)


def _uri(image: Image8) -> str:
    """Encode RGB [H, W, 3] or grey [H, W] as a JPEG in a data URI."""
    height, width = image.shape[:2]
    scale = min(_LONG / max(height, width), 8.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    image = np.ascontiguousarray(image)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)  # type: ignore[assignment]
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
