"""The new face's shape: what is learned of two people, and that the source's face then performs what the plate performs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nodes.align import align
from nodes.align.pose import Performance, read_coefficients, take_performance
from nodes.definitions import SwapParameters
from nodes.subjects.subject import load_subject
from nodes.swap.reference import retarget as module
from nodes.swap.reference.expression import neutral_shape
from nodes.swap.reference.retarget import close_openings, inner_weight, regress, retarget

FACE, HAND = load_subject(), load_subject("hand")
NAMES = FACE.coefficients.names
LIVE = np.setdiff1d(np.arange(1, 52), FACE.coefficients.gaze)  # the first is no expression, and irises are placed apart


@pytest.fixture(scope="module")
def people(plate_faces, source_faces) -> tuple[Performance, Performance]:
    """Two performers; the first one's landmarks are smoothed as a plate's are."""
    one, other = (align(faces).crops[0].track.landmarks for faces in (plate_faces, source_faces))
    return take_performance(one, FACE, 9), take_performance(other, FACE, 9)


# ---- regression


def two_people(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Numbers [T, 6] and values [T, 8] of two people, and the weights [7, 8] by which each one's values follow them."""
    rng = np.random.default_rng(seed)
    theirs, own = rng.normal(size=(2, 7, 8)).astype(np.float32)
    numbers = rng.uniform(0, 1, (2, 400, 6)).astype(np.float32)
    values = [w[0] + n @ w[1:] for w, n in zip((theirs, own), numbers, strict=True)]
    return theirs, own, *numbers, *values


def test_weights_that_made_the_values_are_found_again():
    theirs, own, plate, source, plate_values, source_values = two_people()
    found = regress(plate, plate_values, source, source_values, 1e-6, 1e-6)
    assert found.plate.dtype == found.source.dtype == np.float32
    np.testing.assert_allclose(found.plate, theirs, atol=1e-3)
    np.testing.assert_allclose(found.source, own, atol=1e-3)


def test_as_few_frames_as_there_are_leave_no_hole_and_noise_is_shrunk():
    _, own, plate, source, plate_values, source_values = two_people()
    for count in (1, 2, 5):
        found = regress(plate[:count], plate_values[:count], source[:count], source_values[:count])
        assert np.isfinite(found.plate).all() and np.isfinite(found.source).all()
    rng = np.random.default_rng(1)
    noise = rng.normal(size=plate_values.shape).astype(np.float32)
    few = regress(plate[:20], (plate_values + noise)[:20], source[:20], (source_values + noise)[:20])
    unshrunk = regress(plate[:20], (plate_values + noise)[:20], source[:20], (source_values + noise)[:20], 1e-9, 1e-9)
    assert np.abs(few.source - own).mean() < np.abs(unshrunk.source - own).mean()


@pytest.mark.parametrize("constant", [0, 0.4])
def test_who_never_showed_an_expression_shows_it_as_the_other_does(constant):
    theirs, own, plate, source, plate_values, _ = two_people()
    source[:, 2] = constant
    found = regress(plate, plate_values, source, own[0] + source @ own[1:], 1e-6, 1e-6)
    np.testing.assert_allclose(found.source[3], theirs[3], atol=1e-3)
    np.testing.assert_allclose(np.delete(found.source[1:], 2, 0), np.delete(own[1:], 2, 0), atol=1e-2)


def test_a_number_that_nobody_showed_moves_nothing():
    _, _, plate, source, plate_values, source_values = two_people()
    plate[:, 4] = source[:, 4] = 0
    found = regress(plate, plate_values, source, source_values)
    assert not found.plate[5].any() and not found.source[5].any()


# ---- retargeting


@pytest.mark.parametrize("swapped", [False, True], ids=["plate", "source as plate"])
def test_without_the_source_s_shape_it_is_the_plate_s_own(people, swapped):
    plate, source = people[::-1] if swapped else people
    shape = retarget(plate, source, FACE, SwapParameters(shape=0))
    assert shape.dtype == np.float32 and shape.shape == plate.shape.shape
    assert np.abs(shape - plate.shape).max() < 0.003  # a tenth of a pixel of the plate


def test_the_source_s_shape_meets_the_plate_on_the_outline_and_is_another_within(people):
    shape = retarget(*people, FACE, SwapParameters(shape=1))
    away = np.linalg.norm(shape - people[0].shape, axis=-1)
    np.testing.assert_allclose(away[:, FACE.outline], 0, atol=1e-5)
    well_inside = inner_weight(FACE) > 0.99
    assert well_inside[[1, 13, 33, 263]].all() and away[:, well_inside].mean() > 0.02
    half = retarget(*people, FACE, SwapParameters(shape=0.5))
    assert 0.3 < np.linalg.norm(half - people[0].shape, axis=-1).mean() / away.mean() < 0.7


def test_who_is_replaced_by_himself_keeps_his_shape(people):
    for own in people:
        shape = retarget(own, own, FACE, SwapParameters(shape=1))
        assert np.linalg.norm(shape - own.shape, axis=-1).max() < 0.01


def unlike(shape: np.ndarray, plate: Performance, gain: float = 1) -> float:
    """How far the coefficients that a new face's mesh shows are from those of the plate, on average."""
    return float(np.abs(read_coefficients(plate.place(shape), FACE) - gain * plate.coefficients)[:, LIVE].mean())


