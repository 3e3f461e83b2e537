"""Things in front of a face: hands, a microphone, a drinking glass, a sheet of paper, strands of hair, sticks and smoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from trainer.synthetic.acting.cues import smooth_step
from trainer.synthetic.assets import makehuman
from trainer.synthetic.people.face import HeadMotion, Region, follow_head, region_place
from trainer.synthetic.people.person import Figure
from trainer.synthetic.people.traits import generator
from trainer.synthetic.people.wear import bare_faces, sleeve
from trainer.synthetic.props.arm import (
    Arm,
    Grip,
    Side,
    gripping,
    hand_rotation,
    holding_rotation,
    reach,
    take_arm,
)
from trainer.synthetic.scene import Material, MeshThing, StrandThing, quads
from trainer.synthetic.shapes import Array, Shape, grid, tube, turned

Thing = MeshThing | StrandThing
Kind = Literal["hand", "microphone", "glass", "paper", "strands", "stick", "smoke"]
Motion = Literal["touch", "cross", "hold"]
_PATHS: dict[Kind, tuple[Motion, ...]] = {
    "hand": ("touch", "cross"),
    "microphone": ("hold",),
    "glass": ("touch",),
    "paper": ("hold", "cross"),
    "strands": ("hold",),
    "stick": ("cross", "hold"),
    "smoke": ("hold",),
}
COMING = 0.6  # seconds in which a thing comes into place before its start, and leaves after its end
_AWAY = np.array([0.16, -0.16, -0.42])  # metres from its place to where a thing of the left hand comes from
_ARC = 0.07  # metres that the way bends forward, so that nothing passes through the chin
_PRESSED = 0.0015  # metres that a touching hand sinks in


class Prop(BaseModel):
    """A thing in front of a face.

    start, end: seconds between which it is in place. region: of the face that it covers. path: touch, cross (pass from one
    side to the other) or hold; by default the first that the kind has. side: the hand that does it, or the side that it comes from;
    by default the region's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    start: float = Field(0.0, ge=0)
    end: float = Field(gt=0)
    region: Region = "mouth"
    path: Motion | None = None
    side: Side | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"ends at {self.end:g} s, before its start at {self.start:g} s")
        if self.path and self.path not in _PATHS[self.kind]:
            raise ValueError(f"the path of '{self.kind}' is {' or '.join(_PATHS[self.kind])}, not {self.path}")
        return self


@dataclass(frozen=True)
class _Take:
    """All that the builders share. times: [T], seconds. presence: [T], 0 away to 1 in place. sign: 1 for the left side, -1 for the right."""

    prop: Prop
    figure: Figure
    posed: Array
    head: HeadMotion
    times: Array
    presence: Array
    skin: Material
    hair: Material
    random: np.random.Generator

    @property
    def side(self) -> Side:
        if self.prop.side:
            return self.prop.side
        return "right" if self.prop.region.startswith("right") else "left"

    @property
    def sign(self) -> float:
        return 1.0 if self.side == "left" else -1.0

    @property
    def name(self) -> str:
        return f"{self.figure.index}.front.{self.prop.kind}"

    @property
    def target(self) -> Array:
        return region_place(self.figure, self.prop.region)

    @property
    def phase(self) -> Array:
        """How much of the time from start to end has passed, [T], 0..1."""
        return np.clip((self.times - self.prop.start) / (self.prop.end - self.prop.start), 0, 1)

    def mirrored(self, *vector: float) -> Array:
        """Return a vector that is given for the left hand, for this one."""
        return np.array([self.sign * vector[0], *vector[1:]])

    def wander(self, size: float, slow: float = 0.7) -> Array:
        """Return small random motion [T, 3] of about `size` metres, over some times `slow` seconds."""
        waves = self.random.uniform(0, 2 * np.pi, (2, 3)), self.random.uniform(0.7, 1.4, (2, 3)) / slow
        angle = 2 * np.pi * self.times[:, None, None] * waves[1] + waves[0]
        return np.asarray(size * 0.7 * np.sin(angle).sum(1))


