"""A seed is a person: the same every time, with lids that close, eyes that look where they are told and a head that turns as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.subjects.subject import load_subject
from nodes.types import Float
from trainer.synthetic.people import eyes, mouth
from trainer.synthetic.people.body import Pose
from trainer.synthetic.people.person import Figure, Origin, Person, figure, things
from trainer.synthetic.scene import Material

SEEDS = range(6)


def coefficients(**units: float) -> Float:
    subject = load_subject("face").coefficients
    assert subject is not None
    values = np.zeros((1, len(subject.names)), np.float32)
    for name, value in units.items():
        values[0, subject.names.index(name)] = value
    return values


@pytest.fixture(scope="module")
def someone(makehuman: Path) -> Figure:
    return figure(Person.from_seed(3), makehuman)


def test_a_seed_is_one_person_and_another_seed_another(makehuman: Path) -> None:
    first, again, other = (figure(Person.from_seed(seed), makehuman) for seed in (5, 5, 6))
    assert first.person == again.person != other.person
    assert np.array_equal(first.rest, again.rest) and np.array_equal(first.units, again.units)
    assert np.abs(first.rest - other.rest).max() > 0.005


def test_what_is_given_is_kept_and_the_rest_follows_from_it() -> None:
    person = Person.from_seed(1, age=80.0, sex=0.0, origin=Origin(caucasian=0.0, african=1.0))
    assert (person.age, person.sex, person.origin.african) == (80.0, 0.0, 1.0)
    assert person.beard.style == "none"
    assert person.skin.wrinkles > 0.6 and person.skin.melanin > 0.4


def test_shape_targets_all_exist(makehuman: Path, someone: Figure) -> None:
    for seed in SEEDS:
        person = Person.from_seed(seed)
        assert set(person.macros) | set(person.details) <= set(someone.body.targets)


@pytest.mark.parametrize(
    "also", [{}, {"eyeLookDownLeft": 1.0}, {"eyeWideLeft": 1.0}, {"eyeSquintLeft": 1.0}, {"eyeLookUpLeft": 1.0}]
)
def test_a_blink_closes_the_lids_of_every_shape_of_eye(makehuman: Path, also: dict[str, float]) -> None:
    for seed in SEEDS:
        subject = figure(Person.from_seed(seed), makehuman)
        posed = subject.posed(coefficients(eyeBlinkLeft=1, eyeBlinkRight=1, **also))
        for lids, ball in zip(subject.lids, subject.balls, strict=True):
            gap = eyes.opening(posed, lids, ball) * ball.radius
            assert gap.max() < 0.0003
            assert gap.min() > -0.0008


def test_a_half_blink_halves_the_opening(someone: Figure) -> None:
    wide, half = (
        eyes.opening(someone.posed(coefficients(eyeBlinkLeft=blink)), someone.lids[0], someone.balls[0]).max()
        for blink in (0.0, 0.5)
    )
    assert half == pytest.approx(wide / 2, rel=0.1)


def test_an_eye_turns_by_the_degrees_of_its_units(someone: Figure) -> None:
    _, ahead = someone.gaze(someone.posed(coefficients()))
    _, left = someone.gaze(someone.posed(coefficients(eyeLookOutLeft=1, eyeLookInRight=1)))
    _, up = someone.gaze(someone.posed(coefficients(eyeLookUpLeft=0.5)))
    assert np.allclose(ahead, [0, -1, 0], atol=1e-4)
    angle = np.radians(eyes.TURNS["Out"])
    assert np.allclose(left, [np.sin(angle), -np.cos(angle), 0], atol=1e-4)
    assert np.allclose(up[0, 0, 2], np.sin(np.radians(eyes.TURNS["Up"] / 2)), atol=1e-4)
    assert np.allclose(up[0, 1], ahead[0, 1], atol=1e-4)


def test_the_head_turns_by_the_degrees_asked_and_the_chest_stays(someone: Figure) -> None:
    pose = Pose(np.float32([25, 0, 0]), np.float32([0, 15, 0]), np.float32([0, 0, 10]), np.zeros((3, 3), np.float32))
    posed = someone.posed(np.repeat(coefficients(), 3, 0), pose)
    _, gaze = someone.gaze(posed)
    assert np.allclose(gaze[0, 0], [np.sin(np.radians(25)), -np.cos(np.radians(25)), 0], atol=1e-3)
    assert gaze[1, 0, 2] == pytest.approx(np.sin(np.radians(15)), abs=1e-3)
    centres, _ = someone.eye_frames(posed)
    across = centres[2, 0] - centres[2, 1]
    assert np.degrees(np.arctan2(-across[2], across[0])) == pytest.approx(10, abs=2)
    low = someone.rest[:, 2] < someone.body.joint(someone.rest, "neck")[2] - 0.15
    low[np.setdiff1d(np.arange(len(low)), someone.body.groups["body"])] = False
    assert np.abs(posed[:, low] - someone.rest[low]).max() < 1e-4


def test_units_of_both_sides_mirror_each_other_on_a_symmetrical_face(makehuman: Path) -> None:
    subject = figure(Person(seed=0), makehuman)
    names = load_subject("face").coefficients
    assert names is not None
    for unit, name in enumerate(names.names):
        if name.endswith("Left"):
            other = names.names.index(name.replace("Left", "Right"))
            mirrored = subject.units[other][subject.body.mirror] * [-1, 1, 1]
            skin = subject.body.groups["body"]
            assert np.abs(subject.units[unit] - mirrored)[skin].max() < 0.0006, name


def test_a_figure_is_handed_over_as_meshes_with_names_of_its_own(someone: Figure) -> None:
    made = things(someone, someone.posed(coefficients(jawOpen=0.5)), Material("skin"))
    names = [thing.name for thing in made]
    assert {"0.skin", "0.eye.left", "0.eye.right", "0.teeth.upper", "0.teeth.lower", "0.tongue"} <= set(names)
    for thing in made:
        assert thing.corners.max() < thing.vertices.shape[1]
        assert len(thing.corners) == thing.starts[-1]
        assert thing.uv is None or len(thing.uv) == len(thing.corners)


@pytest.mark.parametrize(
    "units",
    [{}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, {"jawOpen": 0.7, "mouthClose": 0.7}, {"mouthRollLower": 1.0}],
)
def test_lips_meet_unless_something_parts_them(makehuman: Path, units: dict[str, float]) -> None:
    for seed in SEEDS:
        subject = figure(Person.from_seed(seed), makehuman)
        gap, _, _ = mouth.lip_gap(subject.posed(coefficients(**units)), subject.lips)
        assert gap.max() < 0.0003
        assert gap.min() > -0.0015


def test_an_open_jaw_parts_the_lips_and_takes_the_lower_teeth_along(someone: Figure) -> None:
    posed = someone.posed(coefficients(jawOpen=1))
    gap, _, _ = mouth.lip_gap(posed, someone.lips)
    assert 0.02 < gap.max() < 0.05
    closed, opened = (
        {thing.name: thing.vertices[0, :, 2].mean() for thing in things(someone, shape, Material("skin"))}
        for shape in (someone.rest[None], posed)
    )
    assert opened["0.teeth.upper"] == pytest.approx(closed["0.teeth.upper"], abs=1e-4)
    assert opened["0.teeth.lower"] < closed["0.teeth.lower"] - 0.01
