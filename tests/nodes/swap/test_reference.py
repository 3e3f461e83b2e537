"""The reference method: which frames are chosen, how they are warped, and how they are mixed part by part."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from nodes.align import Alignment, align
from nodes.align.pose import Performance, take_performance
from nodes.definitions import AlignParameters, DetectParameters, SwapParameters
from nodes.detect import detect
from nodes.errors import NoFaceError
from nodes.geometry.sampling import crop
from nodes.subjects.subject import load_subject
from nodes.swap.reference import ReferenceTrack, plan_reference
from nodes.swap.reference.choice import Choice, choose, overshoot
from nodes.swap.reference.expression import POSE_UNIT, part_numbers
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.plan import choose_references
from nodes.swap.reference.source import Source, take_source
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp, visible_triangles
from nodes.types import Faces
from tests.support.clips import pictures
from tests.support.memory import clip_of

FACE = load_subject()
SURFACE = surface_of(FACE)
MOUTH = FACE.parts[-1]
SIZE = 256


@pytest.fixture(scope="module")
def alignment(plate_faces) -> Alignment:
    return align(plate_faces, AlignParameters(size=SIZE)).crops[0]


@pytest.fixture(scope="module")
def performance(source_faces) -> Performance:
    return take_performance(source_faces.tracks[0].landmarks, FACE)


def chosen(performance: Performance, rows=slice(None), columns=slice(None), steadiness=0.5, penalty=None) -> Choice:
    mouth, pose = part_numbers(performance, MOUTH, FACE), performance.yaw_pitch / POSE_UNIT
    cost = np.zeros(len(mouth[columns]), np.float32) if penalty is None else penalty
    return choose(mouth[rows], mouth[columns], pose[rows], pose[columns], cost, steadiness)


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
    mouth, own = (part_numbers(p, MOUTH, FACE) for p in (plate, performance))
    jumps = []
    for steadiness in (0, 0.3, 1):
        choice = choose(
            mouth,
            own,
            plate.yaw_pitch / POSE_UNIT,
            performance.yaw_pitch / POSE_UNIT,
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
    difference = np.abs(warped.astype(np.float32) - image)[warp.visible]
    assert difference.mean() < 0.5 and np.percentile(difference, 99) < 2
    assert 0.15 < warp.visible.mean() < 0.6


def test_a_mesh_moved_and_enlarged_takes_its_picture_along(alignment, plate):
    image = crop(plate.frame(0).rgb8(), alignment.to_plate[:1], SIZE)[0]
    vertices = alignment.landmarks[0]
    small = (vertices * 0.5 + [20, 30, 0]).astype(np.float32)
    warp = MeshWarp(small, FACE.triangles, 192)
    warped = warp.fetch([Reference(image, vertices[:, :2])])[0]
    wanted = cv2.warpAffine(image, np.float32([[0.5, 0, 19.75], [0, 0.5, 29.75]]), (192, 192), flags=cv2.INTER_CUBIC)
    assert np.abs(warped.astype(np.float32) - wanted)[warp.visible].mean() < 1.5


def test_spread_values_are_those_of_the_vertices(alignment):
    vertices = alignment.landmarks[0]
    warp = MeshWarp(vertices, FACE.triangles, SIZE)
    spread = warp.spread(vertices[:, :2])
    y, x = np.nonzero(cv2.erode(warp.visible.astype(np.uint8), np.ones((7, 7))))
    off = np.abs(spread[y, x] - np.stack([x, y], 1) - 0.5)
    assert np.percentile(off, 99) < 0.05 and off.max() < 5  # more only where one part of the face hides another
    constant = warp.spread(np.full((478, 1), 3.0, np.float32))
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
    assert np.isfinite(warp.fetch([Reference(np.zeros((4, 4, 3), np.uint8), np.zeros((478, 2), np.float32))])[0]).all()


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
    assert fetch_references(source, np.zeros(0, np.int64), np.zeros((0, 478, 3), np.float32), SIZE) == []


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
    assert 1 < factor < 4 and np.abs(np.subtract(*warp.fetch([huge, own]), dtype=np.float32))[warp.visible].mean() < 3


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


@pytest.fixture(scope="module")
def taken(source, source_faces) -> Source:
    return take_source(source, source_faces)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_source_of_very_few_frames_is_enough(alignment, source, source_faces, count):
    few = take_source(source, only(source_faces, count))
    assert len(few.frames) == count
    (track,) = plan_reference([alignment], few, SwapParameters())
    assert set(track.references) <= set(range(count))
    image, visible = track.render(0, alignment.to_crop(track.vertices)[0], SIZE)
    assert image.shape == (SIZE, SIZE, 3) and image.min() >= 0 and image.max() <= 1
    assert image[visible > 0].std() > 0.05


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


def test_the_new_face_is_the_plate_s_own_shape_or_another_that_meets_it_on_the_outline(alignment, taken):
    (plain,), (full,) = (plan_reference([alignment], taken, SwapParameters(shape=s)) for s in (0, 1))
    target = alignment.track.landmarks
    eyes = np.linalg.norm(target[:, 33, :2] - target[:, 263, :2], axis=-1)[:, None]
    away = [np.linalg.norm(t.vertices[:, :478, :2] - target[..., :2], axis=-1) / eyes for t in (plain, full)]
    assert away[0].mean() < 0.15 * away[1].mean()
    oval = FACE.contours["oval"]
    np.testing.assert_allclose(full.vertices[:, oval], plain.vertices[:, oval], atol=0.01)


def test_expression_is_a_gain(alignment, taken):
    def opening(gain: float) -> np.ndarray:
        (track,) = plan_reference([alignment], taken, SwapParameters(expression=gain, shape=0))
        return np.linalg.norm(track.vertices[:, 13] - track.vertices[:, 14], axis=-1)

    assert opening(0).std() < 0.3 * opening(1).std() < 0.3 * 0.8 * opening(1.5).std()


# ---- parts


def grey(level: int) -> np.ndarray:
    return np.full((64, 64, 3), level, np.uint8)


def parts_of(levels: list[list[int]], weights: list[float]) -> ReferenceTrack:
    """The template in the middle of a crop, whose parts show references of one grey each, mixed by weights."""
    vertices = SURFACE.extend((FACE.template * 70 + 128).astype(np.float32))
    places = np.full((len(vertices), 2), 32, np.float32)
    index = [np.array([[10 * part + k for k in range(len(each))]]) for part, each in enumerate(levels)]
    references = {int(i): Reference(grey(level), places) for row, each in zip(index, levels, strict=True)
                  for i, level in zip(row[0], each, strict=True)}  # fmt: skip
    choices = tuple(Choice(row, np.float32([weights])) for row in index)
    coefficients = np.zeros((100, 52), np.float32)
    return ReferenceTrack(FACE, vertices[None], choices, references, coefficients[:1], coefficients)


def shown(track: ReferenceTrack) -> tuple[np.ndarray, np.ndarray]:
    return track.render(0, track.vertices[0], SIZE)


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.5], [0.7, 0.2, 0.1]])
def test_parts_and_references_that_look_alike_leave_no_seam(weights):
    image, visible = shown(parts_of([[100] * len(weights)] * 4, weights))
    np.testing.assert_allclose(image[visible > 0], 100 / 255, atol=1e-3)


def test_each_part_shows_its_own_references_mixed_by_their_weights():
    levels = [[40, 80], [100, 60], [120, 200], [180, 220]]
    track = parts_of(levels, [0.75, 0.25])
    image, visible = shown(track)
    for part, each, points in zip(FACE.parts, levels, ([159, 145, 33], [386, 374, 263], [9, 151, 10], [14, 17, 152]), strict=True):  # fmt: skip
        wanted = (0.75 * each[0] + 0.25 * each[1]) / 255
        x, y = np.round(track.vertices[0, points[1], :2]).astype(int)
        assert image[y, x, 0] == pytest.approx(wanted, abs=0.03), part.name
    low, high = (f(np.array(levels)) / 255 for f in (np.min, np.max))
    assert image[visible > 0].min() > low - 0.05 and image[visible > 0].max() < high + 0.05


def test_fine_detail_is_that_of_the_reference_that_counts_most():
    """Two frames of skin that do not quite agree: their mean would be a blur."""
    rng = np.random.default_rng(0)
    vertices = SURFACE.extend((FACE.template * 70 + 128).astype(np.float32))
    noise = [np.round(np.clip(128 + 20 * rng.normal(size=(SIZE, SIZE, 1)), 0, 255)).astype(np.uint8) for _ in range(2)]
    references = {i: Reference(n.repeat(3, 2), vertices[:, :2]) for i, n in enumerate(noise)}
    coefficients = np.zeros((2, 52), np.float32)

    def contrast(weights: list[float]) -> float:
        choice = Choice(np.array([[0, 1]]), np.float32([weights]))
        track = ReferenceTrack(FACE, vertices[None], (choice,) * 4, references, coefficients[:1], coefficients)
        image, visible = shown(track)
        return float(image[visible > 0].std())

    assert contrast([0.7, 0.3]) > 0.9 * contrast([1, 0])


@pytest.mark.parametrize("degrees", [-75, 75])
def test_a_part_that_is_turned_away_is_not_missed(degrees):
    a = np.radians(degrees)
    turn = np.float32([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    track = parts_of([[100]] * 4, [1.0])
    vertices = SURFACE.extend(((FACE.template @ turn.T) * 70 + 128).astype(np.float32))
    for shift in (0, 150, 5000):
        image, visible = track.render(0, vertices + np.float32([shift, 0, 0]), SIZE)
        assert visible.any() == (shift < 5000)
        np.testing.assert_allclose(image[visible > 0], 100 / 255, atol=1e-3)


def test_what_the_eyes_do_changes_their_frames_and_a_smile_those_of_the_mouth(taken):
    own = taken.performance
    still = SwapParameters(steadiness=0)
    before = choose_references(own, taken, still)
    for part in FACE.parts:
        coefficients = own.coefficients.copy()
        coefficients[:, part.coefficients] = own.coefficients[
            ::-1, part.coefficients
        ]  # as it is performed at another time
        after = choose_references(replace(own, coefficients=coefficients), taken, still)
        changed = [float((a.index[:, 0] != b.index[:, 0]).mean()) for a, b in zip(after, before, strict=True)]
        # Eyes agree as long as they do about the same, so the other one may follow.
        assert changed[FACE.parts.index(part)] > 0
        assert all(
            p is part or len(p.twin) & len(part.twin) or not share for p, share in zip(FACE.parts, changed, strict=True)
        )


def test_references_keep_nearer_to_what_is_usual_of_the_source(alignment, taken):
    plate = take_performance(alignment.track.landmarks, FACE)

    def far(usual: float) -> list[float]:
        """How far the frames that are shown are from the source's usual expression, part by part."""
        subject = replace(FACE, parts=tuple(replace(part, usual=usual) for part in FACE.parts))
        choices = choose_references(plate, replace(taken, subject=subject), SwapParameters())
        numbers = [part_numbers(taken.performance, part, FACE) for part in FACE.parts]
        return [float(np.linalg.norm(n[c.index[:, 0]] - np.median(n, 0), axis=1).mean()) for n, c in zip(numbers, choices, strict=True)]  # fmt: skip

    assert all(near < away for near, away in zip(far(2), far(0), strict=True))


