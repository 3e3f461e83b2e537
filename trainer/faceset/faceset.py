"""A faceset on disk: `faceset.json`, and arrays that are memory-mapped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nodes.types import Float, Image8, Int

SCHEMA = "faceplate.faceset/1"


@dataclass(frozen=True, eq=False)
class Faceset:
    """The usable crops of one performer, N of them, in the order of clips and frames.

    crops: uint8 [N, S, S, 3], display-referred RGB. masks: uint8 [N, S, S], coverage of the face. landmarks: float32
    [N, L, 3] in crop pixels, smoothed over the clip, z in the same scale. All three memory-mapped, read-only. clip: [N], number
    of the clip in `clips`. frame: [N], position in it. track: [N]. to_plate: [N, 2, 3]. yaw_pitch: [N, 2], degrees.
    sharpness: [N]. score: [N]. tones: [N, L], luma at each landmark. rate: frames a second, of each clip. digest: of all
    that training depends on; changes when the files do.
    """

    folder: Path
    performer: str
    subject: str
    template: str
    coverage: float
    size: int
    clips: tuple[str, ...]
    rates: tuple[float, ...]
    crops: Image8
    masks: Image8
    landmarks: Float
    clip: Int
    frame: Int
    track: Int
    to_plate: Float
    yaw_pitch: Float
    sharpness: Float
    score: Float
    tones: Float
    digest: str

    def __len__(self) -> int:
        return len(self.crops)


def open_faceset(folder: Path | str) -> Faceset:
    """Open a faceset. Raises SchemaError when it is damaged or newer, FootageError when there is none."""
    raise NotImplementedError
