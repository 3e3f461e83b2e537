"""What a user says of a new subject, as TOML: landmarks by their names, and the network that finds them. See docs/subjects.md."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodes.errors import SchemaError
from nodes.subjects.keypoint_network import faults

_Point = str | int
_Outline = str | tuple[_Point, ...]  # a contour, or landmarks
_LEAST = 3
AROUND = 1.4  # side of a crop over the extent of the landmarks


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegionConfig(_Told):
    """A region of masks, see :class:`nodes.subjects.subject.Region`."""

    name: str
    outlines: tuple[_Outline, ...] = Field(min_length=1)
    hull: bool = False
    margin: float = Field(0, ge=0, le=0.5)
    of: str | None = None


class SubjectConfig(_Told):
    """The file. network: see :class:`nodes.subjects.keypoint_network.KeypointNetwork`, with names for `upright`.

    mirror: pairs that change places in a mirror; left out, they are found. rigid: the only landmarks that may count in the fit; none:
    all, by how steady they are. around: side of the crop over the landmarks' extent. The rest is as in the document.
    """

    landmarks: tuple[str, ...] = ()
    mirror: tuple[tuple[_Point, _Point], ...] | None = None
    rigid: tuple[_Point, ...] = ()
    around: float = Field(AROUND, ge=1, le=10)
    contours: dict[str, tuple[_Point, ...]] = {}
    regions: tuple[RegionConfig, ...] = ()
    emphasis: tuple[str, ...] = ()
    lines: tuple[tuple[_Outline, ...], ...] = ()
    features: tuple[tuple[_Outline, ...], ...] = ()
    triangles: tuple[tuple[_Point, _Point, _Point], ...] = ()
    network: dict[str, Any]


def read_config(file: Path, landmarks: Sequence[str] = ()) -> tuple[SubjectConfig, tuple[str, ...]]:
    """Read a configuration, and the names of the landmarks, which may be given beside it; raises SchemaError."""
    try:
        told = tomllib.loads(file.read_text("utf-8"))
        config = SubjectConfig.model_validate(told)
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror}", file=file, remedy="Check the path of --config") from e
    except ValidationError as e:
        raise SchemaError(f"does not describe a subject ({faults(e)})", file=file, remedy="See docs/subjects.md") from e
    except ValueError as e:  # no UTF-8, no TOML
        raise SchemaError(f"is no TOML ({e})", file=file, remedy="Correct it; see docs/subjects.md") from e
    names = tuple(landmarks) or config.landmarks
    if len(names) < _LEAST or len(set(names)) != len(names):
        raise SchemaError(
            f"names {len(names)} landmarks, {len(set(names))} of them different; at least {_LEAST} are needed",
            file=file,
            remedy="Name each landmark once, in the network's order, under 'landmarks' or with --landmarks",
        )
    return config, names


def describe(config: SubjectConfig, names: Sequence[str], file: Path) -> dict[str, Any]:
    """What of a subject's document the configuration says, landmarks by their numbers; raises SchemaError for an unknown name."""
    index = {name: i for i, name in enumerate(names)}

    def points(told: Iterable[_Point], where: str) -> list[int]:
        found = [index.get(one, -1) if isinstance(one, str) else one for one in told]
        for one, at in zip(told, found, strict=True):
            if not 0 <= at < len(names):
                raise SchemaError(
                    f"'{where}' names the landmark '{one}', which is not there",
                    file=file,
                    remedy=f"There are {', '.join(names[:40])}",
                )
        return found

    def outlines(told: Iterable[_Outline], where: str) -> list[Any]:
        found = [one if isinstance(one, str) else points(one, where) for one in told]
        for one in found:
            if isinstance(one, str) and one not in config.contours:
                raise SchemaError(f"'{where}' names '{one}', which is not under [contours]", file=file, remedy="Add it")
        return found

    upright = config.network.get("upright", False)
    told: dict[str, Any] = {
        "landmarks": list(names),
        "finder": config.network | {"upright": upright if isinstance(upright, bool) else points(upright, "upright")},
        "contours": {name: points(indices, f"contours.{name}") for name, indices in config.contours.items()},
        "regions": [
            r.model_dump(exclude_none=True) | {"outlines": outlines(r.outlines, f"regions.{r.name}")}
            for r in config.regions
        ],
        "emphasis": list(config.emphasis),
        "lines": [outlines(group, "lines") for group in config.lines],
        "features": [outlines(group, "features") for group in config.features],
        "triangles": [points(triangle, "triangles") for triangle in config.triangles],
        "fit": {
            "rigid": points(config.rigid, "rigid"),
            "around": config.around,
            "mirror": None if config.mirror is None else _mirror(config.mirror, len(names), points, file),
        },
    }
    _check_regions(config, file)
    return {key: value for key, value in told.items() if value != [] and value != {}}


def _mirror(
    pairs: Iterable[tuple[_Point, _Point]], count: int, points: Callable[[Iterable[_Point], str], list[int]], file: Path
) -> list[int]:
    mirror = list(range(count))
    for pair in pairs:
        a, b = points(pair, "mirror")
        if a == b or mirror[a] != a or mirror[b] != b:
            raise SchemaError(f"'mirror' pairs '{pair[0]}' or '{pair[1]}' twice", file=file, remedy="Name each once")
        mirror[a], mirror[b] = b, a
    return mirror


def _check_regions(config: SubjectConfig, file: Path) -> None:
    names = [r.name for r in config.regions]
    wanted = [*config.emphasis, *(r.of for r in config.regions if r.of)]
    if len(set(names)) != len(names) or (unknown := [n for n in wanted if n not in names]):
        what = "names a region twice" if len(set(names)) != len(names) else f"has no region '{unknown[0]}'"
        raise SchemaError(what, file=file, remedy="Correct the [[regions]], what they lie in, and 'emphasis'")