# ---- rates


@pytest.mark.parametrize("rate", [24, 60])
def test_a_source_is_smoothed_at_its_own_rate(source, source_faces, rate):
    def shake(landmarks: np.ndarray) -> float:
        return float(np.abs(np.diff(landmarks, 2, axis=0)).mean())

    taken = take_source(source, replace(source_faces, rate=Fraction(rate)))
    raw = shake(source_faces.tracks[0].landmarks)
    # 0.12 seconds are three frames at 24 a second, too few to smooth, and seven at 60.
    assert shake(taken.landmarks) == pytest.approx(raw) if rate == 24 else shake(taken.landmarks) < 0.6 * raw


def test_the_plate_is_smoothed_at_its_own_rate_whatever_the_source_s_is(alignment, source, source_faces):
    assert alignment.rate == 25

    def vertices(plate_rate: float, source_rate: int) -> np.ndarray:
        taken = take_source(source, replace(source_faces, rate=Fraction(source_rate)))
        plate = replace(alignment, rate=plate_rate)
        return plan_reference([plate], taken, SwapParameters(shape=0))[0].vertices[:, :478]

    as_filmed = vertices(25, 24)
    np.testing.assert_allclose(vertices(25, 60), as_filmed, atol=0.01)
    assert np.abs(vertices(60, 24) - as_filmed).max() > 0.3, "its own does matter"


