"""Truth of a take: what its pictures show, computed from the geometry and saved as `truth.npz` beside the frames.

The 478 landmarks are sums of the mesh's vertices, by weights that `embed.py` found once; irises come from the eyeballs.
Mattes, depth and colours are in the rendered frames themselves (`render.Passes`); only the matte of the face is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.sparse import csr_array

from nodes.align.pose import take_performance
from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file
from nodes.geometry.similarity import fit_similarity
from nodes.mask import draw_regions, signed_distance
from nodes.subjects.subject import Opening, Subject, load_subject
from nodes.types import Bool, Float
from trainer.synthetic.acting.measured import head_angles
from trainer.synthetic.people.body import load_body
from trainer.synthetic.people.person import Figure
from trainer.synthetic.render import Passes
from trainer.synthetic.scene import Camera, project

SCHEMA = "faceplate.truth/1"
PLACES = Path(__file__).with_name("landmarks.npz")
_TO_PICTURE = np.diag([1.0, -1.0, -1.0])  # camera's axes (x right, y up, -z ahead) to the picture's (y down, z away)
_BEHIND = 0.004  # metres by which a visible point may lie behind the surface that was rendered
_AREA = 1024  # side of the map of the face in UV space
_ISLAND = (0.64, 0.35, 1.0, 0.65)  # box in UV space that holds the face, and neither mouth nor sockets
_SURE = 0.95  # coverage from which a pixel's UV is taken to be the skin's
_OWN = ("eye.", "cornea.", "teeth.", "tongue", "hair.brow", "hair.lash", "hair.beard")
PIVOT = 2.5  # distance of a rendered iris from the middle of its eyeball, by its radius; of a real one it is about 1.8


@dataclass(frozen=True)
class LandmarkPlaces:
    """The places of the landmarks on the mesh. weights: [478, V], nothing for the irises. deviation: metres by which the landmarker's usually differ, [478].

    fixed: whether the place is the same from all sides, [478]; the others slide along the outline of the face.
    """

    weights: Any
    deviation: Float
    fixed: Bool


@cache
def landmark_places() -> LandmarkPlaces:
    """Read the places that `embed.py` found."""
    with np.load(PLACES) as arrays:
        parts = arrays["weights"].astype(np.float64), arrays["vertices"].astype(np.int64), arrays["starts"]
        weights = csr_array(parts, shape=(478, int(arrays["count"])))
        return LandmarkPlaces(weights, arrays["deviation"].astype(np.float32), arrays["fixed"])


@dataclass(frozen=True)
class Truth:
    """Truth of P people over T frames. Eyes: the person's right one, then the left; openings: as the subject `face` lists them.

    size: width and height of the pictures. coefficients: [P, T, C]. landmarks: [P, T, 478, 3], x and y in pixels, z in the same scale. depth: metres
    of each from the camera, along its axis, [P, T, 478]; visible: whether each is seen in the rendered frame. head: [P, T, 4, 4], the head at rest (metres, world axes) to the camera (x right,
    y down, z away). rotation: [P, T, 3, 3], of the template into the picture, as :mod:`nodes.align` measures it. angles: yaw, pitch and roll in degrees,
    [P, T, 3], and gaze: yaw and pitch of each eye in the camera's axes, [P, T, 2, 2]: to the own left, up and tilted to the own left are positive. irises:
    x, y and radius in pixels, [P, T, 2, 3]. gaps: heights of the openings in pixels, [P, T, 3]. boxes: [P, T, 4]. camera: camera to world, [T, 4, 4].
    focal: pixels, [T].
    """

    size: tuple[int, int]
    coefficients: Float
    landmarks: Float
    depth: Float
    visible: Bool
    head: Float
    rotation: Float
    angles: Float
    gaze: Float
    irises: Float
    gaps: Float
    boxes: Float
    camera: Float
    focal: Float


def measure_truth(
    figures: Sequence[Figure],
    coefficients: Sequence[Float],
    world: Sequence[Float],
    camera: Camera,
    size: tuple[int, int],
) -> Truth:
    """Compute the truth of figures. coefficients: [T, C] of each. world: vertices [T, V, 3] of each, in the world. Until `look_up` all landmarks in the picture are visible."""
    people = [_person(*each, camera, size) for each in zip(figures, coefficients, world, strict=True)]
    frames = len(coefficients[0])
    matrices = np.broadcast_to(camera.matrices, (frames, 4, 4)).astype(np.float32)
    focal = np.asarray(np.broadcast_to(camera.focal, frames) / 36 * size[0], np.float32)
    stacked = {name: np.stack([person[name] for person in people]) for name in people[0]}
    x, y = stacked["landmarks"][..., 0], stacked["landmarks"][..., 1]
    visible = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    return Truth(size, visible=visible, camera=matrices, focal=focal, **stacked)


def _person(
    figure: Figure, coefficients: Float, world: Float, camera: Camera, size: tuple[int, int]
) -> dict[str, Float]:
    subject, weights = load_subject("face"), landmark_places().weights
    rest = figure.rest + np.zeros((1, 1, 1), np.float32)
    rigid = np.concatenate([figure.body.groups[name] for name in ("joint-head", "joint-head-2")])
    _, turn, shift = fit_similarity(figure.rest[rigid], world[:, rigid])
    placed = np.asarray(_places(weights, figure, rest) @ turn.swapaxes(1, 2) + shift[:, None], np.float32)
    neutral, _ = _to_pixels(placed, camera, size)
    rotation = take_performance(neutral, subject).rotation
    landmarks, depth = _to_pixels(_places(weights, figure, world), camera, size)
    matrices = np.broadcast_to(camera.matrices, (len(world), 4, 4))
    to_camera = _TO_PICTURE @ matrices[:, :3, :3].swapaxes(1, 2)
    head = np.tile(np.eye(4, dtype=np.float32), (len(world), 1, 1))
    head[:, :3, :3] = to_camera @ turn
    head[:, :3, 3] = np.einsum("tij,tj->ti", to_camera, shift - matrices[:, :3, 3])
    look = np.einsum("tij,tej->tei", to_camera, figure.gaze(world)[1][:, ::-1])
    gaze = np.degrees(np.stack([np.arctan2(look[..., 0], -look[..., 2]), np.arcsin(-look[..., 1])], -1))
    balls = [opening.ball for opening in subject.openings if len(opening.ball)]
    radii = [np.linalg.norm(landmarks[:, b[1:], :2] - landmarks[:, b[:1], :2], axis=-1).max(1) for b in balls]
    irises = np.stack(
        [np.concatenate([landmarks[:, b[0], :2], r[:, None]], 1) for b, r in zip(balls, radii, strict=True)], 1
    )
    flat = landmarks[:, :468, :2]
    return {
        "coefficients": np.asarray(coefficients, np.float32),
        "landmarks": landmarks,
        "depth": depth,
        "head": head,
        "rotation": rotation,
        "angles": np.stack(head_angles(rotation), 1),
        "gaze": gaze.astype(np.float32),
        "irises": irises.astype(np.float32),
        "gaps": gaps(landmarks, subject),
        "boxes": np.concatenate([flat.min(1), flat.max(1)], 1),
    }


def _places(weights: Any, figure: Figure, vertices: Float) -> Float:
    """Return the places [T, 478, 3] of the landmarks on posed vertices [T, V, 3]."""
    frames, count, _ = vertices.shape
    points: Float = (weights @ vertices.transpose(1, 0, 2).reshape(count, -1)).reshape(-1, frames, 3).transpose(1, 0, 2)
    centres, _ = figure.gaze(vertices)
    _, turns = figure.eye_frames(vertices)
    for first, side in ((468, 1), (473, 0)):  # left eyes are first in a figure
        across, up = (figure.balls[side].iris * turns[:, side, :, axis] for axis in (0, 2))
        ring = np.stack([np.zeros_like(up), across, up, -across, -up], 1)
        points[:, first : first + 5] = centres[:, side, None] + ring
    return points


def _to_pixels(points: Float, camera: Camera, size: tuple[int, int]) -> tuple[Float, Float]:
    """Project points [T, N, 3] to landmarks: x, y in pixels and z in the scale that these have at the middle of the points; also the depth, metres."""
    flat = project(points, camera, size)
    depth = flat[..., 2].astype(np.float32)
    middle = depth.mean(1, keepdims=True)
    scale = np.broadcast_to(camera.focal, len(points))[:, None] / 36 * size[0] / middle
    flat[..., 2] = (depth - middle) * scale
    return flat.astype(np.float32), depth


def look_up(truth: Truth, frames: Sequence[Path]) -> Truth:
    """Return the truth with `visible` as the rendered frames have it: neither behind something nor beyond the picture."""
    return replace(truth, visible=np.stack([_seen(truth, t, Passes(file).depth) for t, file in enumerate(frames)], 1))


def _seen(truth: Truth, frame: int, depth: Float) -> Bool:
    far = cv2.dilate(depth, np.ones((3, 3), np.uint8))  # beside an edge, what is behind it
    x, y = (np.floor(truth.landmarks[:, frame, :, k]).astype(np.int64) for k in (0, 1))
    width, height = truth.size
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    surface = far[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.asarray(inside & (truth.depth[:, frame] <= surface + _BEHIND))


def write_truth(truth: Truth, path: Path) -> None:
    """Write a truth as an npz file; raises OutputError."""
    arrays: dict[str, Any] = {part.name: np.asarray(getattr(truth, part.name)) for part in fields(truth)}
    with whole_file(path, sync=False) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, schema=np.array(SCHEMA), **arrays)


def read_truth(path: Path) -> Truth:
    """Read a truth; raises SchemaError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            check_schema(str(arrays["schema"]), SCHEMA, path)
            parts = {part.name: arrays[part.name] for part in fields(Truth)}
    except (OSError, ValueError, KeyError) as e:
        raise SchemaError(f"is no truth of a take ({e})", file=path, remedy="Make the take again") from e
    width, height = parts.pop("size").tolist()
    return Truth(size=(width, height), **parts)


