"""The truth of a take is what its pictures show, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nodes.detect.face import FaceFinder
from nodes.errors import SchemaError
from nodes.footage.colour import to_srgb
from nodes.subjects.subject import load_subject
from nodes.types import Float, Int
from trainer.synthetic.people.body import Pose
from trainer.synthetic.people.person import Figure, Person, figure, things
from trainer.synthetic.render import Passes, render
from trainer.synthetic.scene import Camera, Light, Material, MeshThing, Scene, World, looking, project, quads
from trainer.synthetic.truth.embed import limit_surface
from trainer.synthetic.truth.true_swap import colour_error, feature_distance, matte_error
from trainer.synthetic.truth.truth import (
    Truth,
    face_area,
    face_matte,
    gaps,
    gaze_turns,
    landmark_places,
    look_up,
    measure_truth,
    read_truth,
    write_truth,
)

SIZE = (160, 160)
FACE = load_subject("face")
STILL, BLINK, GLANCE, OPEN, TURNED = range(5)


@dataclass(frozen=True)
class Acted:
    """A figure in five frames, seen by a camera."""

    figure: Figure
    posed: Float
    camera: Camera
    truth: Truth


@pytest.fixture(scope="session")
def acted(makehuman: Path) -> Acted:
    """Somebody who is still, blinks, glances to the own left by 30 degrees, opens the mouth, and turns left and up."""
    assert FACE.coefficients
    names = FACE.coefficients.names
    coefficients = np.zeros((5, len(names)), np.float32)
    acts = {BLINK: ("eyeBlinkLeft", "eyeBlinkRight"), GLANCE: ("eyeLookOutLeft", "eyeLookInRight"), OPEN: ("jawOpen",)}
    for frame, units in acts.items():
        for unit in units:
            coefficients[frame, names.index(unit)] = 1
    zero = np.zeros(5, np.float32)
    pose = Pose(
        zero + np.eye(5, dtype=np.float32)[TURNED] * 25,
        np.eye(5, dtype=np.float32)[TURNED] * 10,
        zero,
        np.zeros((5, 3), np.float32),
    )
    somebody = figure(Person.from_seed(3), makehuman)
    posed = somebody.posed(coefficients, pose)
    eyes: Float = somebody.gaze(posed[:1])[0][0].mean(0)
    camera = Camera(
        looking(eyes + np.array([[0, -2, 0]]), eyes - np.array([[0, 0, 0.03]])), np.float32([220]), np.float32([2])
    )
    return Acted(somebody, posed, camera, measure_truth([somebody], [coefficients], [posed], camera, SIZE))


@pytest.fixture(scope="session")
def rendered(acted: Acted, renderer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The frames that are still and turned, in plain colours, with a card before the left eye of the second."""
    rows = [STILL, TURNED]
    plain = Material("plain", {"colour": [0.5, 0.35, 0.28]})
    parts = things(acted.figure, acted.posed[rows], plain)
    eye = acted.figure.gaze(acted.posed)[0][TURNED, 0] - [0, 0.1, 0]
    square = 0.012 * np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]])
    card = np.stack([square + np.array([0, 9, 9]), square + eye]).astype(np.float32)
    thing = MeshThing("0.prop.card", card, *quads(np.arange(4)[None]), plain)
    light = Light("key", looking(np.array([[0.7, -1, 1.4]]), eye[None]), np.float32([40]))
    world = World(np.full((4, 8, 3), 0.4, np.float32))
    take = Scene(2, SIZE, Fraction(24), acted.camera, (light,), world, (*parts, thing), samples=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_BPY50", str(renderer))
        yield render(take, tmp_path_factory.mktemp("take"))


def part(truth: Truth, rows: list[int]) -> Truth:
    """Return some frames of a truth."""
    still = {"size", "camera", "focal"}
    return replace(truth, **{k: v[:, rows] for k, v in vars(truth).items() if k not in still})


def test_places_are_sums_of_vertices_and_the_same_on_both_sides(acted: Acted) -> None:
    places = landmark_places()
    assert np.allclose(places.weights[:468].sum(1), 1, atol=1e-3)
    base = acted.figure.body.vertices
    on_base = places.weights[:468] @ base
    assert np.linalg.norm(on_base[FACE.mirror[:468]] * [-1, 1, 1] - on_base, axis=1).max() < 1e-3
    assert not places.fixed[FACE.outline].any()
    assert places.fixed.sum() > 350


def test_the_limit_surface_of_a_box_is_round(acted: Acted) -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    faces: Int = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    weights, triangles = limit_surface(faces, 8)
    assert weights.shape == (8 + 12 + 6, 8)
    assert len(triangles) == 48
    assert np.allclose(weights.sum(1), 1)
    radius = np.linalg.norm(weights @ corners, axis=1)
    assert radius.min() > 0.75
    assert radius.max() < 1.0


def test_eyes_are_where_the_camera_sees_them(acted: Acted) -> None:
    irises = project(acted.figure.gaze(acted.posed)[0], acted.camera, SIZE)[..., :2][:, ::-1]
    assert np.abs(acted.truth.irises[0, ..., :2] - irises).max() < 0.01
    assert np.abs(acted.truth.landmarks[0][:, [468, 473], :2] - irises).max() < 0.01
    distance = float(np.linalg.norm(acted.camera.matrices[0, :3, 3] - acted.figure.gaze(acted.posed)[0][STILL, 0]))
    assert acted.truth.irises[0, STILL, 0, 2] == pytest.approx(
        acted.figure.balls[1].iris * 220 / 36 * SIZE[0] / distance, rel=0.05
    )


def test_angles_are_those_that_were_acted(acted: Acted) -> None:
    change = acted.truth.angles[0] - acted.truth.angles[0, STILL]
    assert np.abs(change[:TURNED]).max() < 0.01
    assert np.abs(change[TURNED] - [25, 10, 0]).max() < 1.5
    assert np.abs(acted.truth.gaze[0, GLANCE, :, 0] - 30).max() < 0.5
    assert np.abs(acted.truth.gaze[0, STILL, :, 0]).max() < 0.5
    turns = gaze_turns(acted.truth.landmarks[0], FACE)
    assert np.abs(turns[GLANCE, :, 0] - turns[STILL, :, 0] - 30).max() < 4


def test_a_blink_closes_the_lids_and_jaw_open_the_lips_apart(acted: Acted) -> None:
    lids, lips = acted.truth.gaps[0, :, :2], acted.truth.gaps[0, :, 2]
    assert lids[STILL].min() > 4
    assert lids[BLINK].max() < 0.25
    assert lips[STILL] < 0.5
    assert lips[OPEN] > lips[STILL] + 8
    assert np.array_equal(gaps(acted.truth.landmarks[0], FACE), acted.truth.gaps[0])


def test_what_stands_in_front_hides_landmarks_and_face(acted: Acted, rendered: list[Path], makehuman: Path) -> None:
    truth = look_up(part(acted.truth, [STILL, TURNED]), rendered)
    still, turned = truth.visible[0]
    assert still.mean() > 0.97
    assert not turned[473:].any()
    assert turned[468:473].all()
    area = face_area(makehuman)
    passes = Passes(rendered[1])
    matte = face_matte(passes, truth.landmarks[0, 1], 0, area)
    assert matte.max() <= 1
    y, x = truth.landmarks[0, 1, :, 1].astype(int), truth.landmarks[0, 1, :, 0].astype(int)
    assert matte[y[1], x[1]] == 1
    assert matte[y[473], x[473]] == 0
    assert (matte[passes.matte("0.prop") == 1] == 0).all()
    whole = face_matte(Passes(rendered[0]), truth.landmarks[0, 0], 0, area)
    top, bottom, left, right = (
        int(truth.landmarks[0, 0, at, axis]) for at, axis in ((10, 1), (152, 1), (234, 0), (454, 0))
    )
    rows, columns = np.flatnonzero(whole.max(1) > 0.5), np.flatnonzero(whole.max(0) > 0.5)
    assert np.abs(np.subtract([rows[0], rows[-1], columns[0], columns[-1]], [top, bottom, left, right])).max() <= 3


def test_the_landmarker_finds_landmarks_and_irises_where_they_are(acted: Acted, rendered: list[Path]) -> None:
    light = np.ascontiguousarray(np.clip(Passes(rendered[0]).rgb, 0, 1))
    picture = np.asarray(to_srgb(light, "scene_linear") * 255, np.uint8)
    finder = FaceFinder()
    squares = finder.next_squares(acted.truth.landmarks[0, [STILL]])
    found = finder.look(picture, squares)
    assert found.scores[0] > 0.9
    away = np.linalg.norm(found.landmarks[0, :, :2] - acted.truth.landmarks[0, STILL, :, :2], axis=1)
    fixed = landmark_places().fixed
    assert np.median(away[fixed]) < 0.03 * SIZE[0]
    assert away[468:].max() < 3


def test_a_truth_is_read_as_it_was_written(acted: Acted, tmp_path: Path) -> None:
    write_truth(acted.truth, tmp_path / "truth.npz")
    again = read_truth(tmp_path / "truth.npz")
    assert again.size == SIZE
    assert all(np.array_equal(value, vars(again)[name]) for name, value in vars(acted.truth).items())
    (tmp_path / "truth.npz").write_bytes(b"PK")
    with pytest.raises(SchemaError, match="truth"):
        read_truth(tmp_path / "truth.npz")


def test_a_picture_compared_with_itself_has_no_error(acted: Acted) -> None:
    random = np.random.default_rng(0)
    picture = random.random((*SIZE, 3), np.float32)
    matte = np.zeros(SIZE, np.float32)
    matte[40:100, 50:110] = 1
    same = colour_error(picture, picture, matte)
    assert (same.mean, same.p95) == (0, 0)
    assert same.p95_after_gain < 0.1
    assert matte_error(matte, matte).overlap == 1
    assert matte_error(matte, matte).outline < 0.01
    assert matte_error(matte, np.roll(matte, 2, 1)).outline == pytest.approx(1, abs=0.4)
    eight = np.asarray(picture * 255, np.uint8)
    landmarks = acted.truth.landmarks[0, STILL]
    assert feature_distance(eight, eight, landmarks) == 0
    assert feature_distance(eight, np.flip(eight, 0), landmarks) > 0.05


def test_gain_is_told_from_other_errors_of_colour() -> None:
    random = np.random.default_rng(1)
    picture = 0.2 + 0.3 * random.random((64, 64, 3), np.float32)
    matte = np.ones((64, 64), np.float32)
    darker = colour_error(picture * np.float32(0.8), picture, matte)
    assert darker.mean > 3
    assert darker.mean_after_gain < 0.2 * darker.mean
