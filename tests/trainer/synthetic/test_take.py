"""A take becomes footage with truth beside it, the same each time, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import PyOpenColorIO as ocio
import pytest
from pydantic import ValidationError

from nodes.errors import SchemaError, UsageError
from nodes.footage.footage import open_footage
from trainer.synthetic.make import load_take, make_take
from trainer.synthetic.people.person import Person
from trainer.synthetic.picture import displayed, eight_bits, grained
from trainer.synthetic.render import Passes
from trainer.synthetic.suite import CUTS, SWAPS, make_set, people, takes
from trainer.synthetic.take import Actor, Delivery, Lens, Spoken, Take, camera_of
from trainer.synthetic.truth.truth import read_truth

ACTING = Spoken(text="0s turn left 15 over 0.1s\n0s smile 0.8 over 0.1s")


@pytest.fixture(autouse=True)
def own_assets(renderer: Path, makehuman: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_BPY50", str(renderer))
        patch.setenv("FACEPLATE_MAKEHUMAN", str(makehuman))
        yield


def take(**fields: object) -> Take:
    usual = {"name": "short", "frames": 2, "size": (96, 96), "samples": 1, "rate": Fraction(30000, 1001)}
    return Take.model_validate({**usual, "cast": (Actor(person=Person.from_seed(3), acting=ACTING),), **fields})


@pytest.mark.slow
def test_a_take_becomes_footage_with_its_truth_and_is_made_once(tmp_path: Path) -> None:
    plate = make_take(take(), tmp_path)
    with open_footage(plate) as footage:
        assert (footage.info.width, footage.info.height, footage.info.frames) == (96, 96, 2)
        assert footage.info.rate == Fraction(30000, 1001)
    truth = read_truth(tmp_path / "truth.npz")
    assert truth.landmarks.shape == (1, 2, 478, 3)
    middle = truth.landmarks[0, :, :468, :2].mean(1)
    assert (np.abs(middle - 48) < 15).all()
    passes = Passes(tmp_path / "frames" / "0001.exr")
    assert 0.1 < passes.matte("0.skin").mean() < 0.6
    assert passes.matte("0.hair").any()
    assert passes.light.shape == (96, 96, 3)
    assert passes.light.max() > 0.05
    assert load_take(tmp_path) == take()
    made = plate.stat().st_mtime_ns
    assert make_take(take(), tmp_path) == plate
    assert plate.stat().st_mtime_ns == made
    make_take(take(delivery=Delivery(stops=-2)), tmp_path)
    assert plate.stat().st_mtime_ns != made


@pytest.mark.slow
def test_linear_frames_keep_their_light_and_say_their_colours(tmp_path: Path) -> None:
    plate = make_take(take(frames=1, delivery=Delivery(kind="exr")), tmp_path)
    source = oiio.ImageInput.open(str(plate).replace("%04d", "0000"))
    assert source.spec().getattribute("chromaticities")[:2] == pytest.approx((0.713, 0.293))
    seen = source.read_image("float")
    config = ocio.Config.CreateFromBuiltinConfig("studio-config-latest")
    config.getProcessor("ACEScg", "Linear Rec.709 (sRGB)").getDefaultCPUProcessor().applyRGB(seen)
    rendered = Passes(tmp_path / "frames" / "0000.exr").rgb
    inside = rendered.min(-1) > 0.01
    assert np.abs(seen[inside] / rendered[inside] - 1).max() < 0.01


def test_a_take_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="somebody to act"):
        take(cast=())
    (tmp_path / "take.json").write_text('{"schema": "faceplate.take/1", "name": "no", "frames": 0, "cast": []}')
    with pytest.raises(SchemaError, match="frames"):
        load_take(tmp_path)


def test_a_document_says_of_a_person_what_matters_and_the_seed_the_rest() -> None:
    told = {"seed": 7, "age": 61.0, "hair": {"cut": "bob"}}
    person = take(cast=({"person": told, "acting": ACTING},)).cast[0].person
    drawn = Person.from_seed(7, age=61.0)
    assert person.hair == drawn.hair.model_copy(update={"cut": "bob"})
    assert person.model_copy(update={"hair": drawn.hair}) == drawn
    assert Take.model_validate_json(take().model_dump_json(by_alias=True)) == take()


def test_the_camera_frames_the_head_as_asked() -> None:
    eyes = np.array([0.0, -0.1, 1.6], np.float32)
    for focal in (35.0, 85.0):
        camera = camera_of(take(lens=Lens(focal=focal, face=0.5)), eyes)
        height = 0.24 * focal / 36 * 96 / np.linalg.norm(camera.matrices[0, :3, 3] - eyes)
        assert height == pytest.approx(48, rel=1e-3)
    right = camera_of(take(lens=Lens(around=30)), eyes).matrices[0, :3, 3] - eyes
    assert right[0] > 0 > right[1]
    moved = camera_of(take(frames=24, lens=Lens(move="push", amount=1)), eyes).matrices[:, :3, 3]
    assert np.linalg.norm(moved[-1] - eyes) < 0.6 * np.linalg.norm(moved[0] - eyes)


def test_grain_and_exposure() -> None:
    grey = np.full((64, 64, 3), 0.18, np.float32)
    assert np.array_equal(grained(grey, 1, 5), grained(grey, 1, 5))
    assert 0.015 < grained(displayed(grey), 1, 5).std() < 0.04
    assert displayed(grey, 1).mean() > displayed(grey).mean()
    assert eight_bits(displayed(np.full((2, 2, 3), 40, np.float32))).max() <= 255


def test_the_set_has_twelve_takes_of_eight_people() -> None:
    named = {t.name: t for t in takes()}
    assert len(named) == 12
    assert len(people()) == 8
    shown = {actor.person.seed for t in named.values() for actor in t.cast}
    assert shown == {person.seed for person in people().values()}
    assert {swap.plate for swap in SWAPS} | {swap.source for swap in SWAPS} <= set(named)
    assert all(part in named for parts in CUTS.values() for part in parts)
    assert {float(t.rate) for t in named.values()} >= {24.0, 25.0, 60.0}


def test_a_take_that_the_set_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no take 'clam'.*calm"):
        make_set(tmp_path, only=("clam",))
    assert not list(tmp_path.iterdir())
