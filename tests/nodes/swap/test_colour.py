"""Colour matching inside the matte."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.definitions import ColourMatch
from nodes.swap.colour import GAIN_LIMIT, apply_colour, colour_statistics, colour_transform

S = 64
BOTH = pytest.mark.parametrize("method", [ColourMatch.REINHARD, ColourMatch.MKL])


def match_colour(image: np.ndarray, like: np.ndarray, weight: np.ndarray, method: ColourMatch) -> np.ndarray:
    if method is ColourMatch.NONE:
        return image
    return apply_colour(
        image, colour_transform(colour_statistics(image, weight), colour_statistics(like, weight), method)
    )


def faces(seed: int, count: int = 3, contrast: float = 0.08) -> np.ndarray:
    """Skin-like colours with correlated channels."""
    rng = np.random.default_rng(seed)
    mix = np.array([[1, 0.9, 0.8], [0, 0.3, 0.2], [0, 0, 0.2]]) + 0.05 * rng.standard_normal((3, 3))
    colours = rng.standard_normal((count, S, S, 3)) @ mix * contrast + rng.uniform(0.35, 0.6, 3)
    return np.clip(colours, 0, 1).astype(np.float32)


def disc() -> np.ndarray:
    y, x = np.mgrid[:S, :S] + 0.5
    return np.repeat(np.clip((24 - np.hypot(x - 32, y - 32)) / 6, 0, 1)[None], 3, 0).astype(np.float32)


def test_mkl_gives_the_mean_and_covariance_of_the_other():
    image, like, matte = faces(1), faces(2, contrast=0.11), disc()
    got = colour_statistics(match_colour(image, like, matte, ColourMatch.MKL), matte)
    wanted = colour_statistics(like, matte)
    np.testing.assert_allclose(got.mean, wanted.mean, atol=1e-3)
    np.testing.assert_allclose(got.covariance, wanted.covariance, atol=4e-4)


def test_reinhard_gives_the_mean_and_the_deviation_along_lightness():
    image, like, matte = faces(1), faces(2, contrast=0.11), disc()
    got = colour_statistics(match_colour(image, like, matte, ColourMatch.REINHARD), matte)
    wanted = colour_statistics(like, matte)
    np.testing.assert_allclose(got.mean, wanted.mean, atol=1e-3)
    np.testing.assert_allclose(got.covariance.sum((1, 2)), wanted.covariance.sum((1, 2)), rtol=0.02)


@BOTH
def test_equal_images_stay_as_they_are(method):
    np.testing.assert_allclose(match_colour(faces(1), faces(1), disc(), method), faces(1), atol=1e-5)


@BOTH
def test_what_lies_outside_the_matte_has_no_influence(method):
    image, like, matte = faces(1), faces(2), disc()
    wanted = colour_transform(colour_statistics(image, matte), colour_statistics(like, matte), method)
    for rubbish in (0.0, 1.0, 1e6, np.nan, np.inf):
        image[matte == 0] = like[matte == 0] = rubbish
        got = colour_transform(colour_statistics(image, matte), colour_statistics(like, matte), method)
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@BOTH
def test_frames_do_not_influence_each_other_and_the_same_input_gives_the_same_result(method):
    image, like, matte = faces(1), faces(2), disc()
    whole = match_colour(image, like, matte, method)
    np.testing.assert_array_equal(whole, match_colour(image, like, matte, method))
    np.testing.assert_allclose(whole[1:2], match_colour(image[1:2], like[1:2], matte[1:2], method), atol=1e-6)


@BOTH
def test_a_little_noise_changes_the_match_little(method):
    image, like, matte = faces(1), faces(2), disc()
    noisy = image + np.random.default_rng(5).normal(0, 2 / 255, image.shape).astype(np.float32)
    steady = colour_transform(colour_statistics(image, matte), colour_statistics(like, matte), method)
    other = colour_transform(colour_statistics(noisy, matte), colour_statistics(like, matte), method)
    middle = np.array([0.5, 0.5, 0.5, 1])
    assert np.abs((steady - other) @ middle).max() < 2 / 255


@BOTH
def test_a_flat_patch_takes_the_mean_and_nothing_wild(method):
    flat = np.full((3, S, S, 3), 0.5, np.float32)
    affine = colour_transform(colour_statistics(flat, disc()), colour_statistics(faces(2), disc()), method)
    gains = np.linalg.eigvalsh(affine[..., :3].astype(float))
    assert gains.max() <= GAIN_LIMIT + 1e-5
    assert gains.min() >= 1 / GAIN_LIMIT - 1e-5
    got = apply_colour(flat, affine)
    mean = colour_statistics(faces(2), disc()).mean[:, None, None]
    np.testing.assert_allclose(got, np.broadcast_to(mean, got.shape), atol=2e-3)


@BOTH
def test_an_empty_matte_changes_nothing_and_one_pixel_next_to_nothing(method):
    image, like = faces(1), faces(2)
    matte = np.zeros((3, S, S), np.float32)
    np.testing.assert_array_equal(match_colour(image, like, matte, method), image)
    matte[:, 30, 30] = 1
    assert np.abs(match_colour(image, like, matte, method) - image).max() < 2 / 255


@BOTH
@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 0, 0, 3), (1, 1, 1, 3), (2, 3, 5, 3)])
def test_odd_shapes_give_numbers(method, shape):
    image = np.zeros(shape, np.float32)
    got = match_colour(image, image + 1, np.ones(shape[:3], np.float32), method)
    assert got.shape == shape
    assert np.isfinite(got).all()


@BOTH
def test_the_result_is_never_negative(method):
    assert match_colour(faces(1), faces(2) * 0.05, disc(), method).min() >= 0


def test_none_leaves_the_image_alone():
    image = faces(1)
    assert match_colour(image, faces(2), disc(), ColourMatch.NONE) is image
