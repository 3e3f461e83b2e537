"""Places on a face: where its regions are, how the head moves, and how far a thing before it may go until it touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from nodes.geometry.similarity import umeyama
from trainer.synthetic.people.person import Figure
from trainer.synthetic.shapes import Array

Region = Literal["mouth", "nose", "chin", "forehead", "eyes", "left eye", "right eye", "left cheek", "right cheek"]
# Targets of MakeHuman whose moved vertices tell where a region is.
_MOVED: dict[Region, tuple[str, ...]] = {
    "mouth": ("mouthPucker",),
    "nose": ("nose-point-up",),
    "chin": ("chin-prominent-incr",),
    "forehead": ("forehead-trans-forward",),
    "eyes": ("eyeBlinkLeft", "eyeBlinkRight"),
    "left eye": ("eyeBlinkLeft",),
    "right eye": ("eyeBlinkRight",),
    "left cheek": ("l-cheek-bones-incr",),
    "right cheek": ("r-cheek-bones-incr",),
}
_SPACING = 0.008  # metres from the nearest vertex at which a face ends
_STILL = 2e-4  # metres that expressions may move what tells the head's place


@dataclass(frozen=True)
class HeadMotion:
    """The motion of a head over T frames. rotation: [T]; place: [T, 3]; from the rest shape's axes to the world. face: vertices [T, N, 3] of the front, at rest's axes; normals: [N, 3]."""

    rotation: Rotation
    place: Array
    face: Array
    normals: Array

    def to_world(self, points: Array) -> Array:
        """Move points [N, 3] or [T, N, 3] that are fixed to the head along with it: [T, N, 3]."""
        points = np.broadcast_to(points, (len(self.place), *points.shape[-2:]))
        turned: Array = np.einsum("tij,tnj->tni", self.rotation.as_matrix(), points)
        return turned + self.place[:, None]

    def heights(self, frame: int, points: Array, outward: Array) -> Array:
        """Measure how far [N] the face stands out along `outward` [3] where points [N, 3] lie; NaN beside the face."""
        basis = _basis(outward)
        facing = self.normals @ outward
        front = facing > 0.15
        face = self.face[frame, front]
        flat = points @ basis[:2].T
        distance, near = map(np.asarray, cKDTree(face @ basis[:2].T).query(flat, 4))
        # Each near vertex answers by its tangent plane, the nearer the more.
        slope = -(self.normals[front] @ basis[:2].T) / facing[front, None]
        way = flat[:, None] - (face @ basis[:2].T)[near]
        heights = (face @ outward)[near] + np.clip((slope[near] * way).sum(2), -0.003, 0.003)
        found = np.average(heights, axis=1, weights=1 / (distance + 1e-4) ** 2)
        return np.where(distance[:, 0] < _SPACING, found, np.nan)

    def clearance(self, frame: int, points: Array, outward: Array) -> float:
        """Measure how far points [N, 3] can go against `outward` until the first touches the face; negative inside of it."""
        gaps = points @ outward - self.heights(frame, points, outward)
        return float(np.nanmin(gaps)) if np.isfinite(gaps).any() else 0.0


def follow_head(figure: Figure, posed: Array) -> HeadMotion:
    """Find the head's motion and the front of the face in posed vertices [T, V, 3]."""
    body, rest = figure.body, figure.rest
    moved = np.zeros(len(rest), bool)
    for name in (
        "jawOpen",
        "browInnerUp",
        "browDownLeft",
        "browDownRight",
        "mouthSmileLeft",
        "mouthSmileRight",
        "noseSneerLeft",
    ):
        index, offsets = body.targets[name]
        moved[index] |= np.linalg.norm(offsets, axis=1) > _STILL
    skull = (body.bones["head"] > 0.999) & ~moved & np.isin(np.arange(len(rest)), body.groups["body"])
    _, rotation, place = umeyama(rest[skull][None], posed[:, skull])
    turn = Rotation.from_matrix(rotation)
    normals = vertex_normals(rest, body.faces["body"])
    middle = body.joint(rest, "mouth")
    near = np.linalg.norm(rest - middle, axis=1) < 0.17
    front = near & np.isin(np.arange(len(rest)), body.groups["body"]) & (body.bones["head"] > 0.5)
    index = np.flatnonzero(front)
    face = np.einsum("tji,tnj->tni", turn.as_matrix(), posed[:, index] - np.asarray(place)[:, None])
    return HeadMotion(turn, np.asarray(place), face, normals[index])


def region_place(figure: Figure, region: Region) -> Array:
    """Return the middle [3] of a region of the face at rest."""
    moved = [figure.body.targets[name] for name in _MOVED[region]]
    points = np.concatenate([figure.rest[index] for index, _ in moved])
    weights = np.concatenate([np.linalg.norm(offsets, axis=1) for _, offsets in moved])
    weights = weights * (weights > 0.3 * weights.max())
    return np.average(points, axis=0, weights=weights)


def vertex_normals(vertices: Array, faces: Array) -> Array:
    """Return unit normals [V, 3] of a mesh of quads, zero where a vertex has no face."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    total = np.zeros_like(vertices)
    for corner in range(faces.shape[1]):
        np.add.at(total, faces[:, corner], normal)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def _basis(outward: Array) -> Array:
    return np.linalg.svd(np.asarray(outward)[None])[2][[1, 2, 0]]