def gaps(landmarks: Float, subject: Subject) -> Float:
    """Measure the heights of the openings in landmarks [T, L, >=2], in their unit: [T, O]; 0 where the sides touch."""
    return np.stack([_gap(landmarks[..., :2], opening, subject) for opening in subject.openings], 1)


def _gap(points: Float, opening: Opening, subject: Subject) -> Float:
    """Return the largest distance of the upper side to the line of the lower one, measured downward, [T]."""
    low, high = (points[:, side] for side in opening.sides)
    across = low[:, -1] - low[:, 0]
    across = across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    usual = subject.template[opening.sides[0][[0, -1]], 0]
    down = np.stack([-across[:, 1], across[:, 0]], 1) * np.sign(usual[1] - usual[0])
    along, height = ([np.einsum("tnk,tk->tn", side, axis) for side in (low, high)] for axis in (across, down))
    below = [np.interp(x, xs, ys) for x, xs, ys in zip(along[1], along[0], height[0], strict=True)]
    return np.asarray(np.maximum(np.stack(below) - height[1], 0).max(1), np.float32)


def gaze_turns(landmarks: Float, subject: Subject) -> Float:
    """Read by how many degrees irises are turned from the middle between the corners of their eyes, in the picture: to the right and up, [T, 2, 2].

    landmarks: [T, L, >=2], pixels. The irises are the unit: 1 over PIVOT is the sine of the turn that moves one by its radius.
    """
    turns = []
    for opening in (o for o in subject.openings if len(o.ball)):
        ball, corners = landmarks[:, opening.ball, :2], landmarks[:, opening.sides[0][[0, -1]], :2]
        radius = np.linalg.norm(ball[:, 1:] - ball[:, :1], axis=-1).max(1)
        offset = (ball[:, 0] - corners.mean(1)) / np.maximum(radius, 1e-6)[:, None] * [1, -1]
        turns.append(np.degrees(np.arcsin(np.clip(offset / PIVOT, -1, 1))))
    return np.stack(turns, 1).astype(np.float32)


