"""Write the arrays of a faceset, but for the crops, which are written as they are cut."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nodes.files import flush
from nodes.mask import draw_regions
from nodes.types import Float
from trainer.faceset.candidates import Candidates
from trainer.faceset.faceset import ENTRIES
from trainer.faceset.gather import Kept
from trainer.faceset.growing import GrowingArray

_BLOCK = 64


def write_arrays(folder: Path, found: Sequence[Candidates], kept: Sequence[Kept], yaw_pitch: Float, size: int) -> None:
    """Write masks, landmarks and entries of what is kept of each clip; OSError where that cannot be done."""
    points = found[0].landmarks.shape[1]
    with ExitStack() as stack:
        masks = GrowingArray(folder / "masks.npy", (size, size), "u1")
        landmarks = GrowingArray(folder / "landmarks.npy", (points, 3), "f4")
        for array in (masks, landmarks):
            stack.callback(array.close)
        for c, k in zip(found, kept, strict=True):
            for at in range(0, len(k.rows), _BLOCK):
                rows = k.rows[at : at + _BLOCK]
                drawn = draw_regions(c.landmarks[rows], size, c.subject)
                masks.append(np.rint(drawn * 255).astype(np.uint8))
                landmarks.append(c.landmarks[rows])
        for array in (masks, landmarks):
            array.finish()

    def joined(name: str) -> Any:
        return np.concatenate([getattr(c, name)[k.rows] for c, k in zip(found, kept, strict=True)])

    np.savez(
        folder / ENTRIES,
        clip=np.repeat(np.arange(len(kept)), [len(k.rows) for k in kept]),
        frame=joined("frame"),
        track=joined("track"),
        score=joined("score"),
        to_plate=joined("to_plate"),
        yaw_pitch=yaw_pitch.astype(np.float32),
        sharpness=np.concatenate([k.sharpness for k in kept]).astype(np.float32),
    )
    flush(folder / ENTRIES)