def prop_things(
    prop: Prop,
    figure: Figure,
    posed: Array,
    rate: Fraction,
    skin: Material,
    hair: Material | None = None,
    data: Path | None = None,
) -> list[Thing]:
    """Return what a prop consists of, as things named `N.front.KIND`, for posed vertices [T, V, 3].

    skin, hair: the person's own materials. data: MakeHuman's folder, fetched by default. The same seed gives the same things.
    """
    times = np.arange(len(posed)) / float(rate)
    presence = smooth_step((times - prop.start) / COMING + 1) * (1 - smooth_step((times - prop.end) / COMING))
    take = _Take(
        prop,
        figure,
        posed,
        follow_head(figure, posed),
        times,
        presence,
        skin,
        hair or Material("plain", {"colour": [0.03, 0.02, 0.015]}),
        generator(prop.seed, f"prop.{prop.kind}"),
    )
    return _BUILDERS[prop.kind](take, data or makehuman())


# For a left hand in the head's axes (x to the left, y to the back, z up): the grip, where its fingers and its palm point, from
# where it comes onto the face, and the part of it that touches.
_TOUCHES: dict[str, tuple[Grip, Array, Array, Array, str]] = {
    "mouth": ("cup", np.array([-0.75, 0.1, 0.6]), np.array([0.15, 1, 0.1]), np.array([0, -1, 0]), "fingers"),
    "nose": ("point", np.array([-0.75, 0.5, 0.4]), np.array([0.1, 0.5, -0.8]), np.array([0.1, -1, 0]), "index"),
    "chin": ("cup", np.array([-0.75, 0.1, 0.45]), np.array([0.1, 0.9, 0.4]), np.array([0, -0.9, -0.4]), "fingers"),
    "forehead": ("cup", np.array([-0.8, 0.1, 0.5]), np.array([0.1, 1, -0.1]), np.array([0, -1, 0.1]), "fingers"),
    "eyes": ("cup", np.array([-0.95, 0.05, 0.25]), np.array([0, 1, 0]), np.array([0, -1, 0]), "fingers"),
    "eye": ("point", np.array([-0.6, 0.55, 0.55]), np.array([0.2, 0.6, -0.7]), np.array([0.25, -1, 0]), "index"),
    "cheek": ("cup", np.array([-0.2, 0.2, 1]), np.array([-0.7, 0.7, 0]), np.array([0.6, -0.8, 0]), "tips"),
    "other cheek": (
        "cup",
        np.array([-0.85, 0.25, 0.5]),
        np.array([0.35, 0.9, 0.1]),
        np.array([-0.5, -0.85, 0]),
        "tips",
    ),
}
_ANCHORS = {
    "fingers": ("31", "32", "42", "22"),
    "index": ("24",),
    "tips": ("23", "33", "34", "43"),
    "palm": ("hand", "31", "31", "41"),
}


def _hand(take: _Take, data: Path) -> list[Thing]:
    arm = _arm(take, data)
    if take.prop.path == "cross":
        return _crossing_hand(take, arm)
    region = take.prop.region.split(" ")[-1]
    if take.prop.region.endswith("cheek") and not take.prop.region.startswith(take.side):
        region = "other cheek"
    grip, along, palm, outward, part = _TOUCHES[region]
    along, palm, outward = (take.mirrored(*vector) for vector in (along, palm, outward))
    outward = outward / np.linalg.norm(outward)
    fingers, joints = gripping(arm, grip, looseness=float(take.random.uniform(-4, 4)))
    tilt = Rotation.from_rotvec(np.radians(take.random.normal(0, 5, 3)))
    local = tilt * hand_rotation(arm, along[None], palm[None])
    anchor = np.mean([joints[name] for name in _ANCHORS[part]], 0)
    wrist = take.target - local.apply(anchor - arm.joints["hand"])[0]
    hand = _hand_points(arm, fingers, local) + wrist
    rubbing = (
        take.mirrored(1, 0, 1) * (0.005 if part == "index" else 0.002) * np.sin(2 * np.pi * 1.7 * take.times)[:, None]
    )
    wander = take.wander(0.002) + rubbing
    wrist = wrist + wander + outward * _touch(take, hand, wander, outward)[:, None]
    return _armed(take, arm, fingers, take.head.rotation * _repeated(local, len(take.times)), _come(take, wrist))