@pytest.mark.parametrize("swapped", [False, True], ids=["plate", "source as plate"])
def test_the_new_face_shows_the_plate_s_coefficients_and_the_better_for_being_read_again(people, swapped, monkeypatch):
    plate, source = people[::-1] if swapped else people
    found = unlike(retarget(plate, source, FACE, SwapParameters(shape=1)), plate)
    monkeypatch.setattr(module, "_ROUNDS", 0)
    assert found < 0.02 and found < 0.85 * unlike(retarget(plate, source, FACE, SwapParameters(shape=1)), plate)


def test_expression_is_a_gain_of_the_coefficients(people):
    plate, source = people

    def jaw(gain: float) -> np.ndarray:
        shape = retarget(plate, source, FACE, SwapParameters(shape=1, expression=gain))
        return read_coefficients(plate.place(shape), FACE)[:, NAMES.index("jawOpen")]

    wanted = plate.coefficients[:, NAMES.index("jawOpen")]
    none, half, whole, more = (jaw(gain) for gain in (0, 0.5, 1, 1.4))
    assert np.ptp(whole) == pytest.approx(np.ptp(wanted), rel=0.12)
    assert np.ptp(none) < 0.1 * np.ptp(wanted) < 0.4 * np.ptp(wanted) < np.ptp(half) < 0.75 * np.ptp(whole)
    assert np.ptp(more) == pytest.approx(1.4 * np.ptp(wanted), rel=0.12)
    assert min(np.corrcoef(found, wanted)[0, 1] for found in (half, whole, more)) > 0.97


# ---- lids and lips that meet


def gaps(shape: np.ndarray) -> np.ndarray:
    """Largest distance between the two sides of each opening, over its width: [T, 3]."""
    found = []
    for opening in FACE.openings:
        low, high = opening.sides
        width = np.linalg.norm(shape[:, low[0]] - shape[:, low[-1]], axis=-1)
        found.append(np.linalg.norm(shape[:, low[1:-1]] - shape[:, high[1:-1]], axis=-1).max(1) / width)
    return np.stack(found, 1)


def shut(shape: np.ndarray) -> np.ndarray:
    """Shapes whose openings' sides lie on each other."""
    shape = shape.copy()
    for opening in FACE.openings:
        low, high = opening.sides
        shape[:, low] = shape[:, high] = (shape[:, low] + shape[:, high]) / 2
    return shape


def test_what_meets_on_the_plate_meets_exactly_on_the_new_face(people):
    plate, source = people
    closed = replace(plate, shape=np.concatenate([shut(plate.shape[:20]), plate.shape[20:]]))
    found = gaps(retarget(closed, source, FACE, SwapParameters(shape=1)))
    assert found[:20].max() < 1e-6
    assert found[30:70, :2].min() > 0.1, "and only what meets"


def test_eyes_of_a_real_blink_close_as_far_as_the_plate_s_do(people):
    plate, source = people[::-1]
    wanted, found = (gaps(shape)[:, :2] for shape in (plate.shape, retarget(plate, source, FACE, SwapParameters())))
    np.testing.assert_allclose(found[165:167], wanted[165:167], atol=0.01)
    assert wanted[165:167].max() < 0.08
    lips = gaps(plate.shape)[:, 2]
    closed = lips < 0.01
    assert closed.sum() > 50
    np.testing.assert_allclose(
        gaps(retarget(plate, source, FACE, SwapParameters()))[closed, 2], lips[closed], atol=1e-3
    )


def test_what_is_open_keeps_its_own_height(people):
    _, source = people
    wide = source.shape[gaps(source.shape).min(1) > 0.15]
    assert len(wide) > 5
    np.testing.assert_array_equal(close_openings(wide, wide * 1.1, FACE), wide)


# ---- a subject without coefficients


def bent(count: int, seed: int, far: float = 0.2) -> Performance:
    """A hand that is mostly at rest and now and then bends a finger."""
    rng = np.random.default_rng(seed)
    shape = np.repeat((HAND.template * rng.uniform(0.9, 1.1, (21, 1)))[None], count, 0)
    shape += 1e-3 * rng.normal(size=shape.shape)
    shape[::5, [7, 8]] += [0, far, 0]
    still = np.repeat(np.eye(3, dtype=np.float32)[None], count, 0)
    ones = np.ones(count, np.float32)
    return Performance(
        ones, still, np.zeros((count, 3)), shape.astype(np.float32), ones, np.zeros((count, 0), np.float32)
    )


def test_a_subject_without_coefficients_adds_its_changes_to_the_other_s_neutral_shape():
    plate, source = bent(60, 1), bent(40, 2)
    change = plate.shape - neutral_shape(plate.shape)
    whole = retarget(plate, source, HAND, SwapParameters(shape=1))
    np.testing.assert_allclose(whole, neutral_shape(source.shape) + change, atol=1e-5)
    np.testing.assert_allclose(retarget(plate, source, HAND, SwapParameters(shape=0)), plate.shape, atol=1e-5)
    still = retarget(plate, source, HAND, SwapParameters(shape=0, expression=0))
    np.testing.assert_allclose(still, np.repeat(neutral_shape(plate.shape)[None], 60, 0), atol=1e-5)
    np.testing.assert_array_equal(inner_weight(HAND), 1)
