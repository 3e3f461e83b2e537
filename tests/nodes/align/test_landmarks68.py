"""The 68 points of Multi-PIE and iBUG, picked out of the mesh, lie where the convention has them, on real footage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.align.landmarks68 import MESH_TO_68, to_68
from nodes.detect import detect
from nodes.footage.footage import open_footage
from nodes.types import Faces

COUNT = 24


@pytest.fixture(scope="module")
def faces(samples: Path) -> Faces:
    with open_footage(samples / "cap13_edit2.mp4") as footage:
        return detect(footage, first=380, last=380 + COUNT - 1)


def test_the_68_points_are_68_different_points_and_mirror_each_other(faces: Faces) -> None:
    points = to_68(faces.tracks[0].landmarks)
    assert points.shape == (COUNT, 68, 2)
    assert len(set(MESH_TO_68.tolist())) == 68


def test_the_68_points_lie_where_the_convention_has_them(faces: Faces) -> None:
    p = to_68(faces.tracks[0].landmarks).mean(0)  # an upright face: x grows to the subject's left, y grows downwards
    x, y = p[:, 0], p[:, 1]
    assert (np.diff(x[:17]) > 0).all(), "the jaw runs from the subject's right ear to the left"
    assert y[8] == y.max() and y[0] < y[4] < y[8] > y[12] > y[16], "and is lowest at the chin"
    assert (np.diff(x[17:27]) > 0).all(), "the brows run from right to left"
    assert y[17:22].max() < y[36:42].min() and y[22:27].max() < y[42:48].min(), "above the eyes"
    assert (np.diff(y[27:31]) > 0).all() and (np.diff(x[31:36]) > 0).all(), "the bridge runs down, the nostrils across"
    assert x[36] < x[39] < x[27] < x[42] < x[45], "the eyes' corners stand beside the nose"
    assert (y[[37, 38]] < y[[41, 40]]).all() and (y[[43, 44]] < y[[47, 46]]).all(), "upper lids above lower lids"
    assert x[48] == x[48:60].min() and x[54] == x[48:60].max(), "the mouth's corners are its ends"
    assert y[51] < y[62] < y[66] < y[57], "outer lips around inner lips"
    assert x[48] < x[60] < x[64] < x[54]
