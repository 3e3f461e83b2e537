"""What a user says of a new subject, as TOML: landmarks by their names, and the network that finds them. See docs/subjects.md."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodes.detect.keypoints import NetworkRunner
from nodes.errors import OutputError, SchemaError, writing
from nodes.files import whole_file
from nodes.subjects.keypoint_network import KeypointNetwork, faults, read_network
from nodes.subjects.subject import BUILT_IN, SCHEMA, read_subject, subjects_folder

_Point = str | int
_Outline = str | tuple[_Point, ...]  # a contour, or landmarks
_LEAST = 3
AROUND = 1.4  # side of a crop over the extent of the landmarks


class _StrictModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegionConfig(_StrictModel):
    """A region of masks, see :class:`nodes.subjects.subject.Region`."""

    name: str
    outlines: tuple[_Outline, ...] = Field(min_length=1)
    hull: bool = False
    margin: float = Field(0, ge=0, le=0.5)
    of: str | None = None


class SubjectConfig(_StrictModel):
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


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def write_subject(document: dict[str, Any], path: Path) -> None:
    """Write a subject's document, whole; SchemaError for one that could not be read again, OutputError."""
    with whole_file(path) as temporary:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        temporary.write_text(re.sub(r'([]}"0-9a-z]),"(?=[a-z_]+":)', r'\1,\n"', text) + "\n", "utf-8")
        read = read_subject(temporary)
        if read.finder.get("kind") == "keypoints":
            read_network(read.finder, path, len(read.template))


def read_document(path: Path) -> dict[str, Any]:
    """Read a subject's document as it is, once it is known to be one; raises SchemaError."""
    read_subject(path)
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def new_subject(
    name: str,
    model: Path,
    config: Path,
    landmarks: Sequence[str] = (),
    out: Path | None = None,
    *,
    replace: bool = False,
) -> Path:
    """Make a subject of a keypoint network and what is said of it; it has no template until it is fitted.

    The network is copied beside the document, OUT/NAME/NAME.json; out: by default where the user's own subjects are. Raises
    SchemaError for what is said, ModelError for a network that is not as it is said, OutputError, also for a name that is taken.
    """
    folder = (out or subjects_folder()).expanduser().absolute() / name
    path = folder / f"{name}.json"
    _check_name(name, path, replace)
    told, names = read_config(config, landmarks)
    document = {"schema": SCHEMA, "name": name, **describe(told, names, config)}
    if "model" in document["finder"]:
        raise SchemaError("'network.model' is said by --model", file=config, remedy="Take it out")
    finder = document["finder"] | {"model": f"{name}.onnx", "fitted": False}
    network = read_network(finder, config, len(names))
    width, height = network.size
    NetworkRunner(network, model, len(names))(np.zeros((1, height, width, 3), np.uint8))
    document["finder"] = network.model_dump(mode="json", exclude_none=True)
    document |= _provisional(len(names))
    document.setdefault("regions", [whole_region(name, len(names))])
    write_subject(document, path)
    with whole_file(folder / network.model) as temporary, writing(folder):
        shutil.copyfile(model, temporary)
    return path


def whole_region(name: str, landmarks: int) -> dict[str, Any]:
    """The region of a subject that names none: the hull of all its landmarks, and a little around it."""
    return {"name": name, "outlines": [list(range(landmarks))], "hull": True, "margin": 0.06}


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Give, for the length of the block, a document by which a subject can be found whether it is fitted or not.

    It looks at level squares: there may be no template yet that says which way is up.
    """
    document = read_document(path)
    network = document_network(document, path)
    level = False if network.upright is True else network.upright
    draft = path.with_name(f".{path.stem}.draft.json")
    told = network.model_copy(update={"upright": level, "fitted": True}).model_dump(mode="json", exclude_none=True)
    try:
        write_subject(document | {"finder": told} | _provisional(len(document["template"])), draft)
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink()


def document_network(document: dict[str, Any], path: Path) -> KeypointNetwork:
    """The network of a subject's document; SchemaError for a subject that is found otherwise."""
    if document["finder"].get("kind") != "keypoints":
        raise SchemaError(
            f"'{document['name']}' is not found by a keypoint network of your own",
            file=path,
            remedy="Only subjects made by `faceplate subject new` are fitted",
        )
    return read_network(document["finder"], path, len(document["template"]))


def _provisional(count: int) -> dict[str, Any]:
    """What stands in the place of a template: the landmarks on a circle."""
    angle = np.arange(count) * (2 * np.pi / count)
    template = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1).round(5)
    return {
        "half_side": 1.5,
        "template": template.tolist(),
        "weights": [1 / count] * count,
        "mirror": list(range(count)),
    }


def _check_name(name: str, path: Path, replace: bool) -> None:
    if not _NAME.fullmatch(name):
        remedy = "Take small letters, digits, - and _, a letter or digit first"
        raise SchemaError(f"'{name}' is no name for a subject", remedy=remedy)
    if (BUILT_IN / f"{name}.json").is_file():
        raise OutputError(f"'{name}' is a subject that ships", file=path, remedy="Choose another name")
    if path.is_file() and not replace:
        with suppress(SchemaError):
            if not document_network(read_document(path), path).fitted:
                return
        raise OutputError(
            f"there is a subject '{name}' already", file=path, remedy="Choose another name, or add --replace"
        )
