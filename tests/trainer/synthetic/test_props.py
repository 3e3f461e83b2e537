"""Things in front of faces and worn things: where they are, when, and that they do not pass through the face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial import ConvexHull

from nodes.types import Float
from trainer.synthetic.people.body import Pose
from trainer.synthetic.people.face import follow_head, region_place
from trainer.synthetic.people.person import Figure, figure
from trainer.synthetic.people.traits import Person, Wardrobe
from trainer.synthetic.people.wear import clothes, fitted_glasses, glasses
from trainer.synthetic.props.things import Prop, prop_things
from trainer.synthetic.scene import Camera, Material, MeshThing, StrandThing, looking, project

RATE, FRAMES, SIZE = Fraction(10), 40, 256
SKIN = Material("skin")


@pytest.fixture(scope="module")
def performer(makehuman: Path) -> Figure:
    return figure(Person.from_seed(3, wardrobe=Wardrobe(glasses="square")), makehuman)


@pytest.fixture(scope="module")
def posed(performer: Figure) -> Float:
    """The head turns from 15 degrees right to 15 degrees left and tilts a little."""
    turn = np.linspace(-15, 15, FRAMES).astype(np.float32)
    pose = Pose(turn, 0.2 * turn, 0.3 * turn, np.zeros((FRAMES, 3), np.float32))
    return performer.posed(np.zeros((FRAMES, 52), np.float32), pose)


def camera(performer: Figure) -> Camera:
    middle = performer.body.joint(performer.rest, "mouth")
    return Camera(looking(middle + np.array([0, -1.2, 0.02]), middle), np.array([70.0]), np.array([1.2]))


def covered(things: list[MeshThing | StrandThing], frame: int, view: Camera) -> np.ndarray:
    """Draw which pixels of a frame the things cover."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for thing in things:
        points = thing.points if isinstance(thing, StrandThing) else thing.vertices
        flat = project(points[[min(frame, len(points) - 1)]].reshape(1, -1, 3), view, (SIZE, SIZE))[0, :, :2]
        if isinstance(thing, StrandThing):
            lines = flat.reshape(*points.shape[1:3], 2)
            cv2.polylines(mask, list(np.round(lines).astype(np.int32)), False, 1)
            continue
        for first, last in zip(thing.starts[:-1], thing.starts[1:], strict=True):
            cv2.fillConvexPoly(mask, np.round(flat[thing.corners[first:last]]).astype(np.int32), 1)
    return mask > 0


def at_region(performer: Figure, posed: Float, region: str, frame: int, view: Camera) -> tuple[int, int]:
    head = follow_head(performer, posed)
    place = head.to_world(region_place(performer, region)[None])[frame]  # type: ignore[arg-type]
    x, y, _ = project(place[None], view, (SIZE, SIZE))[0, 0]
    return round(float(x)), round(float(y))


@pytest.mark.parametrize(
    ("kind", "region"),
    [
        ("hand", "mouth"),
        ("hand", "left cheek"),
        ("hand", "right cheek"),
        ("hand", "forehead"),
        ("hand", "chin"),
        ("hand", "right eye"),
        ("microphone", "mouth"),
        ("glass", "mouth"),
        ("paper", "mouth"),
        ("strands", "left eye"),
        ("stick", "nose"),
        ("smoke", "mouth"),
    ],
)
def test_a_prop_covers_its_region_at_its_time(
    kind: str, region: str, performer: Figure, posed: Float, makehuman: Path
) -> None:
    path = "hold" if kind == "stick" else None
    prop = Prop(kind=kind, region=region, start=1.2, end=2.4, path=path)  # type: ignore[arg-type]
    things = prop_things(prop, performer, posed, RATE, SKIN, data=makehuman)
    view = camera(performer)
    near = 6 if kind == "strands" else 8 if kind in ("hand", "microphone") else 5
    for frame in (14, 20):
        x, y = at_region(performer, posed, region, frame, view)
        seen = covered(things, frame, view)[y - near : y + near + 1, x - near : x + near + 1]
        assert seen.mean() > (0.1 if kind in ("strands", "stick") or "eye" in region else 0.3), frame
    x, y = at_region(performer, posed, region, 0, view)
    if kind not in ("strands", "smoke"):  # hair is there all the time
        assert not covered(things, 0, view)[y - 3 : y + 4, x - 3 : x + 4].any()


def test_a_crossing_hand_passes_before_the_face(performer: Figure, posed: Float, makehuman: Path) -> None:
    prop = Prop(kind="hand", path="cross", region="nose", start=1, end=3)
    hand = prop_things(prop, performer, posed, RATE, SKIN, data=makehuman)[0]
    assert isinstance(hand, MeshThing)
    fingers = hand.vertices[..., 2].argmax(1)
    x = hand.vertices[np.arange(FRAMES), fingers, 0]
    assert x[11] > 0.1 > -0.1 > x[28]
    assert hand.vertices[20, :, 1].max() > follow_head(performer, posed).face[20, :, 1].min()  # the arm reaches back


