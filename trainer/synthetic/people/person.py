"""The body of a person that does not exist: its shape, how its face moves, and the meshes that Blender is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from nodes.subjects.subject import load_subject
from nodes.types import Float, Int
from trainer.synthetic.assets import makehuman
from trainer.synthetic.people import eyes, iris, mouth
from trainer.synthetic.people.body import Body, Pose, load_body, lower_arms, turn_head
from trainer.synthetic.people.eyes import Eyeball, LidGrid
from trainer.synthetic.people.traits import (
    Beard,
    Brows,
    Eyes,
    Hair,
    Makeup,
    Origin,
    Person,
    Skin,
    Teeth,
    Wardrobe,
    generator,
)
from trainer.synthetic.scene import Material, MeshThing, Value, quads

__all__ = [
    "Beard",
    "Brows",
    "Eyes",
    "Figure",
    "Hair",
    "Makeup",
    "Origin",
    "Person",
    "Skin",
    "Teeth",
    "Wardrobe",
    "figure",
    "generator",
    "things",
]

_SCALE = 1.05  # of all of MakeHuman's body, whose heads are small for their mouths and noses to be of average size
_BREAST = 0.3  # metres below the neck's joint at which the skin ends
_SPREAD = 0.02  # metres around a vertex over which units are scaled
# MakeHuman's units that are weaker than the landmarker's coefficients of real faces, and by how much.
_GAINS = {"browDown": 1.5, "eyeSquint": 1.3, "eyeWide": 1.4, "mouthFunnel": 1.3, "mouthPucker": 1.5, "noseSneer": 1.5}
_GAINS |= {"mouthLowerDown": 1.25, "mouthUpperUp": 1.25, "mouthFrown": 1.2}
_GRAIN = 0.005  # metres between the points that they are scaled by


@dataclass(frozen=True)
class Figure:
    """The body of a person. rest: [V, 3]. units: offsets of each coefficient at 1, [C, V, 3]. index: of the person in a shot, for names.

    linear: as units, without what the lids and eyeballs do, which is no straight line. balls, lids: of the left and the right eye.
    """

    person: Person
    body: Body
    rest: Float
    units: Float
    linear: Float
    balls: tuple[Eyeball, Eyeball]
    lids: tuple[LidGrid, LidGrid]
    lips: mouth.LipGrid
    index: int = 0

    def posed(self, coefficients: Float, pose: Pose | None = None) -> Float:
        """Return the vertices [T, V, 3] for coefficients [T, C] in 0..1 and the pose of the head; without one it is at rest."""
        vertices = self.expressed(coefficients)
        return turn_head(self.body, self.rest, vertices, pose) if pose else vertices

    def expressed(self, coefficients: Float) -> Float:
        """Return the vertices [T, V, 3] for coefficients [T, C], with the head at rest."""
        jaw, close = _column("jawOpen"), _column("mouthClose")
        coefficients = np.array(coefficients, np.float32)
        coefficients[:, close] = np.minimum(coefficients[:, close], coefficients[:, jaw])
        vertices = self.rest + np.tensordot(coefficients, self.linear, 1)
        for side, lids, ball in zip(eyes.SIDES, self.lids, self.balls, strict=True):
            look = {way: coefficients[:, _column(f"eyeLook{way}{side.title()}")] for way in eyes.TURNS}
            turns = eyes.gaze(look, side)
            members = self.body.groups[f"helper-{side[0]}-eye"]
            local = self.rest[members] - ball.centre
            vertices[:, members] = ball.centre + np.einsum("tij,vj->tvi", turns.as_matrix(), local)
            eyes.close_lids(vertices, coefficients[:, _column(f"eyeBlink{side.title()}")], turns, lids, ball)
        parted = np.max([coefficients[:, _column(name)] for name in mouth.PARTING], 0)
        sealed = coefficients[:, close] / np.maximum(coefficients[:, jaw], 0.05)
        mouth.close_lips(vertices, np.clip(parted / mouth.PARTED, 0, 1) * (1 - sealed), self.lips)
        return vertices.astype(np.float32)

    def eye_frames(self, posed: Float) -> tuple[Float, Float]:
        """Return the centres [T, 2, 3] and rotations [T, 2, 3, 3] of the left and the right eyeball from posed vertices [T, V, 3]."""
        centres, rotations = [], []
        for side, ball in zip(eyes.SIDES, self.balls, strict=True):
            members = self.body.groups[f"helper-{side[0]}-eye"]
            centre = posed[:, members].mean(1)
            local = self.rest[members] - ball.centre
            rotations.append(
                np.einsum("tvi,vj->tij", posed[:, members] - centre[:, None], local) @ np.linalg.inv(local.T @ local)
            )
            centres.append(centre)
        return np.stack(centres, 1), np.stack(rotations, 1)

    def gaze(self, posed: Float) -> tuple[Float, Float]:
        """Return the centres of the irises [T, 2, 3] and the directions of the gaze [T, 2, 3], left eye first, from posed vertices."""
        centres, rotations = self.eye_frames(posed)
        direction = -rotations[..., 1]
        depth = np.array([ball.radius * np.cos(ball.limbus) for ball in self.balls], np.float32)
        return centres + depth[:, None] * direction, direction


def _column(name: str) -> int:
    names = load_subject("face").coefficients
    return names.names.index(name) if names else 0


def figure(person: Person, data: Path | None = None, index: int = 0) -> Figure:
    """Shape the body of a person. data: MakeHuman's, fetched by default. index: of the person in a shot."""
    data = data or makehuman()
    body = load_body(data)
    shaped = np.float32(_SCALE) * (body.vertices + body.morph(person.macros) + body.morph(person.details))
    lids, lips = eyes.lid_grids(data), mouth.lip_grid(data)
    balls = tuple(
        eyes.eyeball(body, shaped, side, grid.grid, person.eyes.size)
        for side, grid in zip(eyes.SIDES, lids, strict=True)
    )
    for side, ball, grid, cover in zip(eyes.SIDES, balls, lids, person.eyes.cover, strict=True):
        eyes.rest_lid(shaped, 0.001 * cover, grid, ball)
        members = body.groups[f"helper-{side[0]}-eye"]
        local = body.vertices[members] - body.vertices[members].mean(0)
        shaped[members] = ball.centre + local * ball.radius / np.linalg.norm(local, axis=1).mean()
    linear = _units(body, shaped, lips)
    for side, grid in zip(("Left", "Right"), lids, strict=True):
        linear[_column(f"eyeBlink{side}"), grid.moved] = 0
        linear[:, body.groups[f"helper-{side[0].lower()}-eye"]] = 0
    still = np.zeros((1, len(linear)), np.float32)
    rest = Figure(person, body, lower_arms(body, shaped), linear, linear, (balls[0], balls[1]), lids, lips).expressed(
        still
    )[0]
    whole = Figure(person, body, rest, linear, linear, (balls[0], balls[1]), lids, lips, index)
    units = linear.copy()
    for unit in range(len(linear)):
        if _name(unit).startswith(("eyeBlink", "eyeLook")):
            units[unit] = whole.expressed(np.eye(len(linear), dtype=np.float32)[unit : unit + 1])[0] - rest
    return Figure(person, body, rest, units, linear, (balls[0], balls[1]), lids, lips, index)


