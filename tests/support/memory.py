"""Footage that lies in memory: any pictures, as a clip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from nodes.footage.footage import Footage
from nodes.footage.frame import Frame, MovieFrame
from nodes.footage.info import FootageInfo


class _Pictures:
    def __init__(self, info: FootageInfo, pictures: Sequence[np.ndarray]) -> None:
        self.info, self.pictures = info, pictures

    def read(self, first: int, last: int) -> Generator[Frame, None, None]:
        for index in range(first, last + 1):
            yield MovieFrame(index, self.info, av.VideoFrame.from_ndarray(self.pictures[index], "rgb24"))

    def close(self) -> None:
        pass


def clip_of(pictures: Sequence[np.ndarray], rate: Fraction | int = 25, first: int = 0) -> Footage:
    """Footage made of pictures uint8 [H, W, 3], all of one size; first: the number of the first."""
    height, width = pictures[0].shape[:2]
    info = FootageInfo(
        Path("memory.mkv"), width, height, Fraction(rate), len(pictures), first=first, pixel_format="rgb24"
    )
    pictures = [np.ascontiguousarray(p) for p in pictures]
    return Footage(info, lambda: _Pictures(info, pictures))
