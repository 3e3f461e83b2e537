"""The reference method: what expressions have in common, which frames are chosen, and how they are warped."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from memory import clip_of

from nodes.align import Alignment, align
from nodes.align.pose import Performance, take_performance
from nodes.definitions import AlignParameters, SwapParameters
from nodes.errors import NoFaceError
from nodes.geometry.sampling import crop
from nodes.subjects import load_subject
from nodes.subjects.measures import measure
from nodes.swap.reference import plan_reference
from nodes.swap.reference.choice import Choice, choose, overshoot
from nodes.swap.reference.expression import (
    Expression,
    LidMatch,
    as_if_lids_of,
    close_mouth,
    lid_travel,
    match_lids,
    neutral_shape,
    read_expression,
    read_tones,
)
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.plan import take_source
from nodes.swap.reference.warp import MeshWarp, visible_triangles
from nodes.types import Faces

FACE = load_subject()

SIZE = 256


@pytest.fixture(scope="module")
def alignment(plate_faces) -> Alignment:
    return align(plate_faces, AlignParameters(size=SIZE))[0]


@pytest.fixture(scope="module")
def performance(source_faces) -> Performance:
    return take_performance(source_faces.tracks[0].landmarks, FACE)


def darkness_inside_lips(source, landmarks: np.ndarray, frame: int) -> float:
    """How much of the picture an open mouth blackens: area of dark pixels inside the outer lips, per eye distance."""
    image = cv2.cvtColor(source.frame(frame).rgb8(), cv2.COLOR_RGB2GRAY)
    lips = np.zeros_like(image)
    cv2.fillPoly(lips, [np.round(landmarks[FACE.contours["lips_outer"], :2]).astype(np.int32)], 1)
    return float(lips.sum()) / np.linalg.norm(landmarks[33] - landmarks[263]) ** 2


def test_the_numbers_rise_with_what_they_are_named_after():
    shape = FACE.template[None]
    opened, raised, closed = shape.copy(), shape.copy(), shape.copy()
    opened[:, [14, 87, 317, 17, 152], 1] += 0.2
    raised[:, [107, 66, 336, 296, 70, 63, 300, 293], 1] -= 0.1
    closed[:, [159, 158, 160, 386, 385, 387], 1] += 0.05
    assert measure(FACE.lower, opened)[0, 0] > measure(FACE.lower, shape)[0, 0] + 0.15
    assert (measure(FACE.upper, raised)[0, 2:6] < measure(FACE.upper, shape)[0, 2:6] - 0.09).all()
    assert (measure(FACE.upper, closed)[0, :2] < measure(FACE.upper, shape)[0, :2]).all()
    np.testing.assert_allclose(measure(FACE.upper, opened), measure(FACE.upper, shape), atol=1e-6)


def test_a_mouth_that_really_opens_is_read_as_opening(source, source_faces, performance):
    (track,) = source_faces.tracks
    opening = measure(FACE.lower, performance.shape)[:, 0]
    widest, closed = np.argsort(opening)[[-1, 0]]
    assert opening[widest] > opening[closed] + 0.08
    areas = [darkness_inside_lips(source, track.landmarks[i], int(track.frames[i])) for i in (closed, widest)]
    assert areas[1] > 1.1 * areas[0]


def test_the_neutral_face_is_zero_and_hardly_depends_on_which_frames_are_seen(performance):
    neutral = neutral_shape(performance.shape, FACE)
    for expression in (
        read_expression(neutral[None], neutral, FACE).lower,
        read_expression(neutral[None], neutral, FACE).upper,
    ):
        np.testing.assert_allclose(expression, 0, atol=1e-3)
    spread = performance.shape.std(0).max()
    for part in (performance.shape[::2], performance.shape[1::2], performance.shape[::3]):
        assert np.linalg.norm(neutral_shape(part, FACE) - neutral, axis=1).max() < 0.3 * spread
    for few in (1, 2, 3):
        assert np.isfinite(neutral_shape(performance.shape[:few], FACE)).all()
    np.testing.assert_array_equal(neutral_shape(performance.shape[:1], FACE), performance.shape[0])


UPPER_LIDS, LOWER_LIDS = [159, 158, 160, 386, 385, 387], [145, 153, 144, 374, 380, 373]


def blinking(travel: float, openness: float = 1.0) -> np.ndarray:
    """Shapes [40, 468, 3] of a face whose eyes are open so far, and once close by `travel` of that."""
    shape = np.repeat(FACE.template[None], 40, axis=0)
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        share = np.full((40, 1), openness, np.float32)
        share[20:24] *= 1 - travel
        shape[:, upper] = shape[:, lower] + share * (shape[:, upper] - shape[:, lower])
    return shape


def test_lids_travel_as_far_as_they_close_and_not_at_all_without_a_blink():
    for travel in (0.3, 0.5, 1):
        assert lid_travel(blinking(travel), blinking(0)[0], FACE) == pytest.approx(travel, abs=0.02)
    for less in (0, 0.1):  # eyes that narrow, or the noise of the mesh
        assert lid_travel(blinking(less), blinking(0)[0], FACE) == 0
    assert lid_travel(blinking(0, openness=1.5), blinking(0)[0], FACE) == 0


def test_lids_of_two_people_are_matched_by_how_far_each_one_s_travel():
    open_eyes = blinking(0)[0]

    def match(plate: float, source: float) -> LidMatch:
        return match_lids(blinking(plate), open_eyes, blinking(source), open_eyes, FACE)

    assert match(0.4, 0.6).closing == pytest.approx(1.5, abs=0.05)
    assert match(0.5, 0.5).closing == pytest.approx(1)
    assert match(0.2, 1).closing == pytest.approx(2.2)  # the most
    assert match(1, 0.2).closing == pytest.approx(0.8)  # the least
    for plate, source in ((0, 0.6), (0.6, 0), (0, 0)):  # where one never blinks nothing is known
        assert match(plate, source).closing == 1
    narrow = blinking(0, openness=0.5)
    assert match_lids(narrow, narrow[0], blinking(0), open_eyes, FACE).height == pytest.approx(2, rel=1e-3)


def test_people_in_real_footage_blink_and_their_match_is_moderate(performance, plate_faces):
    plate = take_performance(plate_faces.tracks[0].landmarks, FACE)
    lids = match_lids(
        plate.shape, neutral_shape(plate.shape, FACE), performance.shape, neutral_shape(performance.shape, FACE), FACE
    )
    assert 0.8 <= lids.closing <= 2.2 and 0.5 < lids.height < 2


def test_only_closing_is_scaled_by_the_travel_of_the_lids():
    upper = np.float32([[-2, 2, 1, 1, 1, 1, 1], [0, -1, -3, 0, 0, 0, 0]])
    expression = Expression(np.ones((2, 6), np.float32), upper)
    seen = as_if_lids_of(expression, LidMatch(height=0.5, closing=2), FACE)
    np.testing.assert_allclose(seen.upper[:, :2], [[-2, 1], [0, -1]])
    np.testing.assert_array_equal(seen.upper[:, 2:], upper[:, 2:])
    np.testing.assert_array_equal(seen.lower, expression.lower)
    assert expression.upper[0, 0] == -2  # left as it was


@pytest.fixture(scope="module")
def shading(source_faces, performance) -> tuple[np.ndarray, Expression]:
    """Luma at the landmarks of the source, [T, 468], and its expressions."""
    return source_faces.tracks[0].tones, read_expression(
        performance.shape, neutral_shape(performance.shape, FACE), FACE
    )


def test_shading_does_not_depend_on_how_bright_or_contrasty_a_frame_is(shading):
    tones, expression = shading
    rng = np.random.default_rng(0)
    gain, lift = rng.uniform(0.5, 2, (len(tones), 1)), rng.uniform(-40, 40, (len(tones), 1))
    read = read_tones(tones, expression, FACE)
    assert read.shape[0] == len(tones) and 20 < read.shape[1] < 468 and read.dtype == np.float32
    np.testing.assert_allclose(read_tones((tones * gain + lift).astype(np.float32), expression, FACE), read, atol=1e-3)
    flat = read_tones(
        np.full_like(tones, 80), expression, FACE
    )  # a frame without any shading is no division by nothing
    np.testing.assert_array_equal(flat, 0)


def test_shading_of_neutral_frames_is_near_zero_and_far_from_it_where_the_mouth_opens(shading):
    tones, expression = shading
    amount = (read_tones(tones, expression, FACE) ** 2).sum(1)
    far = (expression.lower**2).sum(1) + (expression.upper**2).sum(1)
    order = np.argsort(far)
    tenth = len(far) // 10
    assert np.median(amount[order[:tenth]]) < 0.5 * np.median(amount[order[-tenth:]])
    same = np.repeat(tones[order[:1]], len(tones), axis=0)
    np.testing.assert_allclose(read_tones(same, expression, FACE), 0, atol=1e-5)
    assert read_tones(tones[:1], Expression(expression.lower[:1], expression.upper[:1]), FACE).shape[0] == 1


def test_a_neutral_face_whose_mouth_is_closed_stays_as_it_is(performance):
    neutral = neutral_shape(performance.shape, FACE)
    assert measure(FACE.lower, neutral[None])[0, 0] < 0.05
    np.testing.assert_array_equal(close_mouth(neutral, performance.shape, neutral, FACE), neutral)


def test_a_neutral_face_whose_mouth_is_open_is_closed_as_the_other_person_closes_his(performance, plate_faces):
    source, plate = performance.shape, take_performance(plate_faces.tracks[0].landmarks, FACE).shape

    def opening(shape: np.ndarray) -> float:
        return float(measure(FACE.lower, shape[None])[0, 0])

    def talking(shape: np.ndarray) -> np.ndarray:
        return np.median(shape[np.argsort(measure(FACE.lower, shape)[:, 0])[-20:]], axis=0)

    for own in (source, plate):  # who closes his mouth in his own way is himself again
        neutral = neutral_shape(own, FACE)
        found = close_mouth(talking(own), own, neutral, FACE)
        assert opening(talking(own)) > opening(neutral) + 0.1
        assert opening(found) == pytest.approx(opening(neutral), abs=0.01)
        away, before = (np.linalg.norm(s - neutral, axis=1).max() for s in (found, talking(own)))
        assert away < 0.1 * before
        assert found.dtype == np.float32 and found.shape == (468, 3)
    found = close_mouth(talking(source), plate, neutral_shape(plate, FACE), FACE)
    assert opening(found) < 0.06 < 0.2 < opening(talking(source))


def chosen(performance: Performance, rows=slice(None), columns=slice(None), steadiness=0.5, penalty=None) -> Choice:
    neutral = neutral_shape(performance.shape, FACE)
    lower, pose = read_expression(performance.shape, neutral, FACE).lower, performance.yaw_pitch / 10
    cost = np.zeros(len(lower[columns]), np.float32) if penalty is None else penalty
    return choose(lower[rows], lower[columns], pose[rows], pose[columns], cost, steadiness)


def test_a_clip_that_is_its_own_source_shows_itself(performance):
    choice = chosen(performance, steadiness=0)
    np.testing.assert_array_equal(choice.index[:, 0], np.arange(len(choice.index)))
    np.testing.assert_allclose(choice.weight[:, 0], 1)
    steady = chosen(performance, slice(30, 60), steadiness=0.5)
    assert np.abs(steady.index[:, 0] - np.arange(30, 60)).mean() < 3


@pytest.mark.parametrize("count", [1, 2, 3, 7, 200])
@pytest.mark.parametrize("steadiness", [0, 0.5, 1])
def test_weights_of_a_frame_sum_to_one_however_few_there_are_to_choose_from(performance, count, steadiness):
    choice = chosen(performance, slice(0, 40), slice(0, count), steadiness)
    assert choice.index.shape == choice.weight.shape and len(choice.index) == 40
    assert choice.index.min() >= 0 and choice.index.max() < count
    assert choice.weight.min() >= 0
    np.testing.assert_allclose(choice.weight.sum(1), 1, atol=1e-5)
    for index, weight in zip(choice.index, choice.weight, strict=True):
        used = index[weight > 0]
        assert len(set(used.tolist())) == len(used)  # no frame twice


@pytest.mark.parametrize("steadiness", [0.2, 0.5, 1])
def test_a_reference_too_faint_to_be_seen_is_not_warped(performance, steadiness):
    weight = chosen(performance, slice(0, 80), slice(None, None, 5), steadiness).weight
    assert ((weight == 0) | (weight >= 0.08)).all()
    assert (weight == 0).any() and (weight > 0).sum(1).max() > 1  # some were left out, some fade into each other
    np.testing.assert_allclose(weight.sum(1), 1, atol=1e-6)


def test_a_plate_of_one_frame_has_a_choice(performance):
    assert chosen(performance, slice(5, 6)).index[0, 0] in range(len(performance.shape))


def test_steadiness_makes_the_choice_jump_less(alignment, performance):
    plate = take_performance(alignment.track.landmarks, FACE)
    expression = read_expression(plate.shape, neutral_shape(plate.shape, FACE), FACE).lower
    own = read_expression(performance.shape, neutral_shape(performance.shape, FACE), FACE).lower
    jumps = []
    for steadiness in (0, 0.3, 1):
        choice = choose(
            expression,
            own,
            plate.yaw_pitch / 10,
            performance.yaw_pitch / 10,
            np.zeros(len(own), np.float32),
            steadiness,
        )
        jumps.append(int((np.abs(np.diff(choice.index[:, 0])) > 2).sum()))
    assert jumps[0] > jumps[1] > jumps[2]


def test_a_frame_of_high_penalty_is_left_alone(performance):
    penalty = np.zeros(len(performance.shape), np.float32)
    penalty[50] = 1000
    assert 50 not in chosen(performance, slice(45, 56), steadiness=0, penalty=penalty).index[:, 0]


def test_overshoot_counts_what_goes_beyond_the_plate_and_nothing_else():
    plate = np.float32([[1, -2, 0.0]])
    for source, wanted in (
        ([1, -2, 0], 0),
        ([0.5, -1, 0], 0),  # less of the same: can be exaggerated
        ([2, -2, 0], 1),
        ([1, -4, 0], 4),
        ([-1, -2, 0], 1),  # the other way: all of it
        ([1, -2, 3], 9),
    ):
        assert overshoot(plate, np.float32([source]))[0, 0] == pytest.approx(wanted)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(7, 4)).astype(np.float32)
    assert overshoot(a, b).shape == (5, 7) and (overshoot(a, b) >= 0).all()
    np.testing.assert_allclose(overshoot(-a, -b), overshoot(a, b), rtol=1e-5)


def test_a_mesh_warped_onto_itself_is_the_picture(alignment, plate):
    image = crop(plate.frame(0).rgb8(), alignment.to_plate[:1], SIZE)[0]
    vertices = alignment.landmarks[0]
    warp = MeshWarp(vertices, FACE.triangles, SIZE)
    warped = warp.fetch([Reference(image, vertices[:, :2])])[0]
    difference = np.abs(warped - image)[warp.visible]
    assert difference.mean() < 0.5 and np.percentile(difference, 99) < 2
    assert 0.15 < warp.visible.mean() < 0.6


def test_a_mesh_moved_and_enlarged_takes_its_picture_along(alignment, plate):
    image = crop(plate.frame(0).rgb8(), alignment.to_plate[:1], SIZE)[0]
    vertices = alignment.landmarks[0]
    small = (vertices * 0.5 + [20, 30, 0]).astype(np.float32)
    warp = MeshWarp(small, FACE.triangles, 192)
    warped = warp.fetch([Reference(image, vertices[:, :2])])[0]
    wanted = cv2.warpAffine(image, np.float32([[0.5, 0, 19.75], [0, 0.5, 29.75]]), (192, 192), flags=cv2.INTER_CUBIC)
    assert np.abs(warped - wanted)[warp.visible].mean() < 1.5


def test_spread_values_are_those_of_the_vertices(alignment):
    vertices = alignment.landmarks[0]
    warp = MeshWarp(vertices, FACE.triangles, SIZE)
    spread = warp.spread(vertices[:, :2])
    y, x = np.nonzero(cv2.erode(warp.visible.astype(np.uint8), np.ones((7, 7))))
    off = np.abs(spread[y, x] - np.stack([x, y], 1) - 0.5)
    assert np.percentile(off, 99) < 0.05 and off.max() < 5  # more only where one part of the face hides another
    constant = warp.spread(np.full((468, 1), 3.0, np.float32))
    np.testing.assert_allclose(constant[y, x], 3, atol=1e-4)
    assert (constant[0] == 0).all()


def test_what_is_turned_away_is_hidden_by_what_is_nearer():
    subject = FACE
    turn = np.radians(50)
    rotation = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    vertices = ((subject.template @ rotation.T) * 60 + 128).astype(np.float32)
    nearest = visible_triangles(vertices, FACE.triangles, SIZE)
    shown = subject.triangles[np.unique(nearest[nearest >= 0])]
    nose, ears = vertices[4], vertices[[234, 454]]
    hidden = 234 if abs(ears[0, 0] - nose[0]) < abs(ears[1, 0] - nose[0]) else 454
    rims = [(shown == v).any() for v in (hidden, {234: 454, 454: 234}[hidden])]
    assert rims == [False, True]
    # Of the triangles that cover a pixel the nearest is shown.
    depth = vertices[subject.triangles][:, :, 2].mean(1)
    rows, columns = np.nonzero(nearest >= 0)
    right = []
    for i in np.random.default_rng(0).integers(0, len(rows), 300):
        x, y = columns[i], rows[i]
        ahead = vertices[subject.triangles][:, :, :2] - np.float32([x + 0.5, y + 0.5])
        behind = np.roll(ahead, -1, axis=1)
        sides = ahead[..., 0] * behind[..., 1] - ahead[..., 1] * behind[..., 0]
        covers = np.append(np.flatnonzero((sides > 0).all(1) | (sides < 0).all(1)), nearest[y, x])
        right.append(depth[nearest[y, x]] <= depth[covers].min())
    assert np.mean(right) > 0.95


def test_a_mesh_outside_the_crop_covers_nothing():
    warp = MeshWarp(np.float32(FACE.template * 20 + 5000), FACE.triangles, 64)
    assert not warp.visible.any()
    assert np.isfinite(warp.fetch([Reference(np.zeros((4, 4, 3), np.uint8), np.zeros((468, 2), np.float32))])[0]).all()


def test_references_hold_the_face_of_their_own_frame_in_any_order(source, source_faces):
    (track,) = source_faces.tracks
    rows = np.array([40, 3, 17])
    found = fetch_references(source, track.frames[rows], track.landmarks[rows], SIZE)
    assert len(found) == 3
    for row, reference in zip(rows, found, strict=True):
        picture = source.frame(int(track.frames[row])).rgb8()
        move = track.landmarks[row, 4, :2] - reference.vertices[4]
        x, y = np.round(move).astype(int)
        np.testing.assert_allclose(move, [x, y], atol=1e-3)
        height, width = reference.image.shape[:2]
        np.testing.assert_array_equal(reference.image, picture[y : y + height, x : x + width])
        assert reference.vertices.min() >= 0 and (reference.vertices < [width, height]).all()
    assert fetch_references(source, np.zeros(0, np.int64), np.zeros((0, 468, 3), np.float32), SIZE) == []


def test_a_huge_source_is_reduced(source, source_faces):
    (track,) = source_faces.tracks
    picture = cv2.resize(source.frame(int(track.frames[0])).rgb8(), None, fx=12, fy=12)
    (huge,) = fetch_references(clip_of([picture]), np.array([0]), track.landmarks[:1] * 12, 128)
    (own,) = fetch_references(source, track.frames[:1], track.landmarks[:1], 128)
    face = np.ptp(huge.vertices, axis=0).max()
    assert 128 <= face <= 3 * 128
    factor = face / np.ptp(own.vertices, axis=0).max()
    vertices = np.concatenate([own.vertices, track.landmarks[0, :, 2:]], 1)
    warp = MeshWarp(vertices, FACE.triangles, 256)
    assert 1 < factor < 4 and np.abs(np.subtract(*warp.fetch([huge, own])))[warp.visible].mean() < 3


def test_a_face_at_or_beyond_the_pictures_edge_still_gives_a_reference(source, source_faces):
    (track,) = source_faces.tracks
    for shift in (-120, 200, 5000):
        moved = track.landmarks[:1] + np.float32([shift, 0, 0])
        (found,) = fetch_references(source, track.frames[:1], moved, SIZE)
        assert found.image.size and np.isfinite(found.vertices).all()


def only(faces: Faces, count: int) -> Faces:
    (track,) = faces.tracks
    less = replace(track, **{n: getattr(track, n)[:count] for n in ("frames", "boxes", "scores", "landmarks")})
    return replace(faces, tracks=(less,), count=count)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_source_of_very_few_frames_is_enough(alignment, source, source_faces, count):
    taken = take_source(source, only(source_faces, count))
    assert len(taken.frames) == count
    (track,) = plan_reference([alignment], taken, SwapParameters(), 25)
    assert set(track.references) <= set(range(count))
    image, visible = track.render(0, alignment.to_crop(track.vertices)[0], SIZE)
    assert image.shape == (SIZE, SIZE, 3) and image.min() >= 0 and image.max() <= 1
    assert image[visible].std() > 0.05


def test_a_source_without_a_face_is_named(source, source_faces):
    with pytest.raises(NoFaceError, match=r"franck\.mp4.*no face.*Choose footage"):
        take_source(source, replace(source_faces, tracks=()))


def test_frames_on_which_the_face_was_only_guessed_do_not_serve(source, source_faces):
    (track,) = source_faces.tracks
    scores = track.scores.copy()
    scores[10:20] = 0
    taken = take_source(source, replace(source_faces, tracks=(replace(track, scores=scores),)))
    assert not set(track.frames[10:20]) & set(taken.frames)
    assert len(taken.frames) == len(taken.landmarks) == len(taken.performance.shape) == len(track) - 10


def test_a_face_in_the_middle_of_the_references_is_neither_of_the_two_people(alignment, source, source_faces):
    taken = take_source(source, source_faces)
    (plain,), (full,) = (plan_reference([alignment], taken, SwapParameters(shape=s), 25) for s in (0, 1))
    target = alignment.track.landmarks
    eyes = np.linalg.norm(target[:, 33, :2] - target[:, 263, :2], axis=-1)[:, None]
    away = [np.linalg.norm(t.vertices[..., :2] - target[..., :2], axis=-1) / eyes for t in (plain, full)]
    stays = np.setdiff1d(np.arange(468), np.concatenate([FACE.contours[n] for n in
                         ("lips_outer", "lips_inner", "right_eye", "left_eye")]))  # fmt: skip
    assert away[0][:, stays].mean() < 0.6 * away[1][:, stays].mean()
    oval = FACE.contours["oval"]
    np.testing.assert_allclose(full.vertices[:, oval], plain.vertices[:, oval], atol=0.5)  # meets the plate at its rim


def test_expression_is_a_gain(alignment, source, source_faces):
    taken = take_source(source, source_faces)

    def opening(gain: float) -> np.ndarray:
        (track,) = plan_reference([alignment], taken, SwapParameters(expression=gain, shape=0), 25)
        return np.linalg.norm(track.vertices[:, 13] - track.vertices[:, 14], axis=-1)

    assert opening(0).std() < 0.7 * opening(1).std() < 0.7 * opening(1.5).std()
