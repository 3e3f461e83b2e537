"""The document `faceplate.transforms/1`: the transform and origin of every aligned image in a folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator

from nodes.files import load_document, whole_file
from nodes.geometry.similarity import Double
from nodes.shot_document import FootageInput, FrameSpan

SCHEMA, DOCUMENT = "faceplate.transforms/1", "transforms.json"


class _AlignedPart(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)


def _matrix(rows: Any) -> Double:
    try:
        matrix = np.array(rows, np.float64)
    except TypeError as e:
        raise ValueError("is no matrix") from e
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not np.linalg.det(matrix):
        raise ValueError("is no transform")
    return matrix


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("names a file elsewhere")
    return name


def _plain(name: str) -> str:
    if Path(name).name != name:
        raise ValueError("is no name of a file")
    return name


Matrix = Annotated[Any, PlainValidator(_matrix), PlainSerializer(lambda matrix: matrix.tolist())]  # float64 [3, 3]
FileInside = Annotated[str, AfterValidator(_inside)]
FileName = Annotated[str, AfterValidator(_plain)]
Pixels = Annotated[int, Field(ge=1)]


class AlignedImage(_AlignedPart):
    """One image. file, mask: relative to the folder. source: the picture's name, None for a clip. frame: its number. digest: of its pixels."""

    file: FileInside
    mask: FileInside
    source: FileName | None
    frame: int
    track: int = 0
    size: tuple[Pixels, Pixels]
    mirrored: bool = False
    to_plate: Matrix
    to_crop: Matrix
    digest: str

    @property
    def key(self) -> str | int:
        """Its origin: the name of a picture, or the number of a frame."""
        return self.frame if self.source is None else self.source


class LeftOutImage(_AlignedPart):
    """A frame, or the picture `source`, without an image, and the reason."""

    source: str | None
    frame: int
    reason: str


class AlignedTrack(_AlignedPart):
    """The images of one track, and the numbers of their first and last frame."""

    id: int
    first: int
    last: int
    images: int


class SourcePicture(_AlignedPart):
    """One of the pictures of a folder."""

    name: FileName
    width: int
    height: int


class PictureFolder(_AlignedPart):
    """A folder of unrelated pictures."""

    path: Path


class AlignedBy(_AlignedPart):
    """The alignment of all images of a folder. reference: the picture of an object."""

    method: str
    subject: str | None = None
    template: str | None = None
    coverage: float | None = None
    transform: str
    reference: Path | None = None


class Transforms(AlignedBy):
    """A folder of aligned images. sources: the pictures of a folder of pictures."""

    schema_: str = Field(default=SCHEMA, alias="schema")
    footage: FootageInput | PictureFolder
    range: FrameSpan | None
    sources: tuple[SourcePicture, ...]
    left_out: tuple[LeftOutImage, ...] = ()
    images: tuple[AlignedImage, ...]

    @model_validator(mode="after")
    def _fits(self) -> Transforms:
        if self.sources and not {image.source for image in self.images} <= {s.name for s in self.sources}:
            raise ValueError("an image is of no picture")
        if not self.sources and not (self.range and isinstance(self.footage, FootageInput)):
            raise ValueError("names neither a clip nor pictures")
        return self

    def save(self, folder: Path) -> None:
        """Write the document, an image a line; raises OutputError."""
        head = self.model_dump_json(indent=2, exclude={"images"}).rstrip("\n}")
        lines = ",\n".join(f"    {image.model_dump_json()}" for image in self.images)
        with whole_file(folder / DOCUMENT) as temporary:
            temporary.write_text(f'{head},\n  "images": [\n{lines}\n  ]\n}}\n', "utf-8")


def load_transforms(folder: Path) -> Transforms:
    """Read the document of a folder; raises SchemaError when it is missing, damaged, of another kind, or newer."""
    return load_document(
        folder / DOCUMENT, Transforms, SCHEMA, "Give a folder that `faceplate align` wrote, or align again"
    )
