"""Turn stored pictures upright, as the display matrix of a movie asks."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import av
import numpy as np
from av.sidedata.sidedata import Type

from nodes.footage.info import ColourTags
from nodes.footage.planes import Plane, exists, layout, new_frame, views

_SIDEWAYS = {"420": "420", "422": "440", "440": "422", "410": "410", "411": "444"}


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn by a multiple of 90 degrees counter-clockwise, after an optional left-right mirror."""

    degrees: int = 0
    mirrored: bool = False

    @property
    def upright(self) -> bool:
        """Whether nothing is to be done."""
        return self.degrees == 0 and not self.mirrored

    @property
    def transposed(self) -> bool:
        """Whether width and height change places."""
        return self.degrees in (90, 270)

    def format(self, name: str, width: int, height: int) -> str:
        """Name the format in which a turned picture keeps every code value (4:2:2 on its side is 4:4:0)."""
        lay = layout(name)
        assert lay is not None
        if self.upright or lay.shift == (0, 0):
            return name
        sx, sy = lay.shift
        whole = width % (1 << sx) == 0 and height % (1 << sy) == 0
        if whole and (not self.transposed or sx == sy):
            return name
        sampling = next(s for s in _SIDEWAYS if s in name)
        turned = name.replace(sampling, _SIDEWAYS[sampling])
        if whole and exists(turned):
            return turned
        return name.replace(sampling, "444")

    def apply(self, array: Plane) -> Plane:
        """Turn an array [h, w, ...]; a view."""
        return np.rot90(array[:, ::-1] if self.mirrored else array, self.degrees // 90)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Read the display matrix of a decoded picture; turns that are no multiple of 90 degrees are ignored."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix)[:36])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The matrix takes (x, y) to (a x + c y, b x + d y), y down: (a, b) is where the picture's x axis points.
    turn = {(1, 0): 0, (0, -1): 90, (-1, 0): 180, (0, 1): 270}.get((int(np.sign(a)), int(np.sign(b))))
    return UPRIGHT if turn is None else Orientation(turn, mirrored)


def turn_upright(frame: av.VideoFrame, turn: Orientation, name: str, tags: ColourTags) -> av.VideoFrame:
    """Return an upright copy of a picture that already is in the format `name` up to 4:2:2/4:4:0."""
    if turn.upright:
        return frame
    width, height = (frame.height, frame.width) if turn.transposed else (frame.width, frame.height)
    twin = new_frame(name, width, height, tags)
    for new, old in zip(views(twin), views(frame), strict=True):
        new[...] = turn.apply(old)
    return twin