def _name(unit: int) -> str:
    coefficients = load_subject("face").coefficients
    return coefficients.names[unit] if coefficients else ""


def _units(body: Body, rest: Float, lips: mouth.LipGrid) -> Float:
    """Return the offsets of all coefficients at 1, [C, V, 3], stretched and turned as the face around each vertex is against the base mesh."""
    coefficients = load_subject("face").coefficients
    names = coefficients.names if coefficients else ()
    found = {k: body.targets[name] for k, name in enumerate(names) if name in body.targets}
    moving = np.concatenate([indices for indices, _ in found.values()])
    moving = np.union1d(moving, body.mirror[moving])
    skin = moving[np.isin(moving, body.groups["body"])]
    scale = _size(rest[skin]) / _size(body.vertices[skin])
    stretch = np.tile(np.float32(scale) * np.eye(3, dtype=np.float32), (len(rest), 1, 1))
    _, even = np.unique(np.round(body.vertices[skin] / _GRAIN), axis=0, return_index=True)
    points = skin[even]
    distance, near = cKDTree(body.vertices[points]).query(body.vertices[skin], 120)
    weights = np.exp(-0.5 * (distance / _SPREAD) ** 2)
    middle = [
        np.einsum("nk,nki->ni", weights, shape[points][near]) / weights.sum(1)[:, None]
        for shape in (body.vertices, rest)
    ]
    base, other = body.vertices[points][near] - middle[0][:, None], rest[points][near] - middle[1][:, None]
    square = np.einsum("nk,nki,nkj->nij", weights, base, base)
    mixed = np.einsum("nk,nki,nkj->nij", weights, other, base)
    ridge = 0.1 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    stretch[skin] = (mixed + scale * ridge) @ np.linalg.inv(square + ridge)
    units, flip = np.zeros((len(names), *rest.shape), np.float32), np.array([-1, 1, 1], np.float32)
    for unit, (indices, offsets) in found.items():
        units[unit, indices] = offsets * np.float32(
            _GAINS.get(names[unit].removesuffix("Left").removesuffix("Right"), 1.0)
        )
    for unit, name in enumerate(names):
        other = names.index(name.replace("Left", "Right")) if name.endswith("Left") else unit
        if not name.endswith("Right"):
            units[unit] = 0.5 * (units[unit] + flip * units[other][body.mirror])
            units[other] = flip * units[unit][body.mirror]
    mouth.round_opening(body, lips, units[names.index("jawOpen")])
    units[:, moving] = np.einsum("nij,cnj->cni", stretch[moving], units[:, moving])
    return units