def _crossing_hand(take: _Take, arm: Arm) -> list[Thing]:
    fingers, joints = gripping(arm, "flat" if take.random.random() < 0.6 else "rest")
    swing = 14 * np.sin(2 * np.pi * 2.2 * take.times) * take.presence
    tilt = Rotation.from_rotvec(np.radians(-take.sign * (8 + swing))[:, None] * [0, 1, 0])
    local = tilt * hand_rotation(arm, take.mirrored(-0.1, -0.05, 1)[None], take.mirrored(-0.1, -1, 0)[None])
    distance = float(take.random.uniform(0.05, 0.1))
    middle = take.target.copy()
    middle[1] = take.head.face[..., 1].min() - distance
    across = take.sign * (0.26 - 0.52 * take.phase)
    anchor = np.mean([joints[name] for name in _ANCHORS["palm"]], 0) - arm.joints["hand"]
    wrist = middle + across[:, None] * np.array([1, 0, 0]) + take.wander(0.006) - local.apply(anchor)
    return _armed(take, arm, fingers, take.head.rotation * local, _come(take, wrist))


def _microphone(take: _Take, data: Path) -> list[Thing]:
    arm = _arm(take, data)
    fingers, joints = gripping(arm, "hold")
    axis = take.mirrored(-0.15, 0.55, 0.8)
    axis = axis / np.linalg.norm(axis)
    local = holding_rotation(arm, axis[None], take.mirrored(-0.45, 0.85, 0)[None])
    head = take.target + np.array([0, -0.012, -0.012])
    head[1] = take.head.face[0][np.abs(take.head.face[0][:, 2] - head[2]) < 0.012, 1].min() - 0.04
    body = turned(
        np.array(
            [
                (0.0, -0.235),
                (0.0105, -0.235),
                (0.0115, -0.23),
                (0.0165, -0.06),
                (0.018, -0.035),
                (0.0185, -0.026),
                (0.0, -0.026),
            ]
        )
    )
    ball = turned(
        np.array(
            [
                (0.0185, -0.027),
                (0.0225, -0.022),
                (0.0258, -0.008),
                (0.026, 0.004),
                (0.0235, 0.015),
                (0.0165, 0.023),
                (0.008, 0.0262),
                (0.0, 0.027),
            ]
        ),
        32,
    )
    ring = turned(np.array([(0.0262, -0.0075), (0.0272, -0.006), (0.0272, -0.001), (0.0262, 0.0005)]), 32)
    head = head + take.wander(0.003)
    wrist = head - 0.105 * axis - local.apply(_inside(arm, joints, 0.021) - arm.joints["hand"])
    rotation = _repeated(_from_z(axis), len(take.times))
    parts = {
        "microphone.body": (body, Material("metal", {"colour": [0.03, 0.03, 0.033], "roughness": 0.4})),
        "microphone.ball": (ball, Material("metal", {"colour": [0.32, 0.32, 0.33], "roughness": 0.38, "mesh": 1.0})),
        "microphone.ring": (ring, Material("metal", {"colour": [0.6, 0.6, 0.62], "roughness": 0.2})),
    }
    placed = _come(take, np.stack([wrist, head]))
    things = _armed(take, arm, fingers, take.head.rotation * _repeated(local, len(take.times)), placed[0])
    return things + [
        _rigid(take, name, shape, material, rotation, placed[1]) for name, (shape, material) in parts.items()
    ]


def _glass(take: _Take, data: Path) -> list[Thing]:
    arm = _arm(take, data)
    fingers, joints = gripping(arm, "hold", looseness=16)
    radius, height, wall = 0.033, float(take.random.uniform(0.095, 0.12)), 0.0018
    profile = [
        (0, 0),
        (radius * 0.86, 0),
        (radius * 0.88, 0.002),
        (radius, height - 0.001),
        (radius - wall / 2, height),
    ]
    profile += [(radius - wall, height - 0.001), (radius * 0.88 - wall, 0.008), (0, 0.007)]
    lip = take.target + np.array([0, 0.0, -0.004])
    lip[1] = take.head.face[0][np.linalg.norm(take.head.face[0][:, [0, 2]] - lip[[0, 2]], axis=1) < 0.01, 1].min()
    # Upright when it comes, tipped over the nearest point of the rim while the person drinks.
    tip = np.radians(18 + 52 * take.presence)
    axis = np.stack([np.zeros_like(tip), np.sin(tip), np.cos(tip)], 1)
    up = np.stack([np.zeros_like(tip), -np.cos(tip), np.sin(tip)], 1)
    base = lip + 0.003 * np.array([0, -1, 0]) - height * axis + radius * up
    local = holding_rotation(arm, axis, np.broadcast_to(take.mirrored(-0.8, 0.3, 0), axis.shape))
    wrist = base + 0.4 * height * axis - local.apply(_inside(arm, joints, radius + 0.004) - arm.joints["hand"])
    placed = _come(take, np.stack([wrist, base + take.wander(0.0005)]))
    rotation = Rotation.from_rotvec(-tip[:, None] * [1, 0, 0])
    material = Material("glass", {"tint": [0.97, 0.99, 0.98], "thin": 0.0})
    things = _armed(take, arm, fingers, take.head.rotation * local, placed[0])
    return [*things, _rigid(take, "glass", turned(np.array(profile), 48), material, rotation, placed[1])]


