"""The measures of bench_occlusion.py, and how its things are laid over a picture, on drawn arrays."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.subjects.subject import load_subject
from tests.benchmarks import bench_occlusion, things_in_front

FRAMES, SIDE = 5, 128
TO_PLATE = np.tile(np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32), (FRAMES, 1, 1))


@pytest.fixture
def clean() -> np.ndarray:
    """The matte of a face that stands still, [T, H, W]."""
    mattes = np.zeros((FRAMES, SIDE, SIDE), np.float32)
    mattes[:, 30:100, 30:90] = 1
    return mattes


@pytest.fixture
def alpha() -> np.ndarray:
    """A bar that comes in with growing steps, half transparent at its edge."""
    bar = np.zeros((FRAMES, SIDE, SIDE), np.float32)
    for frame in range(FRAMES):
        bar[frame, :, : 30 + 2 * frame**2] = 1
        bar[frame, :, 30 + 2 * frame**2] = 0.5
    return bar


def test_the_true_matte_is_perfect(clean: np.ndarray, alpha: np.ndarray) -> None:
    figures = bench_occlusion.compare(clean, clean * (1 - alpha), alpha, TO_PLATE)
    assert figures["IoU"] == figures["hidden"] == figures["flicker"] == pytest.approx(1)
    assert figures["covered"] == pytest.approx(np.mean([0.5, 2.5, 8.5, 18.5, 32.5]) / 60)


def test_a_matte_that_knows_of_nothing_in_front_hides_nothing_and_does_not_move(
    clean: np.ndarray, alpha: np.ndarray
) -> None:
    figures = bench_occlusion.compare(clean, clean, alpha, TO_PLATE)
    assert figures["hidden"] == 0 and figures["flicker"] == pytest.approx(0, abs=1e-6)
    assert figures["IoU"] == pytest.approx(1 - figures["covered"])


def test_a_matte_that_blinks_flickers_more_than_the_truth(clean: np.ndarray, alpha: np.ndarray) -> None:
    blinking = clean * (1 - alpha)
    blinking[2] = 0
    assert bench_occlusion.compare(clean, blinking, alpha, TO_PLATE)["flicker"] > 2


def test_what_is_kept_beside_the_face_does_not_count_and_a_missing_face_does(clean: np.ndarray) -> None:
    nothing = np.zeros_like(clean)
    beside = clean.copy()
    beside[:, :20] = 1
    assert bench_occlusion.compare(clean, beside, nothing, TO_PLATE)["IoU"] == 1
    assert bench_occlusion.compare(clean, nothing, nothing, TO_PLATE)["IoU"] == 0


def test_left_out_is_the_missing_part(clean: np.ndarray) -> None:
    matte = clean.copy()
    matte[0, 30:65] = 0
    assert bench_occlusion.left_out(clean, matte) == pytest.approx(0.5 / FRAMES)
    assert bench_occlusion.left_out(clean, np.ones_like(clean)) == 0


def test_a_thing_of_the_picture_s_own_colour_is_not_seen() -> None:
    colour, coverage = np.array([0.3, 0.2, 0.1], np.float32), np.random.default_rng(1).random((40, 40, 1), np.float32)
    rgba = np.concatenate([coverage * colour, coverage], -1)
    to_clip = np.array([[1.5, 0.2, 20], [-0.2, 1.5, 10]], np.float32)
    laid, alpha = things_in_front.lay_over(np.full((90, 110, 3), colour, np.float32), rgba, to_clip, np.ones(3))
    np.testing.assert_allclose(laid, np.broadcast_to(colour, laid.shape), atol=1e-6)
    assert alpha[40, 55] > 0.2 and alpha[:, :15].max() == 0


def test_a_thing_goes_where_its_face_goes_and_gets_its_light() -> None:
    rest = load_subject("face").template[:, :2] * 100 + 256
    landmarks = np.stack([rest + np.array([t, 0]) for t in range(FRAMES)])
    layer = things_in_front.Layer(
        np.zeros((FRAMES, 8, 8, 4), np.float32), landmarks, np.full(3, 0.2, np.float32), False
    )
    ways = things_in_front.place(layer, 0.5 * landmarks + [7, 3])
    np.testing.assert_allclose(ways, np.tile([[0.5, 0, 7], [0, 0.5, 3]], (FRAMES, 1, 1)), atol=1e-3)
    assert things_in_front.gain_of(layer, np.array([0.1, 0.1, 0.1], np.float32)) == pytest.approx(np.full(3, 0.5))
