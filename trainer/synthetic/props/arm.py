"""Arms and hands of MakeHuman's body: fingers bent into a grip, the hand put anywhere, and the arm that reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from trainer.synthetic.people.body import Body
from trainer.synthetic.people.strands import unit
from trainer.synthetic.shapes import Array

Side = Literal["left", "right"]
Grip = Literal["flat", "rest", "cup", "point", "fist", "hold", "pinch"]
_SEGMENTS = (
    "upper",
    "fore1",
    "fore2",
    "hand",
    *(f"{finger}{joint}" for finger in range(1, 6) for joint in range(1, 4)),
)
_BONES = {
    "upperarm01": "upper",
    "upperarm02": "upper",
    "lowerarm01": "fore1",
    "lowerarm02": "fore2",
    "wrist": "hand",
    **{f"metacarpal{n}": "hand" for n in range(1, 5)},
    **{f"finger{finger}-{joint}": f"{finger}{joint}" for finger in range(1, 6) for joint in range(1, 4)},
}
_TWISTED = {"fore1": 0.3, "fore2": 0.75}  # share of the hand's turn about the forearm
# Degrees by which the three joints of index, middle, ring and little finger bend, how far the fingers spread, and the thumb:
# towards the palm, across to the fingers, and its two outer joints.
_GRIPS: Mapping[Grip, tuple[tuple[tuple[float, float, float], ...], float, tuple[float, float, float, float]]] = {
    "flat": (((4, 4, 2),) * 4, 4.0, (0, 0, 0, 0)),
    "rest": (((8, 12, 6), (10, 14, 7), (12, 15, 8), (14, 17, 9)), 1.5, (12, 4, 8, 10)),
    "cup": (((24, 16, 8), (27, 19, 10), (29, 21, 10), (31, 21, 10)), -1.0, (18, 6, 10, 12)),
    "point": (((8, 10, 5), (58, 75, 35), (66, 80, 40), (70, 82, 42)), 0.0, (42, 10, 32, 45)),
    "fist": (((72, 88, 52), (76, 90, 54), (78, 90, 54), (80, 88, 50)), -2.0, (45, 10, 35, 50)),
    "hold": (((50, 58, 32), (56, 60, 34), (60, 62, 34), (64, 62, 34)), 0.0, (45, 10, 30, 40)),
    "pinch": (((46, 38, 14), (52, 46, 20), (54, 50, 24), (58, 50, 26)), 0.0, (45, 20, 15, 20)),
}


@dataclass(frozen=True)
class Arm:
    """One arm of a body at rest. V vertices, J segments.

    vertices: [V, 3]; index: their rows in the body, [V]; faces: rows of `vertices`, [F, 4]; uv: [F, 4, 2]; weights: [J, V], of the
    segments; joints: where each begins, and where the fingers end.
    along: from the wrist to the middle finger; palm: out of the palm; unit vectors.
    """

    side: Side
    vertices: Array
    index: Array
    faces: Array
    uv: Array
    weights: Array
    joints: Mapping[str, Array]
    along: Array
    palm: Array

    @property
    def across(self) -> Array:
        """The unit vector that completes along and palm to a right-handed frame."""
        return np.cross(self.along, self.palm)


def take_arm(body: Body, vertices: Array, data: Path, side: Side) -> Arm:
    """Cut an arm out of a body whose arms are spread as MakeHuman's are; vertices: [B, 3]. data: MakeHuman's folder."""
    letter = side[0]
    every = np.zeros((len(_SEGMENTS), len(vertices)), np.float32)
    for bone, rows in _weights(data).items():
        name, _, suffix = bone.partition(".")
        if suffix == letter.upper() and name in _BONES:
            every[_SEGMENTS.index(_BONES[name]), rows[0]] += rows[1]
    faces = body.faces["body"]
    chosen = (every.sum(0)[faces] > 0.95).all(1)
    index = np.unique(faces[chosen])
    local = np.zeros(len(vertices), np.int64)
    local[index] = np.arange(len(index))
    weights = every[:, index]
    joints = {name: body.joint(vertices, f"{letter}-{name}") for name in ("shoulder", "elbow", "hand")}
    for finger in range(1, 6):
        for joint in range(1, 5):
            joints[f"{finger}{joint}"] = body.joint(vertices, f"{letter}-finger-{finger}-{joint}")
    along = unit(joints["31"] - joints["hand"])
    palm = unit(np.cross(along, joints["51"] - joints["21"]))
    # Fingers at rest bend a little towards the palm.
    if (joints["34"] - joints["31"]) @ palm < 0:
        palm = -palm
    return Arm(
        side,
        vertices[index],
        index,
        local[faces[chosen]],
        body.uv[body.face_uv["body"][chosen]],
        weights / weights.sum(0),
        joints,
        along,
        palm,
    )


@cache
def _weights(data: Path) -> dict[str, tuple[Array, Array]]:
    file = data / "mpfb2" / "rigs" / "standard" / "weights.default.json"
    listed = json.loads(file.read_text("utf-8"))["weights"]
    return {
        bone: (np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float32))
        for bone, rows in listed.items()
        if rows
    }


def gripping(arm: Arm, grip: Grip, looseness: float = 0.0) -> tuple[dict[str, Array], dict[str, Array]]:
    """Bend the fingers: matrices [4, 4] by segment of hand and fingers, relative to the hand at rest, and the moved joints.

    looseness: degrees by which each joint bends less.
    """
    fingers, spread, thumb = _GRIPS[grip]
    matrices, joints = {"hand": np.eye(4)}, dict(arm.joints)
    for number in range(1, 6):
        whole = np.eye(4)
        for joint in range(1, 4):
            start = arm.joints[f"{number}{joint}"]
            axis = unit(np.cross(arm.joints[f"{number}{joint + 1}"] - start, arm.palm))
            if number == 1:
                turn = _thumb_turn(arm, joint, thumb)
            else:
                bend = max(fingers[number - 2][joint - 1] - looseness, 0)
                turn = Rotation.from_rotvec(np.radians(bend) * axis)
                if joint == 1:
                    away = -_sign(arm) * np.radians(spread * (number - 3.3))
                    turn = Rotation.from_rotvec(away * arm.palm) * turn
            local = np.eye(4)
            local[:3, :3] = turn.as_matrix()
            local[:3, 3] = start - local[:3, :3] @ start
            whole = whole @ local
            matrices[f"{number}{joint}"] = whole
            joints[f"{number}{joint + 1}"] = whole[:3, :3] @ arm.joints[f"{number}{joint + 1}"] + whole[:3, 3]
    return matrices, joints


def _sign(arm: Arm) -> float:
    """1 where a positive turn about the palm's normal brings the thumb to the fingers, else -1."""
    return float(np.sign(np.cross(arm.joints["14"] - arm.joints["11"], arm.along) @ arm.palm))


