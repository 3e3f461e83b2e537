"""A quick look at a shot: faces in a few of its frames, and one of them as a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from host_bridge.timeline.shots.shot import Shot
from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.detect.kept import is_analysed
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage, open_footage

WIDTH = 320
_PLACES = (0.5, 0.15, 0.85)  # of the shot; the first is shown


@dataclass(frozen=True, slots=True)
class QuickLook:
    """What was seen. frames: positions that were looked at. faces: how many at most in one. picture: JPEG of the first of them, with
    its faces marked. size: width and height of the media. analysed: the whole shot was, before. problem: why nothing was seen."""

    frames: tuple[int, ...] = ()
    faces: int | None = None
    picture: bytes = b""
    size: tuple[int, int] | None = None
    analysed: bool = False
    problem: str = ""


def look_at(shot: Shot, *, faces: bool = True) -> QuickLook:
    """Look at a shot. faces: whether to look for them; else it is only opened, and one frame shown."""
    if shot.media.path is None:
        return QuickLook(problem="media missing")
    try:
        with open_footage(shot.media.path, rate=shot.media.rate) as footage:
            return _looked(footage, shot, faces)
    except FaceplateError as e:
        return QuickLook(problem=str(e))


def _looked(footage: Footage, shot: Shot, faces: bool) -> QuickLook:
    info = footage.info
    last = info.frames - 1
    places = [min(shot.frames[int(share * (len(shot.frames) - 1))], last) for share in _PLACES]
    places = list(dict.fromkeys(places if faces else places[:1]))
    found = [_faces(footage, place) for place in places] if faces else []
    first, end = shot.span
    return QuickLook(
        frames=tuple(places) if faces else (),
        faces=max((len(boxes) for boxes in found), default=None),
        picture=_picture(footage, places[0], found[0] if found else ()),
        size=(info.width, info.height),
        analysed=end <= last and is_analysed(footage, first, end),
    )


def _faces(footage: Footage, place: int) -> list[np.ndarray]:
    """Boxes x0, y0, x1, y1 of the faces in a frame."""
    seen = detect(footage, DetectParameters(every=1), place, place)
    return [track.boxes[0] for track in seen.tracks if len(track.boxes)]


def _picture(footage: Footage, place: int, boxes: Sequence[np.ndarray]) -> bytes:
    info = footage.info
    aspect = float(info.pixel_aspect) * info.width / info.height
    width, height = WIDTH, max(round(WIDTH / aspect), 1)
    if height > WIDTH:  # upright pictures
        width, height = max(round(WIDTH * aspect), 1), WIDTH
    small = footage.frame(place).thumbnail(width, height).copy()
    scale = np.array([width / info.width, height / info.height] * 2)
    for box in boxes:
        x0, y0, x1, y1 = (int(v) for v in np.asarray(box)[:4] * scale)
        cv2.rectangle(small, (x0, y0), (x1, y1), (240, 163, 94), 2, cv2.LINE_AA)
    done, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return data.tobytes() if done else b""
