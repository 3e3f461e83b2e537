"""Write the aligned crops of tracks: crops/TRACK/crop.%04d.png, alignment.npz and a contact sheet."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nodes.align import Alignment
from nodes.errors import writing
from nodes.footage import Footage
from nodes.geometry.sampling import crop
from nodes.shot.alignment_files import save_alignments
from nodes.shot.document import describe_tracks
from nodes.shot.progress import Progress, quiet, stage
from nodes.shot.sheet import write_png
from nodes.shot.worker import Worker
from nodes.types import Image8

_SHEET, _COLUMNS, _CELL = 40, 10, 128
_CROP = re.compile(r"crop\.\d+\.png")


def write_crops(
    footage: Footage, alignments: Sequence[Alignment], out: Path, progress: Progress = quiet
) -> list[dict[str, Any]]:
    """Cut the crops of at least one alignment out of footage, decoded once, and list what was written, a track an entry.

    All appears in `out` at the end; crops that an earlier run left there go. Raises OutputError and FootageError.
    """
    number = footage.info.first
    first = min(int(a.track.frames[0]) for a in alignments)
    last = max(int(a.track.frames[-1]) for a in alignments)
    tell = stage(progress, "crop", last - first + 1)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".crops-", dir=out) as name:
            folder = Path(name)
            shown = _Shown(sum(len(a.track) for a in alignments))
            with Worker[tuple[Path, Image8]](lambda item: write_png(*item), depth=8) as writer:
                for done, frame in enumerate(footage.frames(first, last), 1):
                    here = [a for a in alignments if a.track.frames[0] <= frame.index <= a.track.frames[-1]]
                    for size in {a.size for a in here}:
                        same = [a for a in here if a.size == size]
                        to_plate = np.stack([a.to_plate[frame.index - a.track.frames[0]] for a in same])
                        for a, picture in zip(same, crop(frame.rgb8(), to_plate, size), strict=True):
                            writer.put((folder / str(a.track.id) / f"crop.{number + frame.index:04d}.png", picture))
                            shown.take(picture)
                    tell(done)
            write_png(folder / "sheet.png", shown.sheet())
            save_alignments(folder / "alignment.npz", alignments)
            for track in alignments:
                target = out / "crops" / str(track.track.id)
                target.parent.mkdir(exist_ok=True)
                _replace(folder / str(track.track.id), target)
            for file in ("sheet.png", "alignment.npz"):
                (folder / file).replace(out / file)
    return [
        {**told, "crops": str(Path("crops") / str(told["id"]) / "crop.%04d.png"), "size": a.size}
        for told, a in zip(describe_tracks([a.track for a in alignments], number), alignments, strict=True)
    ]


def _replace(new: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        if _CROP.fullmatch(old.name):
            old.unlink()
    for file in sorted(new.iterdir()):
        file.replace(target / file.name)
    shutil.rmtree(new)


class _Shown:
    """Gathers every n-th crop for the contact sheet."""

    def __init__(self, count: int) -> None:
        self._step, self._seen = max(-(-count // _SHEET), 1), 0
        self._cells: list[Image8] = []

    def take(self, picture: Image8) -> None:
        if self._seen % self._step == 0:
            small = cv2.resize(picture, (_CELL, _CELL), interpolation=cv2.INTER_AREA)
            self._cells.append(np.asarray(small, np.uint8))
        self._seen += 1

    def sheet(self) -> Image8:
        cells = np.zeros((-(-len(self._cells) // _COLUMNS) * _COLUMNS, _CELL, _CELL, 3), np.uint8)
        cells[: len(self._cells)] = self._cells
        rows = cells.reshape(-1, _COLUMNS, _CELL, _CELL, 3).swapaxes(1, 2)
        return rows.reshape(-1, _COLUMNS * _CELL, 3)
