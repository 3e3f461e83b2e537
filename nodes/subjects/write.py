"""A user's own subjects on disk: made, written whole, and read back before they take their place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from nodes.detect.finders.network import NetworkRunner
from nodes.errors import OutputError, SchemaError, writing
from nodes.files import whole_file
from nodes.subjects.config import describe, read_config
from nodes.subjects.keypoint_network import KeypointNetwork, read_network
from nodes.subjects.subject import BUILT_IN, SCHEMA, read_subject, subjects_folder

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
