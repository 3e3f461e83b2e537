"""Sharpening inside the matte."""

from __future__ import annotations

import numpy as np

from nodes.swap.light import unsharp_mask

S = 64
MATTE = np.zeros((2, S, S), np.float32)
MATTE[:, 16:48, 16:48] = 1


def edge() -> np.ndarray:
    image = np.full((2, S, S, 3), 0.4, np.float32)
    image[:, :, 32:] = 0.6
    return image


def test_an_edge_gets_more_contrast_and_a_flat_part_stays():
    sharp = unsharp_mask(edge(), MATTE, 1.0, 0.02)
    assert sharp[0, 32, 32, 0] > 0.61
    assert sharp[0, 32, 31, 0] < 0.39
    np.testing.assert_allclose(sharp[0, 32, 20], 0.4, atol=1e-3)


def test_what_lies_outside_neither_changes_nor_rings_into_the_face():
    image = np.full((2, S, S, 3), 0.5, np.float32)
    image[MATTE == 0] = 100
    sharp = unsharp_mask(image, MATTE, 2.0, 0.05)
    np.testing.assert_array_equal(sharp[MATTE == 0], image[MATTE == 0])
    np.testing.assert_allclose(sharp[MATTE == 1], 0.5, atol=1e-4)


def test_nothing_happens_without_amount_and_each_frame_has_its_own():
    np.testing.assert_array_equal(unsharp_mask(edge(), MATTE, 0), edge())
    sharp = unsharp_mask(edge(), MATTE, np.array([0, 1], np.float32))
    np.testing.assert_array_equal(sharp[0], edge()[0])
    assert not np.array_equal(sharp[1], edge()[1])


def test_the_result_is_never_negative_and_the_input_is_left_alone():
    image = edge() - 0.4
    before = image.copy()
    assert unsharp_mask(image, MATTE, 2.0, 0.02).min() >= 0
    np.testing.assert_array_equal(image, before)
