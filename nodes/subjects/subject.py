"""A subject: what alignment, masks, training and swapping know about a kind of thing. All of it is read from a document."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_data_path

from nodes.errors import SchemaError
from nodes.schema import check_schema
from nodes.subjects.measures import Measure
from nodes.types import Float, Int

SCHEMA = "faceplate.subject/1"
BUILT_IN = Path(__file__).parent
_MOST_LINES = 24  # groups of landmarks that are drawn as maps of their own
_NOWHERE = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a subject that can be masked, drawn over the regions before it.

    outlines: polygons of landmarks; hull: their convex hulls instead. margin: by how much they grow, in sides of the crop. of: the
    region that it lies in: where both are in the mask, or both are not, there is nothing to draw.
    """

    name: str
    outlines: tuple[Int, ...]
    hull: bool = False
    margin: float = 0.0
    of: str | None = None


@dataclass(frozen=True, eq=False)
class Lids:
    """An opening that a landmarker follows less far than it goes, such as an eye.

    contour: its outline. top, bottom: its middle above and below. measure: which number of the upper part is its opening.
    """

    contour: Int
    top: int
    bottom: int
    measure: int


@dataclass(frozen=True, eq=False)
class Likeness:
    """What makes two crops look different: landmarks, and the root-mean-square movement of them that is just seen (template units)."""

    points: Int
    unit: float


@dataclass(frozen=True, eq=False)
class Subject:
    """One kind of thing that can be aligned. L landmarks.

    finder: how its landmarks are found, see :mod:`nodes.detect.finders`. half_side: of the crop at coverage 1, in template
    units. template: [L, 3], mean shape, centred, root-mean-square radius 1, upright and facing the camera (x right, y down, z
    away from the camera). weights: [L], how much each landmark counts in the fit: the inverse variance of what is left after it.
    mirror: [L], the landmark that each becomes under a left-right flip. handed: there are left ones and right ones, mirror images
    of each other; the template is a right one, and the crops of left ones are flipped. turns: it is seen from all sides, so that
    its size is measured in depth too; what is mostly seen from the front is measured better without the depth that a network guesses.

    contours: name → landmark indices, in order. regions: of masks; all of them are the subject. emphasis: those that count more in training. triangles: [T, 3], the surface
    that is warped. outline: the landmarks where a new shape has to meet the plate, none where it need not. waist: the template
    heights between which the upper part fades into the lower, each of which is chosen from a frame of its own; None for a
    subject that is one. lower, upper: what of a shape is its performance, below and above the waist; none: all of it.
    closes: measures of the lower part, the first of which is an opening that is closed when neutral, and the others what else an
    open one must share. lids: see there. shading: landmarks whose luma tells of folds. likeness: see there. lines: groups of
    lines that are drawn for a network; features: groups of outlines within which it sees the plate's own.
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
    waist: tuple[float, float] | None = None
    lower: tuple[Measure, ...] = ()
    upper: tuple[Measure, ...] = ()
    closes: Int = field(default_factory=lambda: _NOWHERE)
    lids: tuple[Lids, ...] = ()
    shading: Int = field(default_factory=lambda: _NOWHERE)
    likeness: tuple[Likeness, ...] = ()
    lines: tuple[tuple[Int, ...], ...] = ()
    features: tuple[tuple[Int, ...], ...] = ()

    @cached_property
    def template_id(self) -> str:
        """Names the crop template: crops, models and facesets go together when theirs is the same. Changes with the numbers."""
        numbers = np.concatenate([self.template.ravel(), self.weights]).astype("<f4")
        return f"{self.name}/{hashlib.sha256(numbers.tobytes()).hexdigest()[:8]}"

    @property
    def reference(self) -> str:
        """What :func:`load_subject` finds it by, from any folder: its name, or the path of a document that lies elsewhere."""
        try:
            return self.name if find_subject(self.name) == self.file else str(self.file)
        except SchemaError:
            return str(self.file)

    @cached_property
    def digest(self) -> str:
        """Changes with anything in the document or in the networks that it names beside itself."""
        whole = hashlib.sha256(self.file.read_bytes())
        model = self.file.parent / str(self.finder.get("model", ""))
        if model.is_file():
            whole.update(model.read_bytes())
        return whole.hexdigest()


def subjects_folder() -> Path:
    """Where a user's own subjects are: FACEPLATE_SUBJECTS, else the user's data folder of this system."""
    override = os.environ.get("FACEPLATE_SUBJECTS")
    return Path(override).expanduser() if override else user_data_path("faceplate") / "subjects"


def find_subject(name: str) -> Path:
    """The document of a subject that ships, of one of the user's own, or at a path; raises SchemaError."""
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
    """Names of the subjects that ship and of the user's own."""
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
    """Lines that say where each landmark is, for a subject that names none."""
    each = -(-count // _MOST_LINES)
    return tuple(
        tuple(np.array([i, i]) for i in range(first, min(first + each, count))) for first in range(0, count, each)
    )


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
        found = np.array(indices, np.int64)
        if found.size and not 0 <= found.min() <= found.max() < count:
            raise ValueError(f"there are landmarks 0 to {count - 1} only")
        return found

    contours = {name: points(indices) for name, indices in document.get("contours", {}).items()}

    def groups(named: list[list[Any]]) -> tuple[tuple[Int, ...], ...]:
        return tuple(tuple(contours[one] if isinstance(one, str) else points(one) for one in group) for group in named)

    regions = tuple(
        Region(
            name=r["name"],
            outlines=groups([r["outlines"]])[0],
            hull=bool(r.get("hull")),
            margin=float(r.get("margin", 0)),
            of=r.get("of"),
        )
        for r in document["regions"]
    )
    surface = document.get("triangles", [])
    if isinstance(surface, str):
        surface = json.loads((path.parent / surface).read_text("utf-8"))
    waist = document.get("waist")
    measures = [(m["part"], Measure.parse(m, points)) for m in document.get("measures", [])]
    lower, upper = (tuple(m for part, m in measures if part == wanted) for wanted in ("lower", "upper"))

    def names(part: tuple[Measure, ...]) -> list[str]:
        return [m.name for m in part]

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
        waist=(float(waist[0]), float(waist[1])) if waist else None,
        lower=lower,
        upper=upper,
        closes=np.array([names(lower).index(name) for name in document.get("closes", [])], np.int64),
        lids=tuple(
            Lids(contours[c], int(top), int(bottom), names(upper).index(name))
            for c, top, bottom, name in document.get("lids", [])
        ),
        shading=points(document.get("shading", [])),
        likeness=tuple(
            Likeness(
                np.unique(np.concatenate([contours[n] for n in names]))[::2], float(unit)
            )  # neighbours say the same
            for names, unit in document.get("likeness", [])
        ),
        lines=groups(document.get("lines", [])) or _dots(count),
        features=groups(document.get("features", [])),
    )
