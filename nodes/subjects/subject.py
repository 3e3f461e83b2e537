"""A subject: the description of a kind of thing for alignment, masks, training and swapping, read from a document."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_data_path

from nodes.errors import SchemaError
from nodes.files import check_schema
from nodes.geometry.step import smoothstep
from nodes.types import Float, Int

SCHEMA = "faceplate.subject/1"
BUILT_IN = Path(__file__).parent
_MOST_LINES = 24  # groups of landmarks that are drawn as maps of their own
_NOWHERE = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a subject that can be masked, drawn over the regions before it.

    outlines: polygons of landmarks; hull: their convex hulls instead. margin: by how much they grow, in sides of the crop. of: the
    region that it lies in: if the mask has both, or neither, it is not drawn.
    """

    name: str
    outlines: tuple[Int, ...]
    hull: bool = False
    margin: float = 0.0
    of: str | None = None


@dataclass(frozen=True, eq=False)
class Coefficients:
    """An embedded network that reads an expression as numbers 0..1 that all people share.

    network: its name in the weights' manifest. points: [P], the landmarks it takes. names: of its C outputs. gaze: those of
    the eyes' direction, which do not change a face's shape.
    """

    network: str
    points: Int
    names: tuple[str, ...]
    gaze: Int


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a subject that performs independently: its source frames are chosen apart from the others'.

    coefficients: [D], indices of those that it performs; empty for a subject without any: the whole shape. twin: [D] or empty, those
    of its other side where that does the same, such as the other eye. weight: how much they count; view: how much the pose does; usual: how
    much the source's usual expression counts against the plate's, for what mesh and wrinkles can perform needs no frame that performs
    it. share: [L], 0..1, of the part at each landmark; the parts' sum is 1.
    """

    name: str
    coefficients: Int
    twin: Int
    weight: float
    view: float
    usual: float
    share: Float


@dataclass(frozen=True, eq=False)
class Opening:
    """An opening that closes exactly, such as an eye or the lips.

    contour: [2 N], its outline from one corner, along the lower side to the other corner, and back along the upper side.
    closed: height over width up to which it is closed, by and by. ball: of an eye, the iris: its middle and four points of its
    edge; what is seen through the opening turns with it, behind the lids. Empty for an opening without. fill: the part of the
    subject that decides what is in it, where that may be the plate's, such as teeth; None where it may not.
    """

    name: str
    contour: Int
    closed: float
    ball: Int
    fill: str | None = None

    @property
    def sides(self) -> tuple[Int, Int]:
        """Landmarks of the lower and of the upper side, [N + 1] each, from corner to corner."""
        half = len(self.contour) // 2
        return self.contour[: half + 1], np.append(self.contour[0], self.contour[: half - 1 : -1])

    def height(self, shape: Float) -> Float:
        """Measure its openness in shapes [T, L, >=2], [T]: its largest height over its width."""
        low, high = self.sides
        width = np.linalg.norm(shape[:, low[0]] - shape[:, low[-1]], axis=-1)
        gap = np.linalg.norm(shape[:, low] - shape[:, high], axis=-1).max(1)
        return np.asarray(gap / np.maximum(width, 1e-6), np.float32)


@dataclass(frozen=True, eq=False)
class Likeness:
    """A measure of visible difference of crops: landmarks, and their least visible root-mean-square movement (template units)."""

    points: Int
    unit: float


@dataclass(frozen=True, eq=False)
class Subject:
    """One kind of thing that can be aligned. L landmarks.

    finder: how its landmarks are found, see :mod:`nodes.detect.finder`. half_side: of the crop at coverage 1, in template
    units. template: [L, 3], mean shape, centred, root-mean-square radius 1, upright and facing the camera (x right, y down, z
    away from the camera). weights: [L], how much each landmark counts in the fit: the inverse variance of what is left after it.
    mirror: [L], the landmark that each becomes under a left-right flip. handed: there are left ones and right ones, mirror images
    of each other; the template is a right one, and the crops of left ones are flipped. turns: it is seen from all sides, so that
    its size is measured in depth too; what is mostly seen from the front is measured better without the depth that a network guesses.

    contours: name → landmark indices, in order. regions: of masks; all of them are the subject. emphasis: those that count more in training. triangles: [T, 3], the surface
    that is warped. outline: the landmarks where a new shape has to meet the plate, none where it need not. coefficients: its
    expression as numbers; None: its landmarks are its expression. parts: at least one. likeness: see there. lines: groups of
    lines that are drawn for a network; features: groups of outlines within which it sees the plate's own. occluder: name of the embedded
    network that tells it from what is in front of it, if there is one.
    """

    name: str
    file: Path
    finder: dict[str, Any]
    half_side: float
    template: Float
    weights: Float
    mirror: Int
    handed: bool = False
    turns: bool = False
    contours: dict[str, Int] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    emphasis: tuple[str, ...] = ()
    triangles: Int = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    outline: Int = field(default_factory=lambda: _NOWHERE)
    coefficients: Coefficients | None = None
    parts: tuple[Part, ...] = ()
    openings: tuple[Opening, ...] = ()
    likeness: tuple[Likeness, ...] = ()
    lines: tuple[tuple[Int, ...], ...] = ()
    features: tuple[tuple[Int, ...], ...] = ()
    occluder: str | None = None

    @cached_property
    def template_id(self) -> str:
        """Id of the crop template, shared by compatible crops, models and facesets. Changes with the numbers."""
        numbers = np.concatenate([self.template.ravel(), self.weights]).astype("<f4")
        return f"{self.name}/{hashlib.sha256(numbers.tobytes()).hexdigest()[:8]}"

    @property
    def reference(self) -> str:
        """Its argument for :func:`load_subject` in any folder: its name, or the path of a document elsewhere."""
        try:
            return self.name if find_subject(self.name) == self.file else str(self.file)
        except SchemaError:
            return str(self.file)

    @cached_property
    def digest(self) -> str:
        """Digest of the document and of the network that it names beside itself."""
        whole = hashlib.sha256(self.file.read_bytes())
        model = self.file.parent / str(self.finder.get("model", ""))
        if model.is_file():
            whole.update(model.read_bytes())
        return whole.hexdigest()


def subjects_folder() -> Path:
    """Return the folder of the user's own subjects: FACEPLATE_SUBJECTS, else the user's data folder of this system."""
    override = os.environ.get("FACEPLATE_SUBJECTS")
    return Path(override).expanduser() if override else user_data_path("faceplate") / "subjects"


def find_subject(name: str) -> Path:
    """Find the document of a subject that ships, of one of the user's own, or at a path; raises SchemaError."""
    if name.endswith(".json") or os.sep in name:
        path = Path(name).expanduser().absolute()
        if not path.is_file():
            raise SchemaError("there is no such subject", file=path, remedy="Check the path")
        return path
    for path in (BUILT_IN / f"{name}.json", subjects_folder() / name / f"{name}.json"):
        if path.is_file():
            return path
    raise SchemaError(
        f"there is no subject '{name}' (there are: {', '.join(known_subjects())})",
        file=subjects_folder(),
        remedy="Make one with `faceplate subject new`, or give the path of its document",
    )


