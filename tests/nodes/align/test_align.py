"""Alignment: the fit holds still when the face moves, and follows without lag when the head does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from nodes.align import align
from nodes.align.alignment import fitting_size
from nodes.align.landmarks68 import to_68
from nodes.align.pose import take_performance
from nodes.definitions import AlignParameters
from nodes.geometry.sampling import crop, transform_points
from nodes.geometry.similarity import apply_similarity, fit_similarity, remove_similarity
from nodes.subject_tool.estimate import estimate_template, mirror_pairs
from nodes.subjects.subject import load_subject
from nodes.swap.reference.surface import surface_of
from nodes.types import Faces, Track

FACE = load_subject()

LIPS = [13, 14, 78, 308]


def placed(scale, angle, x, y, shape=None) -> Track:
    """A track whose face is the template, placed by similarities given frame by frame."""
    scale, angle, x, y = np.broadcast_arrays(*(np.asarray(v, np.float32) for v in (scale, angle, x, y)))
    turn = np.zeros((len(scale), 3, 3), np.float32)
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0] = np.sin(angle)
    turn[:, 0, 1], turn[:, 2, 2] = -turn[:, 1, 0], 1
    shift = np.stack([x, y, np.zeros_like(x)], 1)
    points = apply_similarity(FACE.template if shape is None else shape, scale, turn, shift)
    frames = np.arange(len(scale))
    boxes = np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], 1)
    return Track(0, frames, boxes, np.ones(len(scale), np.float32), points.astype(np.float32))


def aligned(track: Track, like: Faces, **parameters):
    (found,) = align(replace(like, tracks=(track,)), AlignParameters(**parameters)).crops
    return found


def test_the_fit_is_the_similarity_that_placed_the_template(plate_faces):
    t = np.arange(30)
    found = aligned(placed(40 + t, 0.02 * t - 3, 100 + 2 * t, 80 - t), plate_faces, smoothing=0)
    wanted = np.stack([40 + t, 0.02 * t - 3, 100 + 2 * t, 80 - t], 1)
    np.testing.assert_allclose(found.raw, wanted, rtol=1e-3, atol=2e-3)
    np.testing.assert_array_equal(found.raw, found.smoothed)


def test_a_turn_beyond_half_a_circle_does_not_jump(plate_faces):
    angle = np.linspace(2.6, 4.2, 40)
    found = aligned(placed(50, angle, 100, 100), plate_faces)
    np.testing.assert_allclose(np.diff(found.smoothed[:, 1]), np.diff(angle), atol=1e-3)


def test_eyes_and_nose_stay_where_they_are_when_a_mouth_opens(plate_faces):
    """The same head, its mouth as closed and as open as it ever was: only the mouth moves in the crop."""
    performance = take_performance(plate_faces.tracks[0].landmarks, FACE)
    opening = np.linalg.norm(performance.shape[:, 13] - performance.shape[:, 14], axis=-1)
    closed, wide = performance.shape[opening.argmin()], performance.shape[opening.argmax()]
    subject = FACE
    mixed = closed.copy()
    mouth = np.unique(np.concatenate([subject.contours["lips_outer"], subject.contours["lips_inner"], [152, 148, 377]]))
    mixed[mouth] = wide[mouth]
    assert np.linalg.norm(mixed[14] - closed[14]) > 0.05
    shapes = np.stack([closed, mixed])
    found = aligned(placed([60, 60], 0, 200, 150, shapes), plate_faces, smoothing=0, size=256)
    change = np.linalg.norm(np.diff(found.landmarks[..., :2], axis=0)[0], axis=-1)
    assert change[[33, 133, 362, 263, 1, 168]].max() < 0.12 * change[14]


def test_real_crops_hold_eyes_and_nose_steadier_than_the_lips(plate_faces):
    (found,) = align(plate_faces, AlignParameters(size=256)).crops
    spread = np.linalg.norm(found.landmarks[..., :2].std(0), axis=-1)
    assert spread[[33, 263, 168, 6]].max() < 0.012 * 256
    assert spread[[33, 263, 168, 6]].max() < 0.7 * spread[LIPS].max()


def test_motion_that_speeds_up_is_followed_exactly(plate_faces):
    t = np.arange(40) / 10
    found = aligned(placed(60 + t**2, 0.1 * t - 0.02 * t**2, 100 + 9 * t - t**2, 90 + 3 * t**2), plate_faces)
    np.testing.assert_allclose(found.smoothed, found.raw, rtol=1e-4, atol=3e-3)


def test_smoothing_calms_the_transform_of_real_footage_without_moving_it(plate_faces):
    (found,) = align(plate_faces).crops
    raw, smoothed = (np.diff(v, 2, axis=0).std(0) for v in (found.raw, found.smoothed))
    assert (smoothed < 0.55 * raw).all()
    difference = found.smoothed - found.raw
    assert np.abs(difference[:, 2:].mean(0)).max() < 0.05  # pixels
    for now, before in ((found.smoothed[1:], found.raw[:-1]), (found.smoothed[:-1], found.raw[1:])):
        assert (difference[:, 2:].std(0) < (now - before)[:, 2:].std(0)).all()  # neither late nor early


def test_more_smoothing_is_calmer_and_none_leaves_the_fit_alone(plate_faces):
    jitter = [
        np.diff(align(plate_faces, AlignParameters(smoothing=s)).crops[0].smoothed[:, 2], 2).std() for s in (0, 0.36, 1)
    ]
    assert jitter[0] > jitter[1] > jitter[2]


def test_the_crop_is_as_documented(plate_faces):
    track = placed(50, 0.3, [100] * 5, 80)
    found = aligned(track, plate_faces, size=256)
    matrix = found.to_plate[0]
    np.testing.assert_allclose(np.sqrt(np.linalg.det(matrix[:, :2])), 50 * 2 * FACE.half_side / 256, rtol=1e-4)
    np.testing.assert_allclose(transform_points(matrix, np.float32([[128, 128]])), [[100, 80]], atol=1e-2)
    wider = aligned(track, plate_faces, size=256, coverage=1.5)
    np.testing.assert_allclose(wider.to_plate[0, :, :2], matrix[:, :2] * 1.5, rtol=1e-4)
    for coverage, inside in ((1.0, True), (0.4, False)):
        points = aligned(track, plate_faces, size=256, coverage=coverage).landmarks[..., :2]
        assert ((points > 0) & (points < 256)).all() == inside


@pytest.mark.parametrize("scale", [5, 40, 80, 500])
def test_the_size_follows_the_face_in_the_plate_within_limits(plate_faces, scale):
    found = aligned(placed(scale, 0, [100] * 5, 80), plate_faces)
    assert found.size % 8 == 0 and 128 <= found.size <= 512
    assert found.size == fitting_size(FACE, scale, 1.0)
    if 192 < found.size < 512:
        assert np.sqrt(np.linalg.det(found.to_plate[0, :, :2])) < 1  # no finer pixel of the plate is lost
    assert aligned(placed(scale, 0, [100] * 5, 80), plate_faces, size=96).size == 96


def test_plate_and_crop_coordinates_go_round(plate_faces):
    (found,) = align(plate_faces, AlignParameters(size=200, coverage=1.2)).crops
    points = found.track.landmarks
    back = transform_points(found.to_plate, found.to_crop(points)[..., :2])
    np.testing.assert_allclose(back, points[..., :2], atol=2e-3)
    np.testing.assert_array_equal(found.to_crop(points), found.landmarks)
    # z is scaled as x and y are.
    scale = np.sqrt(np.linalg.det(found.to_plate[:, :, :2]))
    np.testing.assert_allclose(found.landmarks[..., 2] * scale[:, None], points[..., 2], atol=1e-3)


def test_the_same_alignment_in_another_size_looks_at_the_same_place(plate_faces, plate):
    (found,) = align(plate_faces, AlignParameters(size=256)).crops
    small, wide = found.at(128), found.at(256, 2.0)
    assert (small.size, small.coverage, wide.coverage) == (128, 1.0, 2.0)
    np.testing.assert_allclose(small.landmarks * 2, found.landmarks, atol=1e-2)
    np.testing.assert_allclose(wide.landmarks[..., :2] * 2 - 128, found.landmarks[..., :2], atol=1e-2)
    image = plate.frame(0).rgb8()
    whole, half = crop(image, found.to_plate[:1], 256)[0], crop(image, small.to_plate[:1], 128)[0]
    shrunk = cv2.resize(whole, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - half).mean() < 2


def test_faces_of_a_mirrored_picture_align_as_mirrors(plate_faces):
    (track,) = plate_faces.tracks
    flipped = track.landmarks[:, FACE.mirror] * [-1, 1, 1] + [400, 0, 0]
    (found,), (other,) = (
        align(replace(plate_faces, tracks=(replace(track, landmarks=points.astype(np.float32)),))).crops
        for points in (track.landmarks, flipped)
    )
    np.testing.assert_allclose(other.smoothed[:, 2], 400 - found.smoothed[:, 2], atol=0.3)
    np.testing.assert_allclose(other.smoothed[:, 0], found.smoothed[:, 0], rtol=4e-3)
    np.testing.assert_allclose(other.smoothed[:, 1], -found.smoothed[:, 1], atol=5e-3)


def test_no_faces_and_a_single_frame_align(plate_faces):
    assert align(replace(plate_faces, tracks=())).crops == ()
    (track,) = plate_faces.tracks
    one = Track(0, *(getattr(track, n)[:1] for n in ("frames", "boxes", "scores", "landmarks")))
    (found,) = align(replace(plate_faces, tracks=(one,))).crops
    assert found.to_plate.shape == (1, 2, 3) and np.isfinite(found.to_plate).all()


def test_pose_and_shape_put_together_are_the_face(plate_faces):
    landmarks = plate_faces.tracks[0].landmarks
    performance = take_performance(landmarks, FACE)
    np.testing.assert_allclose(performance.place(performance.shape), landmarks, atol=0.05)


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (20, 0), (-30, 0), (0, 15), (0, -12)])
def test_turns_and_nods_are_read_in_degrees(yaw, pitch):
    a, b = np.radians([yaw, pitch])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    points = (FACE.template @ (turn @ nod).T * 50 + 100).astype(np.float32)
    np.testing.assert_allclose(
        np.abs(take_performance(points[None], FACE).yaw_pitch[0]), np.abs([yaw, pitch]), atol=0.1
    )


def test_the_68_points_mirror_each_other():
    points, mirror = to_68(FACE.template), FACE.mirror
    flipped = to_68(FACE.template[mirror]) * [-1, 1]
    right, left = (
        [*range(17), *range(17, 22), *range(36, 42)],
        [*range(16, -1, -1), *range(26, 21, -1), 45, 44, 43, 42, 47, 46],
    )
    np.testing.assert_allclose(flipped[right], points[right], atol=0.06)
    np.testing.assert_allclose(points[left] * [-1, 1], points[right], atol=0.06)


def test_the_template_is_upright_centred_and_symmetric():
    subject = FACE
    template, mirror = subject.template, subject.mirror
    np.testing.assert_allclose(template[mirror] * [-1, 1, 1], template, atol=1e-4)
    np.testing.assert_array_equal(mirror[mirror], np.arange(478))
    np.testing.assert_array_equal(mirror[[33, 61, 78]], [263, 291, 308])
    np.testing.assert_array_equal(
        mirror[468:473], [473, 476, 475, 474, 477]
    )  # of an iris: middle, and four of its edge
    assert np.sqrt((template**2).sum(1).mean()) == pytest.approx(1, abs=0.02)
    assert template[10, 1] < template[1, 1] < template[152, 1]  # forehead, nose, chin: y goes down
    assert template[33, 0] < 0 < template[263, 0]  # the subject's right is on the left
    assert template[1, 2] < template[[234, 454], 2].min()  # the nose is nearer than the ears
    np.testing.assert_array_equal(mirror[subject.contours["midline"]], subject.contours["midline"])


def test_what_moves_with_expression_counts_least():
    weights = FACE.weights
    assert weights[[13, 14, 17, 152]].max() < 0.5 * weights[[168, 6, 197, 133, 362]].min()


def test_irises_look_where_they_like_and_say_nothing_about_where_the_face_is():
    assert not FACE.weights[468:].any() and (FACE.weights[:468] > 0).all()


def test_the_surface_is_closed_over_the_mouth_and_open_at_the_eyes_behind_which_lie_balls():
    subject, surface = FACE, surface_of(FACE)
    triangles = subject.triangles
    assert triangles.min() == 0 and triangles.max() == 467
    flat = (surface.extend(subject.template)[:, :2] * 100 + 250).astype(np.float32)
    filled = np.zeros((500, 500), np.uint8)
    for triangle in surface.triangles:
        cv2.fillConvexPoly(filled, np.round(flat[triangle]).astype(np.int32), 1)
    for name in ("right_eye", "left_eye", "lips_inner", "oval"):
        inside = np.zeros_like(filled)
        cv2.fillPoly(inside, [np.round(flat[subject.contours[name]]).astype(np.int32)], 1)
        assert inside.sum() > 50 and filled[inside > 0].all(), name
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    edges, sides = np.unique(edges, axis=0, return_counts=True)
    assert sides.max() == 2
    rims = [set(subject.contours[name].tolist()) for name in ("oval", "right_eye", "left_eye")]
    found = edges[sides == 1].tolist()
    assert len(found) == sum(map(len, rims)) and all(any({a, b} <= rim for rim in rims) for a, b in found)


def test_the_template_that_ships_can_be_estimated_from_fewer_frames(plate_faces, source_faces):
    subject = FACE
    people = [plate_faces.tracks[0].landmarks[::4], source_faces.tracks[0].landmarks[::4]]
    template, weights = estimate_template(people)
    mirror = mirror_pairs(template)
    assert (mirror == subject.mirror).mean() > 0.97
    scale, _, _ = fit_similarity(template, subject.template)
    assert scale == pytest.approx(1, abs=0.02)
    level = remove_similarity(subject.template, *fit_similarity(template, subject.template))
    assert np.linalg.norm(level - template, axis=1).mean() < 0.06
    surface = subject.weights > 0  # the irises are left out of the fit by hand
    assert np.corrcoef(np.log(weights[surface]), np.log(subject.weights[surface]))[0, 1] > 0.6
    assert weights.sum() == pytest.approx(1, abs=1e-4)
