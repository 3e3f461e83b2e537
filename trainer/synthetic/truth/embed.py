"""Search for the places of the 478 landmarks on MakeHuman's mesh: `python -m trainer.synthetic.truth.embed` writes `landmarks.npz`.

The landmarker looks at rendered people who turn and act. Each landmark that it finds is cast back onto the mesh of that
frame; the median of these places over all people, the same on both sides, is where the landmark lies. Lids and the inner
edges of the lips are then moved onto the edges that the mesh has there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_array, csr_array, vstack
from scipy.spatial import cKDTree

from nodes.detect.blazeface import find_in_image
from nodes.detect.face import CLOSE_NETWORK, FaceFinder
from nodes.files import whole_file
from nodes.footage.colour import to_srgb
from nodes.subjects.subject import Subject, load_subject
from nodes.types import Float, Image8, Int
from trainer.synthetic.assets import makehuman
from trainer.synthetic.people import hair
from trainer.synthetic.people.body import Pose, load_body
from trainer.synthetic.people.eyes import lid_grids
from trainer.synthetic.people.mouth import lip_grid
from trainer.synthetic.people.person import Person, figure, things
from trainer.synthetic.people.skin import material
from trainer.synthetic.people.traits import Hair, Wardrobe
from trainer.synthetic.render import Passes, render
from trainer.synthetic.scene import Camera, Light, MeshThing, Scene, StrandThing, World, looking, project
from trainer.synthetic.truth.truth import PLACES

Array = npt.NDArray[Any]
Sparse = Any  # csr_array: the stubs of scipy.sparse do not follow products and sums

_FACING = 0.35  # least cosine between a surface and the ray by which a landmark is cast onto it
_NEAR = 40  # triangles that are searched for the one nearest to a place
_FRONT, _ABOVE = -0.02, 0.6  # metres: the part of the base mesh that may be a face
_LEAST = 1e-5  # weights of vertices below it are dropped
_FIXED = 0.004  # metres: largest usual deviation of a landmark whose place does not depend on the view
_AJAR = 0.5  # strength of jawOpen in the shape on which places are compared, so that the lips are apart
_IRISES = 10  # landmarks that are not on the mesh
_LASHES, _MEETING = 2, 5  # rows of the grids of lids and lips
_SIZE, _LOOKS = (256, 256), 3
# Yaw and pitch in degrees, and coefficients.
_VIEWS: tuple[tuple[float, float, dict[str, float]], ...] = (
    (0, 0, {}),
    (-25, 0, {}),
    (25, 0, {}),
    (40, 12, {}),
    (-40, -12, {}),
    (0, 0, {"jawOpen": 0.5}),
    (12, 0, {"jawOpen": 0.25, "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7}),
    (-12, 0, {"jawOpen": 0.35, "browInnerUp": 0.6}),
)


@dataclass(frozen=True)
class FaceSighting:
    """What the landmarker found in a picture of a posed mesh. vertices: [V, 3], world. landmarks: [468, 2], pixels. camera: of one frame."""

    vertices: Float
    landmarks: Float
    camera: Camera
    size: tuple[int, int]


def limit_surface(quads: Int, count: int) -> tuple[Sparse, Array]:
    """Subdivide a closed mesh of quads [F, 4] once, with the new vertices on the limit surface.

    count: vertices of the mesh. Returns the weights of these in the new vertices, [N, count], and the new triangles [8 F, 3].
    Catmull and Clark 1978; Halstead et al. 1993 for the limit.
    """
    faces = len(quads)
    after = np.roll(quads, -1, 1)
    edges, of = np.unique(np.sort(np.stack([quads, after], -1).reshape(-1, 2), 1), axis=0, return_inverse=True)
    of = of.reshape(faces, 4)
    middle = _weights(np.repeat(np.arange(faces), 4), quads.ravel(), 0.25, (faces, count))
    ends = _weights(np.repeat(np.arange(len(edges)), 2), edges.ravel(), 0.5, (len(edges), count))
    beside = _weights(of.ravel(), np.repeat(np.arange(faces), 4), 0.5, (len(edges), faces))
    around = _weights(quads.ravel(), np.repeat(np.arange(faces), 4), 1.0, (count, faces))
    valence = np.maximum(np.asarray(around.sum(1)).ravel(), 1)
    across = _weights(edges.ravel(), np.repeat(np.arange(len(edges)), 2), 1.0, (count, len(edges)))
    own = _weights(np.arange(count), np.arange(count), np.maximum(valence - 3, 0) / valence, (count, count))
    moved = own + _scaled(around @ middle + 2 * (across @ ends), valence**-2.0)
    refined = vstack([moved, (ends + beside @ middle) / 2, middle]).tocsr()
    edge, centre = count + of, np.arange(faces)[:, None] + count + len(edges)
    fine = np.stack([quads, edge, np.broadcast_to(centre, quads.shape), np.roll(edge, 1, 1)], -1).reshape(-1, 4)
    total = refined.shape[0]
    links = [(np.roll(fine, -k, 1).ravel(), weight) for k, weight in ((1, 2.0), (2, 1.0), (3, 2.0))]
    nearby = sum(_weights(fine.ravel(), other, weight, (total, total)) for other, weight in links)
    n = np.maximum(np.bincount(fine.ravel(), minlength=total), 1)
    limit = _weights(np.arange(total), np.arange(total), n**2.0, (total, total)) + nearby
    return csr_array(_scaled(limit, 1 / (n * (n + 5.0))) @ refined), np.concatenate(
        [fine[:, [0, 1, 2]], fine[:, [0, 2, 3]]]
    )


def _weights(rows: Array, columns: Array, values: float | Array, shape: tuple[int, int]) -> Sparse:
    return csr_array(coo_array((np.broadcast_to(values, len(rows)).astype(np.float64), (rows, columns)), shape=shape))


def _scaled(matrix: Sparse, factors: Array) -> Sparse:
    return csr_array(matrix.multiply(factors[:, None]))


def cast(sighting: FaceSighting, surface: Array, triangles: Int) -> tuple[Array, Array]:
    """Cast landmarks back onto a surface [N, 3]: the nearest triangle [L] that faces the camera, -1 for none, and weights of its corners [L, 3]."""
    flat = project(surface[None], sighting.camera, sighting.size)[0]
    corners, space = flat[triangles], surface[triangles]
    normal = np.cross(space[:, 1] - space[:, 0], space[:, 2] - space[:, 0])
    ray = sighting.camera.matrices[0, :3, 3] - space.mean(1)
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(ray, axis=1)
    facing = (normal * ray).sum(1) / np.maximum(length, 1e-12)
    found, weights = np.full(len(sighting.landmarks), -1), np.zeros((len(sighting.landmarks), 3))
    a, b, c = (corners[:, k, :2] for k in range(3))
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-9, np.inf, area)
    for at, point in enumerate(sighting.landmarks[:, :2]):
        parts = np.stack([_cross(b - point, c - point), _cross(c - point, a - point), _cross(a - point, b - point)], 1)
        parts /= area[:, None]
        inside = np.flatnonzero((parts >= 0).all(1))
        if len(inside):
            nearest = inside[np.argmin((parts[inside] * corners[inside, :, 2]).sum(1))]
            if facing[nearest] > _FACING:
                found[at], weights[at] = nearest, parts[nearest]
    return found, weights


def _cross(one: Array, other: Array) -> Array:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def nearest_places(points: Array, surface: Array, triangles: Int) -> tuple[Array, Array]:
    """Find the places of a surface nearest to points [L, 3]: triangles [L] and weights of their corners [L, 3]."""
    near = np.asarray(cKDTree(surface[triangles].mean(1)).query(points, _NEAR)[1])
    corners = surface[triangles[near]]
    best = np.full(len(points), np.inf)
    chosen, weights = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    for k in range(_NEAR):
        part = _clamped(points, corners[:, k])
        away = np.linalg.norm((part[..., None] * corners[:, k]).sum(1) - points, axis=1)
        better = away < best
        best[better], chosen[better], weights[better] = away[better], near[better, k], part[better]
    return chosen, weights


def _clamped(points: Array, corners: Array) -> Array:
    """Return the weights [L, 3] of the corners [L, 3, 3] of triangles in their places nearest to points [L, 3]."""
    e, f = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    d = points - corners[:, 0]
    ee, ef, ff, de, df = ((x * y).sum(1) for x, y in ((e, e), (e, f), (f, f), (d, e), (d, f)))
    scale = np.maximum(ee * ff - ef * ef, 1e-30)
    u, v = (ff * de - ef * df) / scale, (ee * df - ef * de) / scale
    inside = np.stack([1 - u - v, u, v], 1)
    options = [inside]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        along = corners[:, j] - corners[:, i]
        t = np.clip(((points - corners[:, i]) * along).sum(1) / np.maximum((along**2).sum(1), 1e-30), 0, 1)
        side = np.zeros_like(inside)
        side[:, i], side[:, j] = 1 - t, t
        options.append(side)
    places = np.stack(options, 1) @ corners
    away = np.linalg.norm(places - points[:, None], axis=-1)
    away[(inside < 0).any(1), 0] = np.inf
    return np.asarray(np.stack(options, 1)[np.arange(len(points)), away.argmin(1)])


def embed(
    sightings: Sequence[FaceSighting],
    base: Array,
    quads: Int,
    mirror: Int,
    subject: Subject,
    edges: Sequence[tuple[Int, Int]],
) -> tuple[Sparse, Array]:
    """Find the weights of the base mesh's vertices in the first 468 landmarks, [468, V], and their usual deviation over the sightings, metres [468].

    base: [V, 3], an open mouth and open eyes. quads: of the whole mesh. mirror: each vertex on the other side. edges: pairs of landmarks and a row of vertices onto which they are moved.
    """
    weights, triangles = limit_surface(quads, len(base))
    rest = weights @ base
    middle = rest[triangles].mean(1)
    triangles = triangles[(middle[:, 1] < _FRONT) & (middle[:, 2] > _ABOVE)]
    hits = np.full((len(sightings), 468, 3), np.nan)
    for row, sighting in enumerate(sightings):
        triangle, part = cast(sighting, weights @ sighting.vertices, triangles)
        there = triangle >= 0
        hits[row, there] = (part[there, :, None] * rest[triangles[triangle[there]]]).sum(1)
    both = np.concatenate([hits, hits[:, subject.mirror[:468]] * [-1, 1, 1]])
    places = np.nanmedian(both, 0)
    deviation = np.nanmedian(np.linalg.norm(both - places, axis=-1), 0)
    loose = np.isnan(deviation) | (deviation > _FIXED)
    loose[subject.outline] = True
    template = subject.template[:468].astype(np.float64)
    bent = RBFInterpolator(template[~loose], places[~loose], neighbors=60, smoothing=1e-3)
    places[loose] = bent(template[loose])
    triangle, part = nearest_places(places, rest, triangles)
    rows = np.repeat(np.arange(468), 3)
    found = (_weights(rows, triangles[triangle].ravel(), part.ravel(), (468, len(rest))) @ weights).tolil()
    for landmarks, line in edges:
        found[landmarks] = _along(places[landmarks], rest[line]) @ weights[line]
    found = csr_array(found)
    even: Sparse = (found + found[subject.mirror[:468]][:, mirror]) / 2
    even.data[np.abs(even.data) < _LEAST] = 0
    even.eliminate_zeros()
    return even, deviation


def _along(points: Array, line: Array) -> Sparse:
    """Return the weights [L, N] of the ends of the parts of a line [N, 3] in its places nearest to points [L, 3]; the first and last lie on its ends."""
    step = np.diff(line, axis=0)
    t = np.clip(((points[:, None] - line[:-1]) * step).sum(-1) / (step**2).sum(-1), 0, 1)
    part = np.linalg.norm(line[:-1] + t[..., None] * step - points[:, None], axis=-1).argmin(1)
    place = part + t[np.arange(len(points)), part]
    place[0], place[-1] = 0, len(line) - 1
    part = np.minimum(place.astype(np.int64), len(line) - 2)
    rest, rows = place - part, np.arange(len(points))
    ends = np.concatenate([part, part + 1])
    return _weights(np.tile(rows, 2), ends, np.concatenate([1 - rest, rest]), (len(points), len(line)))


def photograph(seed: int, folder: Path) -> list[FaceSighting]:
    """Render a person who turns and acts, and return what the landmarker finds; a frame in which it finds no face is left out."""
    subject = load_subject("face")
    somebody = figure(Person.from_seed(seed, hair=Hair(cut="bald"), wardrobe=Wardrobe()))
    assert subject.coefficients
    coefficients = np.zeros((len(_VIEWS), len(subject.coefficients.names)), np.float32)
    for row, (_, _, units) in enumerate(_VIEWS):
        for name, value in units.items():
            coefficients[row, subject.coefficients.names.index(name)] = value
    yaw, pitch = (np.array([view[k] for view in _VIEWS], np.float32) for k in (0, 1))
    posed = somebody.posed(coefficients, Pose(yaw, pitch, 0 * yaw, np.zeros((len(_VIEWS), 3), np.float32)))
    middle: Array = somebody.gaze(posed[:1])[0][0].mean(0) - np.array([0, 0, 0.03])
    camera = Camera(looking(middle + np.array([0, -1.5, 0]), middle), np.array([220.0]), np.array([1.5]))
    lights = tuple(
        Light(name, looking(middle + np.array([side, -1, 0.7]), middle[None]), np.array([power]))
        for name, side, power in (("key", 0.8, 30), ("fill", -1.0, 15))
    )
    strands = [strand for strand in hair.things(somebody, posed) if strand.name.endswith(("brow", "lash"))]
    parts: tuple[MeshThing | StrandThing, ...] = (
        *things(somebody, posed, material(somebody.person, somebody.body)),
        *strands,
    )
    world = World(np.full((4, 8, 3), 0.3, np.float32))
    take = Scene(len(_VIEWS), _SIZE, Fraction(24), camera, lights, world, parts, samples=4, seed=seed)
    found = []
    for row, file in enumerate(render(take, folder)):
        picture = np.clip(to_srgb(np.maximum(Passes(file).rgb, 0), "scene_linear") * 255 + 0.5, 0, 255).astype(np.uint8)
        landmarks = _look(picture)
        if landmarks is not None:
            found.append(FaceSighting(posed[row], landmarks[:468, :2], camera, _SIZE))
    return found


def _look(picture: Image8) -> Array | None:
    detections = find_in_image(picture, "short", 0.5)
    if not len(detections):
        return None
    finder = FaceFinder()
    squares = finder.first_squares(detections[np.zeros(1, np.int64)])
    for _ in range(_LOOKS):
        found = finder.look(picture, squares)
        squares = finder.next_squares(found.landmarks)
    return found.landmarks[0] if found.scores[0] > finder.sure else None


def main() -> None:
    """Search with eight people, and write `landmarks.npz` beside this file."""
    body, subject, seeds = load_body(makehuman()), load_subject("face"), range(1, 9)
    sightings = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            sightings += photograph(seed, Path(folder) / str(seed))
            print(f"person {seed}: {len(sightings)} pictures", flush=True)
    quads = body.faces["body"].astype(np.int64)
    indices, offsets = body.targets["jawOpen"]
    base = body.vertices.astype(np.float64)
    base[indices] += _AJAR * offsets
    weights, deviation = embed(sightings, base, quads, body.mirror, subject, _edges(subject, base))
    fixed = np.pad(deviation < _FIXED, (0, _IRISES), constant_values=True)
    fixed[subject.outline] = False
    arrays: dict[str, Any] = {
        "weights": weights.data.astype(np.float32),
        "vertices": weights.indices.astype(np.uint16),
        "starts": np.pad(weights.indptr, (0, _IRISES), mode="edge").astype(np.uint16),
        "count": np.int32(len(base)),
        "deviation": np.pad(np.nan_to_num(deviation, nan=1.0), (0, _IRISES)).astype(np.float16),
        "fixed": fixed,
        "made": np.array(
            f"{len(sightings)} pictures of the people of seeds {seeds[0]} to {seeds[-1]}, landmarker {CLOSE_NETWORK}"
        ),
    }
    with whole_file(PLACES) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(
        f"{PLACES}: usual deviation {1000 * np.nanmedian(deviation):.1f} mm; {int((~fixed).sum())} depend on the view"
    )


def _edges(subject: Subject, base: Array) -> list[tuple[Array, Array]]:
    """Pair the sides of eyes and mouth, landmarks from the own right to left, with the lines of vertices along lids and lips.

    Of the lower lid it is the line that touches the eyeball, of the upper one the edge with the lashes, which hangs before it.
    """
    left, right = (grid.grid for grid in lid_grids(makehuman()))
    lips = lip_grid(makehuman()).grid[_MEETING]
    loops: dict[str, Any] = {
        "mouth": (lips, lips),
        "left_eye": left[[0, _LASHES]],
        "right_eye": right[[0, _LASHES]],
    }
    pairs = []
    for opening in subject.openings:
        for landmarks, loop, side in zip(opening.sides, loops[opening.name], (-1, 1), strict=True):
            turned = np.roll(loop, -base[loop, 0].argmin())
            far = int(base[turned, 0].argmax())
            lines = turned[: far + 1], np.append(turned[:1], turned[: far - 1 : -1])
            line = lines[int(np.argmax([side * base[line, 2].mean() for line in lines]))]
            forward = subject.template[landmarks[0], 0] < subject.template[landmarks[-1], 0]
            pairs.append((landmarks if forward else landmarks[::-1], line))
    return pairs


if __name__ == "__main__":
    main()
