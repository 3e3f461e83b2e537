"""Similarity fits, resampling and smoothing against what is known to be right."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.geometry.sampling import crop, invert, pixel_centres, resample, transform_points
from nodes.geometry.similarity import apply_similarity, fit_similarity, mean_shape, remove_similarity
from nodes.geometry.smoothing import blur, smooth, smooth_rotations, window_length


def turned(dimensions: int, seed: int) -> np.ndarray:
    """A random rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    return q.astype(np.float32)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_known_similarity_is_found(dimensions, weighted):
    rng = np.random.default_rng(dimensions)
    points = rng.normal(size=(40, dimensions)).astype(np.float32)
    scale, rotation = np.float32([0.3, 1, 250]), np.stack([turned(dimensions, s) for s in range(3)])
    shift = rng.normal(size=(3, dimensions)).astype(np.float32) * 50
    weights = rng.uniform(0.1, 2, 40).astype(np.float32) if weighted else None
    to = apply_similarity(points[None], scale, rotation, shift)
    found = fit_similarity(points[None], to, weights)
    for got, wanted in zip(found, (scale, rotation, shift), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(remove_similarity(to, *found), np.broadcast_to(points, to.shape), atol=1e-3)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_mirrored_set_is_fitted_by_a_rotation_never_by_a_reflection(dimensions):
    points = np.random.default_rng(0).normal(size=(30, dimensions)).astype(np.float32)
    mirrored = points * np.where(np.arange(dimensions) == 0, -1, 1).astype(np.float32)
    scale, rotation, shift = fit_similarity(points, mirrored)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)
    best = np.inf  # no other rotation with any size does better
    for seed in range(300):
        other = turned(dimensions, seed)
        p, q = points - points.mean(0), mirrored - mirrored.mean(0)
        factor = max((q * (p @ other.T)).sum() / (p**2).sum(), 0)
        best = min(best, ((q - factor * p @ other.T) ** 2).sum())
    assert ((mirrored - apply_similarity(points, scale, rotation, shift)) ** 2).sum() <= best + 1e-3


def test_points_of_no_weight_have_no_say():
    points = np.random.default_rng(1).normal(size=(20, 2)).astype(np.float32)
    to, weights = points * 3 + 5, np.ones(20, np.float32)
    to[:5], weights[:5] = 100, 0
    scale, rotation, shift = fit_similarity(points, to, weights)
    np.testing.assert_allclose(scale, 3, rtol=1e-4)
    np.testing.assert_allclose(rotation, np.eye(2), atol=1e-4)
    np.testing.assert_allclose(shift, [5, 5], atol=1e-3)


