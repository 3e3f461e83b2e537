"""A take: people who act before a camera in some place and light, as one document from which the same pictures come on any machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nodes.types import Float
from trainer.synthetic.acting.improvise import improvise
from trainer.synthetic.acting.performance import Acting, ActingDocument
from trainer.synthetic.acting.text import read_acting
from trainer.synthetic.people import hair, person, skin, wear
from trainer.synthetic.people.body import Pose
from trainer.synthetic.people.person import Figure, Person, figure
from trainer.synthetic.places import Place, place_image
from trainer.synthetic.props.things import Prop, prop_things
from trainer.synthetic.scene import Camera, Light, MeshThing, Scene, StrandThing, World, looking
from trainer.synthetic.shapes import Array

SCHEMA = "faceplate.take/1"
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
_HEAD = 0.24  # metres, of which `Lens.face` is the part of the picture's height


class _TakePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _merged(base: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told, and of the base what is not."""
    inner = {k: _merged(base[k], v) for k, v in told.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | told | inner


class Spoken(_TakePart):
    """Acting written as text, see `acting.text`."""

    kind: Literal["text"] = "text"
    text: str


class Improvised(_TakePart):
    """Random acting in the moods that are named; see `improvise`."""

    kind: Literal["random"] = "random"
    seed: int
    moods: tuple[str, ...] = ()
    strength: Unit = 1.0


class Recorded(_TakePart):
    """Curves that were measured or kept."""

    kind: Literal["recorded"] = "recorded"
    document: ActingDocument


class Actor(_TakePart):
    """A person in a take. place: metres to the right and to the back of the picture's middle. turned: degrees to the own left. props: things before the face."""

    person: Person
    acting: Annotated[Spoken | Improvised | Recorded, Field(discriminator="kind")]
    place: tuple[float, float] = (0.0, 0.0)
    turned: float = 0.0
    props: tuple[Prop, ...] = ()

    @field_validator("person", mode="before")
    @classmethod
    def _drawn(cls, told: Any) -> Any:
        """Draw from the seed what a document does not say about a person."""
        if not isinstance(told, dict) or not isinstance(told.get("seed"), int):
            return told
        first = {name: told[name] for name in ("age", "sex", "origin", "weight", "muscle") if name in told}
        return _merged(Person.from_seed(told["seed"], **first).model_dump(), told)


class Lens(_TakePart):
    """The camera. focal: mm on a film 36 mm wide. face: height of a head by that of the picture. around: degrees by which it stands to the right, seen by
    itself; height: metres above the eyes. aim: parts of the picture by which the head is off the middle. amount: strength of the move."""

    focal: Annotated[float, Field(ge=12, le=400)] = 85.0
    face: Annotated[float, Field(ge=0.02, le=2.0)] = 0.6
    around: float = 0.0
    height: float = 0.0
    aim: tuple[float, float] = (0.0, 0.0)
    fstop: Annotated[float, Field(gt=0.5, le=64)] | None = None
    move: Literal["still", "handheld", "push", "orbit", "pan"] = "still"
    amount: Unit = 0.5


class Lighting(_TakePart):
    """Key, fill and rim: side and height in degrees about the head (side: to the right of the picture), power in watts at 1.5 m, colour linear.

    moving: the key stays, goes round by 70 degrees, or flickers as a fire does.
    """

    side: float = 35.0
    height: float = 30.0
    power: Annotated[float, Field(ge=0.0)] = 30.0
    size: Annotated[float, Field(gt=0.0)] = 0.8
    colour: tuple[float, float, float] = (1.0, 0.95, 0.88)
    fill: Unit = 0.25
    rim: Annotated[float, Field(ge=0.0)] = 12.0
    rim_colour: tuple[float, float, float] = (0.9, 0.95, 1.0)
    around: Annotated[float, Field(ge=0.0)] = 0.7
    moving: Literal["still", "sweep", "fire"] = "still"


class Delivery(_TakePart):
    """The footage made of it: an H.264 movie of 8 bits at a constant rate factor, or half-float EXR files in ACEScg. grain: 1 is coarse."""

    kind: Literal["h264", "exr"] = "h264"
    crf: Annotated[int, Field(ge=0, le=51)] = 16
    grain: Annotated[float, Field(ge=0.0, le=3.0)] = 0.3
    stops: float = 0.0


class Take(_TakePart):
    """All that decides the pictures of a take. frames: how many; start: the frame of the acting with which it begins. shutter: part of a frame's time in which it is open. samples: light paths a pixel."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    seed: int = 0
    frames: Annotated[int, Field(ge=1, le=100_000)]
    start: Annotated[int, Field(ge=0)] = 0
    size: tuple[
        Annotated[int, Field(ge=64, le=8192, multiple_of=2)], Annotated[int, Field(ge=64, le=8192, multiple_of=2)]
    ] = (512, 512)
    rate: Fraction = Fraction(24)
    shutter: Unit = 0.5
    samples: Annotated[int, Field(ge=1, le=4096)] = 12
    cast: tuple[Actor, ...]
    lens: Lens = Lens()
    lighting: Lighting = Lighting()
    place: Place = "room"
    delivery: Delivery = Delivery()

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.cast:
            raise ValueError("a take needs somebody to act")
        return self

    def recast(self, *people: Person) -> Take:
        """Return the take with other people, who do what the first ones did: the true swap."""
        cast = tuple(c.model_copy(update={"person": p}) for c, p in zip(self.cast, people, strict=True))
        return self.model_copy(update={"cast": cast})


@dataclass(frozen=True)
class Player:
    """A person of a take as it is there. posed: [T, V, 3], in the person's own place. placed: 4 x 4, from there into the world."""

    figure: Figure
    acting: Acting
    posed: Float
    placed: Float


def acted(cast: Actor, take: Take) -> Acting:
    """Return the performance of a person over the frames of a take; one that is shorter stays as it ends."""
    told = cast.acting
    if isinstance(told, Spoken):
        acting = read_acting(told.text, take.rate)
    elif isinstance(told, Improvised):
        seconds = float((take.start + take.frames) / take.rate)
        acting = improvise(told.seed, seconds, take.rate, only=told.moods or None, strength=told.strength)
    else:
        acting = told.document.acting()
    rows = np.minimum(take.start + np.arange(take.frames), len(acting) - 1)
    moving = ("coefficients", "yaw", "pitch", "roll", "offset")
    return replace(acting, **{name: getattr(acting, name)[rows] for name in moving})


def players(take: Take) -> list[Player]:
    """Build and pose the people of a take."""
    there = []
    for number, cast in enumerate(take.cast):
        shape, acting = figure(cast.person, index=number), acted(cast, take)
        posed = shape.posed(acting.coefficients, Pose(acting.yaw, acting.pitch, acting.roll, acting.offset))
        angle = np.radians(cast.turned)
        placed = np.eye(4, dtype=np.float32)
        placed[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        placed[:2, 3] = cast.place
        there.append(Player(shape, acting, posed, placed))
    return there


def scene_of(take: Take, there: list[Player]) -> Scene:
    """Put people, things, light and camera together."""
    eyes = np.mean(
        [
            (p.figure.eye_frames(p.figure.rest[None])[0][0] @ p.placed[:3, :3].T + p.placed[:3, 3]).mean(0)
            for p in there
        ],
        0,
    )
    things: list[MeshThing | StrandThing] = []
    for cast, player in zip(take.cast, there, strict=True):
        shape, posed = player.figure, player.posed
        surface = replace(skin.material(shape.person, shape.body), curves=skin.strengths(player.acting.coefficients))
        built = [
            *person.things(shape, posed, surface),
            *hair.things(shape, posed, float(take.rate)),
            *wear.clothes(shape, posed),
            *wear.glasses(shape, posed),
            *(t for prop in cast.props for t in prop_things(prop, shape, posed, take.rate, surface)),
        ]
        things += [_placed(thing, player.placed) for thing in built]
    return Scene(
        frames=take.frames,
        size=take.size,
        rate=take.rate,
        camera=camera_of(take, eyes),
        lights=_lights(take, eyes),
        world=World(place_image(take.place, take.seed), take.lighting.around),
        things=tuple(things),
        shutter=take.shutter,
        samples=take.samples,
        seed=take.seed,
    )


def camera_of(take: Take, eyes: Float) -> Camera:
    """Return the camera, which looks at a point between the eyes of all, at rest."""
    lens, frames = take.lens, take.frames
    width, height = take.size
    high = 36 * height / width  # of the film, mm
    distance = lens.focal * _HEAD / (lens.face * high)
    random = np.random.default_rng([take.seed, 1])
    time = np.linspace(0, 1, frames) if lens.move != "still" else np.zeros(1)
    ease = time * time * (3 - 2 * time) - 0.5
    around, far, aim, roll = (
        np.full(len(time), lens.around),
        np.full(len(time), distance),
        np.zeros((len(time), 3)),
        np.zeros(len(time)),
    )
    per_picture = distance * 36 / lens.focal  # metres across the picture
    if lens.move == "orbit":
        around += 50 * lens.amount * ease
    elif lens.move == "push":
        far *= np.exp(-0.8 * lens.amount * ease)
    elif lens.move == "pan":
        aim[:, 0] += 0.5 * lens.amount * per_picture * ease
    elif lens.move == "handheld":
        sway = _sway(random, frames, float(take.rate), 4) * lens.amount
        aim[:, 0], aim[:, 2], roll = 0.03 * per_picture * sway[0], 0.03 * per_picture * sway[1], 1.2 * sway[2]
        far *= 1 + 0.02 * sway[3]
    angle = np.radians(around)
    away = np.stack([-np.sin(-angle), -np.cos(angle), np.full(len(angle), lens.height / max(distance, 1e-6))], 1)
    position = eyes + far[:, None] * away
    side = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))], 1)
    target = eyes + aim[:, :1] * side + aim[:, 2:] * np.array([0, 0, 1])
    target -= lens.aim[0] * per_picture * side + np.array([0, 0, lens.aim[1] * per_picture * height / width])
    focus = np.linalg.norm(position - eyes, axis=1)
    return Camera(
        looking(position, target, roll), np.array([lens.focal], np.float32), focus.astype(np.float32), lens.fstop
    )


