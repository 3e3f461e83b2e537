"""The similarity fit agrees with scikit-image's and refuses what has no answer."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import EuclideanTransform, SimilarityTransform

from nodes.errors import GeometryError
from nodes.geometry.similarity import fit_similarity, umeyama

SETS = 1000


def random_sets(dimensions: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """1000 point sets [SETS, N, D] and noisy images of them under similarities: plain, mirrored or (without the noise) nearly degenerate."""
    rng = np.random.default_rng(dimensions)
    points = rng.normal(size=(SETS, 7, dimensions))
    if kind == "flat":  # squeezed along one axis, by a thousand to a million
        points[..., -1] *= 10 ** rng.uniform(-6, -3, (SETS, 1))
    if kind == "thin":  # squeezed to all but a line
        points[..., 1:] *= 10 ** rng.uniform(-4, -2, (SETS, 1, 1))
    turns, _ = np.linalg.qr(rng.normal(size=(SETS, dimensions, dimensions)))
    turns[..., 0] *= np.sign(np.linalg.det(turns))[:, None]
    if kind == "mirrored":
        turns[..., 0] *= -1
    scale, shift = 10 ** rng.uniform(-2, 3, (SETS, 1, 1)), rng.uniform(-2000, 2000, (SETS, 1, dimensions))
    noise = 0 if kind in ("flat", "thin") else 0.1 * rng.normal(size=points.shape)
    return points, scale * ((points + noise) @ np.swapaxes(turns, -1, -2)) + shift


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kind", ["plain", "mirrored", "flat", "thin"])
def test_a_thousand_sets_are_fitted_as_scikit_image_fits_them(dimensions, kind):
    points, to = random_sets(dimensions, kind)
    scale, rotation, translation = umeyama(points, to)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-9)  # never a reflection
    # Each its own, as scikit-image takes one set at a time.
    wanted = np.stack([SimilarityTransform.from_estimate(p, t).params for p, t in zip(points, to, strict=True)])
    assert (np.linalg.det(wanted[:, :dimensions, :dimensions]) > 0).all()
    found = scale[:, None, None] * rotation
    size = np.abs(wanted[:, :dimensions, :dimensions]).max((1, 2))
    assert (np.abs(found - wanted[:, :dimensions, :dimensions]).max((1, 2)) < 1e-10 * size).all()
    assert np.abs(translation - wanted[:, :dimensions, dimensions]).max() < 1e-9  # pixels, of thousands


@pytest.mark.parametrize("dimensions", [2, 3])
def test_float32_results_are_those_of_float64_rounded_once(dimensions):
    points, to = random_sets(dimensions, "plain")
    for rounded, exact in zip(fit_similarity(points, to), umeyama(points, to), strict=True):
        assert rounded.dtype == np.float32
        np.testing.assert_array_equal(rounded, exact.astype(np.float32))


def test_two_points_are_enough_in_the_plane_and_leave_a_turn_free_in_space():
    points, to = np.float32([[0, 0], [1, 0]]), np.float32([[5, 5], [5, 8]])
    scale, rotation, translation = fit_similarity(points, to)
    np.testing.assert_allclose(scale, 3, rtol=1e-6)
    np.testing.assert_allclose(rotation, [[0, -1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(translation, [5, 5], atol=1e-5)
    wanted = SimilarityTransform.from_estimate(points, to).params
    np.testing.assert_allclose(wanted[:2], np.column_stack([scale * rotation, translation]), atol=1e-5)
    with pytest.raises(GeometryError, match="on one line"):
        fit_similarity(np.pad(points, ((0, 0), (0, 1))), np.pad(to, ((0, 0), (0, 1))))


def line(dimensions: int) -> np.ndarray:
    return np.outer(np.linspace(-1, 1, 9), [0.3, 1.0, -0.7][:dimensions]) + 100


def test_points_on_a_line_are_refused_in_space_alone():
    angle = EuclideanTransform(rotation=0.4, translation=(3, 4))
    scale, rotation, _ = umeyama(line(2), angle(line(2)) * 2)
    assert scale == pytest.approx(2) and np.arctan2(*rotation[::-1, 0]) == pytest.approx(0.4)
    for kind in (np.float32, np.float64):
        with pytest.raises(GeometryError, match="on one line"):
            umeyama(line(3).astype(kind), line(3).astype(kind) * 2 + 7)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("side", ["from", "to"])
@pytest.mark.parametrize("place", [0.0, 0.1, 4096.3])
def test_points_that_all_coincide_are_refused(dimensions, side, place):
    spread = np.random.default_rng(0).normal(size=(6, dimensions)).astype(np.float32)
    heap = np.full((6, dimensions), place, np.float32)
    with pytest.raises(GeometryError, match=r"all points coincide.*Leave this detection out"):
        fit_similarity(*((heap, spread) if side == "from" else (spread, heap)))


def test_points_that_differ_by_rounding_alone_coincide():
    heap = np.float32(4096) + np.random.default_rng(0).choice(np.float32([0, 5e-4]), (6, 2))
    with pytest.raises(GeometryError, match="coincide"):
        fit_similarity(heap, np.random.default_rng(1).normal(size=(6, 2)).astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_refused_by_the_frame_it_is_in(bad):
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    to = np.repeat(points[None], 40, 0)
    to[17, 3, 1] = bad
    with pytest.raises(GeometryError, match=r"^frame 117: .*no finite number"):
        fit_similarity(points, to, frames=np.arange(100, 140))
    with pytest.raises(GeometryError, match="in set 17 of 40"):
        fit_similarity(points, to)
    with pytest.raises(GeometryError, match="no finite number"):
        fit_similarity(to[17], points)


def test_a_mirror_image_that_every_turn_fits_as_badly_is_refused():
    square = np.float32([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    with pytest.raises(GeometryError, match="mirror"):
        fit_similarity(square, square * [-1, 1])


def test_a_landmark_alone_in_having_weight_is_refused():
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    with pytest.raises(GeometryError, match="coincide"):
        fit_similarity(points, points, np.float32([0, 0, 1, 0, 0]))
    for weights in (np.zeros(5), np.float32([1, 1, 1, -1, 1]), np.full(5, np.nan)):
        with pytest.raises(GeometryError, match="weights"):
            fit_similarity(points, points, weights)


def test_no_sets_at_all_are_no_error():
    scale, rotation, translation = fit_similarity(np.zeros((1, 5, 2), np.float32), np.zeros((0, 5, 2), np.float32))
    assert (scale.shape, rotation.shape, translation.shape) == ((0,), (0, 2, 2), (0, 2))
