"""Hands are found and measured in real photographs and in a real clip (fingerpose's, MIT licence): all show a left hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from install.samples import damaged
from nodes.detect.blazeface import anchors, find_at_any_angle, find_in_image
from nodes.detect.hand import (
    POINTS,
    SIZE,
    find_hands,
    squares_from_keypoints,
    squares_from_landmarks,
)
from nodes.geometry.sampling import invert, transform_points
from nodes.runtime import read_manifest
from tests.support.clips import pictures
from tests.support.hands import HANDS, hands_folder

PHOTOGRAPHS = ("nocurl", "halfcurl", "fullcurl")  # a fist, of which the index finger is straight, half or wholly bent
EVERY_PICTURE = (*PHOTOGRAPHS, "thumb up", "victory")
WRIST, INDEX, MIDDLE, INDEX_TIP = 0, [5, 6, 7, 8], 9, 8


@pytest.fixture(scope="module")
def clip(hand_footage) -> list[np.ndarray]:
    """43 frames [240, 320, 3] of a man who shows thumb and victory by turns."""
    return list(pictures(hand_footage / "fingers-lq.gif", 0, 43))


@pytest.fixture(scope="module")
def shown(hand_footage, clip) -> dict[str, np.ndarray]:
    """The photographs, [640, 480, 3], and two frames of the clip."""
    read = {name: cv2.imread(str(hand_footage / f"{name}.jpg"))[..., ::-1].copy() for name in PHOTOGRAPHS}
    return {**read, "thumb up": clip[0], "victory": clip[5]}


def rested(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Landmarks [21, 4] and handedness of the one hand of a picture, looked at until its square rests."""
    palms = find_at_any_angle(picture, "palm", 0.5)
    assert len(palms) == 1
    squares = squares_from_keypoints(palms.boxes, palms.keypoints)
    for _ in range(4):
        landmarks, scores, right = find_hands(picture, squares)
        assert scores[0] > 0.9
        squares = squares_from_landmarks(landmarks)
    return landmarks[0], float(right[0])


@pytest.fixture(scope="module")
def hands(shown) -> dict[str, np.ndarray]:
    return {name: rested(picture)[0] for name, picture in shown.items()}


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of landmarks from where they are wanted, as a share of the palm's length."""
    gaps = np.linalg.norm(found[:, :2] - wanted[:, :2], axis=1)
    return float(gaps.mean() / np.linalg.norm(wanted[MIDDLE, :2] - wanted[WRIST, :2]))


def skin(picture: np.ndarray) -> np.ndarray:
    """255 where a photograph's pixels are skin: redder than the wall."""
    red = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 1], (9, 9), 0)
    return cv2.threshold(red, 0, 255, cv2.THRESH_OTSU)[1]


def bend(landmarks: np.ndarray) -> float:
    """By how many degrees the index finger turns from its base to its tip."""
    bones = np.diff(landmarks[INDEX, :3], axis=0)
    bones /= np.linalg.norm(bones, axis=1, keepdims=True)
    return float(np.degrees(np.arccos(np.clip((bones[1:] * bones[:-1]).sum(1), -1, 1))).sum())


def test_the_pictures_of_hands_are_as_published(hand_footage):
    assert damaged(hand_footage, HANDS) == []


def test_a_folder_of_ones_own_may_hold_the_hands_else_they_lie_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEPLATE_SAMPLES", str(tmp_path))
    assert hands_folder().parts[-2:] == ("samples", "hands") and tmp_path not in hands_folder().parents
    (tmp_path / "hands").mkdir()
    assert hands_folder() == tmp_path / "hands"


def test_the_manifest_names_source_and_licence_of_the_networks():
    models = read_manifest()
    for name in ("palm_detection", "hand_landmark"):
        assert models[name]["license"] == "Apache-2.0" and "mediapipe==0.10.21" in models[name]["source"]
        assert models[name].keys() == models["face_landmark"].keys()


