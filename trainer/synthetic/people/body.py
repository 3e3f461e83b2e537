"""MakeHuman's body: its base mesh, shape targets, 52 face units and skinning weights, and the pose of a head.

Everything is converted once to Faceplate's axes for synthetic scenes: metres, Z up, facing -Y, the left side towards +X.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from nodes.cache import cache_folder
from nodes.files import whole_file
from nodes.types import Float, Int

_VERSION = 2  # of the cached arrays
_DETAILS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose", "asym")
_CHAIN = ("neck01", "neck02", "neck03", "head")
_TURNED = (0.16, 0.36, 0.6, 1.0)  # share of the head's turn that each bone of the chain has
_ARMS = ("clavicle", "shoulder01", "upperarm01")


@dataclass(frozen=True)
class Pose:
    """Turns of the head by frame. yaw, pitch, roll: degrees, [T]: to the own left, up, and tilted to the own left. offset: metres, [T, 3]."""

    yaw: Float
    pitch: Float
    roll: Float
    offset: Float

    @property
    def rotations(self) -> Rotation:
        """Return the head's rotations in the world."""
        angles = np.stack([self.yaw, -np.asarray(self.pitch), self.roll], 1)
        return Rotation.from_euler("ZXY", angles, degrees=True)


@dataclass(frozen=True)
class Body:
    """MakeHuman's base mesh. vertices: [V, 3].

    faces: vertices of quads by group, [F, 4]; face_uv: rows of uv for their corners. groups: the vertices of each group.
    mirror: the vertex on the other side, [V]. bones: skinning weights by bone, [V].
    """

    vertices: Float
    uv: Float
    faces: Mapping[str, Int]
    face_uv: Mapping[str, Int]
    groups: Mapping[str, Int]
    mirror: Int
    bones: Mapping[str, Float]
    targets: Mapping[str, tuple[Int, Float]]

    def morph(self, weights: Mapping[str, float]) -> Float:
        """Return the offsets [V, 3] that targets, by name, add up to; raises KeyError for an unknown one."""
        offsets = np.zeros_like(self.vertices)
        for name, weight in weights.items():
            if weight:
                indices, moved = self.targets[name]
                offsets[indices] += np.float32(weight) * moved
        return offsets

    def joint(self, vertices: Float, name: str) -> Float:
        """Return the place [..., 3] of a joint ("head", "l-eye", …) among vertices [..., V, 3]."""
        return np.asarray(vertices[..., self.groups[f"joint-{name}"], :].mean(-2))


def _axes(points: npt.NDArray[np.float64]) -> Float:
    return np.asarray(np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1) / 10, np.float32)


def _read_target(file: Path) -> tuple[Int, Float]:
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    rows = [line.split() for line in text.decode("utf-8").splitlines() if line and not line.startswith("#")]
    table = np.array([row for row in rows if len(row) == 4], np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int64), _axes(table[:, 1:])


def _target_files(data: Path) -> Iterable[tuple[str, Path]]:
    targets = data / "mpfb2" / "targets"
    for folder in _DETAILS:
        for file in sorted((targets / folder).glob("*.target.gz")):
            yield file.name.removesuffix(".target.gz"), file
    for file in sorted((targets / "macrodetails").glob("*.target.gz")):
        if "-baby" not in file.name:
            yield file.name.removesuffix(".target.gz"), file
    for file in sorted((data / "faceunits01" / "targets" / "faceunits").glob("*.target")):
        yield file.stem, file


def _read_mesh(file: Path) -> tuple[Float, Float, dict[str, Int], dict[str, Int]]:
    vertices, uv, group = [], [], ""
    faces: dict[str, list[list[list[int]]]] = {}
    for line in file.read_text("utf-8").splitlines():
        match line.split():
            case ["v", x, y, z]:
                vertices.append((float(x), float(y), float(z)))
            case ["vt", u, v, *_]:
                uv.append((float(u), float(v)))
            case ["g", name]:
                group = name
            case ["f", *quad]:
                faces.setdefault(group, []).append([[int(n) - 1 for n in c.split("/")[:2]] for c in quad])
    corners = {name: np.array(rows, np.int64) for name, rows in faces.items()}
    return (
        _axes(np.array(vertices)),
        np.array(uv, np.float32),
        {name: rows[..., 0] for name, rows in corners.items()},
        {name: rows[..., 1] for name, rows in corners.items()},
    )


def _read_bones(data: Path, count: int, groups: Mapping[str, Int]) -> dict[str, Float]:
    standard = data / "mpfb2" / "rigs" / "standard"
    rig = json.loads((standard / "rig.default.json").read_text("utf-8"))
    listed = json.loads((standard / "weights.default.json").read_text("utf-8"))["weights"]
    kept = {*_CHAIN, *(f"{bone}.{side}" for bone in _ARMS for side in "LR")}
    bones = {name: np.zeros(count, np.float32) for name in sorted(kept)}
    total = np.zeros(count, np.float32)
    for name, rows in listed.items():
        bone = name
        while bone not in kept and bone:
            bone = rig[bone]["parent"] or ""
        for index, weight in rows:
            total[index] += weight
            if bone:
                bones[bone][index] += weight
    for weights in bones.values():
        weights /= np.maximum(total, 1e-6)
    rigid = (
        "helper-l-eye",
        "helper-r-eye",
        "teeth",
        "tongue",
        "helper-hair",
        "eyelashes",
        "-lid",
        "joint-head",
        "joint-jaw",
    )
    for name, members in groups.items():
        if any(part in name for part in rigid) or name in ("joint-mouth", "joint-l-eye", "joint-r-eye"):
            for bone, weights in bones.items():
                weights[members] = bone == "head"
    return bones