def test_the_mean_shape_knows_no_position_size_or_turn():
    shape = np.random.default_rng(2).normal(size=(25, 3)).astype(np.float32)
    shape -= shape.mean(0)
    placed = np.stack([apply_similarity(shape, np.float32(s), turned(3, s), np.float32([s, -s, 0])) for s in (1, 2, 5)])
    mean = mean_shape(placed)
    assert np.sqrt((mean**2).sum(1).mean()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(mean.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(apply_similarity(mean, *fit_similarity(mean, shape)), shape, atol=1e-3)


def test_an_affine_transform_and_its_inverse_cancel():
    matrices = np.random.default_rng(3).normal(size=(4, 2, 3), scale=(1, 1, 2000)).astype(np.float32)
    there, back = (np.concatenate([m, np.full((4, 1, 3), [0, 0, 1])], 1) for m in (matrices, invert(matrices)))
    np.testing.assert_allclose(there @ back, np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-6)
    points = np.random.default_rng(4).normal(size=(4, 9, 2)).astype(np.float32)
    np.testing.assert_allclose(
        transform_points(invert(matrices), transform_points(matrices, points)), points, atol=2e-3
    )


def test_the_centre_of_the_first_pixel_is_at_one_half():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.testing.assert_array_equal(resample(image, pixel_centres(5, 4)), image)
    assert resample(image, np.float32([[[2.5, 1.5]]]))[0, 0] == image[1, 2]


def zone_plate(side: int) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return (127.5 + 127.5 * np.cos((x**2 + y**2) * np.pi / side)).astype(np.uint8)


@pytest.mark.parametrize("span", [2.0, 3.0, 3.7, 8.0, 13.5])
def test_minification_does_not_alias(span):
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    small = crop(np.dstack([board] * 3), np.float32([[[span, 0, 5], [0, span, 7]]]), int(380 / span))[0]
    assert np.abs(small.astype(float) - 127.5).max() < 20  # one pixel checks turn into even grey
    plate = zone_plate(512)
    small = crop(plate[..., None].repeat(3, 2), np.float32([[[span, 0, 0], [0, span, 0]]]), int(512 / span))[0, ..., 0]
    side = len(small)
    y, x = np.mgrid[:side, :side] - side / 2
    # Beyond the new sampling's reach, with a margin for a filter as cheap as a box, nothing is left to see.
    finer = np.hypot(x, y) * span > 512 / span
    assert small[finer].std() < (0.5 if span >= 3 else 0.7) * plate.std()
    assert abs(small[finer].mean() - 127.5) < 8


def test_what_is_enlarged_keeps_its_values():
    image = np.random.default_rng(5).integers(0, 255, (40, 40, 3), np.uint8)
    large = crop(image, np.float32([[[0.25, 0, 0], [0, 0.25, 0]]]), 160)[0]
    assert np.abs(large[2::4, 2::4].astype(int) - image).max() <= 60  # at an eighth of a pixel from the centre
    assert large.dtype == np.uint8 and large.shape == (160, 160, 3)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_many_crops_at_once_equal_one_at_a_time(kind):
    rng = np.random.default_rng(6)
    image = rng.integers(0, 255, (300, 500, 3)).astype(kind)
    to_plate = []
    for span, angle in ((0.4, 0.3), (1.2, -1), (2.2, 2), (2.9, 0), (5.5, 0.7), (9, 3)):
        c, s = span * np.cos(angle), span * np.sin(angle)
        to_plate.append([[c, -s, rng.uniform(0, 400)], [s, c, rng.uniform(0, 200)]])
    to_plate = np.float32(to_plate)
    together = crop(image, to_plate, 32)
    assert together.dtype == kind
    for one, matrix in zip(together, to_plate, strict=True):
        alone = crop(image, matrix[None], 32)[0]
        # Faces of one octave share the finest filter of them, and where its grid of averaged pixels begins.
        assert np.abs(alone.astype(float) - one).mean() < 25


def test_crops_of_one_scale_equal_one_at_a_time_exactly():
    image = np.random.default_rng(7).integers(0, 255, (300, 500, 3), np.uint8)
    to_plate = np.float32([[[1.3, 0.2, 30 * i], [-0.2, 1.3, 20]] for i in range(5)])
    together = crop(image, to_plate, 48)
    for one, matrix in zip(together, to_plate, strict=True):
        np.testing.assert_array_equal(one, crop(image, matrix[None], 48)[0])


def test_a_crop_that_lies_outside_repeats_the_edge_and_a_tiny_picture_does_no_harm():
    image = np.full((1, 1, 3), 77, np.uint8)
    for span in (0.1, 1, 4, 100):
        assert (crop(image, np.float32([[[span, 0, -50], [0, span, 900]]]), 16) == 77).all()
    assert crop(image, np.zeros((0, 2, 3), np.float32), 16).shape == (0, 16, 16, 3)


def test_smoothing_keeps_cubics_and_so_does_not_lag():
    t = np.linspace(-1, 1, 60)[:, None]
    values = (1 + 2 * t - 3 * t**2 + t**3).astype(np.float32)
    np.testing.assert_allclose(smooth(values, 9), values, atol=1e-5)  # to the very ends


def test_smoothing_never_leaves_the_range_of_what_is_near():
    snap = np.repeat(np.float32([0, 1, 0.2]), 12)[:, None]
    smoothed = smooth(snap, 9)
    assert smoothed.min() >= 0 and smoothed.max() <= 1 and smoothed[-8:].min() >= np.float32(0.2)


def test_an_impulse_stays_in_its_place_and_what_is_symmetric_stays_so():
    impulse = np.zeros((41, 1), np.float32)
    impulse[20] = 1
    for smoothed in (smooth(impulse, 9), blur(impulse, 2)):
        assert smoothed.argmax() == 20 and 0.15 < smoothed.max() < 1
        np.testing.assert_allclose(smoothed, smoothed[::-1], atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8])
def test_a_track_shorter_than_the_window_is_smoothed_as_far_as_it_goes(length):
    values = np.random.default_rng(8).normal(size=(length, 4)).astype(np.float32)
    assert smooth(values, 99).shape == values.shape
    assert smooth_rotations(np.stack([np.eye(3, dtype=np.float32)] * length), 99).shape == (length, 3, 3)
    assert blur(values, 3).shape == values.shape


def test_the_window_is_odd_and_none_means_none():
    assert [window_length(s, r) for s, r in ((0.36, 25), (0, 25), (0.36, 24), (0.36, 60), (0.01, 25))] == [
        9,
        1,
        9,
        23,
        1,
    ]
    values = np.random.default_rng(9).normal(size=(9, 2)).astype(np.float32)
    np.testing.assert_array_equal(smooth(values, 1), values)


def test_smoothed_rotations_are_rotations():
    noisy = np.stack([turned(3, 0) @ r for r in (np.linalg.qr(np.eye(3) + 0.05 * e)[0] for e in
                      np.random.default_rng(10).normal(size=(30, 3, 3)))])  # fmt: skip
    noisy *= np.linalg.det(noisy)[:, None, None]
    found = smooth_rotations(noisy.astype(np.float32), 9)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-5)
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), found.shape), atol=1e-5)