@cache
def face_area(data: Path) -> Float:
    """Draw the face of MakeHuman's skin as a map in UV space, [1024, 1024]: texels inside its oval, negative outside. data: MakeHuman's."""
    body = load_body(data)
    uv = np.zeros((len(body.vertices), 2))
    uv[body.faces["body"].ravel()] = body.uv[body.face_uv["body"].ravel()]
    oval = landmark_places().weights[load_subject("face").contours["oval"]] @ uv
    drawn = np.zeros((_AREA, _AREA), np.uint8)
    points = np.round(np.array([0, _AREA * 16]) + oval * (_AREA * 16, -_AREA * 16) - 8).astype(np.int32)
    cv2.fillPoly(drawn, [points], 255, cv2.LINE_AA, 4)
    return signed_distance(drawn.astype(np.float32) / np.float32(255))


def face_matte(passes: Passes, landmarks: Float, person: int, area: Float) -> Float:
    """Return the coverage [H, W] of a person's face in a rendered frame: skin inside the oval, eyes, mouth, brows and beard, where nothing is in front.

    landmarks: true ones of that frame, [478, >=2]. area: `face_area`.
    """
    height, width = passes.depth.shape
    oval = draw_regions(landmarks[None], max(height, width), load_subject("face"))[0, :height, :width]
    skin = passes.matte(f"{person}.skin")
    u, v = passes.uv[..., 0], passes.uv[..., 1]
    x0, y0, x1, y1 = _ISLAND
    on_face = (skin >= _SURE) & (u > x0) & (u < x1) & (v > y0) & (v < y1)
    x, y = (np.ascontiguousarray(part * _AREA - 0.5, np.float32) for part in (u, 1 - v))
    distance = cv2.remap(area, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    texels = np.hypot(*np.gradient(distance))
    usual = float(np.median(texels[on_face])) if on_face.any() else 1.0
    inside = np.where(on_face, np.clip(0.5 + distance / np.clip(texels, usual / 4, usual * 4), 0, 1), oval)
    inside = cv2.medianBlur(np.asarray(inside, np.float32), 3)  # along the jaw, UV is of one sample, and noisy
    own = passes.matte(*(f"{person}.{name}" for name in _OWN))
    eyes = passes.matte(*(f"{person}.{name}" for name in _OWN[:2]))
    own = own + np.where(eyes > 0, 1 - passes.matte(""), 0)  # Cryptomatte drops light that the cornea bends
    return np.asarray(np.clip(skin * inside + own * oval, 0, 1), np.float32)