def _paper(take: _Take, data: Path) -> list[Thing]:
    arm = _arm(take, data)
    fingers, joints = gripping(arm, "pinch")
    width, height = 0.21, 0.297
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, 22), np.linspace(-0.5, 0.5, 30))
    bend = float(take.random.uniform(0.02, 0.04)) * (1 - (2 * u) ** 2) + 0.01 * np.sin(2.5 * v + u)
    page = grid(np.stack([u * width, bend, v * height], -1))
    page = page._replace(uv=page.uv / np.array([width, height], np.float32))
    distance = float(take.random.uniform(0.09, 0.14))
    middle = take.target + np.array([0, 0, 0.03 - height / 2])
    middle[1] = take.head.face[0, :, 1].min() - distance
    across = np.zeros(len(take.times))
    if take.prop.path == "cross":
        across = take.sign * (0.3 - 0.6 * take.phase)
        middle[2] = take.target[2]
    local = Rotation.from_euler("xyz", take.random.normal((-12, 0, 0), (3, 4, 6)), degrees=True)
    centre = middle + across[:, None] * np.array([1, 0, 0]) + take.wander(0.004)
    corner = local.apply(take.mirrored(0.3 * width, 0.012, -0.47 * height))
    hand = hand_rotation(arm, take.mirrored(-0.45, -0.35, 0.8)[None], take.mirrored(-0.75, -0.35, -0.4)[None])
    pinched = (joints["24"] + joints["14"]) / 2 - arm.joints["hand"]
    placed = _come(take, np.stack([centre + corner - hand.apply(pinched), centre]))
    things = _armed(take, arm, fingers, take.head.rotation * _repeated(hand, len(take.times)), placed[0])
    material = Material("paper", {"colour": [0.8, 0.79, 0.75]}, {"print": _print(take.random)})
    return [*things, _rigid(take, "paper", page, material, _repeated(local, len(take.times)), placed[1])]


def _print(random: np.random.Generator) -> Array:
    """Draw lines of words on a page [H, W], 1 where there is no ink: no letters, but what letters look like from afar."""
    page = np.ones((420, 297), np.float32)
    for top in range(40, 380, 12):
        if random.random() < 0.12:
            continue
        x, end = 30, 297 - 30 - (int(random.integers(0, 150)) if random.random() < 0.25 else 0)
        while x < end:
            word = int(random.integers(5, 24))
            page[top : top + 5, x : min(x + word, end)] = random.uniform(
                0.15, 0.9, (5, len(range(x, min(x + word, end))))
            )
            x += word + 4
    return page


def _strands(take: _Take, _: Path) -> list[Thing]:
    """Let strands of hair fall from above the forehead over the region, close to the skin, and sway a little."""
    count, points = int(take.random.integers(90, 160)), 24
    target, forehead = take.target, region_place(take.figure, "forehead")
    top = forehead + np.array([0.35 * (target[0] - forehead[0]) + take.sign * 0.012, 0.03, 0.055])
    down = np.linspace(0, 1, points)
    end = target + np.array([take.sign * 0.006, 0, -0.035 - 0.03 * take.random.random()])
    roots = top + take.random.normal(0, (0.006, 0.002, 0.003), (count, 3))
    ends = end + take.random.normal(0, (0.009, 0.0, 0.012), (count, 3))
    bow = 0.006 * take.sign * np.sin(np.pi * down)[None, :, None] * np.array([1, 0, 0])
    lines = roots[:, None] + down[:, None] * (ends - roots)[:, None] + bow
    lines += np.cumsum(take.random.normal(0, (0.0004, 0, 0), (count, points, 3)), 1)
    outward = np.array([0, -1.0, 0])
    heights = take.head.heights(0, lines.reshape(-1, 3), outward).reshape(count, points)
    heights = np.where(np.isfinite(heights), heights, -np.inf)
    # Hair does not follow every hollow: it hangs from what stands out above and below.
    stood = gaussian_filter1d(maximum_filter1d(heights, 5, axis=1), 1.5, axis=1, mode="nearest")
    away = np.abs(take.random.normal(0.004, 0.002, (count, 1))) + 0.003 * down
    lines[..., 1] = np.minimum(np.where(np.isfinite(stood), -(stood + away), lines[..., 1]), lines[..., 1])
    sway = np.einsum("tc,k->tkc", take.wander(0.004, 1.2) * [1, 0.3, 0.1], down**2)
    moving = lines[None] + sway[:, None]
    visible = take.head.to_world(moving.reshape(len(sway), -1, 3)).reshape(moving.shape)
    radius = np.broadcast_to(np.linspace(7e-5, 3.5e-5, points), (count, points))
    return [StrandThing(take.name, visible.astype(np.float32), radius.astype(np.float32), take.hair)]