def _convert(data: Path, file: Path) -> None:
    vertices, uv, faces, face_uv = _read_mesh(data / "mpfb2" / "3dobjs" / "base.obj")
    groups = {name: np.unique(rows).astype(np.int64) for name, rows in faces.items()}
    mirror = np.arange(len(vertices), dtype=np.int64)
    for line in (data / "mpfb2" / "mesh_metadata" / "hm08.mirror").read_text("utf-8").splitlines():
        match line.split():
            case [one, other, _]:
                mirror[int(one)], mirror[int(other)] = int(other), int(one)
    names, indices, moved = [], [], []
    for name, source in _target_files(data):
        rows, offsets = _read_target(source)
        names.append(name)
        indices.append(rows)
        moved.append(offsets)
    bones = _read_bones(data, len(vertices), groups)
    arrays: dict[str, Any] = {
        "vertices": vertices,
        "uv": uv,
        "mirror": mirror,
        **{f"faces/{name}": rows for name, rows in faces.items()},
        **{f"face_uv/{name}": rows for name, rows in face_uv.items()},
        "bone_names": np.array(list(bones)),
        "bones": np.stack(list(bones.values())),
        "target_names": np.array(names),
        "target_starts": np.cumsum([0, *map(len, indices)]),
        "target_indices": np.concatenate(indices),
        "target_offsets": np.concatenate(moved),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file, sync=False) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **arrays)


@cache
def load_body(data: Path) -> Body:
    """Read MakeHuman's data; the first call converts it to one file in the cache folder."""
    file = cache_folder() / "synthetic" / f"body-{_VERSION}.npz"
    if not file.exists():
        _convert(data, file)
    with np.load(file) as arrays:
        named = {name: arrays[name] for name in arrays.files}
    faces = {name.removeprefix("faces/"): rows for name, rows in named.items() if name.startswith("faces/")}
    face_uv = {name.removeprefix("face_uv/"): rows for name, rows in named.items() if name.startswith("face_uv/")}
    starts = named["target_starts"]
    spans = [slice(first, last) for first, last in itertools.pairwise(starts)]
    return Body(
        vertices=named["vertices"],
        uv=named["uv"],
        faces=faces,
        face_uv=face_uv,
        groups={name: np.unique(rows) for name, rows in faces.items()},
        mirror=named["mirror"],
        bones=dict(zip(named["bone_names"].tolist(), named["bones"], strict=True)),
        targets={
            name: (named["target_indices"][span], named["target_offsets"][span])
            for name, span in zip(named["target_names"].tolist(), spans, strict=True)
        },
    )


def lower_arms(body: Body, vertices: Float, degrees: float = 38.0) -> Float:
    """Return vertices [V, 3] with the arms, which MakeHuman spreads, hanging down by linear blend skinning."""
    lowered = vertices.copy()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        shoulder = body.joint(vertices, f"{side.lower()}-shoulder")
        weights = body.bones[f"upperarm01.{side}"][:, None]
        turned = Rotation.from_euler("Y", sign * degrees, degrees=True).apply(vertices - shoulder) + shoulder
        lowered += weights * (turned - vertices)
    return np.asarray(lowered, np.float32)


def turn_head(body: Body, rest: Float, posed: Float, pose: Pose) -> Float:
    """Turn the heads of posed vertices [T, V, 3] about the joints of the rest shape [V, 3], bending the neck smoothly.

    The bones of the neck each take a share of the turn, the head all of it; vertices follow by linear blend skinning.
    """
    joints = [
        body.joint(rest, "neck"),
        *(rest[list(pair)].mean(0) for pair in ((659, 18889), (226, 17824))),
        body.joint(rest, "head"),
    ]
    vector = pose.rotations.as_rotvec()
    fixed = 1 - np.sum([body.bones[bone] for bone in _CHAIN], 0)
    turned = fixed[None, :, None] * posed
    place = np.broadcast_to(joints[0], (len(posed), 3))
    for index, (bone, share) in enumerate(zip(_CHAIN, _TURNED, strict=True)):
        matrices = Rotation.from_rotvec(share * vector).as_matrix()
        weights = body.bones[bone]
        moved = np.flatnonzero(weights)
        local = np.einsum("tij,tvj->tvi", matrices, posed[:, moved] - joints[index])
        turned[:, moved] += weights[moved, None] * (local + place[:, None])
        if index + 1 < len(joints):
            place = place + np.einsum("tij,j->ti", matrices, joints[index + 1] - joints[index])
    return np.asarray(turned + np.asarray(pose.offset)[:, None], np.float32)
