"""Hair grows where people have it, stays on the skin when that moves, and is the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from nodes.types import Float
from trainer.synthetic.people.body import Pose
from trainer.synthetic.people.hair import brow, things
from trainer.synthetic.people.haircut import STYLES, scalp
from trainer.synthetic.people.person import Beard, Figure, Hair, Person, figure
from trainer.synthetic.people.strands import Head, subdivided

CUTS = tuple(STYLES)


def with_hair(makehuman: Path, seed: int, **parts: object) -> Figure:
    return figure(Person.from_seed(seed).model_copy(update=parts), makehuman)


@pytest.fixture(scope="module")
def bearded(makehuman: Path) -> Figure:
    return with_hair(makehuman, 5, hair=Hair(cut="short", length=0.03), beard=Beard(style="full", length=0.02))


def test_subdivided_faces_lie_where_catmull_and_clark_put_them() -> None:
    corners = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    cube = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    weights, quads = subdivided(cube, 8)
    points = weights @ corners
    assert quads.shape == (24, 4) and np.allclose(weights.sum(1), 1)
    assert np.allclose(points[0], [-5 / 9] * 3)  # Catmull & Clark 1978: of a cube's corner
    assert np.allclose(np.sort(np.abs(points[8:20]), 1), [[0, 0.75, 0.75]] * 12)


def test_a_seed_has_the_same_hair_each_time(bearded: Figure) -> None:
    first, again = (things(bearded, bearded.rest[None]) for _ in range(2))
    assert [thing.name for thing in first] == [f"0.hair.{part}" for part in ("brow", "lash", "scalp", "beard")]
    assert all(np.array_equal(a.points, b.points) for a, b in zip(first, again, strict=True))


def test_roots_stay_on_skin_that_moves(bearded: Figure) -> None:
    random = np.random.default_rng(0)
    shape = (3, len(bearded.units))
    coefficients = (random.uniform(0, 1, shape) * (random.random(shape) < 0.2)).astype(np.float32)
    turned = [random.uniform(-25, 25, 3) for _ in range(3)]
    posed = bearded.posed(coefficients, Pose(*turned, random.normal(0, 0.05, (3, 3))))
    head = Head.of(bearded)
    for thing in things(bearded, posed):
        for frame, vertices in enumerate(posed):
            corners = (head.surface.weights @ vertices)[head.surface.triangles]
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            roots = thing.points[frame, :, 0]
            assert distance(roots, corners, normals).max() < 0.001, thing.name


def distance(roots: Float, corners: Float, normals: Float) -> Float:
    """Return the distance of roots from the plane of the triangle whose corners are nearest."""
    _, nearest = cKDTree(corners.mean(1)).query(roots)
    normal = normals[nearest] / np.maximum(np.linalg.norm(normals[nearest], axis=1, keepdims=True), 1e-12)
    return np.asarray(np.abs(((roots - corners[nearest, 0]) * normal).sum(1)))


def test_loose_hair_lags_behind_the_head_and_comes_to_rest(bearded: Figure) -> None:
    head = Head.of(bearded)
    roots, strands, _ = scalp(head, Hair(cut="long", length=0.45), np.random.default_rng(0))
    shifted = bearded.rest + np.array([0.05, 0, 0], np.float32)
    posed = np.stack([bearded.rest, *[shifted] * 9])
    carried = head.carried(roots, strands, posed, catch_up=0.5)
    way = (carried - carried[0])[..., 0]
    tips = strands[:, -1, 2] < -0.15
    assert np.allclose(way[1:, :, 0], 0.05, atol=1e-4)
    assert (way[1, tips, -1] < 0.03).mean() > 0.8  # some slide over the shoulders
    assert np.percentile(np.abs(way[9] - 0.05), 99) < 1e-3


def test_long_hair_lies_on_shoulders_when_the_head_turns(bearded: Figure) -> None:
    head = Head.of(bearded)
    roots, strands, _ = scalp(head, Hair(cut="long", length=0.45), np.random.default_rng(0))
    turned = Pose(np.array([0.0, 35.0]), np.zeros(2), np.zeros(2), np.zeros((2, 3)))
    posed = bearded.posed(np.zeros((2, len(bearded.units)), np.float32), turned)
    for hair in head.carried(roots, strands, posed, catch_up=1.0) - head.centre:
        low = hair[hair[..., 2] < -0.18]
        height, _ = head.collider.depth(low)
        assert (height > -0.005).mean() > 0.95


@pytest.mark.parametrize("cut", CUTS)
def test_each_cut_keeps_to_its_budget_and_outside_the_head(bearded: Figure, cut: str) -> None:
    length = {"bald": 0.0, "buzz": 0.006, "short": 0.035}.get(cut, 0.2)
    head = Head.of(bearded)
    hair = Hair.model_validate({"cut": cut, "length": length})
    roots, strands, radius = scalp(head, hair, np.random.default_rng(0))
    count, points, _ = strands.shape
    assert 5_000 <= count <= 40_000 and 3 <= points <= 28
    assert len(roots) == count and radius.shape == (count, points)
    assert np.isfinite(strands).all() and (np.linalg.norm(strands - strands[:, :1], axis=2) < 1.3 * length + 0.2).all()
    height, _ = head.collider.depth(strands.reshape(-1, 3))
    assert (height > -0.002).mean() > 0.98


def test_brows_lie_on_the_rim_above_the_eyes(makehuman: Path) -> None:
    for seed in range(3):
        someone = with_hair(makehuman, seed)
        head = Head.of(someone)
        roots, _, _ = brow(head, someone.person.brows, np.random.default_rng(0))
        places = roots.points + head.centre
        for ball, sign in zip(someone.balls, (1, -1), strict=True):
            middle = np.abs(places[:, 0] - ball.centre[0]) < 0.006
            height = places[middle & (np.sign(places[:, 0]) == sign), 2] - ball.centre[2]
            assert 0.014 < height.mean() < 0.028, (seed, height.mean())
