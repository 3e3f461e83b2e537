"""The face mesh: lids close, irises lie in the eyes, and two networks agree about where a face is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from nodes.align.pose import read_coefficients
from nodes.detect import face as mesh
from nodes.detect.face import POINTS, SIZE, find_landmarks, squares_from_keypoints, squares_from_landmarks
from nodes.detect.squares import look, to_plate
from nodes.runtime import load_weights
from nodes.subjects.subject import load_subject
from nodes.types import Float

FACE = load_subject()
BLINK = [164, 165, 166]  # frames of `source` in which both eyes are closed
OPEN = [100, 120, 140, 150, 180]  # and in which both are open
IRISES = {"right_eye": range(468, 473), "left_eye": range(473, 478)}


def opening(landmarks: Float) -> Float:
    """How far the lids of both eyes are apart, over the width of the eye: [T, 2]."""

    def gap(a: int, b: int) -> Float:
        return np.linalg.norm(landmarks[:, a, :2] - landmarks[:, b, :2], axis=1)

    return np.stack([gap(159, 145) / gap(33, 133), gap(386, 374) / gap(263, 362)], 1)


def test_lids_close_in_a_blink(source_faces):
    landmarks = source_faces.tracks[0].landmarks
    assert opening(landmarks[BLINK]).max() < 0.1 < 0.25 < opening(landmarks[OPEN]).min()


def test_the_coefficients_of_a_blink_say_so(source_faces):
    found = read_coefficients(source_faces.tracks[0].landmarks, FACE)
    blinks = found[:, [list(FACE.coefficients.names).index(f"eyeBlink{side}") for side in ("Left", "Right")]]
    assert blinks[BLINK].min() > 0.5 > 0.3 > blinks[OPEN].max()


@pytest.mark.parametrize("eye", IRISES)
def test_an_iris_lies_in_its_open_eye_and_its_centre_comes_first(plate_faces, eye):
    landmarks = plate_faces.tracks[0].landmarks
    centre, *ring = IRISES[eye]
    for points in landmarks[::8, :, :2]:
        contour = points[FACE.contours[eye]]
        assert cv2.pointPolygonTest(contour, points[centre].tolist(), measureDist=False) > 0
        radii = np.linalg.norm(points[ring] - points[centre], axis=1)
        assert 0.15 < radii.mean() / np.ptp(contour[:, 0]) < 0.3 and np.ptp(radii) < 0.3 * radii.mean()


def test_faces_of_one_batch_are_what_each_is_alone(plate_pictures, source):
    picture = np.concatenate([plate_pictures[0], cv2.resize(source.frame(0).rgb8(), (375, 300))], 1)
    boxes = np.float32([[120, 60, 280, 240], [500, 60, 680, 240]])
    keypoints = np.float32([[[170, 120], [230, 120]], [[560, 120], [620, 120]]])
    squares = squares_from_keypoints(boxes, keypoints)
    for _ in range(4):
        squares = squares_from_landmarks(find_landmarks(picture, squares)[0])
    landmarks, scores = find_landmarks(picture, squares)
    assert landmarks.shape == (2, POINTS, 3) and (scores > 0.9).all()
    for i in range(2):
        alone, score = find_landmarks(picture, squares[i : i + 1])
        np.testing.assert_allclose(alone[0], landmarks[i], atol=0.05)
        np.testing.assert_allclose(score[0], scores[i], atol=1e-3)
    none, no_scores = find_landmarks(picture, squares[:0])
    assert none.shape == (0, POINTS, 3) and no_scores.shape == (0,)


def test_the_two_networks_agree_about_place_and_depth(plate_pictures, plate_faces):
    landmarks = plate_faces.tracks[0].landmarks[::10]
    for points, picture in zip(landmarks, plate_pictures[::10], strict=True):
        squares = squares_from_landmarks(points[None])
        quick = to_plate(look("face_landmark", picture, squares, SIZE)[0].reshape(1, 468, 3), squares)[0]
        eyes = np.linalg.norm(points[33, :2] - points[263, :2])
        assert np.linalg.norm((quick - points[:468])[:, :2], axis=1).mean() < 0.05 * eyes
        slope = np.polyfit(quick[:, 2], points[:468, 2], 1)[0]
        assert 0.9 < slope < 1.1 and points[4, 2] < points[[127, 356], 2].min(), "the tip of the nose is nearer"


@pytest.mark.parametrize("doubts", ["face_landmark", "face_landmarks"])
def test_a_face_is_as_sure_as_the_less_sure_network(plate_pictures, plate_faces, monkeypatch, doubts):
    def doubting(network, image, squares, size):
        raw, logits = look(network, image, squares, size)
        return raw, np.full_like(logits, -3 if network == doubts else 3)

    monkeypatch.setattr(mesh, "look", doubting)
    _, scores = find_landmarks(plate_pictures[0], squares_from_landmarks(plate_faces.tracks[0].landmarks[:1]))
    assert scores[0] == pytest.approx(1 / (1 + np.exp(3)), rel=1e-4)


@pytest.mark.parametrize(
    ("shift", "most"), [(0.0, 0.01), (0.1, 0.02), (0.2, 0.03)], ids=["at rest", "a tenth of the face", "a fifth"]
)
def test_a_face_that_moved_since_the_last_frame_is_found_where_it_is(plate_pictures, plate_faces, shift, most):
    points = plate_faces.tracks[0].landmarks[20]
    eyes, side = np.linalg.norm(points[33, :2] - points[263, :2]), np.ptp(points[:, :2], axis=0).max()
    for way in ([1, 0], [0, 1], [-1, 0], [0, -1]):
        moved = points.copy()
        moved[:, :2] += np.float32(way) * shift * side
        found, scores = find_landmarks(plate_pictures[20], squares_from_landmarks(moved[None]))
        assert scores[0] > 0.9 and np.linalg.norm((found[0] - points)[:, :2], axis=1).mean() < most * eyes


def test_coefficients_of_a_batch_are_those_of_each_face_alone(source_faces):
    landmarks = source_faces.tracks[0].landmarks[::20]
    session = load_weights("face_blendshapes")
    name = session.get_inputs()[0].name
    points = np.ascontiguousarray(landmarks[:, FACE.coefficients.points, :2])
    (together,) = session.run(None, {name: points})
    assert together.shape == (len(points), 52) and 0 <= together.min() <= together.max() <= 1
    for one, wanted in zip(points, together, strict=True):
        np.testing.assert_allclose(session.run(None, {name: one[None]})[0][0], wanted, atol=1e-3)
    (scaled,) = session.run(None, {name: points * 2.5 + 40})
    np.testing.assert_allclose(scaled, together, atol=1e-3)
