"""Keypoint networks of one's own: what they give is read exactly, and what does not go together is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes.detect.decode import arranged, channels_first, from_heatmaps, from_regression, from_simcc
from nodes.detect.finder import finder_of
from nodes.errors import ModelError, SchemaError
from nodes.subjects.keypoint_network import read_network
from nodes.subjects.subject import read_subject
from tests.support.keypoint_nets import constant_network

PLACES = np.random.default_rng(3).uniform(3, 29, (5, 4, 2)).astype(np.float32)  # five pictures of four landmarks
CORNERS = np.array([[4, 6], [28, 6], [28, 20], [10, 26]], np.float32)


def gaussians(places: np.ndarray, size: tuple[int, int], stride: float, sigma: float = 2.0) -> np.ndarray:
    """Heat maps of Gaussians around continuous places [..., 2] of the input: [..., H, W]."""
    columns, rows = ((np.arange(int(side / stride)) + 0.5) * stride for side in size)
    apart = (columns - places[..., 0, None, None]) ** 2 + (rows[:, None] - places[..., 1, None, None]) ** 2
    return np.exp(-apart / (2 * (sigma * stride) ** 2)).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_top_of_a_gaussian_is_found_between_the_cells(stride: int) -> None:
    points, peaks = from_heatmaps(gaussians(PLACES, (32, 32), stride), (32, 32))
    assert np.abs(points - PLACES).max() < 0.01
    assert (peaks > 0.8).all() and (peaks <= 1).all()


def test_the_top_of_a_lengthy_blob_that_lies_askew_is_found() -> None:
    away = (np.arange(32) + 0.5)[None, None, :, None] - PLACES[..., None, None, :]
    x, y = away[..., 0], away[..., 1].swapaxes(-1, -2)
    blobs = np.exp(-(x**2 + 1.2 * x * y + y**2) / 8).astype(np.float32)
    assert np.abs(from_heatmaps(blobs, (32, 32))[0] - PLACES).max() < 0.01


def test_noise_moves_the_top_of_a_map_by_less_than_a_tenth_of_a_pixel() -> None:
    noise = np.random.default_rng(0).normal(0, 0.005, (5, 4, 32, 32)).astype(np.float32)
    off = from_heatmaps(gaussians(PLACES, (32, 32), 1) + noise, (32, 32))[0] - PLACES
    assert np.abs(off).mean() < 0.05
    assert np.abs(off).max() < 0.1


def test_maps_of_logarithms_are_refined_as_they_are() -> None:
    maps = np.log(gaussians(PLACES, (32, 32), 2)) + 3
    assert np.abs(from_heatmaps(maps, (32, 32), logits=True)[0] - PLACES).max() < 0.01


@pytest.mark.parametrize("maps", [np.zeros((1, 1, 4, 4)), np.eye(4)[None, None], np.full((1, 1, 4, 4), 7.0)])
def test_maps_without_a_top_of_their_own_give_a_cell(maps: np.ndarray) -> None:
    points, _ = from_heatmaps(maps.astype(np.float32), (4, 4))
    assert np.isfinite(points).all() and (points >= 0).all() and (points <= 4).all()


def test_maps_that_are_not_square_cover_the_whole_input() -> None:
    places = PLACES * [1, 0.5]
    assert np.abs(from_heatmaps(gaussians(places, (32, 16), 2), (32, 16))[0] - places).max() < 0.01


def test_channels_may_come_last() -> None:
    maps = gaussians(PLACES, (32, 16), 1)
    turned = channels_first(np.moveaxis(maps, 1, 3), 4, "nchw")
    assert turned is not None and (turned == maps).all()
    assert channels_first(maps, 7, "nchw") is None


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.0])
def test_simcc_is_read_between_its_bins(ratio: float) -> None:
    bins = np.arange(int(32 * ratio)) / ratio + 0.5
    along, down = (np.exp(-((bins - PLACES[..., i, None]) ** 2) / 8).astype(np.float32) for i in (0, 1))
    points, peaks = from_simcc(along, down, ratio)
    assert np.abs(points - PLACES).max() < 0.01
    assert (peaks > 0.9).all()


@pytest.mark.parametrize("units", ["pixels", "unit", "signed"])
def test_regressed_coordinates_are_read_in_any_unit(units: str) -> None:
    size = (64, 32)
    places = PLACES * [2, 1]
    given = {"pixels": places, "unit": places / size, "signed": places / size * 2 - 1}[units].astype(np.float32)
    assert np.abs(from_regression(given, "xy", units, size)[0][..., :2] - places).max() < 1e-4


def test_the_columns_of_a_regression_may_come_in_any_order() -> None:
    yxs = np.stack([PLACES[..., 1], PLACES[..., 0], np.full((5, 4), 0.25)], -1).reshape(5, 1, 12)
    fits = arranged(yxs, 4, "yxs")
    assert fits is not None
    points, scores = from_regression(*fits, "pixels", (32, 32))
    assert (points[..., :2] == PLACES).all() and scores is not None and (scores == 0.25).all()
    assert arranged(yxs, 5, None) is None


def document(folder: Path, given: dict[str, np.ndarray], /, picture: Any = ("N", 3, 32, 32), **told: Any) -> Path:
    """A subject of four landmarks, found by a network that always gives the same."""
    constant_network(folder / "own.onnx", given, picture)
    finder = {"kind": "keypoints", "model": "own.onnx", "size": [32, 32], "decode": "regression"} | told
    centred = (CORNERS - CORNERS.mean(0)) / 14
    whole = {
        "schema": "faceplate.subject/1",
        "name": "own",
        "finder": finder,
        "half_side": 1.5,
        "template": np.pad(centred, ((0, 0), (0, 1))).tolist(),
        "weights": [0.25] * 4,
        "mirror": [0, 1, 2, 3],
        "regions": [{"name": "own", "outlines": [[0, 1, 2, 3]]}],
    }
    path = folder / "own.json"
    path.write_text(json.dumps(whole), "utf-8")
    return path


def finder(path: Path) -> Any:
    return finder_of(read_subject(path))


PICTURE = np.zeros((200, 300, 3), np.uint8)


def test_what_a_network_finds_in_a_square_comes_to_its_place_in_the_plate(tmp_path: Path) -> None:
    found = finder(document(tmp_path, {"points": CORNERS}))
    turned = np.array([[[0, -2, 150], [2, 0, 40]]], np.float32)  # a quarter turn, twice as large
    seen = found.look(PICTURE, np.repeat(turned, 3, 0))
    assert seen.landmarks.shape == (3, 4, 3)
    wanted = CORNERS @ turned[0, :, :2].T + turned[0, :, 2]
    assert np.abs(seen.landmarks[..., :2] - wanted).max() < 1e-3
    assert (seen.scores == 1).all()


@pytest.mark.parametrize(("size", "shift"), [((32, 24), (0, 4)), ((24, 32), (4, 0))])
def test_an_input_that_is_not_square_is_the_middle_of_the_square(
    tmp_path: Path, size: tuple[int, int], shift: tuple[int, int]
) -> None:
    inside = CORNERS / 32 * size
    found = finder(document(tmp_path, {"points": inside}, ("N", 3, size[1], size[0]), size=size))
    level = np.array([[[1, 0, 0], [0, 1, 0]]], np.float32)
    assert np.abs(found.look(PICTURE, level).landmarks[0, :, :2] - inside - shift).max() < 1e-3


def test_the_next_square_holds_the_landmarks_turned_as_the_subject_is(tmp_path: Path) -> None:
    cos, sin = np.cos(0.6), np.sin(0.6)
    points = (CORNERS @ np.array([[cos, sin], [-sin, cos]]) * 3 + 50)[None].astype(np.float32)
    for upright, angle in ((False, 0.0), (True, 0.6), ([2, 1], 0.6)):
        square = finder(document(tmp_path, {"points": CORNERS}, upright=upright, margin=2)).next_squares(points)[0]
        assert np.arctan2(square[1, 0], square[0, 0]) == pytest.approx(angle, abs=1e-4)
        inside = (points[0] - square[:, 2]) @ np.linalg.inv(square[:, :2]).T / 32
        assert inside.min() == pytest.approx(0.25, abs=1e-3) or inside.max() == pytest.approx(0.75, abs=1e-3)
        assert (inside > 0.2).all() and (inside < 0.8).all()


@pytest.mark.parametrize("shape", [(4, 2), (8,), (1, 4, 2), (4, 3), (12,)])
def test_regressions_of_any_arrangement_are_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = CORNERS if np.prod(shape) == 8 else np.pad(CORNERS, ((0, 0), (0, 1)))
    seen = finder(document(tmp_path, {"points": values.reshape(shape)})).look(
        PICTURE, np.eye(2, 3, dtype=np.float32)[None]
    )
    assert np.abs(seen.landmarks[0, :, :2] - CORNERS).max() < 1e-3


def test_scores_are_the_output_that_is_named_or_the_peaks(tmp_path: Path) -> None:
    level = np.eye(2, 3, dtype=np.float32)[None]
    outputs = {"points": CORNERS, "sure": np.array([2.0])}
    logit = finder(document(tmp_path, outputs, scores="sure", scores_as="logit")).look(PICTURE, level)
    assert logit.scores[0] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)
    maps = 0.6 * gaussians(np.floor(CORNERS) + 0.5, (32, 32), 1)
    peaks = finder(document(tmp_path, {"maps": maps}, decode="heatmap")).look(PICTURE, level)
    assert peaks.scores[0] == pytest.approx(0.6, abs=1e-4)


def test_coordinates_that_are_no_numbers_are_nothing_found(tmp_path: Path) -> None:
    values = CORNERS.copy()
    values[2, 1] = np.nan
    seen = finder(document(tmp_path, {"points": values})).look(PICTURE, np.eye(2, 3, dtype=np.float32)[None])
    assert seen.scores[0] == 0 and np.isfinite(seen.landmarks).all()


SIMCC = {"x": np.zeros((4, 64)), "y": np.zeros((4, 64))}


@pytest.mark.parametrize(
    ("outputs", "told", "says"),
    [
        ({"points": CORNERS}, {"size": [48, 32]}, r"'picture' takes .*32, 32.* and 'size' and 'layout' say"),
        ({"points": CORNERS}, {"layout": "nhwc"}, "Correct 'size'"),
        ({"points": CORNERS[:3]}, {}, r"gives \[1, 3, 2\], and regression of 4 landmarks is"),
        ({"points": CORNERS}, {"decode": "heatmap"}, "heatmap of 4 landmarks is"),
        ({"points": CORNERS}, {"decode": "simcc"}, "has too few outputs for simcc"),
        (SIMCC, {"decode": "simcc", "split_ratio": 3}, "'split_ratio'"),
        ({"points": CORNERS}, {"outputs": ["dots"]}, "has no output 'dots'.*: points"),
        ({"points": CORNERS}, {"scores": "sure"}, "has no output 'sure'"),
        ({"points": CORNERS}, {"columns": "xys"}, "'columns'"),
        ({"points": CORNERS}, {"model": "missing.onnx"}, "missing.onnx.*no such model"),
    ],
)
def test_a_network_that_is_not_as_it_is_described_is_refused(
    tmp_path: Path, outputs: dict[str, np.ndarray], told: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelError, match=says) as refused:
        finder(document(tmp_path, outputs, **told))
    assert refused.value.file is not None and refused.value.remedy


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"decode": "guess"}, "decode"),
        ({"size": [32]}, "size"),
        ({"std": [1, 0, 1]}, "std: must be above 0"),
        ({"outputs": ["a", "b"]}, "regression is read from 1, and 2 are named"),
        ({"upright": [0, 4]}, "'upright' names landmark 4"),
        ({"columns": "xxz"}, "columns"),
        ({"colours": "rgb"}, "colours"),
        ({"margin": 0.5}, "margin"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path: Path, told: dict[str, Any], says: str) -> None:
    whole = {"kind": "keypoints", "model": "own.onnx", "size": [32, 32], "decode": "regression"} | told
    with pytest.raises(SchemaError, match=says):
        read_network(whole, tmp_path / "own.json", 4)
