"""Eyes of the new face: the iris is placed for itself and moves as a whole, and what is behind the lids is not seen."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from nodes.align import align
from nodes.definitions import AlignParameters
from nodes.subjects.subject import Opening, load_subject
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.warp import MeshWarp, visible_triangles

FACE = load_subject()
SURFACE = surface_of(FACE)
EYES = SURFACE.balls
SIZE = 512
SKIN, WHITE, IRIS = 150, 240, 30
BLINK = [165, 166]  # frames of `source` in which both eyes are closed, in smoothed landmarks


@pytest.fixture(scope="module")
def one(plate_faces) -> np.ndarray:
    """Landmarks of a performer in crops, [80, 478, 3]."""
    return align(plate_faces, AlignParameters(size=SIZE)).crops[0].landmarks


@pytest.fixture(scope="module")
def other(source_faces) -> np.ndarray:
    """Landmarks of another, [200, 478, 3]."""
    return align(source_faces, AlignParameters(size=SIZE)).crops[0].landmarks


def looking(landmarks: np.ndarray, *steps: float) -> np.ndarray:
    """The same face with both irises moved: to the right of the picture, and down, in radii of the iris."""
    moved = landmarks.copy()
    for eye in EYES:
        moved[eye.ball, :2] += np.float32(steps) * radius(landmarks, eye)
    return moved


def radius(landmarks: np.ndarray, eye: Opening) -> float:
    return float(np.linalg.norm(landmarks[eye.ball[1:], :2] - landmarks[eye.ball[0], :2], axis=1).mean())


def shut(landmarks: np.ndarray) -> np.ndarray:
    """The same face with lids that lie on each other."""
    closed = landmarks.copy()
    for eye in EYES:
        low, high = eye.sides
        closed[low] = closed[high] = (closed[low] + closed[high]) / 2
    return closed


def inside(landmarks: np.ndarray, eye: Opening) -> np.ndarray:
    """Pixels between the lids, [SIZE, SIZE]."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [fixed(landmarks[eye.contour, :2])], 1, cv2.LINE_8, 4)
    return mask > 0


def fixed(points: np.ndarray) -> np.ndarray:
    return np.round((points - 0.5) * 16).astype(np.int32)


def painted(landmarks: np.ndarray) -> np.ndarray:
    """A crop with nothing on it but eyes, in white, with round irises behind the lids."""
    picture = np.full((SIZE, SIZE), SKIN, np.float32)
    for eye in EYES:
        lids = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(lids, [fixed(landmarks[eye.contour, :2])], 255, cv2.LINE_AA, 4)
        ball = np.full((SIZE, SIZE), WHITE, np.uint8)
        middle, r = fixed(landmarks[eye.ball[0], :2]).tolist(), round(radius(landmarks, eye) * 16)
        cv2.circle(ball, middle, r, IRIS, -1, cv2.LINE_AA, 4)
        picture += lids / np.float32(255) * (ball - picture)
    return np.repeat(np.round(picture).astype(np.uint8)[..., None], 3, 2)


def warped(onto: np.ndarray, of: np.ndarray) -> np.ndarray:
    """A painted face, warped onto another."""
    warp = MeshWarp(SURFACE.extend(onto), SURFACE.triangles, SIZE)
    picture = Reference(painted(of), SURFACE.extend(of, picture=True)[:, :2])
    return warp.fetch([picture])[0].astype(np.float32)


def grids(landmarks: np.ndarray, *, picture: bool = False) -> dict[str, np.ndarray]:
    """The vertices behind each eye, [rows, columns, 2]."""
    vertices = SURFACE.extend(landmarks, picture=picture)[len(landmarks) :, :2]
    return {eye.name: part.reshape(-1, 7, 2) for eye, part in zip(EYES, np.split(vertices, len(EYES)), strict=True)}


def test_each_eye_has_a_ball_and_the_mouth_has_none():
    assert [eye.name for eye in EYES] == ["right_eye", "left_eye"]
    assert [len(o.ball) for o in FACE.openings] == [5, 5, 0]
    for eye in EYES:
        low, high = eye.sides
        assert (low[0], low[-1]) == (high[0], high[-1]) and len(low) == len(high) == 9
        assert FACE.template[low[1:-1], 1].min() > FACE.template[high[1:-1], 1].max()


def test_a_hundred_frames_at_once_are_what_each_is_alone(one):
    for picture in (False, True):
        together = SURFACE.extend(one, picture=picture)
        assert together.shape == (80, 478 + 2 * 91, 3) and together.dtype == np.float32
        for t in (0, 33, 79):
            np.testing.assert_allclose(SURFACE.extend(one[t], picture=picture), together[t], atol=1e-3)


def test_the_vertices_around_an_iris_are_its_circle(one):
    for t in (0, 40):
        for eye in EYES:
            grid, r = grids(one[t])[eye.name], radius(one[t], eye)
            middle = grid[6, 3]
            np.testing.assert_allclose(middle, one[t, eye.ball[0], :2], atol=0.15 * r)
            for edge in (grid[6, 2], grid[6, 4]):
                assert np.linalg.norm(edge - middle) == pytest.approx(r, rel=1e-3)
            rows = np.linalg.norm(grid[:, 3] - middle, axis=1) / r
            np.testing.assert_allclose(rows, [2.5, 1.5, 1.1, 0.8, 0.55, 0.3, 0, 0.3, 0.55, 0.8, 1.1, 1.5, 2.5], atol=0.01)  # fmt: skip
            across, down = grid[6, 4] - middle, grid[7, 3] - middle
            assert abs(across @ down) < 1e-2 * np.linalg.norm(across) * np.linalg.norm(down)