def test_the_anchors_of_palms_lie_as_the_network_was_trained():
    palm = anchors("palm")
    assert len(palm) == 24 * 24 * 2 + 12 * 12 * 6 == 2016
    np.testing.assert_allclose(palm[:3] * 48, [[1, 1], [1, 1], [3, 1]], rtol=1e-6)
    np.testing.assert_allclose(palm[[1152, 1157, 1158]] * 24, [[1, 1], [1, 1], [3, 1]], rtol=1e-6)


@pytest.mark.parametrize("name", EVERY_PICTURE)
def test_a_palm_is_found_and_its_wrist_is_the_hands(shown, hands, name):
    palms = find_in_image(shown[name], "palm", 0.5)
    assert palms.boxes.shape == (1, 4) and palms.keypoints.shape == (1, 7, 2) and palms.scores[0] > 0.8
    size = np.linalg.norm(hands[name][MIDDLE, :2] - hands[name][WRIST, :2])
    wrist, index_knuckle = (
        np.linalg.norm(palms.keypoints[0, [0, 1]] - hands[name][[WRIST, INDEX[0]], :2], axis=1) / size
    )
    assert wrist < 0.2 and index_knuckle < 0.3


def test_a_face_has_no_palm(plate_pictures):
    palms = find_at_any_angle(plate_pictures[0], "palm", 0.5)
    assert len(palms) == 0
    landmarks, scores, _ = find_hands(plate_pictures[0], squares_from_keypoints(palms.boxes, palms.keypoints))
    assert landmarks.shape == (0, POINTS, 3) and scores.shape == (0,)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_landmark_lies_on_skin(shown, hands, name):
    mask = skin(shown[name])
    assert 0.1 < (mask > 0).mean() < 0.4
    column, row = hands[name][:, :2].astype(int).T
    assert (mask[row, column] > 0).all()


def test_the_tip_of_a_straight_finger_is_the_highest_skin(shown, hands):
    row, column = np.argwhere(skin(shown["nocurl"]) > 0)[0]
    tip = hands["nocurl"][INDEX_TIP, :2]
    assert abs(tip[0] - column) < 15 and 0 < tip[1] - row < 30, "the landmark is a little below the fingertip's edge"


def test_a_finger_that_bends_bends_its_landmarks(hands):
    assert bend(hands["nocurl"]) < 30 < 60 < bend(hands["halfcurl"]) < 110 < 140 < bend(hands["fullcurl"])


def test_what_is_nearer_to_the_camera_has_smaller_z(hands):
    thumb_knuckle, little_knuckle = 2, 17  # the photographs are taken from the thumb's side
    for name in PHOTOGRAPHS:
        size = np.linalg.norm(hands[name][MIDDLE, :2] - hands[name][WRIST, :2])
        assert 0.3 * size < hands[name][little_knuckle, 2] - hands[name][thumb_knuckle, 2] < 1.5 * size


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("name", ["nocurl", "fullcurl", "victory"])
def test_a_turned_picture_has_the_same_landmarks_turned(shown, hands, name, turns):
    height, width = shown[name].shape[:2]
    found, _ = rested(np.ascontiguousarray(np.rot90(shown[name], turns)))
    x, y = found[:, 0], found[:, 1]
    back = np.stack([(width - y, x), (width - x, height - y), (y, height - x)][turns - 1], 1)
    assert distance(back, hands[name]) < 0.02


@pytest.mark.parametrize(("name", "factor"), [("nocurl", 0.5), ("halfcurl", 2), ("victory", 2)])
def test_a_scaled_picture_has_the_same_landmarks_scaled(shown, hands, name, factor):
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    found, _ = rested(cv2.resize(shown[name], None, fx=factor, fy=factor, interpolation=way))
    assert distance(found / factor, hands[name]) < 0.02


@pytest.mark.parametrize("name", EVERY_PICTURE)
def test_a_mirrored_picture_has_the_landmarks_mirrored_and_the_other_hand(shown, hands, name):
    found, right = rested(np.ascontiguousarray(shown[name][:, ::-1]))
    found[:, 0] = shown[name].shape[1] - found[:, 0]
    assert distance(found, hands[name]) < 0.06
    assert right > 0.75, "a left hand in a mirror is a right one"


