"""The outline of a mask: grown, feathered, combined."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from nodes.mask import grow_and_feather, signed_distance

S, R = 128, 36.3
Y, X = np.mgrid[:S, :S] + 0.5


def circle(x: float = 64.2, y: float = 63.7, radius: float = R) -> np.ndarray:
    return np.clip(radius - np.hypot(X - x, Y - y) + 0.5, 0, 1).astype(np.float32)[None]


DEPTH = R - np.hypot(X - 64.2, Y - 63.7)


def test_the_distance_is_right_to_a_fraction_of_a_pixel():
    error = (signed_distance(circle()[0]) - DEPTH)[np.abs(DEPTH) < 25]
    assert error.std() < 0.2
    assert abs(error.mean()) < 0.05


def test_the_outline_moves_with_a_mask_that_moves_by_a_part_of_a_pixel():
    for x in np.linspace(64, 65, 9):
        true = R - np.hypot(X - x, Y - 64)
        error = np.abs(signed_distance(circle(x, 64)[0]) - true)
        assert error[np.abs(true) < 1].max() < 0.4
        assert error[np.abs(true) < 25].max() < 0.8


def test_without_grow_and_feather_a_hard_mask_stays_as_it_is():
    hard = (circle() > 0.5).astype(np.float32)
    np.testing.assert_allclose(grow_and_feather(hard, 0, 0), hard, atol=0.21)
    np.testing.assert_allclose(grow_and_feather(circle(), 0, 0), circle(), atol=0.3)
    square = np.zeros((1, S, S), np.float32)
    square[:, 30:90, 40:100] = 1
    np.testing.assert_array_equal(grow_and_feather(square, 0, 0)[0, 33:87, 20:120], square[0, 33:87, 20:120])


@pytest.mark.parametrize("feather", [0.02, 0.08, 0.2])
def test_the_feather_reaches_0_at_the_outline_and_1_at_its_width(feather):
    matte = grow_and_feather(circle(), 0, feather)[0]
    assert matte[circle()[0] < 0.5].max() == 0
    assert matte[np.abs(DEPTH) < 0.3].max() < 3 * (0.8 / (feather * S)) ** 2
    if feather * S < R:
        assert matte[feather * S + 1 < DEPTH].min() == 1
    half = matte[np.abs(DEPTH - feather * S / 2) < 0.3]
    np.testing.assert_allclose(half, 0.5, atol=1.5 / (feather * S))


def test_the_feather_never_rises_outward():
    row = grow_and_feather(circle(), 0.03, 0.1)[0, 64, 64:]
    assert (np.diff(row) <= 1e-6).all()


@pytest.mark.parametrize("grow", [-0.1, -0.03, 0.0, 0.05, 0.1])
def test_growth_moves_the_outline_by_its_fraction_of_the_crop(grow):
    area = grow_and_feather(circle(), grow, 0)[0].sum()
    assert area == pytest.approx(np.pi * (R + grow * S) ** 2, rel=0.02)


def test_more_growth_never_takes_away():
    mattes = [grow_and_feather(circle(), g, 0.06) for g in np.linspace(-0.2, 0.2, 9)]
    assert all((b - a).min() >= -1e-6 for a, b in pairwise(mattes))


def test_the_matte_fades_at_the_border_of_the_crop_too():
    full = np.ones((1, S, S), np.float32)
    for grow in (0, 0.2):
        matte = grow_and_feather(full, grow, 0.1)[0]
        assert max(matte[0].max(), matte[-1].max(), matte[:, 0].max(), matte[:, -1].max()) < 0.01
        assert matte[64, 64] == 1


def test_an_empty_mask_and_one_shrunk_away_are_empty():
    assert not grow_and_feather(np.zeros((2, S, S), np.float32), 0.2, 0.1).any()
    assert not grow_and_feather(circle(), -0.3, 0.1).any()


def test_each_frame_can_have_its_own_growth_and_feather():
    masks = np.repeat(circle(), 3, 0)
    grows, feathers = np.array([-0.05, 0, 0.1], np.float32), np.array([0.1, 0, 0.02], np.float32)
    together = grow_and_feather(masks, grows, feathers)
    for i in range(3):
        np.testing.assert_array_equal(together[i : i + 1], grow_and_feather(masks[:1], grows[i], feathers[i]))


def test_odd_sizes_give_masks():
    for shape in ((0, 8, 8), (1, 1, 1), (1, 5, 9)):
        matte = grow_and_feather(np.ones(shape, np.float32), 0.1, 0.05)
        assert matte.shape == shape
        assert np.isfinite(matte).all()