def _stick(take: _Take, _: Path) -> list[Thing]:
    length, radius = 0.7, float(take.random.uniform(0.003, 0.007))
    bends = np.cumsum(take.random.normal(0, 0.004, (12, 2)), 0)
    line = np.stack([bends[:, 0] - bends[6, 0], bends[:, 1] - bends[6, 1], np.linspace(-length / 2, length / 2, 12)], 1)
    stick = tube(line, np.linspace(1.1, 0.8, 12) * radius)
    slant = Rotation.from_euler("y", float(take.random.uniform(-50, 50)), degrees=True)
    middle = take.target.copy()
    middle[1] = take.head.face[0, :, 1].min() - float(take.random.uniform(0.02, 0.08))
    across = take.sign * (0.25 - 0.5 * take.phase) if take.prop.path != "hold" else np.zeros(len(take.times))
    place = _come(take, middle + across[:, None] * np.array([1, 0, 0]) + take.wander(0.004))
    colours = ([0.12, 0.07, 0.035], [0.3, 0.2, 0.1], [0.03, 0.03, 0.03], [0.25, 0.05, 0.03])
    material = Material("plain", {"colour": colours[int(take.random.integers(4))], "roughness": 0.6})
    vertices = slant.apply(stick.vertices)[None] + place[:, None]
    return [stick.thing(take.name, material, vertices)]


def _smoke(take: _Take, _: Path) -> list[Thing]:
    """Let billows rise before the face: soft, half transparent sheets that face the front, grow and thin out."""
    things: list[Thing] = []
    front = take.head.face[0, :, 1].min()
    life, count = 2.4, max(3, round((take.prop.end - take.prop.start + 2.4) * 2.4))
    births = np.linspace(take.prop.start - life, take.prop.end - 0.2 * life, count)
    sheet = grid(np.stack(np.meshgrid([-0.5, 0.5], [0.0], [-0.5, 0.5], indexing="ij"), -1)[:, 0])
    sheet = sheet._replace(uv=sheet.uv / sheet.uv.max())
    for number, birth in enumerate(births):
        age = (take.times - birth) / life
        density = np.clip(np.minimum(age / 0.25, (1 - age) / 0.6), 0, 1) * take.presence
        start = take.target + take.random.normal((0, -0.05, -0.12), (0.035, 0.02, 0.02))
        start[1] = front - abs(take.random.normal(0.045, 0.02)) - 0.001 * number
        drift = np.array([take.random.normal(0, 0.03), -0.01, float(take.random.uniform(0.1, 0.17))])
        size = (0.12 + 0.16 * np.clip(age, 0, 1)) * (density > 0)  # unseen sheets would still count as layers
        angle = take.random.uniform(0, 2 * np.pi) + take.random.normal(0, 0.5) * age
        turn = Rotation.from_rotvec(angle[:, None] * [0, 1, 0])
        vertices = np.einsum("tij,vj->tvi", turn.as_matrix(), sheet.vertices) * size[:, None, None]
        vertices = vertices + (start + age[:, None] * drift)[:, None]
        material = Material(
            "smoke", {"colour": [0.75, 0.76, 0.78]}, {"density": _billow(take.random)}, {"density": density * 0.75}
        )
        things.append(sheet.thing(f"{take.name}.{number}", material, vertices))
    return things


def _billow(random: np.random.Generator, size: int = 128) -> Array:
    """Draw a soft cloud [size, size], 0..1, that ends before its borders: noise over several octaves within a round fall-off."""
    total = np.zeros((size, size))
    for octave in range(2, 6):
        cells = 2**octave
        grain = np.fft.fft2(random.normal(0, 1, (size, size)))
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size))
        band = np.fft.ifft2(grain * np.exp(-((frequency / cells) ** 2) * 2)).real
        total += band / band.std() / octave**1.3
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    falloff = smooth_step((1 - np.hypot(x, y)) / 0.75)
    cloud: Array = np.clip(falloff * (0.45 + 0.5 * total / np.abs(total).max()) * 1.4, 0, 1)
    return cloud.astype(np.float32)