def known_subjects() -> list[str]:
    """List the subjects that ship and the user's own."""
    own = (p.stem for p in subjects_folder().glob("*/*.json") if p.stem == p.parent.name)
    return [*sorted(p.stem for p in BUILT_IN.glob("*.json")), *sorted(own)]


def load_subject(name: str = "face") -> Subject:
    """Read a subject by its name or the path of its document; SchemaError when it is missing, damaged or newer."""
    path = find_subject(name)
    return _read_once(path, path.stat().st_mtime_ns)


@cache
def _read_once(path: Path, _changed: int) -> Subject:
    return read_subject(path)


def read_subject(path: Path) -> Subject:
    """Read the document of a subject; raises SchemaError."""
    try:
        document = json.loads(path.read_text("utf-8"))
        check_schema(document["schema"], SCHEMA, path)
        return _parse(document, path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as e:
        remedy = "Install Faceplate again" if path.parent == BUILT_IN else "Make it again, with `faceplate subject new`"
        raise SchemaError(f"is no subject ({type(e).__name__}: {e})", file=path, remedy=remedy) from e


def _dots(count: int) -> tuple[tuple[Int, ...], ...]:
    """Make lines that mark each landmark, for a subject without lines."""
    each = -(-count // _MOST_LINES)
    return tuple(
        tuple(np.array([i, i]) for i in range(first, min(first + each, count))) for first in range(0, count, each)
    )


def _parts(
    document: dict[str, Any], flat: Float, contours: dict[str, Int], coefficients: Coefficients | None
) -> tuple[Part, ...]:
    """Read the parts of a document; without any, one part for the whole.

    A part lies around contours and fades out over a reach in template units; or it is the upper or the lower side of the rest,
    which fade into each other between the two template heights of the waist.
    """
    entries = document.get("parts")
    if not entries:
        return (Part("whole", _NOWHERE, _NOWHERE, 1.0, 1.0, 0.0, np.ones(len(flat), np.float32)),)
    names = coefficients.names if coefficients else ()
    low, high = document["waist"]
    upper = smoothstep((high - flat[:, 1]) / (high - low))
    near = {}
    for part in entries:
        if "around" in part:
            points = flat[np.concatenate([contours[name] for name in part["around"]])]
            inner, outer = part["reach"]
            away = np.linalg.norm(flat[:, None] - points, axis=-1).min(1)
            near[part["name"]] = smoothstep((outer - away) / (outer - inner))
    crowd = np.maximum(sum(near.values(), np.zeros(len(flat), np.float32)), 1)
    rest = 1 - sum((share / crowd for share in near.values()), np.zeros(len(flat), np.float32))
    sides = {"upper": upper * rest, "lower": (1 - upper) * rest}
    return tuple(
        Part(
            part["name"],
            _matching(names, part["coefficients"]),
            np.array([names.index(name) for name in part.get("twin", ())], np.int64),
            float(part.get("weight", 1)),
            float(part.get("view", 1)),
            float(part.get("usual", 0)),
            (near[part["name"]] / crowd if part["name"] in near else sides[part["side"]]).astype(np.float32),
        )
        for part in entries
    )


def _matching(names: Sequence[str], patterns: Sequence[str]) -> Int:
    """Find the indices of the names that match one of the patterns."""
    return np.array([i for i, name in enumerate(names) if any(fnmatchcase(name, p) for p in patterns)], np.int64)


def _parse(document: dict[str, Any], path: Path) -> Subject:
    template = np.array(document["template"], np.float32)
    count = len(template)
    weights = np.array(document["weights"], np.float32)
    mirror = np.array(document["mirror"], np.int64)
    if template.shape != (count, 3) or weights.shape != (count,) or sorted(mirror) != list(range(count)):
        raise ValueError("template, weights and mirror are not of as many landmarks")
    if not np.isfinite(template).all() or not (weights >= 0).all() or np.count_nonzero(weights) < 2:
        raise ValueError("template and weights must be numbers, and two weights above 0")

    def points(indices: Any) -> Int:
        array = np.array(indices, np.int64)
        if array.size and not 0 <= array.min() <= array.max() < count:
            raise ValueError(f"there are landmarks 0 to {count - 1} only")
        return array

    contours = {name: points(indices) for name, indices in document.get("contours", {}).items()}

    def groups(named: list[list[Any]]) -> tuple[tuple[Int, ...], ...]:
        return tuple(tuple(contours[one] if isinstance(one, str) else points(one) for one in group) for group in named)

    regions = tuple(
        Region(r["name"], groups([r["outlines"]])[0], bool(r.get("hull")), float(r.get("margin", 0)), r.get("of"))
        for r in document["regions"]
    )
    surface = document.get("triangles", [])
    if isinstance(surface, str):
        surface = json.loads((path.parent / surface).read_text("utf-8"))
    entry = document.get("coefficients")
    coefficients = None
    if entry:
        names = tuple(entry["names"])
        coefficients = Coefficients(entry["network"], points(entry["points"]), names, _matching(names, [entry["gaze"]]))
    return Subject(
        name=document["name"],
        file=path,
        finder=document["finder"],
        half_side=float(document["half_side"]),
        template=template,
        weights=weights,
        mirror=mirror,
        handed=bool(document.get("handed")),
        turns=bool(document.get("turns")),
        contours=contours,
        regions=regions,
        emphasis=tuple(document.get("emphasis", [])),
        triangles=points(surface + document.get("fill", [])).reshape(-1, 3),
        outline=contours[document["outline"]] if "outline" in document else _NOWHERE,
        coefficients=coefficients,
        parts=_parts(document, template[:, :2], contours, coefficients),
        openings=tuple(
            Opening(o["name"], contours[o["contour"]], float(o["closed"]), points(o.get("ball", [])), o.get("fill"))
            for o in document.get("openings", [])
        ),
        likeness=tuple(  # every second landmark: neighbours are redundant
            Likeness(np.unique(np.concatenate([contours[n] for n in names]))[::2], float(unit))
            for names, unit in document.get("likeness", [])
        ),
        lines=groups(document.get("lines", [])) or _dots(count),
        features=groups(document.get("features", [])),
        occluder=document.get("occluder"),
    )
