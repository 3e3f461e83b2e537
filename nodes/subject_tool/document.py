"""The user's configuration of a new subject, as TOML: named landmarks and the network that finds them. See docs/subjects.md."""

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


Landmark = Annotated[int, BeforeValidator(_landmark)]  # given by its name or number
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
    all, by their steadiness. around: side of the crop over the landmarks' extent. The rest is as in the document.
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
        used = (*self.emphasis, *(r.of for r in self.regions if r.of))
        if unknown := [name for name in used if name not in regions]:
            raise ValueError(f"has no region '{unknown[0]}'")
        return self


def read_config(file: Path, landmarks: Sequence[str] = ()) -> SubjectConfig:
    """Read a configuration; the names of the landmarks may be given beside it. Raises SchemaError."""
    try:
        config = tomllib.loads(file.read_text("utf-8"))
        config["landmarks"] = list(landmarks) or config.get("landmarks", [])
        context = {"landmarks": list(map(str, config["landmarks"])), "contours": config.get("contours", ())}
        return SubjectConfig.model_validate(config, context=context)
    except OSError as e:
        raise SchemaError(f"cannot be read: {e.strerror}", file=file, remedy="Check the path of --config") from e
    except ValidationError as e:
        raise SchemaError(f"does not describe a subject ({faults(e)})", file=file, remedy="See docs/subjects.md") from e
    except (ValueError, TypeError) as e:  # no UTF-8, no TOML
        raise SchemaError(f"is no TOML ({e})", file=file, remedy="Correct it; see docs/subjects.md") from e


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def write_subject(document: dict[str, Any], path: Path) -> None:
    """Write a subject's document, whole; raises SchemaError for one that cannot be read back, OutputError."""
    with whole_file(path) as temporary:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        temporary.write_text(re.sub(r'([]}"0-9a-z]),"(?=[a-z_]+":)', r'\1,\n"', text) + "\n", "utf-8")
        read = read_subject(temporary)
        if read.finder.get("kind") == "keypoints":
            read_network(read.finder, path, len(read.template))


def read_document(path: Path) -> dict[str, Any]:
    """Read a subject's document unchanged, after validating it; raises SchemaError."""
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
    """Make a subject from a keypoint network and its configuration; it has no template until it is fitted.

    The network is copied beside the document, OUT/NAME/NAME.json; out: by default the folder of the user's own subjects. Raises
    SchemaError for the configuration, ModelError for a network that does not fit it, OutputError, also for a name that is taken.
    """
    folder = (out or subjects_folder()).expanduser().absolute() / name
    path = folder / f"{name}.json"
    _check_name(name, path, replace)
    config_read = read_config(config, landmarks)
    names, mirror = config_read.landmarks, list(range(len(config_read.landmarks)))
    for left, right in config_read.mirror or ():
        mirror[left], mirror[right] = right, left
    if "model" in config_read.network:
        raise SchemaError("'network.model' is said by --model", file=config, remedy="Take it out")
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        **config_read.model_dump(mode="json", exclude={"network", "rigid", "around", "mirror"}, exclude_defaults=True),
        "fit": {
            "rigid": config_read.rigid,
            "around": config_read.around,
            "mirror": None if config_read.mirror is None else mirror,
        },
    }
    finder = config_read.network | {"model": f"{name}.onnx", "fitted": False}
    network = read_network(finder, config, len(names))
    width, height = network.size
    NetworkRunner(network, model, len(names))(np.zeros((1, height, width, 3), np.uint8))
    document["finder"] = network.model_dump(mode="json", exclude_none=True)
    document |= _provisional(len(names))
    if not config_read.regions:  # the hull of all its landmarks, slightly grown
        document["regions"] = [{"name": name, "outlines": [list(range(len(names)))], "hull": True, "margin": 0.06}]
    write_subject(document, path)
    with whole_file(folder / network.model) as temporary, writing(folder):
        shutil.copyfile(model, temporary)
    return path


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Yield a temporary document by which a subject can be found, fitted or not.

    It uses level squares: without a template the upright direction is unknown.
    """
    document = read_document(path)
    network = document_network(document, path)
    level = False if network.upright is True else network.upright
    draft = path.with_name(f".{path.stem}.draft.json")
    finder = network.model_copy(update={"upright": level, "fitted": True}).model_dump(mode="json", exclude_none=True)
    try:
        write_subject(document | {"finder": finder} | _provisional(len(document["template"])), draft)
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink()


def document_network(document: dict[str, Any], path: Path) -> KeypointNetwork:
    """Read the network of a subject's document; raises SchemaError for a subject with another finder."""
    if document["finder"].get("kind") != "keypoints":
        raise SchemaError(
            f"'{document['name']}' is not found by a keypoint network of your own",
            file=path,
            remedy="Only subjects made by `faceplate subject new` are fitted",
        )
    return read_network(document["finder"], path, len(document["template"]))


def _provisional(count: int) -> dict[str, Any]:
    """Make a provisional template: the landmarks on a circle."""
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
