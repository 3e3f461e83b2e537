"""Sheet of a subject in a clip, to check its finder and template: landmarks, axes, crops and regions."""

from __future__ import annotations

from contextlib import nullcontext

import cv2
import numpy as np

from nodes.align import Alignment, align
from nodes.definitions import DetectParameters
from nodes.detect import main_tracks
from nodes.detect.kept import analyse
from nodes.errors import NoFaceError
from nodes.footage.footage import Footage
from nodes.footage.frame import Frame
from nodes.geometry.sampling import crop, invert, transform_points
from nodes.mask import draw_regions
from nodes.progress import Progress, quiet
from nodes.shot.sheet import pick, window
from nodes.subject_tool.document import draft_of, read_document
from nodes.subjects.subject import find_subject, load_subject
from nodes.types import Float, Image8, Roi, Track

_CELL, _GAP, _LABEL, _LINE = 280, 4, 22, 18
_NAMES_WIDTH = 190  # of a column of the legend
_FINER = 2  # pictures are drawn on so much larger, and then made smaller
_SHIFT = 4  # bits of OpenCV's fractions of a pixel
_WHITE = (235, 235, 235)
_AXES = ((235, 80, 70), (90, 210, 90))  # x to the right, y down


def subject_sheet(footage: Footage, name: str, count: int = 6, progress: Progress = quiet) -> Image8:
    """Draw `count` frames that show the subject: uint8 [H, W, 3].

    Above: the frame with the landmarks, the template's axes and the crop; below: the crop with the landmarks and the outline of all
    regions, for a fitted subject only. Raises NoFaceError if no frame shows it, and what detection raises.
    """
    path = find_subject(name)
    subject, names = load_subject(name), read_document(path).get("landmarks")
    fitted = subject.finder.get("fitted", True)
    with nullcontext(name) if fitted else draft_of(path) as document:
        faces = analyse(footage, DetectParameters(subject=str(document)), progress=progress)
    tracks = main_tracks(faces)
    if not tracks:
        raise NoFaceError(
            f"no {subject.name} was found", file=footage.info.path, remedy="Check the network's description"
        )
    aligned = {a.track.id: a for a in align(faces).crops} if fitted else {}
    part = window(tracks, faces.width, faces.height)
    columns = _columns(footage, tracks, aligned, part, count)
    sheet = np.concatenate([np.pad(c, ((0, 0), (0, _GAP), (0, 0)), constant_values=24) for c in columns], 1)
    return np.concatenate([sheet, _legend(names if isinstance(names, list) else [], sheet.shape[1])])


def _columns(
    footage: Footage, tracks: list[Track], aligned: dict[int, Alignment], part: Roi, count: int
) -> list[Image8]:
    where = {int(frame): (track, i) for track in tracks for i, frame in enumerate(track.frames) if track.scores[i] > 0}
    frames = np.array(sorted(where))
    chosen = set(frames[sorted(pick(0, len(frames) - 1, count))].tolist())
    columns = []
    for frame in footage.frames(min(chosen), max(chosen)):
        if frame.index in chosen:
            track, at = where[frame.index]
            number = footage.info.first + frame.index
            columns.append(_column(number, frame, track.landmarks[at], part, aligned.get(track.id), at))
    return columns


