"""What Blender renders: meshes, strands, lights and a camera over the frames of a take, and the folder by which Blender gets them.

Axes are Blender's: metres, Z up; a person at rest faces -Y, with the left side towards +X. Arrays whose first axis is time have one entry for
each frame, or a single one for what does not change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nodes.files import whole_file
from nodes.types import Float, Int

Value = float | str | list[float]
Images = Mapping[str, Float]


@dataclass(frozen=True)
class Material:
    """A surface. kind: the module or function of `blender/` that makes it. images: [H, W] or [H, W, 3], 0..1, not colour-managed.

    curves: numbers that change over the frames, [T]; the material reads them as properties of its object.
    """

    kind: str
    values: Mapping[str, Value] = field(default_factory=dict)
    images: Images = field(default_factory=dict)
    curves: Mapping[str, Float] = field(default_factory=dict)


@dataclass(frozen=True)
class MeshThing:
    """A mesh. vertices: [T or 1, V, 3]. corners: the vertices of all faces in a row; starts: where each face begins, and the end, [F + 1].

    uv: [C, 2], for each corner. subdivision: levels of Catmull-Clark. attributes: numbers for each vertex, [T or 1, V].
    """

    name: str
    vertices: Float
    corners: Int
    starts: Int
    material: Material
    uv: Float | None = None
    subdivision: int = 0
    attributes: Mapping[str, Float] = field(default_factory=dict)


@dataclass(frozen=True)
class StrandThing:
    """Hairs. points: [T or 1, S, K, 3], from root to tip. radius: [S, K], metres."""

    name: str
    points: Float
    radius: Float
    material: Material


@dataclass(frozen=True)
class Camera:
    """A camera that looks along its own -Z. matrices: [T or 1, 4, 4], camera to world. focal: mm, [T or 1], on a film 36 mm wide.

    focus: metres, [T or 1], and fstop: depth of field; without an fstop everything is sharp.
    """

    matrices: Float
    focal: Float
    focus: Float
    fstop: float | None = None


@dataclass(frozen=True)
class Light:
    """An area light that shines along its own -Z. matrices: [T or 1, 4, 4]. power: watts, [T or 1]. colour: linear. size: width and height, metres."""

    name: str
    matrices: Float
    power: Float
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    size: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class World:
    """What surrounds all. image: an equirectangular picture [H, W, 3], linear, which lights the scene and stands behind it."""

    image: Float
    strength: float = 1.0


@dataclass(frozen=True)
class Scene:
    """All of a take. size: width and height in pixels. shutter: the part of a frame's time in which it is open; 0 for no motion blur.

    samples: light paths for each pixel, before the denoiser.
    """

    frames: int
    size: tuple[int, int]
    rate: Fraction
    camera: Camera
    lights: tuple[Light, ...]
    world: World
    things: tuple[MeshThing | StrandThing, ...]
    shutter: float = 0.0
    samples: int = 16
    seed: int = 0


def write_scene(scene: Scene, folder: Path) -> str:
    """Write a scene as `scene.json` and one NumPy file an array, named by its content; return a digest of it all. Raises OutputError."""
    kept: dict[int, str] = {}

    def told(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if id(value) not in kept:
                array = np.ascontiguousarray(value, np.float32 if value.dtype.kind == "f" else np.int32)
                kept[id(value)] = name = hashlib.sha256(array.tobytes()).hexdigest()[:24] + ".npy"
                if not (folder / name).exists():
                    with whole_file(folder / name, sync=False) as temporary, temporary.open("wb") as file:
                        np.save(file, array)
            return {"array": kept[id(value)]}
        if isinstance(value, Fraction):
            return [value.numerator, value.denominator]
        if isinstance(value, Mapping):
            return {key: told(inner) for key, inner in value.items()}
        if isinstance(value, tuple | list):
            return [told(inner) for inner in value]
        if isinstance(value, Material | MeshThing | StrandThing | Camera | Light | World | Scene):
            return {part.name: told(getattr(value, part.name)) for part in fields(value)}
        return value

    text = json.dumps(told(scene), indent=1)
    with whole_file(folder / "scene.json", sync=False) as temporary:
        temporary.write_text(text, "utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def quads(faces: Int) -> tuple[Int, Int]:
    """Return corners and starts of faces of one size, [F, N]."""
    return faces.ravel(), np.arange(0, faces.size + 1, faces.shape[1])


def looking(position: npt.ArrayLike, at: npt.ArrayLike, roll: npt.ArrayLike = 0.0) -> Float:
    """Return matrices [N, 4, 4] of cameras or lights at positions [N, 3] that look at points [N, 3], upright but for a roll in degrees."""
    position, at = np.broadcast_arrays(np.atleast_2d(position), np.atleast_2d(at))
    back = position - at
    back = back / np.linalg.norm(back, axis=1, keepdims=True)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    up = np.cross(back, right)
    angle = np.radians(np.broadcast_to(np.asarray(roll, np.float64), (len(position),)))[:, None]
    right, up = np.cos(angle) * right + np.sin(angle) * up, np.cos(angle) * up - np.sin(angle) * right
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(position), 1, 1))
    matrices[:, :3] = np.stack([right, up, back, position], 2)
    return matrices


def project(points: Float, camera: Camera, size: tuple[int, int]) -> Float:
    """Project world points [T, N, 3] into pictures: x, y in pixels from the top left corner, and depth in metres along the axis, [T, N, 3]."""
    matrices = np.broadcast_to(camera.matrices, (len(points), 4, 4))
    local = np.einsum("tnc,tcd->tnd", points - matrices[:, None, :3, 3], matrices[:, :3, :3])
    depth = -local[..., 2]
    scale = np.broadcast_to(camera.focal, len(points))[:, None] / 36 * size[0]
    x, y = size[0] / 2 + scale * local[..., 0] / depth, size[1] / 2 - scale * local[..., 1] / depth
    return np.stack([x, y, depth], -1)