@pytest.mark.parametrize(
    "region", ["mouth", "left cheek", "right cheek", "forehead", "chin", "left eye", "nose", "eyes"]
)
def test_a_hand_touches_and_does_not_stab(region: str, performer: Figure, posed: Float, makehuman: Path) -> None:
    prop = Prop(kind="hand", region=region, start=1.2, end=2.4)  # type: ignore[arg-type]
    hand = prop_things(prop, performer, posed, RATE, SKIN, data=makehuman)[0]
    assert isinstance(hand, MeshThing)
    head = follow_head(performer, posed)
    local = np.einsum("tji,tnj->tni", head.rotation.as_matrix(), hand.vertices - head.place[:, None])
    out = region_place(performer, region) - performer.body.joint(performer.rest, "head")  # type: ignore[arg-type]
    outward = np.array([0, -1.0, 0]) if "cheek" not in region else out / np.linalg.norm(out) * [1, 1, 0]
    for frame in range(FRAMES):
        near = local[frame][np.linalg.norm(local[frame] - region_place(performer, region), axis=1) < 0.1]  # type: ignore[arg-type]
        gap = head.clearance(frame, near, outward / np.linalg.norm(outward)) if len(near) else np.inf
        assert gap > -0.008  # on its way too
        assert gap < 0.014 or not 12 <= frame <= 24


def test_the_same_seed_gives_the_same_prop(performer: Figure, posed: Float, makehuman: Path) -> None:
    for kind in ("hand", "smoke", "strands"):
        prop = Prop(kind=kind, end=2, seed=5)  # type: ignore[arg-type]
        one, other = (prop_things(prop, performer, posed, RATE, SKIN, data=makehuman) for _ in range(2))
        for a, b in zip(one, other, strict=True):
            points = "points" if isinstance(a, StrandThing) else "vertices"
            assert np.array_equal(getattr(a, points), getattr(b, points))


def test_all_things_are_named_for_cryptomatte(performer: Figure, posed: Float, makehuman: Path) -> None:
    names = {
        thing.name
        for kind in ("hand", "microphone", "glass", "paper", "strands", "stick", "smoke")
        for thing in prop_things(Prop(kind=kind, end=2), performer, posed[:5], RATE, SKIN, data=makehuman)  # type: ignore[arg-type]
    }
    assert {"0.front.hand", "0.front.sleeve", "0.front.glass", "0.front.paper", "0.front.strands"} <= names
    assert all(name.startswith("0.front.") for name in names)
    assert [thing.name for thing in clothes(performer, posed[:2])] == ["0.cloth"]
    assert [thing.name for thing in glasses(performer, posed[:2])] == ["0.glasses.frame", "0.glasses.lenses"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "hand", "start": 2, "end": 1}, "ends at 1 s, before its start at 2 s"),
        ({"kind": "paper", "end": 1, "path": "touch"}, "the path of 'paper' is hold or cross, not touch"),
        ({"kind": "banana", "end": 1}, "kind"),
        ({"kind": "hand", "end": 1, "region": "ear"}, "region"),
    ],
)
def test_a_prop_that_makes_no_sense_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Prop.model_validate(given)


@pytest.mark.parametrize("seed", [1, 2, 4, 6])
@pytest.mark.parametrize("style", ["round", "square", "thin", "sun"])
def test_glasses_sit_on_the_nose_before_the_eyes_and_outside_of_the_head(
    seed: int, style: str, makehuman: Path
) -> None:
    person = figure(Person.from_seed(seed), makehuman)
    frame, lenses = fitted_glasses(person, style)  # type: ignore[arg-type]
    for ball in person.balls:
        beside = np.linalg.norm((lenses.vertices - ball.centre)[:, [0, 2]], axis=1)
        lens = lenses.vertices[beside < 0.009]
        assert len(lens)  # in front of each pupil
        assert 0.008 < (ball.centre[1] - ball.radius) - lens[:, 1].mean() < 0.035
    rest = person.rest
    skin = person.body.groups["body"]
    head = skin[(person.body.bones["head"][skin] > 0.9) & (rest[skin, 1] > person.balls[0].centre[1])]
    hull = ConvexHull(rest[head])
    temples = frame.vertices[(frame.vertices[:, 1] > person.balls[0].centre[1] + 0.01)]
    depth = (temples @ hull.equations[:, :3].T + hull.equations[:, 3]).max(1)
    assert np.percentile(depth, 20) > -0.03  # along the head, not through it
    assert np.abs(temples[:, 0]).min() > 0.045
    nose = frame.vertices[np.abs(frame.vertices[:, 0]) < 0.003]
    gap = np.abs(nose[:, 1].max() - rest[skin][np.abs(rest[skin, 0]) < 0.004][:, 1]).min()
    assert gap < 0.012


def test_clothes_lie_outside_of_the_skin(performer: Figure, posed: Float) -> None:
    cloth = clothes(performer, posed[:3])[0]
    neck = performer.body.joint(performer.rest, "neck")
    skin = performer.body.groups["body"]
    for frame in range(3):
        chest = posed[frame, skin]
        chest = chest[(chest[:, 2] < neck[2] - 0.08) & (chest[:, 2] > neck[2] - 0.2) & (np.abs(chest[:, 0]) < 0.08)]
        front = cloth.vertices[frame][np.abs(cloth.vertices[frame, :, 0]) < 0.1]
        assert front[(front[:, 2] < neck[2] - 0.08)][:, 1].min() < chest[:, 1].min() - 0.003