@pytest.mark.parametrize("name", EVERY_PICTURE)
def test_the_hand_of_a_picture_that_is_not_mirrored_is_the_left_one(shown, name):
    assert rested(shown[name])[1] < 0.5


@pytest.mark.parametrize("name", EVERY_PICTURE)
def test_looking_again_where_the_landmarks_are_finds_them_again(shown, hands, name):
    again, scores, _ = find_hands(shown[name], squares_from_landmarks(hands[name][None]))
    assert scores[0] > 0.9 and distance(again[0], hands[name]) < 0.03


@pytest.mark.parametrize("name", EVERY_PICTURE)
def test_in_its_square_the_hand_points_up_and_fits(hands, name):
    squares = squares_from_landmarks(hands[name][None])
    inside = transform_points(invert(squares), hands[name][None, :, :2])[0]
    along = inside[[5, 9, 9, 13]].mean(0) - inside[WRIST]
    assert along[1] < 0 and abs(along[0]) < 1e-3 * -along[1]
    assert inside.min() > 0 and inside.max() < SIZE
    np.testing.assert_allclose(np.linalg.det(squares[:, :, :2]), (squares[0, :, 0] ** 2).sum(), rtol=1e-4)


def test_two_hands_in_one_batch_are_what_each_is_alone(shown, hands):
    both = np.concatenate([shown["nocurl"], shown["fullcurl"][:, ::-1]], 1)
    palms = find_in_image(both, "palm", 0.5)
    palms = palms[np.argsort(palms.boxes[:, 0])]
    squares = squares_from_keypoints(palms.boxes, palms.keypoints)
    for _ in range(3):
        landmarks, scores, right = find_hands(both, squares)
        squares = squares_from_landmarks(landmarks)
    assert landmarks.shape == (2, POINTS, 3) and (scores > 0.9).all() and right[0] < 0.5 < right[1]
    together, _, _ = find_hands(both, squares)
    for i in range(2):
        alone, _, _ = find_hands(both, squares[i : i + 1])
        assert distance(together[i], alone[0]) < 0.005, "what is filtered alike is filtered together"
    assert distance(landmarks[0], hands["nocurl"]) < 0.03


def test_a_hand_is_followed_through_the_whole_clip(clip):
    palms = find_in_image(clip[0], "palm", 0.5)
    squares = squares_from_keypoints(palms.boxes, palms.keypoints)
    for picture in clip:
        landmarks, scores, right = find_hands(picture, squares)
        squares = squares_from_landmarks(landmarks)
        assert scores[0] > 0.9 and right[0] < 0.2
        found = find_in_image(picture, "palm", 0.5)
        size = np.linalg.norm(landmarks[0, MIDDLE, :2] - landmarks[0, WRIST, :2])
        gaps = np.linalg.norm(found.keypoints[:, 0] - landmarks[0, WRIST, :2], axis=1)
        assert gaps.min() < 0.5 * size, "the palm detector sees the same hand"


def first_look(picture: np.ndarray, min_score: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    palms = find_in_image(picture, "palm", min_score)
    return find_hands(picture, squares_from_keypoints(palms.boxes, palms.keypoints))


def test_the_right_hand_that_passes_by_in_a_clip_of_a_face_is_a_right_one(samples):
    for picture in pictures(samples / "franck.mp4", 206, 3):
        _, scores, right = first_look(picture, 0.4)
        assert scores.shape == (1,) and scores[0] > 0.9 and right[0] > 0.8


def test_a_smile_that_looks_like_a_palm_is_no_hand(samples):
    (picture,) = pictures(samples / "franck.mp4", 3823, 1)
    assert find_in_image(picture, "palm", 0.5).scores[0] > 0.8, "the detector is fooled"
    assert first_look(picture, 0.5)[1].max() < 0.5, "the landmarks' own score is not"


def test_where_there_is_no_hand_the_score_says_so(shown):
    wall = np.float32([[[0.5, 0, 300], [0, 0.5, 20]]])
    _, scores, _ = find_hands(shown["fullcurl"], wall)
    assert scores[0] < 0.2