def _thumb_turn(arm: Arm, joint: int, angles: tuple[float, float, float, float]) -> Rotation:
    """Turn a joint of the thumb: its root towards the palm and the fingers, the outer ones across the palm."""
    towards, over, *outer = np.radians(angles)
    direction = [arm.joints[f"1{n + 1}"] - arm.joints[f"1{n}"] for n in range(1, 4)]
    root = Rotation.from_rotvec(towards * unit(np.cross(direction[0], arm.palm)))
    root = Rotation.from_rotvec(over * _sign(arm) * arm.palm) * root
    if joint == 1:
        return root
    side = arm.joints["51"] - arm.joints["21"]
    side = unit(side - (side @ arm.along) * arm.along) + 0.3 * arm.along
    axis = unit(np.cross(root.apply(direction[joint - 1]), side))
    return Rotation.from_rotvec(outer[joint - 2] * root.inv().apply(axis))


def hand_rotation(arm: Arm, along: Array, palm: Array) -> Rotation:
    """Return the rotations [T] that turn the hand at rest so that fingers and palm point as given, [T, 3] each; along is exact."""
    along = unit(np.asarray(along, np.float64))
    palm = unit(palm - (palm * along).sum(-1, keepdims=True) * along)
    frames = np.stack([along, palm, np.cross(along, palm)], -1)
    return Rotation.from_matrix(frames @ np.stack([arm.along, arm.palm, arm.across], -1).T)