def _lights(take: Take, eyes: Float) -> tuple[Light, ...]:
    light = take.lighting
    time = np.linspace(0, 1, take.frames) if light.moving != "still" else np.zeros(1)
    side = light.side + (70 * (time - 0.5) if light.moving == "sweep" else np.zeros(len(time)))
    power = np.full(len(time), light.power, np.float32)
    if light.moving == "fire":
        power *= np.exp(0.35 * _sway(np.random.default_rng([take.seed, 2]), take.frames, 3 * float(take.rate), 1)[0])

    def lamp(
        name: str, side: Array, height: float, power: Array, colour: tuple[float, float, float], size: float
    ) -> Light:
        turn, up = np.radians(side), np.radians(height)
        away = np.stack([np.sin(turn) * np.cos(up), -np.cos(turn) * np.cos(up), np.full(len(turn), np.sin(up))], 1)
        return Light(name, looking(eyes + 1.5 * away, eyes), power.astype(np.float32), colour, (size, size))

    fill = lamp("fill", -side, 10.0, light.fill * power, (1.0, 1.0, 1.0), 1.6)
    rim = lamp(
        "rim", np.array([180 - 35 * np.sign(light.side or 1)]), 35.0, np.array([light.rim]), light.rim_colour, 0.5
    )
    return lamp("key", side, light.height, power, light.colour, light.size), fill, rim


def _sway(random: np.random.Generator, frames: int, rate: float, count: int) -> Float:
    """Return slow noise of unit variance, [count, frames]: waves of 0.15 to 3 Hz, weaker the faster."""
    time = np.arange(frames) / rate
    frequencies = np.geomspace(0.15, 3, 12)
    phases = random.uniform(0, 2 * np.pi, (count, 12, 1))
    waves = np.sin(2 * np.pi * frequencies[:, None] * time + phases) / np.sqrt(frequencies)[:, None]
    return np.asarray(waves.sum(1) / np.sqrt((1 / frequencies).sum() / 2), np.float32)


def _placed(thing: MeshThing | StrandThing, placed: Float) -> MeshThing | StrandThing:
    """Move what was built in a person's own place into the world."""
    turn, at = placed[:3, :3].T, placed[:3, 3]
    if isinstance(thing, StrandThing):
        return replace(thing, points=thing.points @ turn + at)
    return replace(thing, vertices=thing.vertices @ turn + at)