# ---- a subject without coefficients


def test_a_hand_plays_with_its_landmarks_alone(hand_footage):
    clip = clip_of(list(pictures(hand_footage / "fingers-lq.gif", 0, 43)), 5)
    faces = detect(clip, DetectParameters(subject="hand"))
    found = align(faces, AlignParameters(size=SIZE)).crops[0]
    taken = take_source(clip, faces)
    (track,) = plan_reference([found], taken, SwapParameters(steadiness=0), clip)
    assert track.wrinkles is None and track.insides == () and len(track.choices) == 1
    # It is its own source, too slow to be smoothed, so that each frame that is not blurred shows itself where it is.
    assert (track.choices[0].index[:, 0] == np.arange(43)).mean() > 0.9
    vertices = found.to_crop(track.vertices)
    for t in (0, 5, 30):
        image, visible = track.render(t, vertices[t], SIZE)
        picture = crop(clip.frame(t).rgb8(), found.to_plate[t : t + 1], SIZE)[0] / 255
        assert np.abs(image - picture)[visible > 0].mean() < 0.01


def test_two_eyes_take_the_same_frames_unless_they_do_different_things():
    """Where one eye is always narrower, or differs by chance, both are of one frame; a wink is of another for the open eye."""
    from nodes.swap.reference.plan import _agreeing

    both = np.zeros((3, 4), np.float32)
    both[1] = 0.5, 0, 0, 0  # by chance
    both[2] = 4, 0, 0, 0  # a wink
    own, other = _agreeing(both), _agreeing(np.roll(both, 2, 1))
    np.testing.assert_array_equal(own[:2], other[:2])
    assert own[2, 0] == own[2, 2] == 4
    assert other[2, 0] == other[2, 2] == 0