def index_side(arm: Arm) -> Array:
    """Return the unit vector from the little finger to the index, along which a held stick lies."""
    return np.asarray(np.sign((arm.joints["21"] - arm.joints["51"]) @ arm.across) * arm.across)


def holding_rotation(arm: Arm, axis: Array, palm: Array) -> Rotation:
    """Return the rotations [T] of a hand that holds a stick along `axis`, from little finger to index, its palm about as given; [T, 3] each."""
    across = unit(axis) * np.sign(index_side(arm) @ arm.across)
    palm = unit(palm - (palm * across).sum(-1, keepdims=True) * across)
    return hand_rotation(arm, np.cross(palm, across), palm)


def reach(
    arm: Arm, fingers: Mapping[str, Array], rotation: Rotation, wrist: Array, shoulder: Array, elbow_to: Array
) -> Array:
    """Pose an arm: [T, V, 3].

    fingers: of :func:`gripping`. rotation: [T], of the hand; wrist: [T, 3], its joint. shoulder: [T, 3]; it comes along where the
    arm is too short. elbow_to: [3] or [T, 3], the side to which the elbow bends. Linear blend skinning; the forearm takes its
    share of the hand's turn.
    """
    rest = arm.joints
    upper, fore = (np.linalg.norm(rest[b] - rest[a]) for a, b in (("shoulder", "elbow"), ("elbow", "hand")))
    way = wrist - shoulder
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    span = np.clip(distance, 0.3 * (upper + fore), 0.98 * (upper + fore))
    shoulder = wrist - way / distance * span
    way = unit(way)
    side = unit(elbow_to - (elbow_to * way).sum(-1, keepdims=True) * way)
    ahead = (upper**2 + span**2 - fore**2) / (2 * span)
    elbow = shoulder + ahead * way + np.sqrt(np.maximum(upper**2 - ahead**2, 0)) * side
    turns = {
        "upper": (_between(rest["elbow"] - rest["shoulder"], elbow - shoulder), rest["shoulder"], shoulder),
        "hand": (rotation, rest["hand"], wrist),
    }
    swing = _between(rest["hand"] - rest["elbow"], wrist - elbow)
    axis = unit(rest["hand"] - rest["elbow"])
    quaternion = (swing.inv() * rotation).as_quat()
    twist = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    twist = np.unwrap((twist + np.pi) % (2 * np.pi) - np.pi)
    for name, share in _TWISTED.items():
        turns[name] = (swing * Rotation.from_rotvec(share * twist[:, None] * axis), rest["elbow"], elbow)
    posed = np.zeros((len(wrist), *arm.vertices.shape))
    for number, name in enumerate(_SEGMENTS):
        vertices = arm.vertices
        if name in fingers:
            vertices = vertices @ fingers[name][:3, :3].T + fingers[name][:3, 3]
        turned, origin, place = turns.get(name, turns["hand"])
        moved = np.flatnonzero(arm.weights[number])
        local = np.einsum("tij,vj->tvi", turned.as_matrix(), vertices[moved] - origin) + place[:, None]
        posed[:, moved] += arm.weights[number, moved, None] * local
    return posed.astype(np.float32)


def _between(start: Array, ends: Array) -> Rotation:
    """Return the smallest rotations [T] that turn one direction [3] into others [T, 3]."""
    a, b = unit(start), unit(ends)
    middle = unit(a + b)
    return Rotation.from_quat(np.concatenate([np.cross(a, middle), (middle @ a)[:, None]], 1))