def _column(number: int, frame: Frame, points: Float, part: Roi, aligned: Alignment | None, at: int) -> Image8:
    scale = _CELL / max(part.width, part.height)
    size = max(round(part.width * scale), 1), max(round(part.height * scale), 1)
    plate = _Canvas(np.asarray(cv2.resize(frame.rgb8()[part.slices], size, interpolation=cv2.INTER_AREA)))

    def shown(places: Float) -> Float:
        return np.asarray((places[..., :2] - (part.x0, part.y0)) * scale, np.float32)

    pictures = [plate]
    if aligned is not None:
        small = aligned.at(_CELL)
        to_plate = small.to_plate[at]
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * _CELL
        plate.outline(shown(transform_points(to_plate, corners)))
        axes = np.array([[1, 1], [1.6, 1], [1, 1.6]], np.float32) * np.float32(_CELL / 2)
        plate.axes(shown(transform_points(to_plate, axes)))
        cut = _Canvas(crop(frame.rgb8(), to_plate[None], _CELL)[0])
        own = transform_points(invert(to_plate[None])[0], points[:, :2])
        matte = draw_regions(own[None], _CELL, aligned.subject)[0]
        edges, _ = cv2.findContours((matte > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for edge in edges:
            cut.outline(np.asarray(edge[:, 0] + 0.5, np.float32))
        cut.dots(own)
        pictures.append(cut)
    plate.dots(shown(points))
    cells = [np.full((_LABEL, _CELL, 3), 24, np.uint8)]
    for picture in (p.picture() for p in pictures):
        rest = _CELL - picture.shape[1]
        cells.append(np.pad(picture, ((0, 0), (rest // 2, rest - rest // 2), (0, 0)), constant_values=24))
    cv2.putText(cells[0], str(number), (2, _LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.concatenate([np.pad(c, ((0, _GAP), (0, 0), (0, 0)), constant_values=24) for c in cells])


def _colours(count: int) -> list[tuple[int, int, int]]:
    """Return distinct colours for `count` landmarks."""
    hues = np.zeros((1, count, 3), np.uint8)
    hues[..., 0], hues[..., 1], hues[..., 2] = np.arange(count) * 180 // max(count, 1), 150, 255
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)[0]]


class _Canvas:
    """A picture to draw on; coordinates are its own pixels."""

    def __init__(self, picture: Image8) -> None:
        size = picture.shape[1] * _FINER, picture.shape[0] * _FINER
        self._large = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))

    def dots(self, points: Float) -> None:
        many = len(points) > 60
        for i, (place, colour) in enumerate(zip(self._fixed(points), _colours(len(points)), strict=True)):
            radius = (2 if many else 5) << _SHIFT
            at = int(place[0]), int(place[1])
            cv2.circle(self._large, at, radius, (0, 0, 0), 2 if not many else 1, cv2.LINE_AA, _SHIFT)
            cv2.circle(self._large, at, radius, colour, -1, cv2.LINE_AA, _SHIFT)
            if not many:
                beside = (at[0] >> _SHIFT) + 8, (at[1] >> _SHIFT) - 6
                for shade, width in (((0, 0, 0), 4), (_WHITE, 1)):
                    cv2.putText(self._large, str(i), beside, cv2.FONT_HERSHEY_SIMPLEX, 0.7, shade, width, cv2.LINE_AA)

    def outline(self, points: Float) -> None:
        for shade, width in (((0, 0, 0), 4), (_WHITE, 2)):
            cv2.polylines(self._large, [self._fixed(points)], True, shade, width, cv2.LINE_AA, _SHIFT)

    def axes(self, places: Float) -> None:
        """Draw axes. places: the origin, and the ends of x and y."""
        origin, *ends = ((int(x), int(y)) for x, y in self._fixed(places) >> _SHIFT)
        for end, colour in zip(ends, _AXES, strict=True):
            cv2.arrowedLine(self._large, origin, end, colour, 4, cv2.LINE_AA, tipLength=0.18)

    def picture(self) -> Image8:
        size = self._large.shape[1] // _FINER, self._large.shape[0] // _FINER
        return np.asarray(cv2.resize(self._large, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _fixed(self, points: Float) -> np.ndarray:
        finite = np.clip(points * _FINER - 0.5, -(1 << 14), 1 << 14)
        return np.asarray(np.round(finite * (1 << _SHIFT)), np.int32)


def _legend(names: list[str], width: int) -> Image8:
    """Draw the landmarks' numbers and names, in the colours of their dots."""
    columns = max(width // _NAMES_WIDTH, 1)
    rows = -(-len(names) // columns)
    legend = np.full((rows * _LINE + (_GAP if rows else 0), width, 3), 24, np.uint8)
    for i, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True)):
        at = 4 + i % columns * _NAMES_WIDTH, (i // columns + 1) * _LINE - 4
        cv2.putText(legend, f"{i} {name}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return legend
