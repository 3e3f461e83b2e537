"""The document `faceplate.transforms/1`: where every aligned image of a folder lies in its frame, and what it was cut from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nodes.errors import SchemaError
from nodes.files import check_schema, whole_file
from nodes.geometry.similarity import Double

SCHEMA, DOCUMENT = "faceplate.transforms/1", "transforms.json"


@dataclass(frozen=True, slots=True)
class AlignedImage:
    """One image. file, mask: relative to the folder. source: the picture's name, None for a clip. frame: its number. digest: of its pixels."""

    file: str
    mask: str
    source: str | None
    frame: int
    size: tuple[int, int]
    digest: str
    to_plate: Double

    @property
    def key(self) -> str | int:
        """What it was cut from: the name of a picture, or the number of a frame."""
        return self.frame if self.source is None else self.source


@dataclass(frozen=True, slots=True)
class Transforms:
    """A folder of aligned images. footage: path, and of a clip its size and more. span: numbers of the first and last frame.

    sources: sizes of the pictures by name, of a folder of pictures.
    """

    folder: Path
    footage: dict[str, Any]
    span: tuple[int, int]
    sources: dict[str, tuple[int, int]]
    entries: tuple[AlignedImage, ...]

    @property
    def pictures(self) -> bool:
        """Whether the images were cut from pictures, and not from a clip."""
        return bool(self.sources)


def save_transforms(folder: Path, about: dict[str, Any], images: list[dict[str, Any]]) -> None:
    """Write the document, an image a line; raises OutputError."""
    head = json.dumps({"schema": SCHEMA, **about}, indent=2, ensure_ascii=False).rstrip("\n}")
    lines = ",\n".join(f"    {json.dumps(one, ensure_ascii=False)}" for one in images)
    with whole_file(folder / DOCUMENT) as temporary:
        temporary.write_text(f'{head},\n  "images": [\n{lines}\n  ]\n}}\n', "utf-8")


def load_transforms(folder: Path) -> Transforms:
    """Read the document of a folder; raises SchemaError when it is missing, damaged, of another kind, or newer."""
    path = folder / DOCUMENT
    try:
        document = json.loads(path.read_bytes())
        schema = document["schema"]
    except (FileNotFoundError, NotADirectoryError) as e:
        raise SchemaError("does not exist", file=path, remedy="Give a folder that `faceplate align` wrote") from e
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise _damaged(path) from e
    check_schema(schema, SCHEMA, path)
    try:
        span = document["range"] or {"first": 0, "last": 0}
        found = Transforms(
            folder,
            dict(document["footage"]),
            (int(span["first"]), int(span["last"])),
            {_plain(s["name"]): (int(s["width"]), int(s["height"])) for s in document["sources"]},
            tuple(_entry(one) for one in document["images"]),
        )
        if found.pictures and not {e.source for e in found.entries} <= found.sources.keys():
            raise ValueError("an image is of no picture")
        return found
    except (KeyError, TypeError, ValueError) as e:
        raise _damaged(path) from e


def _entry(one: dict[str, Any]) -> AlignedImage:
    matrix = np.array(one["to_plate"], np.float64)
    width, height = (int(n) for n in one["size"])
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not np.linalg.det(matrix) or min(width, height) < 1:
        raise ValueError("no transform")
    source = None if one["source"] is None else _plain(one["source"])
    return AlignedImage(
        _inside(one["file"]), _inside(one["mask"]), source, int(one["frame"]), (width, height), one["digest"], matrix
    )


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("names a file elsewhere")
    return name


def _plain(name: str) -> str:
    if Path(name).name != name:
        raise ValueError("is no name of a file")
    return name


def _damaged(path: Path) -> SchemaError:
    return SchemaError("is damaged, or no document of Faceplate", file=path, remedy="Align again, into another folder")
