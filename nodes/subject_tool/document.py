"""What a user says of a new subject, as TOML: landmarks by their names, and the network that finds them. See docs/subjects.md."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from nodes.detect.keypoints import NetworkRunner
from nodes.errors import OutputError, SchemaError, writing
from nodes.files import whole_file
from nodes.subjects.keypoint_network import KeypointNetwork, faults, read_network
from nodes.subjects.subject import BUILT_IN, SCHEMA, read_subject, subjects_folder

_LEAST = 3
AROUND = 1.4  # side of a crop over the extent of the landmarks


def _landmark(value: Any, info: ValidationInfo) -> int:
    names: list[str] = info.context["landmarks"] if info.context else []
    if value in names or (isinstance(value, int) and 0 <= value < len(names)):
        return value if isinstance(value, int) else names.index(value)
    raise ValueError(f"names the landmark '{value}', which is not there (there are {', '.join(names[:40])})")


def _outline(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, list):
        return [_landmark(one, info) for one in value]
    if info.context and value not in info.context["contours"]:
        raise ValueError(f"names '{value}', which is not under [contours]")
    return value


def _network(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, dict) and isinstance(upright := value.get("upright"), list):
        return value | {"upright": [_landmark(one, info) for one in upright]}
    return value


Landmark = Annotated[int, BeforeValidator(_landmark)]  # told by its name or number
Outline = Annotated[str | tuple[int, ...], BeforeValidator(_outline)]  # the name of a contour, or landmarks


class _StrictModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegionConfig(_StrictModel):
    """A region of masks, see :class:`nodes.subjects.subject.Region`."""

    name: str
    outlines: tuple[Outline, ...] = Field(min_length=1)
    hull: bool = False
    margin: float = Field(0, ge=0, le=0.5)
    of: str | None = None


class SubjectConfig(_StrictModel):
    """The file. network: see :class:`nodes.subjects.keypoint_network.KeypointNetwork`, with names for `upright`.

    mirror: pairs that change places in a mirror; left out, they are found. rigid: the only landmarks that may count in the fit; none:
    all, by how steady they are. around: side of the crop over the landmarks' extent. The rest is as in the document.
    """

    landmarks: tuple[str, ...]
    mirror: tuple[tuple[Landmark, Landmark], ...] | None = None
    rigid: tuple[Landmark, ...] = ()
    around: float = Field(AROUND, ge=1, le=10)
    contours: dict[str, tuple[Landmark, ...]] = {}
    regions: tuple[RegionConfig, ...] = ()
    emphasis: tuple[str, ...] = ()
    lines: tuple[tuple[Outline, ...], ...] = ()
    features: tuple[tuple[Outline, ...], ...] = ()
    triangles: tuple[tuple[Landmark, Landmark, Landmark], ...] = ()
    network: Annotated[dict[str, Any], BeforeValidator(_network)]

    @model_validator(mode="after")
    def _fits_together(self) -> SubjectConfig:
        names = self.landmarks
        if len(names) < _LEAST or len(set(names)) != len(names):
            different = f"names {len(names)} landmarks, {len(set(names))} of them different"
            raise ValueError(f"{different}; at least {_LEAST} are needed, under 'landmarks' or with --landmarks")
        paired = Counter(point for pair in self.mirror or () for point in pair)
        if twice := [names[point] for point, count in paired.items() if count > 1]:
            raise ValueError(f"'mirror' pairs '{twice[0]}' twice")
        regions = [r.name for r in self.regions]
        if len(set(regions)) != len(regions):
            raise ValueError("names a region twice")
        wanted = (*self.emphasis, *(r.of for r in self.regions if r.of))
        if unknown := [name for name in wanted if name not in regions]:
            raise ValueError(f"has no region '{unknown[0]}'")
        return self


def read_config(file: Path, landmarks: Sequence[str] = ()) -> SubjectConfig:
    """Read a configuration; the names of the landmarks may be given beside it. Raises SchemaError."""
    try:
        told = tomllib.loads(file.read_text("utf-8"))
        told["landmarks"] = list(landmarks) or told.get("landmarks", [])
        context = {"landmarks": list(map(str, told["landmarks"])), "contours": told.get("contours", ())}
        return SubjectConfig.model_validate(told, context=context)
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror}", file=file, remedy="Check the path of --config") from e
    except ValidationError as e:
        raise SchemaError(f"does not describe a subject ({faults(e)})", file=file, remedy="See docs/subjects.md") from e
    except (ValueError, TypeError) as e:  # no UTF-8, no TOML
        raise SchemaError(f"is no TOML ({e})", file=file, remedy="Correct it; see docs/subjects.md") from e


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
    told = read_config(config, landmarks)
    names, mirror = told.landmarks, list(range(len(told.landmarks)))
    for one, other in told.mirror or ():
        mirror[one], mirror[other] = other, one
    if "model" in told.network:
        raise SchemaError("'network.model' is said by --model", file=config, remedy="Take it out")
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        **told.model_dump(mode="json", exclude={"network", "rigid", "around", "mirror"}, exclude_defaults=True),
        "fit": {"rigid": told.rigid, "around": told.around, "mirror": None if told.mirror is None else mirror},
    }
    finder = told.network | {"model": f"{name}.onnx", "fitted": False}
    network = read_network(finder, config, len(names))
    width, height = network.size
    NetworkRunner(network, model, len(names))(np.zeros((1, height, width, 3), np.uint8))
    document["finder"] = network.model_dump(mode="json", exclude_none=True)
    document |= _provisional(len(names))
    if not told.regions:  # the hull of all its landmarks, and a little around it
        document["regions"] = [{"name": name, "outlines": [list(range(len(names)))], "hull": True, "margin": 0.06}]
    write_subject(document, path)
    with whole_file(folder / network.model) as temporary, writing(folder):
        shutil.copyfile(model, temporary)
    return path


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
