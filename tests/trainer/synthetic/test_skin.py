"""Skin maps are the same for one seed; wrinkles lie where faces fold, on the side that moves, and deepen with the units that fold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.subjects.subject import load_subject
from nodes.types import Float
from trainer.synthetic.people import skin
from trainer.synthetic.people.body import Body, load_body
from trainer.synthetic.people.person import Makeup, Person

SIZE = (1024, 544)


@pytest.fixture(scope="module")
def body(makehuman: Path) -> Body:
    return load_body(makehuman)


@pytest.fixture(scope="module")
def atlas(body: Body) -> skin.Atlas:
    return skin.make_atlas(body, skin.HEAD, SIZE)


@pytest.fixture(scope="module")
def relief(atlas: skin.Atlas) -> dict[str, Float]:
    return skin.wrinkles(atlas, 4)


def coefficients(frames: int, **units: Float) -> Float:
    subject = load_subject("face").coefficients
    assert subject is not None
    values = np.zeros((frames, len(subject.names)), np.float32)
    for name, value in units.items():
        values[:, subject.names.index(name)] = value
    return values


def moved(body: Body, unit: str) -> Float:
    """Millimetres, as the atlas has them, of the vertices that a unit moves most."""
    rows, offsets = body.targets[unit]
    length = np.linalg.norm(offsets, axis=1)
    return np.asarray(body.vertices[rows[length > 0.6 * length.max()]][:, [0, 2, 1]] * (1000, 1000, -1000))


def test_the_atlas_follows_the_mesh(body: Body, atlas: skin.Atlas) -> None:
    left, bottom, right, top = skin.HEAD
    corners = body.uv[body.face_uv["body"].ravel()]
    places = body.vertices[body.faces["body"].ravel()][:, [0, 2, 1]] * (1000, 1000, -1000)
    face = (places[:, 1] > 640) & (places[:, 2] > 110) & (corners > (left, bottom)).all(1)
    x = ((corners[face, 0] - left) / (right - left) * SIZE[1]).astype(int)
    y = ((top - corners[face, 1]) / (top - bottom) * SIZE[0]).astype(int)
    distance = np.linalg.norm(atlas.position[y, x] - places[face], axis=1)
    assert np.median(distance) < 1.0


def test_forehead_lines_lie_above_the_brows(body: Body, atlas: skin.Atlas, relief: dict[str, Float]) -> None:
    deepest = atlas.position[relief["forehead"] < 0.5 * relief["forehead"].min()]
    assert deepest[:, 1].min() > np.median(moved(body, "browInnerUp")[:, 1])
    assert deepest[:, 1].max() < 810
    assert (deepest[:, 2] > 60).all()


@pytest.mark.parametrize(
    ("group", "unit", "reach"),
    [
        ("glabella", "browDownLeft", 40),
        ("crow", "eyeSquintLeft", 30),
        ("nose", "noseSneerLeft", 40),
        ("nasolabial", "mouthSmileLeft", 30),
        ("dimple", "mouthDimpleLeft", 20),
        ("under_eye", "cheekSquintLeft", 25),
        ("chin", "mouthShrugLower", 30),
        ("lips", "mouthPucker", 25),
    ],
)
def test_wrinkles_lie_near_what_their_unit_moves(
    body: Body, atlas: skin.Atlas, relief: dict[str, Float], group: str, unit: str, reach: float
) -> None:
    moving = moved(body, unit)
    deepest = atlas.position[relief[group] < 0.5 * relief[group].min()]
    ours = deepest[deepest[:, 0] > -1]
    distance = np.linalg.norm(ours[:, None] - moving, axis=2).min(1)
    assert distance.max() < reach


def test_crow_s_feet_lie_outside_the_eyes_and_differ_by_side(atlas: skin.Atlas, relief: dict[str, Float]) -> None:
    crow = atlas.position[relief["crow"] < 0.5 * relief["crow"].min()]
    assert (np.abs(crow[:, 0]) > skin.EYE[0] + skin.EYE_RADIUS).all()
    left, right = (np.abs(relief["crow"][atlas.position[..., 0] * side > 0]).sum() for side in (1, -1))
    assert not np.isclose(left, right, rtol=0.01)


def test_strengths_rise_with_their_units_and_only_on_their_side() -> None:
    rising = np.linspace(0, 1, 5, dtype=np.float32)
    curves = skin.strengths(coefficients(5, browInnerUp=rising, mouthSmileLeft=rising, mouthPucker=rising))
    for name in ("forehead_left", "forehead_right", "nasolabial_left", "dimple_left", "lips"):
        assert (np.diff(curves[name]) > 0).all() and curves[name][0] == 0, name
    assert not curves["nasolabial_right"].any() and not curves["nose_left"].any()
    assert all(curve.dtype == np.float32 and curve.max() <= 1 for curve in curves.values())


def test_every_group_has_a_channel_and_its_strengths() -> None:
    groups = {group for packed in skin.WRINKLES for group in packed}
    names = {name.removesuffix("_left").removesuffix("_right") for name in skin.strengths(coefficients(1))}
    assert groups == names and set(skin.SIDED) < groups


def test_tones_stay_between_published_ends_and_darken_with_melanin() -> None:
    tones = np.array([skin.tone(melanin) for melanin in np.linspace(0, 1, 11)])
    assert (np.diff(tones, axis=0) < 0).all()
    assert (tones[:, 0] > tones[:, 1]).all() and (tones[:, 1] > tones[:, 2]).all()
    assert np.allclose(tones[0], (0.63, 0.42, 0.33), atol=0.05)


def test_maps_are_of_the_seed_and_show_makeup(body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skin, "HEAD_SIZE", (512, 272))
    monkeypatch.setattr(skin, "BODY_SIZE", (256, 256))
    plain = Person(seed=8, sex=0.0)
    painted = plain.model_copy(update={"makeup": Makeup(lips=1.0, lip_colour=(0.3, 0.01, 0.02))})
    first, again, other = (skin.material(person, body) for person in (plain, plain, painted))
    assert all(np.array_equal(first.images[name], again.images[name]) for name in first.images)
    assert all(image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1 for image in first.images.values())
    changed = np.abs(first.images["colour"] - other.images["colour"]).max(2)
    atlas = skin.make_atlas(body, skin.HEAD, changed.shape)
    lips = atlas.position[changed > 0.05]
    assert len(lips) and lips[:, 1].min() > 645 and lips[:, 1].max() < 674