def test_an_iris_that_turns_takes_its_vertices_along_and_leaves_the_corners(one):
    for eye in EYES:
        before, after = grids(one[0])[eye.name], grids(looking(one[0], 0.4, 0))[eye.name]
        step = np.float32([0.4 * radius(one[0], eye), 0])
        np.testing.assert_allclose((after - before)[6, 2:5], np.tile(step, (3, 1)), atol=0.1)
        corners = np.float32([one[0, k, :2] for k in (eye.contour[0], eye.contour[8])])
        # A ball's rows are level: of its corners only how far across they are is told.
        np.testing.assert_allclose(after[6, [0, 6], 0], corners[:, 0], atol=1)


@pytest.mark.parametrize("of", [0, 60])
@pytest.mark.parametrize("step", [(0, 0), (0.3, 0), (-0.3, 0), (0, 0.2)])
def test_an_iris_is_where_the_new_face_looks_and_round(one, other, of, step):
    onto = looking(one[20], *step)
    wanted = painted(onto)
    for face in (one[of], other[100 + of]):
        found = warped(onto, face)
        for eye in EYES:
            seen = inside(onto, eye)
            here, there = ((picture[..., 0] < 90) & seen for picture in (found, wanted))
            assert (here & there).sum() > 0.83 * (here | there).sum()
            (x, width), (x_wanted, width_wanted) = (
                (columns.mean(), np.ptp(columns) + 1) for columns in (np.nonzero(m)[1] for m in (here, there))
            )
            assert abs(x - x_wanted) < 0.12 * radius(onto, eye)
            assert width == pytest.approx(width_wanted, rel=0.2)


def test_in_a_picture_a_ball_keeps_between_the_lids(one, other):
    for landmarks in (one[0], other[100], other[BLINK[0]], looking(one[0], 0.5, 0.5)):
        for eye in EYES:
            grid = grids(landmarks, picture=True)[eye.name]
            contour = landmarks[eye.contour, :2]
            away = [cv2.pointPolygonTest(contour, point.tolist(), measureDist=True) for point in grid[:, 1:-1].reshape(-1, 2)]  # fmt: skip
            assert min(away) > -0.05
    free = grids(one[0])["right_eye"].reshape(-1, 2)
    contour = one[0, EYES[0].contour, :2]
    assert min(cv2.pointPolygonTest(contour, point.tolist(), measureDist=True) for point in free) < -10, (
        "and only there"
    )


def balls_seen(landmarks: np.ndarray) -> np.ndarray:
    """Pixels that show a ball, [SIZE, SIZE]."""
    return visible_triangles(SURFACE.extend(landmarks), SURFACE.triangles, SIZE) >= len(FACE.triangles)


@pytest.mark.parametrize("step", [(0, 0), (0.6, 0), (-0.6, 0.4), (0, -0.6)])
def test_a_ball_is_seen_between_the_lids_alone_and_leaves_no_hole_there(one, other, step):
    for landmarks in (one[0], other[100]):
        moved = looking(landmarks, *step)
        seen = balls_seen(moved)
        between = np.logical_or.reduce([inside(moved, eye) for eye in EYES])
        assert seen.sum() > 500
        assert not (seen & ~cv2.dilate(between.astype(np.uint8), np.ones((3, 3))).astype(bool)).any()
        covered = visible_triangles(SURFACE.extend(moved), SURFACE.triangles, SIZE) >= 0
        assert covered[between].all()


def test_lids_that_meet_hide_the_ball(one, other):
    for landmarks in (one[0], other[100]):
        assert not balls_seen(shut(landmarks)).any()
        # The warp is interpolated from half the resolution: where the lids meet, it slips through them for a pixel of that.
        shown = np.abs(warped(shut(landmarks), landmarks)[..., 0] - SKIN) > 60
        assert shown.sum(0).max() <= 4
    assert balls_seen(other[BLINK[0]]).sum() < 0.35 * balls_seen(other[100]).sum()


def test_an_eye_that_is_seen_wide_is_not_filled_with_lashes(one, other):
    """A other that blinks, onto an open eye: white and iris are taken from between its lids, not from the skin."""
    wide, narrow = one[20], other[160]
    narrow = narrow.copy()
    for eye in EYES:
        low, high = eye.sides
        middle = (narrow[low] + narrow[high]) / 2
        narrow[low], narrow[high] = middle + 0.5 * (narrow[low] - middle), middle + 0.5 * (narrow[high] - middle)
    found = warped(wide, narrow)[..., 0]
    for eye in EYES:
        well = cv2.erode(inside(wide, eye).astype(np.uint8), np.ones((7, 7))) > 0
        skin = np.abs(found - SKIN) < 20
        assert well.sum() > 100 and (skin & well).mean() < 0.2 * well.mean()


def test_other_subjects_have_no_ball():
    hand = load_subject("hand")
    assert surface_of(hand).balls == ()
    assert surface_of(replace(FACE, openings=())).balls == ()