def _arm(take: _Take, data: Path) -> Arm:
    body, person = take.figure.body, take.figure.person
    spread = body.vertices + body.morph(person.macros) + body.morph(person.details)
    return take_arm(body, spread, data, take.side)


def _hand_points(arm: Arm, fingers: dict[str, Array], rotation: Rotation) -> Array:
    """Return the vertices of hand and fingers [N, 3], turned about the wrist's joint."""
    wrist = np.zeros((1, 3))
    posed = reach(arm, fingers, rotation, wrist, wrist - arm.along * 0.4, np.array([0.3, 0.2, -1]))[0]
    return np.asarray(posed[arm.weights[3:].sum(0) > 0.7])


def _touch(take: _Take, hand: Array, wander: Array, outward: Array) -> Array:
    """Compute how far [T] the hand's points [N, 3], moved by `wander` [T, 3], go outward to lie on the face in every frame."""
    shifts = np.full(len(take.times), np.nan)
    for frame in np.flatnonzero(take.presence > 0.02):
        shifts[frame] = -take.head.clearance(int(frame), hand + wander[frame], outward)
    near = np.flatnonzero(np.isfinite(shifts))
    if not len(near):
        return np.zeros(len(take.times))
    shifts = np.interp(np.arange(len(shifts)), near, shifts[near])
    return np.asarray(gaussian_filter1d(maximum_filter1d(shifts, 3), 1.0, mode="nearest") - _PRESSED)


def _inside(arm: Arm, joints: dict[str, Array], radius: float) -> Array:
    """Return where the axis of a held stick passes through the fist."""
    knuckles = (arm.joints["31"] + arm.joints["41"]) / 2
    return np.asarray(knuckles + (radius + 0.011) * arm.palm - 0.004 * arm.along)


def _come(take: _Take, places: Array) -> Array:
    """Turn places [..., T, 3] at the head's axes into the world's, and come there from below on a bent way."""
    turn = take.head.rotation.as_matrix()
    world = np.einsum("tij,...tj->...ti", turn, places) + take.head.place
    gone = (1 - take.presence)[:, None]
    bump = np.sin(np.pi * take.presence)[:, None] * np.array([0, -_ARC, 0])
    return np.asarray(world + gone * take.mirrored(*_AWAY) + bump)


def _armed(take: _Take, arm: Arm, fingers: dict[str, Array], rotation: Rotation, wrist: Array) -> list[Thing]:
    """Return the hand with its arm, and the sleeve."""
    shoulder = take.figure.body.joint(take.posed, f"{take.side[0]}-shoulder")
    posed: Array = reach(arm, fingers, rotation, wrist, shoulder, take.mirrored(0.6, -0.1, -1))
    shown = bare_faces(take.figure, arm)
    corners, starts = quads(arm.faces[shown])
    uv = arm.uv[shown].reshape(-1, 2)
    hand = MeshThing(f"{take.figure.index}.front.hand", posed, corners, starts, take.skin, uv, 1)
    return [hand, sleeve(take.figure, arm, posed, f"{take.figure.index}.front.sleeve")]


def _rigid(take: _Take, name: str, shape: Shape, material: Material, local: Rotation, place: Array) -> Thing:
    turn = (take.head.rotation * local).as_matrix()
    vertices = np.einsum("tij,vj->tvi", turn, shape.vertices) + place[:, None]
    return shape.thing(f"{take.figure.index}.front.{name}", material, vertices)


def _repeated(rotation: Rotation, count: int) -> Rotation:
    return Rotation.from_matrix(np.broadcast_to(rotation.as_matrix().reshape(-1, 3, 3)[:1], (count, 3, 3)))


def _from_z(axis: Array) -> Rotation:
    return Rotation.align_vectors(axis[None], np.array([[0, 0, 1.0]]))[0]


_BUILDERS: dict[Kind, Callable[[_Take, Path], list[Thing]]] = {
    "hand": _hand,
    "microphone": _microphone,
    "glass": _glass,
    "paper": _paper,
    "strands": _strands,
    "stick": _stick,
    "smoke": _smoke,
}
