"""The vocabulary of the project as types: arrays and small dataclasses that travel between nodes.

Pixel coordinates are continuous, x to the right and y down, with the centre of the first pixel at (0.5, 0.5), as in
OpenImageIO and OpenEXR; `nodes.geometry.sampling` alone knows that OpenCV puts it at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Image8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Track:
    """One face followed through a shot over T consecutive frames; never crosses a cut.

    frames: int64 [T], consecutive indices into the footage. boxes: [T, 4] as x0, y0, x1, y1 in plate pixels.
    scores: [T], probability 0..1 that a face is there. landmarks: [T, L, 3], x and y in plate pixels, z in the same
    scale, smaller is nearer to the camera.
    mirrored: a left one of a handed subject, aligned as if it were a right one, in a mirror.
    """

    id: int
    frames: Int
    boxes: Float
    scores: Float
    landmarks: Float
    mirrored: bool = False

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Faces:
    """All faces of a shot, with what is needed to interpret them.

    cuts: first frame of each scene but the first. subject: a name or document as
    :func:`nodes.subjects.subject.load_subject` takes it: faces, or anything else with landmarks.
    """

    width: int
    height: int
    rate: Fraction
    first: int
    count: int
    cuts: tuple[int, ...] = ()
    tracks: tuple[Track, ...] = field(default_factory=tuple)
    subject: str = "face"


@dataclass(frozen=True, slots=True)
class Roi:
    """A half-open pixel rectangle: x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.x1 <= self.x0 or self.y1 <= self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image with."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def within(self, outer: Roi) -> tuple[slice, slice]:
        """Return rows and columns of this rectangle in an image of the `outer` one, which holds it."""
        return slice(self.y0 - outer.y0, self.y1 - outer.y0), slice(self.x0 - outer.x0, self.x1 - outer.x0)

    def grown(self, margin: int, width: int, height: int) -> Roi:
        """Grow the rectangle by a margin on all sides, cut to an image of `width` x `height`."""
        x0, y0 = max(self.x0 - margin, 0), max(self.y0 - margin, 0)
        return Roi(x0, y0, min(self.x1 + margin, width), min(self.y1 + margin, height))


@dataclass(frozen=True, slots=True)
class Patch:
    """The new face of one frame, in plate pixels.

    rgba: float32 [roi.height, roi.width, 4], scene-linear Rec.709, premultiplied, alpha = matte 0..1. An empty `roi` means
    that the frame has no face.
    """

    frame: int
    roi: Roi
    rgba: Float
