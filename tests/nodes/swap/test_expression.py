"""Expressions as numbers: coefficients that all people share, the parts of a face that perform apart, and a performer's usual shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nodes.align.pose import Performance, joined, read_coefficients, take_performance
from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.subjects.subject import load_subject
from nodes.swap.reference.expression import common_poses, neutral_shape, part_numbers
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp
from tests.support.clips import pictures
from tests.support.memory import clip_of

FACE, HAND = load_subject(), load_subject("hand")
NAMES = FACE.coefficients.names
PARTS = {part.name: part for part in FACE.parts}
BLINK = slice(164, 167)  # frames of `source` in which both eyes are closed


@pytest.fixture(scope="module")
def performance(source_faces) -> Performance:
    return take_performance(source_faces.tracks[0].landmarks, FACE)


def column(performance: Performance, name: str) -> np.ndarray:
    return performance.coefficients[:, NAMES.index(name)]


def test_a_face_has_the_same_coefficients_alone_and_among_more_than_a_batch(source_faces):
    landmarks = source_faces.tracks[0].landmarks
    together = read_coefficients(landmarks, FACE)
    assert together.shape == (200, 52) and together.dtype == np.float32
    assert together.min() >= 0 and together.max() <= 1
    for i in (0, 63, 64, 127, 128, 199):
        np.testing.assert_allclose(read_coefficients(landmarks[i : i + 1], FACE)[0], together[i], atol=1e-3)
    assert read_coefficients(landmarks[:0], FACE).shape == (0, 52)


def test_coefficients_do_not_depend_on_place_and_size_and_hardly_on_how_the_head_is_tilted(source_faces):
    landmarks = source_faces.tracks[0].landmarks[::10]
    wanted = read_coefficients(landmarks, FACE)
    np.testing.assert_allclose(read_coefficients(landmarks * 3 + 500, FACE), wanted, atol=2e-3)
    angle = np.radians(15)
    turn = np.float32([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert np.abs(read_coefficients(landmarks @ turn, FACE) - wanted).mean() < 0.02


def test_coefficients_follow_a_blink_and_an_opening_mouth(performance):
    for side in ("Left", "Right"):
        blink = column(performance, f"eyeBlink{side}")
        assert blink[BLINK].min() > 0.5 > 0.3 > blink[100:155].max()
    lips = np.linalg.norm(performance.shape[:, 13] - performance.shape[:, 14], axis=1)
    assert np.corrcoef(column(performance, "jawOpen"), lips)[0, 1] > 0.9


def test_a_subject_without_coefficients_has_none():
    assert HAND.coefficients is None
    assert read_coefficients(np.zeros((5, 21, 3), np.float32), HAND).shape == (5, 0)
    performance = take_performance(np.repeat(HAND.template[None] * 50, 5, 0), HAND)
    assert performance.coefficients.shape == (5, 0)
    assert joined([performance, performance[np.arange(2)]]).coefficients.shape == (7, 0)


# ---- the parts


def test_the_parts_of_a_face_share_its_coefficients_and_no_two_perform_the_same():
    assert list(PARTS) == ["right_eye", "left_eye", "brows", "mouth"]
    performed = np.concatenate([part.coefficients for part in FACE.parts])
    assert len(set(performed.tolist())) == len(performed)
    left_out = {NAMES[i] for i in set(range(52)) - set(performed.tolist())}
    assert all(name.startswith(("_", "cheek", "nose", "tongue")) for name in left_out), left_out
    assert {NAMES[i] for i in PARTS["right_eye"].coefficients} >= {"eyeBlinkRight", "eyeLookInRight", "eyeSquintRight"}
    assert {NAMES[i].replace("Left", "Right") for i in PARTS["left_eye"].coefficients} == {
        NAMES[i] for i in PARTS["right_eye"].coefficients
    }


def test_the_shares_of_the_parts_sum_to_one_everywhere_and_are_whole_in_their_middles(plate_faces):
    shares = np.stack([part.share for part in FACE.parts], 1)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    surface = surface_of(FACE)
    spread = surface.extend_values(shares)
    np.testing.assert_allclose(spread.sum(1), 1, atol=1e-5)
    landmarks = plate_faces.tracks[0].landmarks[0]
    warp = MeshWarp(surface.extend(landmarks - landmarks.min(0)), surface.triangles, 256)
    np.testing.assert_allclose(warp.spread(spread)[warp.visible].sum(1), 1, atol=1e-3)
    for name, points in (("right_eye", [159, 145, 33]), ("left_eye", [386, 374, 263]), ("brows", [9, 66, 296, 10]), ("mouth", [13, 14, 61, 152])):  # fmt: skip
        assert PARTS[name].share[points].min() > 0.99, name
    np.testing.assert_allclose(PARTS["right_eye"].share[FACE.mirror], PARTS["left_eye"].share, atol=1e-4)


def test_a_subject_that_names_no_parts_is_one_part():
    (part,) = HAND.parts
    assert len(part.coefficients) == 0 and (part.share == 1).all() and len(part.share) == 21


def test_a_part_s_numbers_are_its_own_coefficients_and_nobody_else_s(performance):
    shut = performance.coefficients.copy()
    shut[:, NAMES.index("eyeBlinkRight")] += 0.5
    other = replace(performance, coefficients=shut)
    for name, part in PARTS.items():
        before, after = (part_numbers(p, part, FACE) for p in (performance, other))
        assert before.shape == (200, len(part.coefficients))
        assert (np.abs(after - before).max() > 1) == (name == "right_eye")


def test_without_coefficients_the_shape_against_its_own_neutral_is_the_expression():
    rest = HAND.template * 50
    bent = rest.copy()
    bent[[7, 8]] += [0, 12, 0]
    landmarks = np.stack([rest] * 30 + [bent] * 4).astype(np.float32)
    numbers = part_numbers(take_performance(landmarks, HAND), HAND.parts[0], HAND)
    assert numbers.shape == (34, 63) and numbers.dtype == np.float32
    far = np.linalg.norm(numbers, axis=1)
    assert far[:30].max() < 0.01 < 0.3 < far[30:].min()


# ---- what is usual of a performer


def test_the_neutral_shape_of_a_hand_hardly_depends_on_which_frames_are_seen(hand_footage):
    clip = clip_of(list(pictures(hand_footage / "fingers-lq.gif", 0, 43)))
    (track,) = detect(clip, DetectParameters(subject="hand")).tracks
    shape = take_performance(track.landmarks, HAND, mirrored=track.mirrored).shape
    neutral = neutral_shape(shape)
    for part in (shape[::2], shape[1::2], shape[::3]):
        assert np.linalg.norm(neutral_shape(part) - neutral, axis=1).max() < 0.3 * shape.std(0).max()


def test_the_neutral_shape_of_very_few_frames_is_one_of_theirs(performance):
    for few in (1, 2, 3):
        assert np.isfinite(neutral_shape(performance.shape[:few])).all()
    np.testing.assert_array_equal(neutral_shape(performance.shape[:1]), performance.shape[0])


def test_poses_of_two_people_are_compared_by_nods_from_each_ones_own_height(performance):
    other = replace(performance, rotation=performance.rotation @ tilted(12))
    seen, own = common_poses(performance, other)
    np.testing.assert_allclose(seen, performance.yaw_pitch, atol=1e-5)
    assert np.abs(np.median(own[:, 1]) - np.median(seen[:, 1])) < 0.01 < 8 < np.abs(np.median(other.yaw_pitch[:, 1]) - np.median(seen[:, 1]))  # fmt: skip
    _, far = common_poses(performance, replace(performance, rotation=performance.rotation @ tilted(40)))
    assert np.abs(np.median(far[:, 1]) - np.median(seen[:, 1])) > 15, "a head that hangs is no other height of camera"


def tilted(degrees: float) -> np.ndarray:
    """A nod, [3, 3]."""
    a = np.radians(degrees)
    return np.float32([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
