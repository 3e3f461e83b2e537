"""The composite as pictures, for hosts that cannot open the movie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_patch
from nodes.shot.layers import write_frames
from tests.nodes.shot.test_overlay import scene
from tests.support.clips import cut


def test_a_movies_composite_as_pictures_is_the_composite(samples: Path, tmp_path: Path) -> None:
    clip = cut(samples / "cap13_edit2.mp4", tmp_path / "clip.mp4", 0, 12)
    _, folder = scene(tmp_path, "8")  # patches of the frames 7 and 8
    with open_footage(clip) as footage:
        pattern = write_frames(folder, footage, 7, 8)
        plain = [frame.rgb() for frame in footage.frames(7, 8)]
        composite = [
            frame.over(read_patch(folder / "patch" / f"patch.{frame.index:04d}.exr")).rgb()
            for frame in footage.frames(7, 8)
        ]
    assert pattern == folder / "composite" / "composite.%04d.png"
    with open_footage(pattern) as written:
        assert (written.info.first, written.info.frames) == (7, 2)
        for frame, expected, before in zip(written.frames(), composite, plain, strict=True):
            assert np.abs(frame.rgb() - expected).max() <= 0.51 / 255
            assert np.abs(frame.rgb() - before).max() > 0.2


def test_a_plate_of_pictures_has_them_already(tmp_path: Path) -> None:
    (tmp_path / "composite").mkdir()
    file = tmp_path / "composite" / "composite.0007.dpx"
    file.write_bytes(b"")
    plate, _ = scene(tmp_path, "16")
    with open_footage(plate) as footage:
        assert write_frames(tmp_path, footage, 0, 1) == file.with_name("composite.%04d.dpx")