def _size(points: Float) -> float:
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def skin_faces(body: Body, rest: Float, lids: tuple[LidGrid, LidGrid]) -> Int:
    """Return the rows of `body.faces["body"]` that are shown: head, neck and chest, without the skin inside the eye sockets."""
    faces = body.faces["body"]
    low = body.joint(rest, "neck")[2] - _BREAST
    hidden = np.zeros(len(rest), bool)
    for grid in lids:
        hidden[grid.bag] = True
    return np.flatnonzero((rest[faces, 2] > low).all(1) & ~hidden[faces].any(1))


def things(figure: Figure, posed: Float, skin: Material) -> list[MeshThing]:
    """Return skin, eyes, teeth and tongue of a figure for posed vertices [T, V, 3]. skin: the material of the skin, with its curves."""
    shown = skin_faces(figure.body, figure.rest, figure.lids)
    found = [_part(figure, posed, "body", "skin", skin, shown, 1)]
    found += _teeth(figure, posed)
    seed, look = figure.person.seed, figure.person.eyes
    coloured = Material(
        "eye", {"layer": "ball", **iris.REACH}, {"iris": iris.iris(look, seed), "white": iris.white(look, seed)}
    )
    layers = {"eye": ("ball", coloured), "cornea": ("cornea", Material("eye", {"layer": "cornea"}))}
    centres, rotations = figure.eye_frames(posed)
    for k, (side, ball) in enumerate(zip(eyes.SIDES, figure.balls, strict=True)):
        for name, (layer, material) in layers.items():
            mesh, faces, uv = eyes.eye_mesh(ball, layer)
            vertices = np.einsum("tij,vj->tvi", rotations[:, k], mesh) + centres[:, k, None]
            found.append(
                MeshThing(f"{figure.index}.{name}.{side}", vertices.astype(np.float32), *quads(faces), material, uv)
            )
    return found


def _teeth(figure: Figure, posed: Float) -> list[MeshThing]:
    look, body = figure.person.teeth, figure.body
    flesh: dict[str, Value] = {"colour": [0.36, 0.1, 0.09], "rough": 0.0003}
    ivory = Material("teeth", {"yellow": look.yellow})
    found = [_part(figure, posed, "helper-tongue", "tongue", Material("tongue", {**flesh, "rough": 0.0006}), None, 1)]
    for jaw in ("upper", "lower"):
        points, corners, starts, neck = mouth.teeth_mesh(
            jaw, look.uneven, generator(figure.person.seed, f"teeth {jaw}")
        )
        name, near = f"{figure.index}.teeth.{jaw}", {"neck": neck[None]}
        found.append(MeshThing(name, mouth.carry(body, posed, jaw, points), corners, starts, ivory, None, 1, near))
        points, faces = mouth.gum_mesh(jaw)
        name = f"{figure.index}.gums.{jaw}"
        found.append(
            MeshThing(name, mouth.carry(body, posed, jaw, points), *quads(faces), Material("tongue", flesh), None, 1)
        )
    return found


def _part(
    figure: Figure, posed: Float, group: str, name: str, material: Material, rows: Int | None, subdivision: int
) -> MeshThing:
    faces, uv = figure.body.faces[group], figure.body.face_uv[group]
    if rows is not None:
        faces, uv = faces[rows], uv[rows]
    used, corners = np.unique(faces, return_inverse=True)
    local = corners.reshape(faces.shape).astype(np.int64)
    return MeshThing(
        f"{figure.index}.{name}", posed[:, used], *quads(local), material, figure.body.uv[uv.ravel()], subdivision
    )
